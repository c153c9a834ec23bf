//! Names for the numbers of records.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, PrimitiveArray, StringArray};
use arrow::datatypes::{DataType, Int64Type};

use super::{Doc, Function};
use crate::net::{protocol, services};

const TCP_FLAGS: Doc = Doc {
    name: "tcp_flags",
    syntax: "tcp_flags(n)",
    about: "the names of the bits of a record's `tcp_flags`: all flags of its window together",
    example: "tcp_flags(19)",
    gives: "FIN,SYN,ACK",
};
const PROTOCOL_NAME: Doc = Doc {
    name: "protocol_name",
    syntax: "protocol_name(n)",
    about: "IANA's name of a protocol; its number where it has none",
    example: "protocol_name(6)",
    gives: "tcp",
};
const SERVICE_NAME: Doc = Doc {
    name: "service_name",
    syntax: "service_name(protocol, port)",
    about: "the usual service of a port; null where there is none",
    example: "service_name(6, 5432)",
    gives: "postgresql",
};
const TRAFFIC_PATH: Doc = Doc {
    name: "traffic_path",
    syntax: "traffic_path(n)",
    about: "the way that traffic left by, in AWS's words for `traffic_path`",
    example: "traffic_path(8)",
    gives: "internet gateway",
};

/// Names of the bits, RFC 9293 section 3.1.
const FLAGS: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];
/// From 1 on; AWS, *Flow log records*.
const PATHS: [&str; 8] = [
    "same VPC",
    "internet gateway or gateway endpoint",
    "virtual private gateway",
    "intra-region peering",
    "inter-region peering",
    "local gateway",
    "gateway endpoint",
    "internet gateway",
];

pub(super) fn functions() -> Vec<Function> {
    let int = DataType::Int64;
    let by_number = |doc, name: fn(i64) -> Option<String>| {
        Function::new(doc, std::slice::from_ref(&int), DataType::Utf8, move |of| {
            let numbers = numbers(&of[0]);
            let names = numbers.iter().map(|number| name(number?));
            Ok(Arc::new(names.collect::<StringArray>()) as ArrayRef)
        })
    };
    vec![
        by_number(&TCP_FLAGS, |bits| {
            let set = FLAGS
                .iter()
                .enumerate()
                .filter(|(bit, _)| bits >> bit & 1 == 1);
            let names: Vec<&str> = set.map(|(_, name)| *name).collect();
            (0..256).contains(&bits).then(|| names.join(","))
        }),
        by_number(&PROTOCOL_NAME, |number| {
            let name = u8::try_from(number).ok().and_then(protocol::name);
            Some(name.map_or_else(|| number.to_string(), str::to_owned))
        }),
        Function::new(
            &SERVICE_NAME,
            &[int.clone(), int.clone()],
            DataType::Utf8,
            |of| {
                let (protocols, ports) = (numbers(&of[0]), numbers(&of[1]));
                let names = protocols.iter().zip(ports).map(|(protocol, port)| {
                    let protocol = u8::try_from(protocol?).ok()?;
                    services::service_name(protocol, u16::try_from(port?).ok()?)
                });
                Ok(Arc::new(names.collect::<StringArray>()) as ArrayRef)
            },
        ),
        by_number(&TRAFFIC_PATH, |number| {
            let place = usize::try_from(number).ok()?.checked_sub(1)?;
            PATHS.get(place).map(|name| (*name).to_owned())
        }),
    ]
}

fn numbers(argument: &ArrayRef) -> &PrimitiveArray<Int64Type> {
    argument.as_primitive::<Int64Type>()
}
