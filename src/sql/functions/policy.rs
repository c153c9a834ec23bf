//! Functions that ask the policy.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListBuilder, PrimitiveArray, StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::Result;

use super::{Doc, Function, addr_at, plan_error, texts};
use crate::net::Addr;
use crate::policy::{Decision, Policy};

const ZONE: Doc = Doc {
    name: "zone",
    syntax: "zone(addr [, at])",
    about: "the policy's zone of an address, of a policy whose places change at that time: a tier, unassigned, a destination, aws:…, private, local, internet",
    example: "zone('10.0.64.7')",
    gives: "data",
};
const GROUPS: Doc = Doc {
    name: "groups",
    syntax: "groups(addr [, at])",
    about: "the policy's groups of an address, likewise, as far as prefixes and an inventory tell them",
    example: "groups('10.0.64.20', '2026-02-25')",
    gives: "[vector-lb]",
};
const DECISION: Doc = Doc {
    name: "decision",
    syntax: "decision(client, server, port, protocol, at)",
    about: "what the policy says of such a flow at that time: allow, deny or unproven; without what only records tell",
    example: "decision('10.0.64.7', '198.51.100.9', 22, 6, '2026-02-25')",
    gives: "deny",
};
const DECIDING_RULE: Doc = Doc {
    name: "deciding_rule",
    syntax: "deciding_rule(client, server, port, protocol, at)",
    about: "the rule that decides so",
    example: "deciding_rule('203.0.113.9', '203.0.113.10', 22, 6, '2026-02-25')",
    gives: "default",
};

/// Policies by the instant, seconds since 1970, that each is in force from until the next one is, in that order. The first
/// also answers for what was before; none at all where no policy is known.
#[derive(Clone, Default)]
pub struct Policies(pub Vec<(i64, Arc<Policy>)>);

impl Policies {
    /// The policy that is in force at an instant.
    fn at(&self, at: i64) -> Option<&Policy> {
        let begun = self.0.partition_point(|(from, _)| *from <= at);
        let (_, policy) = self.0.get(begun.saturating_sub(1))?;
        Some(policy)
    }

    /// Whether an address may be placed in several ways, as time goes by.
    fn has_dated_places(&self) -> bool {
        self.0.len() > 1 || self.0.iter().any(|(_, policy)| policy.has_dated_places())
    }
}

pub(super) fn functions(policies: Policies) -> Vec<Function> {
    let (text, int) = (DataType::Utf8, DataType::Int64);
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let flow = [text.clone(), text.clone(), int.clone(), int, time.clone()];
    let dated = [text.clone(), time];
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let asked = policies.clone();
    let zone = Function::new(
        &ZONE,
        std::slice::from_ref(&text),
        text.clone(),
        move |of| {
            let places = dated_places(&asked, of, &ZONE)?;
            let zones =
                places.map(|place| place.map(|(policy, addr, at)| policy.zone_of(addr, at)));
            Ok(Arc::new(zones.collect::<StringArray>()) as ArrayRef)
        },
    );
    let zone = zone.or(&dated);
    let asked = policies.clone();
    let groups = Function::new(&GROUPS, std::slice::from_ref(&text), list, move |of| {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for place in dated_places(&asked, of, &GROUPS)? {
            let groups = place
                .into_iter()
                .flat_map(|(policy, addr, at)| policy.groups_of_addr(addr, at));
            groups.for_each(|group| lists.values().append_value(group));
            lists.append(place.is_some());
        }
        Ok(Arc::new(lists.finish()) as ArrayRef)
    });
    let groups = groups.or(&dated);
    let asked = policies.clone();
    let decision = Function::new(&DECISION, &flow, text.clone(), move |of| {
        decided(&asked, of, &DECISION, |_, decision| {
            decision.answer.as_str()
        })
    });
    let deciding_rule = Function::new(&DECIDING_RULE, &flow, text, move |of| {
        decided(&policies, of, &DECIDING_RULE, |policy, decision| {
            &policy.rule(decision.rule).id
        })
    });
    let all = [zone, groups, decision, deciding_rule];
    all.map(Function::stable).into()
}

/// Fails where no policy is known.
fn need(policies: &Policies, doc: &Doc) -> Result<()> {
    if policies.0.is_empty() {
        return Err(plan_error(format!("{} needs --policy", doc.syntax)));
    }
    Ok(())
}

/// Each row's address and instant, seconds since 1970, with the policy that is in force then; none where one is null or no
/// address. Without instants there has to be only one answer.
fn dated_places<'a>(
    policies: &'a Policies,
    of: &'a [ArrayRef],
    doc: &Doc,
) -> Result<impl Iterator<Item = Option<(&'a Policy, Addr, i64)>>> {
    need(policies, doc)?;
    let addrs = texts(&of[0]);
    let times = of
        .get(1)
        .map(|times| times.as_primitive::<TimestampMicrosecondType>());
    if times.is_none() && policies.has_dated_places() {
        let name = doc.name;
        return Err(plan_error(format!(
            "{name}(addr) has more than one answer, because policies, or subnets, groups or destinations of one, are in \
             force for a time only: write {name}(addr, at), such as {name}(client_addr, first_seen)"
        )));
    }
    Ok((0..addrs.len()).map(move |row| {
        let at = match times {
            // The newest state of an inventory.
            None => i64::from(u32::MAX),
            Some(times) => seconds_at(times, row)?,
        };
        Some((policies.at(at)?, addr_at(addrs, row)?, at))
    }))
}

/// The instant of a row, seconds since 1970; none if it is null.
fn seconds_at(times: &PrimitiveArray<TimestampMicrosecondType>, row: usize) -> Option<i64> {
    let micros = times.is_valid(row).then(|| times.value(row))?;
    Some(micros.div_euclid(1_000_000))
}

/// What is told of the decision on each row's flow; null where a part of it is null or none.
fn decided<'p>(
    policies: &'p Policies,
    of: &[ArrayRef],
    doc: &Doc,
    tell: impl Fn(&'p Policy, &Decision) -> &'p str,
) -> Result<ArrayRef> {
    need(policies, doc)?;
    let ports = of[2].as_primitive::<Int64Type>();
    let protocols = of[3].as_primitive::<Int64Type>();
    let times = of[4].as_primitive::<TimestampMicrosecondType>();
    let told = (0..of[0].len()).map(|row| {
        let client = addr_at(texts(&of[0]), row)?;
        let server = addr_at(texts(&of[1]), row)?;
        // Protocols without ports have port 0.
        let port = if ports.is_valid(row) {
            u16::try_from(ports.value(row)).ok()?
        } else {
            0
        };
        let protocol = protocols.is_valid(row).then(|| protocols.value(row))?;
        let at = seconds_at(times, row)?;
        let protocol = u8::try_from(protocol).ok()?;
        let policy = policies.at(at)?;
        let decision = policy.decide_by_addr(client, server, protocol, port, at);
        Some(tell(policy, &decision))
    });
    Ok(Arc::new(told.collect::<StringArray>()))
}
