//! Functions of addresses and prefixes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result;

use super::{Doc, Function, Memo, addr_at, plan_error, text_at, texts};
use crate::net::Prefix;

const CIDR_CONTAINS: Doc = Doc {
    name: "cidr_contains",
    syntax: "cidr_contains(cidr, addr)",
    about: "whether the prefix holds the address",
    example: "cidr_contains('10.0.0.0/16', '10.0.4.7')",
    gives: "true",
};
const IN_CIDRS: Doc = Doc {
    name: "in_cidrs",
    syntax: "in_cidrs(addr, list)",
    about: "whether one of the prefixes holds the address; a list is text with commas, or an array",
    example: "in_cidrs('2001:db8::7', '10.0.0.0/8, 2001:db8::/32')",
    gives: "true",
};
const ADDR_PREFIX: Doc = Doc {
    name: "addr_prefix",
    syntax: "addr_prefix(addr, bits)",
    about: "the prefix of so many bits that holds the address; of too many bits the address itself",
    example: "addr_prefix('10.0.4.7', 24)",
    gives: "10.0.4.0/24",
};
const ADDR_FAMILY: Doc = Doc {
    name: "addr_family",
    syntax: "addr_family(addr)",
    about: "4 or 6",
    example: "addr_family('2001:db8::7')",
    gives: "6",
};
const IS_PRIVATE: Doc = Doc {
    name: "is_private",
    syntax: "is_private(addr)",
    about: "whether the address is one of the private ranges, as a policy's zone `private` has it",
    example: "is_private('192.168.7.1')",
    gives: "true",
};

pub(super) fn functions() -> Vec<Function> {
    let text = DataType::Utf8;
    let one = std::slice::from_ref(&text);
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    vec![
        Function::new(
            &CIDR_CONTAINS,
            &[text.clone(), text.clone()],
            DataType::Boolean,
            |of| {
                let mut memo = Memo::new();
                holds(texts(&of[1]), |row| {
                    let Some(cidr) = text_at(texts(&of[0]), row) else {
                        return Ok(None);
                    };
                    Ok(Some(vec![*memo.get(cidr, prefix)?]))
                })
            },
        ),
        Function::new(
            &IN_CIDRS,
            &[text.clone(), text.clone()],
            DataType::Boolean,
            in_cidrs,
        )
        .or(&[text.clone(), list]),
        Function::new(
            &ADDR_PREFIX,
            &[text.clone(), DataType::Int64],
            text.clone(),
            |of| {
                let bits = of[1].as_primitive::<Int64Type>();
                let found = (0..of[0].len()).map(|row| {
                    let addr = addr_at(texts(&of[0]), row)?;
                    let bits = bits.is_valid(row).then(|| bits.value(row))?;
                    let most = i64::from(addr.width());
                    Some(Prefix::of(addr, bits.clamp(0, most) as u8).to_string())
                });
                Ok(Arc::new(found.collect::<StringArray>()) as ArrayRef)
            },
        ),
        Function::new(&ADDR_FAMILY, one, DataType::Int32, |of| {
            let family = |row| {
                Some(if addr_at(texts(&of[0]), row)?.is_v4() {
                    4
                } else {
                    6
                })
            };
            Ok(Arc::new((0..of[0].len()).map(family).collect::<Int32Array>()) as ArrayRef)
        }),
        Function::new(&IS_PRIVATE, one, DataType::Boolean, |of| {
            let is_private = |row| Some(addr_at(texts(&of[0]), row)?.is_private());
            Ok(Arc::new((0..of[0].len()).map(is_private).collect::<BooleanArray>()) as ArrayRef)
        }),
    ]
}

fn in_cidrs(of: &[ArrayRef]) -> Result<ArrayRef> {
    if let Some(lists) = of[1].as_list_opt::<i32>() {
        return holds(texts(&of[0]), |row| {
            if lists.is_null(row) {
                return Ok(None);
            }
            let list = lists.value(row);
            let words = list.as_string::<i32>().iter().flatten();
            words.map(prefix).collect::<Result<_>>().map(Some)
        });
    }
    let mut memo: Memo<Vec<Prefix>> = Memo::new();
    holds(texts(&of[0]), |row| {
        let Some(list) = text_at(texts(&of[1]), row) else {
            return Ok(None);
        };
        let words = |list: &str| -> Result<Vec<Prefix>> {
            let words = list.split([',', ' ', '\n']).filter(|word| !word.is_empty());
            words.map(prefix).collect()
        };
        memo.get(list, words).map(|list| Some(list.clone()))
    })
}

/// Whether one of the prefixes of a row holds its address.
fn holds(
    addrs: &StringArray,
    mut prefixes: impl FnMut(usize) -> Result<Option<Vec<Prefix>>>,
) -> Result<ArrayRef> {
    let mut found = Vec::with_capacity(addrs.len());
    for row in 0..addrs.len() {
        let prefixes = prefixes(row)?;
        let addr = addr_at(addrs, row);
        found.push(
            addr.zip(prefixes)
                .map(|(addr, prefixes)| prefixes.iter().any(|prefix| prefix.contains(addr))),
        );
    }
    Ok(Arc::new(BooleanArray::from(found)))
}

/// A prefix, or a single address.
fn prefix(text: &str) -> Result<Prefix> {
    let read = text.trim().parse::<Prefix>();
    read.map_err(|error| {
        plan_error(format!(
            "expected a prefix such as 10.0.0.0/8, got `{text}`: {error}"
        ))
    })
}
