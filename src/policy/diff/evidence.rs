//! What records may say of an end beside its address: its AWS service, and facts that put its interface into groups.

use std::collections::{BTreeMap, BTreeSet};

use crate::net::aws;
use crate::policy::classes::how_specific;
use crate::policy::meant::{Group, is_like};
use crate::policy::names::Name;
use crate::policy::{GroupId, InterfaceFacts, Known, NetworkId, Policy};

use super::TooMuch;

/// How many combinations of facts are asked. Each is asked of every kind of inside end.
const MAX_FACTS: usize = 4096;

/// What records may say of an end: the choices for each kind of evidence, the first of which is that they say nothing.
pub(super) struct Evidence<'p> {
    /// Of public addresses.
    pub(super) services: Vec<ServiceField>,
    /// Of inside addresses.
    pub(super) facts: Vec<Facts<'p>>,
}

/// What the service field of an end says.
pub(super) struct ServiceField {
    /// In words.
    pub(super) label: String,
    /// The codes that no rule tells apart: a bit each, none where the field says none or is missing.
    pub(super) codes: u64,
    /// Whether there is a field.
    pub(super) is_known: bool,
}

impl ServiceField {
    /// One code for all of them.
    pub(super) fn code(&self) -> u64 {
        self.codes & self.codes.wrapping_neg()
    }
}

/// What records tell of an interface.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Facts<'p> {
    interface: Option<&'p str>,
    instance: Option<&'p str>,
    interface_type: Option<&'p str>,
    ecs_service: Option<&'p str>,
    /// Sorted.
    tags: Vec<&'p str>,
    told: Option<Told<'p>>,
}

/// What an inventory tells of an interface that it knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told<'p> {
    /// Nothing that puts it into a group.
    Nothing,
    SecurityGroup(&'p str),
    Description(&'p str),
    Endpoint(&'p str),
    /// The tags of a group, key and value.
    Tags(&'p BTreeMap<String, String>),
}

impl Told<'_> {
    /// Whether a group names this.
    fn is_member(self, group: &Group) -> bool {
        let names = |list: &[String], value: &str| list.iter().any(|known| known == value);
        match self {
            Told::Nothing => false,
            Told::SecurityGroup(id) => names(&group.security_groups, id),
            Told::Description(text) => group.descriptions.iter().any(|one| is_like(text, one)),
            Told::Endpoint(text) => group.endpoints.iter().any(|one| is_like(text, one)),
            Told::Tags(tags) => {
                let mut asked = group.tags.iter();
                !group.tags.is_empty() && asked.all(|(key, value)| tags.get(key) == Some(value))
            }
        }
    }

    fn label(self) -> String {
        match self {
            Told::Nothing => "known to the inventory".to_owned(),
            Told::SecurityGroup(id) => format!("security group {id}"),
            Told::Description(text) => format!("description {text}"),
            Told::Endpoint(text) => format!("endpoint {text}"),
            Told::Tags(tags) => {
                let tags = tags.iter().map(|(key, value)| format!("{key}={value}"));
                format!(
                    "tags {} in the inventory",
                    tags.collect::<Vec<_>>().join(" and ")
                )
            }
        }
    }
}

impl<'p> Facts<'p> {
    /// The groups that these facts put an inside end into, of those that are named.
    pub(super) fn groups(
        &self,
        policy: &Policy,
        home: Option<NetworkId>,
        named: &BTreeSet<Name>,
    ) -> Vec<GroupId> {
        let Some(home) = home else { return Vec::new() };
        let mut groups = policy.groups_by_facts(home, &self.as_facts());
        if let Some(told) = self.told.filter(|_| policy.has_inventory()) {
            let all = policy.places.groups.iter().enumerate();
            let members = all.filter(|(_, group)| {
                group.network.is_none_or(|of| of == home) && told.is_member(group)
            });
            groups.extend(members.map(|(at, _)| GroupId(at as u16)));
            groups.sort_unstable();
            groups.dedup();
        }
        groups.retain(|group| named.contains(&Name::Group(group.0)));
        groups
    }

    /// What a policy's inventory knows of an end with these facts, beside the groups that they put it in.
    pub(super) fn known(&self, policy: &Policy, home: Option<NetworkId>) -> Known {
        match (self.told, home) {
            (Some(_), Some(_)) if policy.has_inventory() => Known::IN_NO_GROUP,
            _ => Known::default(),
        }
    }

    fn as_facts(&self) -> InterfaceFacts<'p> {
        let mut tags = [None; 6];
        for (tag, value) in tags.iter_mut().zip(&self.tags) {
            *tag = Some(*value);
        }
        InterfaceFacts {
            interface: self.interface,
            instance: self.instance,
            interface_type: self.interface_type,
            ecs_service: self.ecs_service,
            tags,
        }
    }

    /// Both together, if one interface can have both.
    fn with(&self, other: &Facts<'p>) -> Option<Facts<'p>> {
        let one = |a: Option<&'p str>, b: Option<&'p str>| match (a, b) {
            (Some(a), Some(b)) if a != b => None,
            _ => Some(a.or(b)),
        };
        let tags: BTreeSet<&str> = self.tags.iter().chain(&other.tags).copied().collect();
        let both = Facts {
            interface: one(self.interface, other.interface)?,
            instance: one(self.instance, other.instance)?,
            interface_type: one(self.interface_type, other.interface_type)?,
            ecs_service: one(self.ecs_service, other.ecs_service)?,
            tags: tags.into_iter().collect(),
            told: match (self.told, other.told) {
                (Some(_), Some(_)) => return None,
                (one, another) => one.or(another),
            },
        };
        // A record has six tag fields.
        (both.tags.len() <= 6).then_some(both)
    }

    /// In words: `interface eni-0abc, tags blue and green`.
    pub(super) fn label(&self) -> String {
        let named = [
            ("interface", self.interface),
            ("instance", self.instance),
            ("interface type", self.interface_type),
            ("ECS service", self.ecs_service),
        ];
        let mut words: Vec<String> = named
            .into_iter()
            .filter_map(|(what, value)| Some(format!("{what} {}", value?)))
            .collect();
        words.extend(self.told.map(Told::label));
        if !self.tags.is_empty() {
            words.push(format!("tags {}", self.tags.join(" and ")));
        }
        if words.is_empty() {
            return "no such interface".to_owned();
        }
        words.join(", ")
    }
}

/// Lists what is to be asked, by the names that rules of either policy use.
pub(super) fn evidence<'p>(
    policies: [&'p Policy; 2],
    named: [&BTreeSet<Name>; 2],
) -> Result<Evidence<'p>, TooMuch> {
    Ok(Evidence {
        services: services(policies, named),
        facts: facts(policies, named)?,
    })
}

fn services(policies: [&Policy; 2], named: [&BTreeSet<Name>; 2]) -> Vec<ServiceField> {
    let mut fields = vec![ServiceField {
        label: "service unknown".to_owned(),
        codes: 0,
        is_known: false,
    }];
    let asks = |policy: &Policy, name: &Name| match name {
        Name::Aws(_) | Name::AnyAws | Name::Unlisted => true,
        Name::Destination(id) => policy.places.destinations[usize::from(*id)].services != 0,
        _ => false,
    };
    let mut pairs = policies.into_iter().zip(named);
    if !pairs.any(|(policy, named)| named.iter().any(|name| asks(policy, name))) {
        return fields;
    }
    fields.push(ServiceField {
        label: "service none".to_owned(),
        codes: 0,
        is_known: true,
    });
    // Codes that the same names hold, and that show alike, are asked as one.
    let mut known: Vec<((Vec<bool>, u8), ServiceField)> = Vec::new();
    let other = aws::OTHER_BIT.trailing_zeros() as u8;
    for bit in (0..aws::SERVICES.len() as u8).chain([other]) {
        let mut holds = Vec::new();
        for (policy, named) in policies.into_iter().zip(named) {
            holds.push(policy.anybodys >> bit & 1 == 1);
            holds.push(named.contains(&Name::Aws(bit)));
            let destinations = policy.places.destinations.iter();
            holds.extend(destinations.map(|destination| destination.services >> bit & 1 == 1));
        }
        let is_named = holds.contains(&true);
        let alike = (holds, how_specific(bit).0);
        let label = if is_named {
            policies[0].services.name(bit)
        } else {
            "another"
        };
        match known.iter_mut().find(|(other, _)| *other == alike) {
            Some((_, field)) => {
                field.codes |= 1 << bit;
                if is_named {
                    field.label.push_str(&format!(" or {label}"));
                }
            }
            None => known.push((
                alike,
                ServiceField {
                    label: format!("service {label}"),
                    codes: 1 << bit,
                    is_known: true,
                },
            )),
        }
    }
    fields.extend(known.into_iter().map(|(_, field)| field));
    fields
}

/// No facts, those of one entry of a group, and those of two entries at once: of what puts an interface into the same
/// groups by the same kind of fact, one.
fn facts<'p>(
    policies: [&'p Policy; 2],
    named: [&BTreeSet<Name>; 2],
) -> Result<Vec<Facts<'p>>, TooMuch> {
    let mut entries: BTreeSet<Facts<'p>> = BTreeSet::new();
    let has_inventory = policies.iter().any(|policy| policy.has_inventory());
    for (policy, named) in policies.into_iter().zip(named) {
        for name in named {
            if let Name::Group(id) = name {
                let group = &policy.places.groups[usize::from(*id)];
                entries.extend(entries_of(group));
                if has_inventory && group.needs_inventory() {
                    entries.extend(told_of(group));
                }
            }
        }
    }
    let memberships = |facts: &Facts<'p>| -> Vec<Vec<GroupId>> {
        let of = |(policy, named): (&'p Policy, _)| {
            let networks = policy.networks();
            networks.map(move |home| facts.groups(policy, Some(home), named))
        };
        policies.into_iter().zip(named).flat_map(of).collect()
    };
    let mut met = BTreeSet::new();
    let singles: Vec<Facts<'p>> = entries
        .into_iter()
        .filter(|facts| met.insert((facts.kind(), memberships(facts))))
        .collect();
    let num_pairs = singles.len() * singles.len().saturating_sub(1) / 2;
    let num_all = 1 + singles.len() + num_pairs;
    if num_all > MAX_FACTS {
        return Err(TooMuch {
            what: "combinations of facts that put interfaces into groups",
            number: num_all as u64,
            limit: MAX_FACTS as u64,
        });
    }
    let mut all = vec![Facts::default()];
    all.extend(singles.iter().cloned());
    for (at, one) in singles.iter().enumerate() {
        let both = singles[at + 1..].iter().filter_map(|other| one.with(other));
        all.extend(both);
    }
    Ok(all)
}

impl Facts<'_> {
    fn kind(&self) -> [bool; 7] {
        [
            self.interface.is_some(),
            self.instance.is_some(),
            self.interface_type.is_some(),
            self.ecs_service.is_some(),
            !self.tags.is_empty(),
            self.told.is_some(),
            self.told == Some(Told::Nothing),
        ]
    }
}

/// What an inventory would have to tell of a member of a group, one by one, and that it tells nothing of the kind.
fn told_of(group: &Group) -> impl Iterator<Item = Facts<'_>> {
    let groups = group
        .security_groups
        .iter()
        .map(|id| Told::SecurityGroup(id));
    let descriptions = group
        .descriptions
        .iter()
        .map(|text| Told::Description(text));
    let endpoints = group.endpoints.iter().map(|text| Told::Endpoint(text));
    let tags = (!group.tags.is_empty()).then_some(Told::Tags(&group.tags));
    let all = groups.chain(descriptions).chain(endpoints).chain(tags);
    all.chain([Told::Nothing]).map(|told| Facts {
        told: Some(told),
        ..Facts::default()
    })
}

/// What makes a member of a group, one by one.
fn entries_of(group: &Group) -> Vec<Facts<'_>> {
    let none = Facts::default;
    let interfaces = group.interfaces.iter().map(|value| Facts {
        interface: Some(value),
        ..none()
    });
    let instances = group.instances.iter().map(|value| Facts {
        instance: Some(value),
        ..none()
    });
    let types = group.interface_types.iter().map(|value| Facts {
        interface_type: Some(value),
        ..none()
    });
    let ecs_services = group.ecs_services.iter().map(|value| Facts {
        ecs_service: Some(value),
        ..none()
    });
    let tags: BTreeSet<&str> = group.tags.values().map(String::as_str).collect();
    let tags = (1..=6).contains(&tags.len()).then(|| Facts {
        tags: tags.into_iter().collect(),
        ..none()
    });
    interfaces
        .chain(instances)
        .chain(types)
        .chain(ecs_services)
        .chain(tags)
        .collect()
}
