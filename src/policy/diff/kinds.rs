//! Kinds of ends: all addresses, with what records say of them, that no rule of either policy can tell apart.

use std::collections::{BTreeSet, HashMap};

use crate::policy::names::Name;
use crate::policy::ruleset::What;
use crate::policy::space::Kind as Space;
use crate::policy::{ClassId, End, GroupId, Known, NetworkId, Policy, ZoneKind};

use super::evidence::Evidence;
use super::regions::{Region, View};
use super::{TooMuch, joint};

/// How many kinds of ends are compared. Memory grows with their number times that of the rules.
const MAX_KINDS: usize = 1 << 16;

/// An end as one policy sees it.
#[derive(Clone)]
pub(super) struct Seen {
    home: Option<NetworkId>,
    class: ClassId,
    groups: Vec<GroupId>,
    known: Known,
    services: u64,
    services_known: bool,
}

impl Seen {
    pub(super) fn end(&self) -> End<'_> {
        End {
            home: self.home,
            class: self.class,
            groups: &self.groups,
            known: self.known,
            services: self.services,
            services_known: self.services_known,
            domains: Default::default(),
        }
    }
}

/// A part of what is asked: the addresses of a region, of which records say this.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Atom {
    pub(super) region: u32,
    /// A number of [`Evidence::services`].
    pub(super) service: u16,
    /// A number of [`Evidence::facts`].
    pub(super) facts: u16,
}

/// Ends that no rule can tell apart, of one zone.
pub(super) struct EndKind {
    pub(super) ipv4: bool,
    /// One of them as the old policy sees it, and the new one.
    pub(super) seen: [Seen; 2],
    /// A number of [`Kinds::zones`].
    pub(super) zone: usize,
    /// A number of [`Kinds::memberships`].
    pub(super) membership: usize,
    /// Ascending.
    pub(super) atoms: Vec<Atom>,
}

/// Where ends belong: the zone by both policies.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Zone {
    /// By the old policy, by the new one.
    pub(super) names: [String; 2],
    /// Another network than the one that looks.
    pub(super) elsewhere: Option<String>,
    /// Whether the addresses are at home in the network that looks, by either policy.
    pub(super) is_home: bool,
}

/// A group that ends are in: by both policies, or by one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Membership {
    /// The group.
    pub group: String,
    /// By the old policy.
    pub before: bool,
    /// By the new policy.
    pub now: bool,
}

/// All kinds of ends, as seen from one network.
pub(super) struct Kinds {
    pub(super) all: Vec<EndKind>,
    pub(super) zones: Vec<Zone>,
    pub(super) memberships: Vec<Vec<Membership>>,
}

/// What tells ends apart.
#[derive(PartialEq, Eq, Hash)]
struct Key<'p> {
    ipv4: bool,
    zone: usize,
    membership: usize,
    tests: [Tests<'p>; 2],
}

/// What the rules of one policy can ask of an end.
#[derive(PartialEq, Eq, Hash)]
pub(in crate::policy) struct Tests<'p> {
    /// How it stands to each name.
    truths: Vec<u8>,
    /// Its subnet, where a rule asks whether it is the other's.
    subnet: Option<u32>,
    /// Its zone and labels that a require compares.
    labels: Vec<Option<&'p str>>,
}

/// Puts all ends of all regions into kinds.
pub(super) fn kinds<'p>(
    views: [View<'p>; 2],
    regions: &[Region],
    named: [&BTreeSet<Name>; 2],
    evidence: &Evidence<'p>,
) -> Result<Kinds, TooMuch> {
    let askers = [0, 1].map(|at| Asker::new(views[at].policy, named[at]));
    let groups = shown_groups(views.map(|view| view.policy), named);
    let mut numbers: HashMap<Key<'p>, usize> = HashMap::new();
    let mut zones = Numbers::default();
    let mut memberships = Numbers::default();
    let mut all: Vec<EndKind> = Vec::new();
    for (at, region) in regions.iter().enumerate() {
        let classes = [0, 1].map(|at| views[at].policy.space.class(region.classes[at]));
        let is = |kind: Space| classes.iter().any(|class| class.kind == kind);
        let num_services = if is(Space::Internet) {
            evidence.services.len()
        } else {
            1
        };
        let num_facts = if is(Space::Inside) {
            evidence.facts.len()
        } else {
            1
        };
        for (service, facts) in
            (0..num_services).flat_map(|service| (0..num_facts).map(move |facts| (service, facts)))
        {
            let field = &evidence.services[service];
            let seen = [0, 1].map(|at| Seen {
                home: classes[at].home,
                class: region.classes[at],
                groups: evidence.facts[facts].groups(views[at].policy, classes[at].home, named[at]),
                known: evidence.facts[facts].known(views[at].policy, classes[at].home),
                services: field.code(),
                services_known: field.is_known,
            });
            let zone = zones.of(zone(views, &seen, named));
            let membership = memberships.of(membership(views, &seen, &groups));
            let key = Key {
                ipv4: region.ipv4,
                zone,
                membership,
                tests: [0, 1].map(|at| askers[at].tests(&seen[at].end())),
            };
            let number = *numbers.entry(key).or_insert_with(|| {
                all.push(EndKind {
                    ipv4: region.ipv4,
                    seen,
                    zone,
                    membership,
                    atoms: Vec::new(),
                });
                all.len() - 1
            });
            all[number].atoms.push(Atom {
                region: at as u32,
                service: service as u16,
                facts: facts as u16,
            });
        }
        if all.len() > MAX_KINDS {
            return Err(TooMuch {
                what: "kinds of ends that rules tell apart, and more",
                number: all.len() as u64,
                limit: MAX_KINDS as u64,
            });
        }
    }
    Ok(Kinds {
        all,
        zones: zones.items,
        memberships: memberships.items,
    })
}

/// Asks an end all that the rules of a policy can.
pub(in crate::policy) struct Asker<'p> {
    policy: &'p Policy,
    names: Vec<Name>,
    asks_subnet: bool,
    asks_az: bool,
    labels: BTreeSet<&'p str>,
}

impl<'p> Asker<'p> {
    pub(in crate::policy) fn new(policy: &'p Policy, named: &BTreeSet<Name>) -> Asker<'p> {
        let mut asker = Asker {
            policy,
            names: named.iter().copied().collect(),
            asks_subnet: policy.rules.conditions().any(joint::asks_same_subnet),
            asks_az: false,
            labels: BTreeSet::new(),
        };
        for require in &policy.rules.requires {
            if let What::Shared { az, labels } = &require.what {
                asker.asks_az |= az;
                asker.labels.extend(labels.iter().map(String::as_str));
            }
        }
        asker
    }

    pub(in crate::policy) fn tests(&self, end: &End<'_>) -> Tests<'p> {
        let number = self.policy.space.class(end.class).subnet;
        let subnet = number.map(|number| &self.policy.places.subnets[number as usize]);
        let az = self.asks_az.then(|| subnet?.az.as_deref());
        let labels = self.labels.iter();
        let labels = labels.map(|label| subnet?.labels.get(*label).map(String::as_str));
        Tests {
            truths: self
                .names
                .iter()
                .map(|name| self.policy.is(end, *name, end) as u8)
                .collect(),
            subnet: number.filter(|_| self.asks_subnet),
            labels: az.into_iter().chain(labels).collect(),
        }
    }
}

/// The zone of an end. An AWS service that neither policy names in a rule shows as `aws:*`.
fn zone(views: [View<'_>; 2], seen: &[Seen; 2], named: [&BTreeSet<Name>; 2]) -> Zone {
    let ids = [0, 1].map(|at| views[at].policy.zone(&seen[at].end()));
    let is_named = |name: &str| {
        let service = name.strip_prefix("aws:").unwrap_or_default();
        views.iter().zip(named).any(|(view, named)| {
            let bit = view.policy.services.bit(service);
            bit.is_some_and(|bit| named.contains(&Name::Aws(bit)))
        })
    };
    let shown = |at: usize| {
        let policy = views[at].policy;
        let name = policy.zone_name(ids[at]);
        match policy.zone_kind(ids[at]) {
            ZoneKind::Aws if !is_named(name) => "aws:*",
            _ => name,
        }
    };
    let is_home = |at: usize| seen[at].home == Some(views[at].network);
    let elsewhere = [1, 0].into_iter().find_map(|at| {
        let home = seen[at].home.filter(|_| !is_home(at))?;
        Some(views[at].policy.network_name(home).to_owned())
    });
    Zone {
        names: [0, 1].map(|at| shown(at).to_owned()),
        elsewhere,
        is_home: is_home(0) || is_home(1),
    }
}

/// The groups that rules of either policy name, by their names, with their numbers in each.
fn shown_groups(
    policies: [&Policy; 2],
    named: [&BTreeSet<Name>; 2],
) -> Vec<(String, [Option<u16>; 2])> {
    let names = [0, 1].map(|at| {
        named[at].iter().filter_map(move |name| match name {
            Name::Group(id) => Some(policies[at].places.groups[usize::from(*id)].name.as_str()),
            _ => None,
        })
    });
    let names: BTreeSet<&str> = names.into_iter().flatten().collect();
    let number = |policy: &Policy, name: &str| {
        let groups = &policy.places.groups;
        let found = groups.binary_search_by(|group| group.name.as_str().cmp(name));
        found.ok().map(|at| at as u16)
    };
    names
        .into_iter()
        .map(|name| (name.to_owned(), policies.map(|policy| number(policy, name))))
        .collect()
}

fn membership(
    views: [View<'_>; 2],
    seen: &[Seen; 2],
    groups: &[(String, [Option<u16>; 2])],
) -> Vec<Membership> {
    let is_in = |at: usize, group: Option<u16>| {
        let end = seen[at].end();
        group.is_some_and(|group| {
            let mut groups = views[at]
                .policy
                .groups_of_end(end.class, end.groups, end.known);
            groups.any(|known| known == GroupId(group))
        })
    };
    let memberships = groups.iter().map(|(name, numbers)| Membership {
        group: name.clone(),
        before: is_in(0, numbers[0]),
        now: is_in(1, numbers[1]),
    });
    memberships
        .filter(|membership| membership.before || membership.now)
        .collect()
}

/// Things, each with its number.
struct Numbers<T> {
    items: Vec<T>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Numbers<T> {
        Numbers {
            items: Vec::new(),
            numbers: HashMap::new(),
        }
    }
}

impl<T: Clone + Eq + std::hash::Hash> Numbers<T> {
    fn of(&mut self, item: T) -> usize {
        if let Some(number) = self.numbers.get(&item) {
            return *number;
        }
        self.items.push(item.clone());
        self.numbers.insert(item, self.items.len() - 1);
        self.items.len() - 1
    }
}

/// An end of which nothing but the address is known.
pub(super) fn bare_end(home: Option<NetworkId>, class: ClassId) -> End<'static> {
    End {
        home,
        class,
        groups: &[],
        known: Known::default(),
        services: 0,
        services_known: false,
        domains: Default::default(),
    }
}
