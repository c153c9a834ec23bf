//! Names for places: tiers, groups by address, destinations. The same place has one name.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{self, Names};
use super::network::Network;
use super::sheet::{DestinationEntry, GroupEntry, Sheet};
use crate::config::PrefixList;
use crate::net::{Prefix, merged};

/// The names of all places of a draft, and the groups and destinations behind them.
pub(super) struct Places {
    names: Names,
    /// Tiers by what subnets call them.
    tiers: BTreeMap<String, String>,
    /// The networks that have subnets of a tier, by its name.
    tier_networks: BTreeMap<String, BTreeSet<usize>>,
    /// Groups by network and addresses.
    by_cidrs: BTreeMap<(usize, Vec<Prefix>), String>,
    by_prefix: BTreeMap<Prefix, String>,
    by_list: BTreeMap<String, String>,
    groups: Vec<GroupEntry>,
    destinations: Vec<DestinationEntry>,
}

/// What the language calls every address outside that 0.0.0.0/0 and ::/0 hold.
pub(super) const EVERYWHERE: [&str; 2] = ["internet", "private"];

/// AWS's own prefix lists whose services records name.
const SERVICES: [(&str, &str); 5] = [
    (".s3", "S3"),
    (".dynamodb", "DYNAMODB"),
    (".cloudfront.origin-facing", "CLOUDFRONT_ORIGIN_FACING"),
    (".ec2-instance-connect", "EC2_INSTANCE_CONNECT"),
    (".route53-healthchecks", "ROUTE53_HEALTHCHECKS"),
];

impl Places {
    pub(super) fn new() -> Places {
        Places {
            names: Names::new(),
            tiers: BTreeMap::new(),
            tier_networks: BTreeMap::new(),
            by_cidrs: BTreeMap::new(),
            by_prefix: BTreeMap::new(),
            by_list: BTreeMap::new(),
            groups: Vec::new(),
            destinations: Vec::new(),
        }
    }

    /// The tier that subnets of a network call so.
    pub(super) fn tier(&mut self, network: &Network<'_>, wanted: &str) -> String {
        let name = match self.tiers.get(wanted) {
            Some(known) => known.clone(),
            None => {
                let name = self.names.claim(wanted, "tier");
                self.tiers.insert(wanted.to_owned(), name.clone());
                name
            }
        };
        let networks = self.tier_networks.entry(name.clone()).or_default();
        networks.insert(network.number);
        name
    }

    /// Whether one network has all subnets of a tier.
    fn is_of_one_network(&self, tier: &str) -> bool {
        self.tier_networks
            .get(tier)
            .is_some_and(|networks| networks.len() == 1)
    }

    /// A name for a security group.
    pub(super) fn claim_group(&mut self, wanted: &str) -> String {
        self.names.claim(wanted, "sg")
    }

    /// Enters a group that has a name. Another with the same addresses goes by it too.
    pub(super) fn enter_group(&mut self, network: &Network<'_>, entry: GroupEntry) {
        if entry.security_group.is_none() {
            let key = (network.number, entry.cidrs.clone());
            self.by_cidrs.entry(key).or_insert(entry.name.clone());
        }
        self.groups.push(entry);
    }

    /// A group with just these addresses, which are the network's: the one there is, or a new one of this name.
    pub(super) fn group_of(
        &mut self,
        network: &Network<'_>,
        wanted: &str,
        cidrs: Vec<Prefix>,
        comment: &str,
    ) -> String {
        let cidrs = merged(cidrs);
        if let Some(known) = self.by_cidrs.get(&(network.number, cidrs.clone())) {
            return known.clone();
        }
        let name = self.names.claim(wanted, "inside");
        let entry = GroupEntry {
            name: name.clone(),
            network: network.is_one_of_several.then(|| network.name.clone()),
            comment: comment.to_owned(),
            security_group: None,
            cidrs,
        };
        self.enter_group(network, entry);
        name
    }

    /// The word for the part of a prefix that lies inside: `inside`, a tier, a subnet, or a group of its own. None if no
    /// part does. `inside` and tiers are every network's, so they stand only for what this network alone has.
    pub(super) fn inside(&mut self, network: &Network<'_>, prefix: Prefix) -> Option<String> {
        let part = network.inside_part(prefix);
        if part.is_empty() {
            return None;
        }
        if network.is_covered_by(prefix) {
            if !network.is_one_of_several {
                return Some("inside".to_owned());
            }
            let wanted = format!("{}-inside", network.name);
            let comment = format!("all of the network {}", network.name);
            return Some(self.group_of(network, &wanted, part, &comment));
        }
        let within: Vec<_> = network
            .subnets
            .iter()
            .filter(|placed| placed.subnet.cidrs.iter().any(|cidr| prefix.covers(*cidr)))
            .collect();
        let of_family = |cidr: &&Prefix| cidr.is_v4() == prefix.is_v4();
        if let Some(first) = within.first()
            && self.is_of_one_network(&first.tier)
        {
            let of_tier = network.subnets.iter().filter(|one| one.tier == first.tier);
            let own = of_tier.flat_map(|one| one.subnet.cidrs.iter().filter(of_family));
            if merged(own.copied()) == merged(part.iter().copied()) {
                return Some(first.tier.clone());
            }
        }
        let mut wanted = text_of(prefix);
        let mut comment = String::new();
        if let [only] = within.as_slice()
            && only.subnet.cidrs.contains(&prefix)
        {
            let name = only.subnet.tags.get("Name").map(String::as_str);
            wanted = names::of(&[name], &only.subnet.id);
            comment = format!("the subnet {}", only.subnet.id);
        }
        Some(self.group_of(network, &wanted, part, &comment))
    }

    /// The words for the part of a prefix that lies outside; none if no part does.
    pub(super) fn outside(&mut self, network: &Network<'_>, prefix: Prefix) -> Vec<String> {
        if network.holds(prefix) {
            return Vec::new();
        }
        if prefix.is_empty() {
            return EVERYWHERE.map(str::to_owned).to_vec();
        }
        if let Some(known) = self.by_prefix.get(&prefix) {
            return vec![known.clone()];
        }
        let name = self.names.claim(&text_of(prefix), "outside");
        self.by_prefix.insert(prefix, name.clone());
        self.destinations.push(DestinationEntry {
            name: name.clone(),
            comment: None,
            cidrs: vec![prefix],
            prefix_list: None,
            aws_service: None,
        });
        vec![name]
    }

    /// The word for the part of a prefix list that lies outside; none if no part does.
    pub(super) fn outside_list(
        &mut self,
        network: &Network<'_>,
        id: &str,
        list: Option<&PrefixList>,
        sheet: &mut Sheet,
    ) -> Option<String> {
        let name = list.and_then(|list| list.name.as_deref());
        let entries = list.and_then(|list| list.entries.as_ref());
        if entries.is_some_and(|entries| entries.iter().all(|entry| network.holds(*entry))) {
            return None;
        }
        if let Some(known) = self.by_list.get(id) {
            return Some(known.clone());
        }
        let of_aws = name.filter(|name| name.starts_with("com.amazonaws."));
        let service = SERVICES
            .iter()
            .find(|(end, _)| of_aws.is_some_and(|name| name.ends_with(end)));
        let service = service.filter(|_| entries.is_none());
        let wanted = match of_aws {
            Some(name) => names::service(name),
            None => names::of(&[name], id),
        };
        let claimed = self.names.claim(&wanted, "net");
        if entries.is_none() && service.is_none() {
            sheet.note(format!("{id}: the entries of this prefix list are not in the input; what goes by `{claimed}` is unproven until [data] prefix_list_files holds them"));
        }
        self.by_list.insert(id.to_owned(), claimed.clone());
        self.destinations.push(DestinationEntry {
            name: claimed.clone(),
            comment: Some(match name {
                Some(name) => format!("{id}, {name}"),
                None => id.to_owned(),
            }),
            cidrs: entries
                .map(|entries| merged(entries.iter().copied()))
                .unwrap_or_default(),
            prefix_list: (entries.is_none() && service.is_none()).then(|| list_id(id)),
            aws_service: service.map(|(_, service)| (*service).to_owned()),
        });
        Some(claimed)
    }

    /// Hands over what the draft has of groups and destinations.
    pub(super) fn finish(self, sheet: &mut Sheet) {
        sheet.groups = self.groups;
        sheet.destinations = self.destinations;
    }

    /// The places of some subnets of a network: their tiers where those have no other subnets anywhere, else a group.
    pub(super) fn subnets(
        &mut self,
        network: &Network<'_>,
        all: &[Network<'_>],
        ids: &BTreeSet<&str>,
        wanted: &str,
    ) -> Vec<String> {
        let is_one = |id: &str| ids.contains(id);
        let here = || network.subnets.iter().filter(|one| is_one(&one.subnet.id));
        let tiers: BTreeSet<&str> = here().map(|one| one.tier.as_str()).collect();
        let everywhere = || all.iter().flat_map(|network| &network.subnets);
        let are_whole = everywhere()
            .filter(|one| tiers.contains(one.tier.as_str()))
            .all(|one| is_one(&one.subnet.id));
        if are_whole {
            return tiers.into_iter().map(str::to_owned).collect();
        }
        let cidrs = here()
            .flat_map(|one| one.subnet.cidrs.iter().copied())
            .collect();
        vec![self.group_of(network, wanted, cidrs, "subnets of one network ACL")]
    }
}

/// A prefix as a name: `10.0.0.0/16`, an address alone, and IPv6 with `-` for `:`.
fn text_of(prefix: Prefix) -> String {
    let text = if prefix.len() == prefix.first().width() {
        prefix.first().to_string()
    } else {
        prefix.to_string()
    };
    text.replace(':', "-")
}

/// The id as the language takes it; of a list that does not exist yet, a stand-in.
fn list_id(id: &str) -> String {
    if names::is_id(id, "pl-") {
        id.to_owned()
    } else {
        names::planned_id("pl-", id)
    }
}
