//! The inventory compiled: for each address of a network, and each public address, what is known of it from when on.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::claims::{Held, OPEN, each_state};
use super::read::{ENDPOINT, Stated};
use super::{Facts, Holder, Inventory, Known, Moment, NOTHING};
use crate::config::{Interface, Tags};
use crate::net::Prefix;
use crate::policy::meant::Places;
use crate::policy::ruleset::{Rules, What};
use crate::policy::scope::{carries_others, network_of};
use crate::policy::space::Space;
use crate::policy::{GroupId, NetworkId};

/// How many claims of addresses the files may make, an interface's every address and state counted.
const MAX_CLAIMS: usize = 1 << 21;

/// How many interfaces may claim one address at a time. In AWS it is one; several VPCs of one network with the same
/// prefixes are some.
const MAX_HOLDERS: usize = 256;

/// That an interface has an address: in a network, or a public one.
struct Claim {
    network: Option<NetworkId>,
    prefix: Prefix,
    /// When it was stated: the newest counts.
    stated: i64,
    from: i64,
    until: i64,
    statement: u32,
    known: Known,
}

/// Compiles what the files of an inventory state.
///
/// # Errors
/// What is too much of it.
pub(in crate::policy) fn compile(
    mut stated: Stated,
    places: &Places,
    space: &Space,
    rules: &Rules,
) -> Result<Inventory, String> {
    let mut compiler = Compiler {
        places,
        space,
        labels: labels(rules),
        facts: vec![Facts::default(); 2],
        numbers: HashMap::from([(Facts::default(), Known::IN_NO_GROUP)]),
        by_state: HashMap::new(),
        claims: Vec::new(),
        kinds: HashMap::new(),
        carriers: BTreeSet::new(),
        has_members: vec![false; places.groups.len()],
    };
    each_state(&mut stated, |stated, held| compiler.state(stated, &held));
    if compiler.claims.len() > MAX_CLAIMS {
        return Err(format!(
            "the inventory tells {} addresses of interfaces over time: expected at most {MAX_CLAIMS}",
            compiler.claims.len()
        ));
    }
    let mut inventory = Inventory {
        is_loaded: true,
        holders: stated
            .statements
            .into_iter()
            .map(|statement| Holder {
                id: statement.id.into(),
                file: statement.file,
                state: statement.state.unwrap_or(0),
                from: statement.from,
            })
            .collect(),
        ..Inventory::default()
    };
    compiler.into_tables(&mut inventory)?;
    inventory.states = stated.states.into_iter().map(super::Shown::of).collect();
    inventory.files = stated.files;
    Ok(inventory)
}

/// The labels that requires compare.
fn labels(rules: &Rules) -> BTreeSet<String> {
    let asked = rules
        .requires
        .iter()
        .filter_map(|require| match &require.what {
            What::Shared { labels, .. } => Some(labels),
            What::Encrypted => None,
        });
    asked.flatten().cloned().collect()
}

struct Compiler<'p> {
    places: &'p Places,
    space: &'p Space,
    labels: BTreeSet<String>,
    facts: Vec<Facts>,
    numbers: HashMap<Facts, Known>,
    /// What is known of the addresses of a state of an interface (with the number of its instance's tags), and its network.
    by_state: HashMap<(u32, Option<usize>), (Known, Option<NetworkId>)>,
    claims: Vec<Claim>,
    kinds: HashMap<String, String>,
    carriers: BTreeSet<String>,
    has_members: Vec<bool>,
}

impl Compiler<'_> {
    fn state(&mut self, stated: &Stated, held: &Held<'_>) {
        // A bound that is passed is an error in the end.
        if self.claims.len() > MAX_CLAIMS {
            return;
        }
        let interface = &stated.states[held.state as usize];
        let (known, network) = self.known_of(stated, held);
        self.note_kind(interface, network, held);
        let mut claim = |network: Option<NetworkId>, prefix: Prefix, known: Known| {
            self.claims.push(Claim {
                network,
                prefix,
                stated: held.stated,
                from: held.from,
                until: held.until,
                statement: held.statement,
                known,
            });
        };
        for prefix in &interface.addrs {
            let home = |network| self.space.home(network, prefix.first());
            match network {
                Some(network) if home(network) == Some(network) => {
                    claim(Some(network), *prefix, known);
                }
                // An IPv6 address that no network lists is public.
                _ if !prefix.is_v4() && is_public(*prefix) && network.and_then(home).is_none() => {
                    claim(None, *prefix, Known::IN_NO_GROUP);
                }
                _ => {}
            }
        }
        for prefix in interface.public.iter().filter(|prefix| is_public(**prefix)) {
            claim(None, *prefix, Known::IN_NO_GROUP);
        }
    }

    fn known_of(&mut self, stated: &Stated, held: &Held<'_>) -> (Known, Option<NetworkId>) {
        let key = (held.state, held.instance_tags.map(|(number, _)| number));
        if let Some(known) = self.by_state.get(&key) {
            return *known;
        }
        let interface = &stated.states[held.state as usize];
        let network = network_of(
            self.places,
            interface.vpc.as_deref(),
            interface.account.as_deref(),
            interface.region.as_deref(),
        );
        let known = match network {
            Some(network) => {
                let tags = held.instance_tags.map(|(_, tags)| tags);
                let facts = self.facts_of(stated, interface, tags, network);
                for group in &facts.groups {
                    self.has_members[usize::from(group.0)] = true;
                }
                self.number(facts)
            }
            None => Known::IN_NO_GROUP,
        };
        self.by_state.insert(key, (known, network));
        (known, network)
    }

    /// What an interface of a network is; its tags are its own, then those of its instance.
    fn facts_of(
        &self,
        stated: &Stated,
        interface: &Interface,
        instance_tags: Option<&Tags>,
        network: NetworkId,
    ) -> Facts {
        let mut tags = instance_tags.cloned().unwrap_or_default();
        tags.extend(interface.tags.clone());
        let lacks_tags = interface.instance.is_some() && instance_tags.is_none();
        let mut endpoints = stated
            .endpoints
            .get(&interface.id)
            .cloned()
            .unwrap_or_default();
        let described = interface.description.as_deref().unwrap_or_default();
        endpoints.extend(described.strip_prefix(ENDPOINT).map(str::to_owned));
        let (mut groups, mut unknown) = (Vec::new(), Vec::new());
        for (place, group) in self.places.groups.iter().enumerate() {
            if group.network.is_some_and(|of| of != network) {
                continue;
            }
            if group.has_interface(interface, &tags, &endpoints) {
                groups.push(GroupId(place as u16));
            } else if lacks_tags && !group.tags.is_empty() {
                unknown.push(GroupId(place as u16));
            }
        }
        tags.retain(|key, _| self.labels.contains(key));
        Facts {
            groups,
            unknown,
            labels: tags,
            carries_others: interface.kind.as_deref().is_some_and(carries_others),
        }
    }

    fn number(&mut self, facts: Facts) -> Known {
        let next = Known(self.facts.len() as u32);
        *self.numbers.entry(facts).or_insert_with_key(|facts| {
            self.facts.push(facts.clone());
            next
        })
    }

    /// Notes an interface that carries others' flows, and one of which records could be taken to show so.
    fn note_kind(&mut self, interface: &Interface, network: Option<NetworkId>, held: &Held<'_>) {
        let Some(kind) = &interface.kind else { return };
        if !carries_others(kind) && kind != super::BALANCER {
            return;
        }
        let known = self.kinds.entry(interface.id.clone());
        let known = known.or_insert_with(|| kind.clone());
        if *kind < *known {
            known.clone_from(kind);
        }
        let addrs: Vec<String> = interface.addrs.iter().map(ToString::to_string).collect();
        let network = network.map(|network| &*self.places.networks[usize::from(network.0)].name);
        self.carriers.insert(format!(
            "{} {kind} {network:?} {} {} {}",
            interface.id,
            addrs.join(","),
            held.from,
            held.until
        ));
    }

    fn into_tables(mut self, inventory: &mut Inventory) -> Result<(), String> {
        let mut claims = std::mem::take(&mut self.claims);
        let key = |claim: &Claim| (claim.network, claim.prefix);
        claims.sort_by_key(|claim| (key(claim), claim.from, claim.until, claim.statement));
        for of_one in claims.chunk_by(|a, b| key(a) == key(b)) {
            let first = inventory.moments.len() as u32;
            self.timeline(of_one, inventory)?;
            let (network, prefix) = key(&of_one[0]);
            let moments = first..inventory.moments.len() as u32;
            inventory.timelines.insert((network, prefix), moments);
            let lengths = &mut inventory.lengths[usize::from(prefix.is_v4())];
            lengths.push(prefix.len());
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
        }
        inventory.facts = self.facts;
        inventory.kinds = self.kinds;
        inventory.carriers = self.carriers.into_iter().collect();
        inventory.has_members = self.has_members;
        Ok(())
    }

    /// What is known of one address from when on: what the interface with the newest statement is; of several of one
    /// instant, all that they are. Nothing where no state lasts.
    fn timeline(&mut self, claims: &[Claim], inventory: &mut Inventory) -> Result<(), String> {
        let mut times: Vec<i64> = claims
            .iter()
            .flat_map(|claim| [claim.from, claim.until])
            .filter(|time| *time != OPEN)
            .collect();
        times.sort_unstable();
        times.dedup();
        let mut living: Vec<&Claim> = Vec::new();
        let mut to_come = claims.iter().peekable();
        for time in times {
            living.retain(|claim| claim.until > time);
            while let Some(claim) = to_come.next_if(|claim| claim.from <= time) {
                living.push(claim);
            }
            if living.len() > MAX_HOLDERS {
                return Err(format!(
                    "the inventory has more than {MAX_HOLDERS} interfaces with the address {} at a time",
                    claims[0].prefix
                ));
            }
            let newest = living.iter().map(|claim| claim.stated).max();
            let holding: Vec<&Claim> = living
                .iter()
                .copied()
                .filter(|claim| Some(claim.stated) == newest)
                .collect();
            let moment = Moment {
                from: time,
                known: self.together(&holding),
                first_holder: inventory.held.len() as u32,
                num_holders: holding.len() as u32,
            };
            let holders = holding.iter().map(|claim| claim.statement);
            inventory.held.extend(holders);
            inventory.moments.push(moment);
        }
        Ok(())
    }

    fn together(&mut self, holding: &[&Claim]) -> Known {
        let mut numbers: Vec<Known> = holding.iter().map(|claim| claim.known).collect();
        numbers.sort_unstable();
        numbers.dedup();
        match numbers.as_slice() {
            [] => NOTHING,
            [only] => *only,
            several => {
                let all: Vec<&Facts> = several
                    .iter()
                    .map(|known| &self.facts[known.0 as usize])
                    .collect();
                let facts = union(&all);
                self.number(facts)
            }
        }
    }
}

/// All that several are; a label on which they differ is none.
fn union(all: &[&Facts]) -> Facts {
    let sorted = |groups: &mut Vec<GroupId>| {
        groups.sort_unstable();
        groups.dedup();
    };
    let mut groups: Vec<GroupId> = all.iter().flat_map(|one| one.groups.clone()).collect();
    let mut unknown: Vec<GroupId> = all.iter().flat_map(|one| one.unknown.clone()).collect();
    sorted(&mut groups);
    unknown.retain(|group| groups.binary_search(group).is_err());
    sorted(&mut unknown);
    let mut values: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    for (key, value) in all.iter().flat_map(|one| &one.labels) {
        values.entry(key).or_default().insert(value);
    }
    let agreed = values.into_iter().filter(|(_, values)| values.len() == 1);
    let labels = agreed.flat_map(|(key, values)| values.into_iter().map(move |value| (key, value)));
    Facts {
        groups,
        unknown,
        labels: labels
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        carries_others: all.iter().any(|one| one.carries_others),
    }
}

fn is_public(prefix: Prefix) -> bool {
    let first = prefix.first();
    !first.is_private() && !first.is_local()
}
