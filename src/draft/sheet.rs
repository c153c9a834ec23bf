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
    /// Ids that rules have.
    ids: BTreeSet<String>,
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

/// The longest id that is made before a number is added, characters.
const MAX_ID: usize = 116;

impl Sheet {
    /// Lists something that could not be carried over.
    pub(super) fn note(&mut self, note: String) {
        self.notes.insert(note);
    }

    /// An id that no rule has yet.
    pub(super) fn claim_id(&mut self, wanted: &str) -> String {
        let cut: String = wanted.chars().take(MAX_ID).collect();
        let numbered = (2..).map(|number| format!("{cut}-{number}"));
        let free = std::iter::once(cut.clone())
            .chain(numbered)
            .find(|id| !self.ids.contains(id))
            .expect("numbers do not end");
        self.ids.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_given_once() {
        let mut sheet = Sheet::default();
        let wanted = ["a", "a-2", "a", "a"];
        let ids: Vec<String> = wanted.iter().map(|id| sheet.claim_id(id)).collect();
        assert_eq!(ids, ["a", "a-2", "a-3", "a-4"]);
    }
}
