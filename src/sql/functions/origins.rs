//! Functions of addresses of the internet, which files in MaxMind's format answer.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::{Doc, Function, Memo, plan_error, text_at, texts};
use crate::net::{Addr, Origins};

const ASN: Doc = Doc {
    name: "asn",
    syntax: "asn(addr)",
    about: "the number of the autonomous system that an address belongs to, by the file of --asn, else of the policy's [data]; null without",
    example: "asn('203.0.113.9')",
    gives: "64498",
};
const AS_NAME: Doc = Doc {
    name: "as_name",
    syntax: "as_name(addr)",
    about: "who that autonomous system belongs to",
    example: "as_name('203.0.113.9')",
    gives: "Example Cloud",
};
const COUNTRY: Doc = Doc {
    name: "country",
    syntax: "country(addr)",
    about: "the country of an address, two letters, by the file of --geo, else of the policy's [data]; null without",
    example: "country('2001:db8::9')",
    gives: "JP",
};

pub(super) fn functions(origins: Origins) -> Vec<Function> {
    let addr = &[DataType::Utf8];
    let (asn, as_name, country) = (origins.clone(), origins.clone(), origins);
    let all = [
        Function::new(&ASN, addr, DataType::Int64, move |of| {
            let numbers = each(&of[0], |addr| asn.asn(addr))?;
            Ok(Arc::new(numbers.into_iter().collect::<Int64Array>()) as ArrayRef)
        }),
        Function::new(&AS_NAME, addr, DataType::Utf8, move |of| {
            let names = each(&of[0], |addr| as_name.as_name(addr))?;
            Ok(Arc::new(names.into_iter().collect::<StringArray>()) as ArrayRef)
        }),
        Function::new(&COUNTRY, addr, DataType::Utf8, move |of| {
            let names = each(&of[0], |addr| country.country(addr))?;
            Ok(Arc::new(names.into_iter().collect::<StringArray>()) as ArrayRef)
        }),
    ];
    all.map(Function::stable).into()
}

/// What is told of each row's address; null where it is null or none.
fn each<T: Clone, E: std::fmt::Display>(
    addrs: &ArrayRef,
    tell: impl Fn(Addr) -> Result<Option<T>, E>,
) -> Result<Vec<Option<T>>> {
    let (addrs, mut memo) = (texts(addrs), Memo::new());
    let rows = (0..addrs.len()).map(|row| {
        let Some(text) = text_at(addrs, row) else {
            return Ok(None);
        };
        let told = memo.get(text, |text| match text.parse() {
            Ok(addr) => {
                tell(addr).map_err(|error| plan_error(format!("cannot look up {text}: {error}")))
            }
            Err(_) => Ok(None),
        });
        told.cloned()
    });
    rows.collect()
}
