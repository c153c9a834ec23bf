//! Who carries which security groups, in classes that no rule tells apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::names;
use super::network::Network;
use super::place::Places;
use super::sheet::{GroupEntry, Sheet};
use crate::config::{Config, Interface, Peer, SecurityGroup, is_known};
use crate::net::{Prefix, merged};

/// The security groups of a network and what carries them.
pub(super) struct Carriers<'c> {
    pub(super) groups: Vec<Carried<'c>>,
    pub(super) members: Vec<Member>,
    /// By group, the members of IPv6 and of IPv4.
    by_group: Vec<[BTreeSet<usize>; 2]>,
    numbers: HashMap<&'c str, usize>,
    /// Groups that nothing carries.
    unused: BTreeSet<&'c str>,
}

/// A security group in the draft.
pub(super) struct Carried<'c> {
    pub(super) group: &'c SecurityGroup,
    pub(super) name: String,
}

/// Addresses of one family that carry the same groups and lie in the same prefixes of all that rules name.
pub(super) struct Member {
    /// Numbers of groups.
    pub(super) groups: BTreeSet<usize>,
    pub(super) is_v4: bool,
    /// Empty for what carries a group of which the input knows no address.
    pub(super) addrs: Vec<Prefix>,
}

/// What a peer of a rule is to a network.
pub(super) enum Seen {
    /// The group with this number.
    Group(usize),
    /// A group that nothing carries.
    Nobody,
    /// A group that is not the network's.
    Elsewhere,
}

/// Enters the groups of a network.
pub(super) fn carriers<'c>(
    config: &'c Config,
    network: &Network<'_>,
    places: &mut Places,
    sheet: &mut Sheet,
) -> Carriers<'c> {
    let is_here = |vpc: &Option<String>| vpc.as_deref() == Some(network.id.as_str());
    let here: Vec<&Interface> = config
        .interfaces
        .iter()
        .filter(|interface| is_here(&interface.vpc))
        .collect();
    let carried: BTreeSet<&str> = here
        .iter()
        .flat_map(|interface| interface.groups.iter().map(String::as_str))
        .collect();
    let mut carriers = Carriers {
        groups: Vec::new(),
        members: Vec::new(),
        by_group: Vec::new(),
        numbers: HashMap::new(),
        unused: BTreeSet::new(),
    };
    for group in config.groups.iter().filter(|group| is_here(&group.vpc)) {
        if network.is_fully_known && !carried.contains(group.id.as_str()) {
            let name = group.name.as_deref().unwrap_or_default();
            sheet.note(format!(
                "{} ({name}): no interface carries it; it is left out with its rules",
                group.id
            ));
            carriers.unused.insert(&group.id);
            continue;
        }
        if !group.is_told {
            sheet.note(format!(
                "{}: the group is not in the input, only rules of it; it may permit more",
                group.id
            ));
        }
        let tag = group.tags.get("Name").map(String::as_str);
        let wanted = names::of(&[group.name.as_deref(), tag], &group.id);
        carriers.numbers.insert(&group.id, carriers.groups.len());
        let name = places.claim_group(&wanted);
        carriers.groups.push(Carried { group, name });
    }
    let by_addr = carriers.by_addr(&here, network, sheet);
    carriers.classify(config, by_addr, sheet);
    if !network.is_fully_known {
        carriers.add_unknown(network);
    }
    carriers.index();
    carriers.enter(config, network, places);
    carriers
}

impl<'c> Carriers<'c> {
    /// The groups that each address carries.
    fn by_addr(
        &self,
        here: &[&'c Interface],
        network: &Network<'_>,
        sheet: &mut Sheet,
    ) -> BTreeMap<Prefix, BTreeSet<usize>> {
        let mut by_addr: BTreeMap<Prefix, BTreeSet<usize>> = BTreeMap::new();
        for interface in here {
            let id = &interface.id;
            let kind = interface.kind.as_deref().unwrap_or("interface");
            if interface.groups.is_empty() && kind != "nat_gateway" {
                sheet.note(format!("{id} ({kind}): carries no security group, so nothing is said of connections to it"));
            }
            let mut groups = BTreeSet::new();
            for group in &interface.groups {
                match self.numbers.get(group.as_str()) {
                    Some(number) => {
                        groups.insert(*number);
                    }
                    None => sheet.note(format!("{id}: carries {group}, which is not in the input; what that permits is left out")),
                }
            }
            if groups.is_empty() {
                continue;
            }
            for addr in &interface.addrs {
                if network.holds(*addr) {
                    by_addr.entry(*addr).or_default().extend(&groups);
                } else {
                    sheet.note(format!("{id}: {addr} lies outside the prefixes of its VPC"));
                }
            }
        }
        by_addr
    }

    fn classify(
        &mut self,
        config: &Config,
        by_addr: BTreeMap<Prefix, BTreeSet<usize>>,
        sheet: &mut Sheet,
    ) {
        let mut told_apart: BTreeSet<Prefix> = BTreeSet::new();
        for rule in self.groups.iter().flat_map(|carried| &carried.group.rules) {
            told_apart.extend(prefixes(config, &rule.peer));
        }
        let mut classes: BTreeMap<(bool, BTreeSet<usize>, Vec<bool>), Vec<Prefix>> =
            BTreeMap::new();
        for (addr, groups) in by_addr {
            let is_within = |prefix: &&Prefix| addr.covers(**prefix) && addr != **prefix;
            if let Some(prefix) = told_apart.iter().find(is_within) {
                sheet.note(format!("{prefix}: a rule names this part of {addr}, which one interface has as a whole; nothing is permitted by it"));
            }
            let held = told_apart
                .iter()
                .map(|prefix| prefix.covers(addr))
                .collect();
            let class = classes.entry((addr.is_v4(), groups, held)).or_default();
            class.push(addr);
        }
        let members = classes
            .into_iter()
            .map(|((is_v4, groups, _), addrs)| Member {
                groups,
                is_v4,
                addrs,
            });
        self.members = members.collect();
    }

    /// Members without an address, for groups of which no carrier is known.
    fn add_unknown(&mut self, network: &Network<'_>) {
        for number in 0..self.groups.len() {
            if self
                .members
                .iter()
                .any(|member| member.groups.contains(&number))
            {
                continue;
            }
            self.members.extend(network.families().map(|is_v4| Member {
                groups: BTreeSet::from([number]),
                is_v4,
                addrs: Vec::new(),
            }));
        }
    }

    fn index(&mut self) {
        self.by_group = self.groups.iter().map(|_| Default::default()).collect();
        for (member, of) in self.members.iter().enumerate() {
            for group in &of.groups {
                self.by_group[*group][usize::from(of.is_v4)].insert(member);
            }
        }
    }

    fn enter(&self, config: &Config, network: &Network<'_>, places: &mut Places) {
        for (number, carried) in self.groups.iter().enumerate() {
            let group = carried.group;
            let members = self.by_group[number].iter().flatten();
            let cidrs =
                merged(members.flat_map(|member| self.members[*member].addrs.iter().copied()));
            let described = group.description.as_deref().unwrap_or_default();
            let mut comment = format!("{} {described}", group.id).trim_end().to_owned();
            if !network.is_fully_known {
                let balancers = config
                    .balancers
                    .iter()
                    .filter(|one| one.groups.contains(&group.id));
                for balancer in balancers {
                    let name = balancer.name.as_deref().unwrap_or(&balancer.id);
                    comment += &format!("; carried by load balancer {name}");
                }
            }
            if !is_known(&group.id) {
                comment += "; put its id here when it exists";
            }
            let id = if names::is_id(&group.id, "sg-") {
                group.id.clone()
            } else {
                names::planned_id("sg-", &group.id)
            };
            // Where every interface is known the addresses say all; a group that goes by its id besides would make
            // every other address one that might be in it.
            places.enter_group(
                network,
                GroupEntry {
                    name: carried.name.clone(),
                    network: network.is_one_of_several.then(|| network.name.clone()),
                    comment,
                    security_group: (!network.is_fully_known || cidrs.is_empty()).then_some(id),
                    cidrs,
                },
            );
        }
    }

    /// The members of a group that are of a family.
    pub(super) fn of(&self, group: usize, is_v4: bool) -> &BTreeSet<usize> {
        &self.by_group[group][usize::from(is_v4)]
    }

    /// What a group's id is to this network.
    pub(super) fn seen(&self, id: &str) -> Seen {
        match self.numbers.get(id) {
            Some(number) => Seen::Group(*number),
            None if self.unused.contains(id) => Seen::Nobody,
            None => Seen::Elsewhere,
        }
    }
}

/// The prefixes that a peer names: its own, or those of a list, as far as they are known.
pub(super) fn prefixes<'c>(config: &'c Config, peer: &'c Peer) -> &'c [Prefix] {
    match peer {
        Peer::Cidr(prefix) => std::slice::from_ref(prefix),
        Peer::PrefixList(id) => config
            .prefix_list(id)
            .and_then(|list| list.entries.as_deref())
            .unwrap_or_default(),
        Peer::Group(_) | Peer::ForeignGroup { .. } => &[],
    }
}
