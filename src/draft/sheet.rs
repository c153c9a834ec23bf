//! What a draft is going to say, before it is written.

use std::collections::{BTreeMap, BTreeSet};

use super::ports::Ports;
use crate::net::Prefix;

/// A whole draft.
#[derive(Default)]
pub(super) struct Sheet {
    pub(super) networks: Vec<NetworkEntry>,
    /// In the order of their first subnets.
    pub(super) tiers: Vec<String>,
    pub(super) subnets: Vec<SubnetEntry>,
    pub(super) groups: Vec<GroupEntry>,
    pub(super) destinations: Vec<DestinationEntry>,
    pub(super) allows: Vec<RuleEntry>,
    pub(super) denies: Vec<RuleEntry>,
    pub(super) nat: BTreeSet<Prefix>,
    /// What could not be carried over.
    pub(super) notes: BTreeSet<String>,
    /// How often a rule's id was wanted.
    pub(super) ids: BTreeMap<String, usize>,
}

/// `[networks.NAME]`.
pub(super) struct NetworkEntry {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) vpc: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    pub(super) cidrs: Vec<Prefix>,
}

/// `[[subnets]]`.
pub(super) struct SubnetEntry {
    pub(super) comment: Option<String>,
    pub(super) id: Option<String>,
    /// Where there are several.
    pub(super) network: Option<String>,
    pub(super) tier: String,
    pub(super) az: Option<String>,
    pub(super) cidrs: Vec<Prefix>,
    pub(super) labels: BTreeMap<String, String>,
}

/// `[groups.NAME]`.
pub(super) struct GroupEntry {
    pub(super) name: String,
    /// Where there are several.
    pub(super) network: Option<String>,
    pub(super) comment: String,
    pub(super) security_group: Option<String>,
    pub(super) cidrs: Vec<Prefix>,
}

/// `[destinations.NAME]`.
pub(super) struct DestinationEntry {
    pub(super) name: String,
    pub(super) comment: Option<String>,
    pub(super) cidrs: Vec<Prefix>,
    pub(super) prefix_list: Option<String>,
    pub(super) aws_service: Option<String>,
}

/// `[[allow]]` or `[[deny]]`.
pub(super) struct RuleEntry {
    pub(super) id: String,
    pub(super) comment: Option<String>,
    pub(super) from: Vec<String>,
    pub(super) from_except: Vec<String>,
    pub(super) to: Vec<String>,
    pub(super) to_except: Vec<String>,
    pub(super) ports: Ports,
    /// Only IPv4, or only IPv6.
    pub(super) ipv4: Option<bool>,
    pub(super) reason: String,
}

/// The longest id that is made before a number is added, bytes.
const MAX_ID: usize = 116;

impl Sheet {
    /// Lists something that could not be carried over.
    pub(super) fn note(&mut self, note: String) {
        self.notes.insert(note);
    }

    /// An id that no rule has yet.
    pub(super) fn claim_id(&mut self, wanted: &str) -> String {
        let cut: String = wanted.chars().take(MAX_ID).collect();
        loop {
            let times = self.ids.entry(cut.clone()).or_default();
            *times += 1;
            let id = match *times {
                1 => return cut,
                times => format!("{cut}-{times}"),
            };
            if !self.ids.contains_key(&id) {
                self.ids.insert(id.clone(), 1);
                return id;
            }
        }
    }
}

/// Prefixes without those that others hold, and with halves put together: the same addresses in the fewest prefixes.
pub(super) fn merged(prefixes: impl IntoIterator<Item = Prefix>) -> Vec<Prefix> {
    let mut sorted: Vec<Prefix> = prefixes.into_iter().collect();
    sorted.sort_unstable_by_key(|prefix| (prefix.is_v4(), prefix.first(), prefix.len()));
    let mut merged: Vec<Prefix> = Vec::with_capacity(sorted.len());
    for mut prefix in sorted {
        if merged.last().is_some_and(|last| last.covers(prefix)) {
            continue;
        }
        // A half joins the one before it; the whole may then be a half itself.
        while let Some(last) = merged.last() {
            let Some(parent) = prefix
                .len()
                .checked_sub(1)
                .map(|len| Prefix::of(prefix.first(), len))
            else {
                break;
            };
            let are_halves = last.len() == prefix.len()
                && parent.covers(*last)
                && parent.is_v4() == last.is_v4()
                && *last != prefix;
            if !are_halves {
                break;
            }
            merged.pop();
            prefix = parent;
        }
        merged.push(prefix);
    }
    // IPv4 first, as people write them.
    merged.sort_by_key(|prefix| (!prefix.is_v4(), *prefix));
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_put_together_where_that_is_exact() {
        fn check(texts: &str, expected: &str) {
            let prefixes = texts.split(' ').map(|text| text.parse().expect("a prefix"));
            let shown: Vec<String> = merged(prefixes).iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(" "), expected, "{texts}");
        }
        check("10.0.0.2 10.0.0.3", "10.0.0.2/31");
        check("10.0.0.1 10.0.0.2", "10.0.0.1/32 10.0.0.2/32");
        check("10.0.0.3 10.0.0.0 10.0.0.2 10.0.0.1", "10.0.0.0/30");
        check("10.0.0.0/24 10.0.0.7 10.0.0.7", "10.0.0.0/24");
        check("0.0.0.0/1 128.0.0.0/1", "0.0.0.0/0");
        check(
            "2001:db8::1 10.0.0.1 2001:db8::",
            "10.0.0.1/32 2001:db8::/127",
        );
        check("10.0.0.1", "10.0.0.1/32");
    }

    #[test]
    fn ids_are_given_once() {
        let mut sheet = Sheet::default();
        let wanted = ["a", "a-2", "a", "a"];
        let ids: Vec<String> = wanted.iter().map(|id| sheet.claim_id(id)).collect();
        assert_eq!(ids, ["a", "a-2", "a-3", "a-4"]);
    }
}
