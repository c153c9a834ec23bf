//! What is written otherwise: networks, tiers, groups, destinations, services and rules by their names, and addresses that
//! belong elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use super::regions::{Range, Region, View, sorted};
use super::spans::Span;
use crate::net::hex;
use crate::policy::space::Kind;
use crate::policy::{ClassId, NetworkId, Policy, day_or_instant};

/// A thing of the file that is new, gone, or says something else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edit {
    /// `network`, `tier`, `group`, `destination`, `service`, `rule`, `transit`, or `inventory`.
    pub what: &'static str,
    /// Its name or id.
    pub name: String,
    /// Whether it is only in the new policy, only in the old one, or in both.
    pub edited: Edited,
    /// What it says in the old policy and not in the new one, a `key value` each; sorted.
    pub removed: Vec<String>,
    /// What it says in the new policy and not in the old one.
    pub added: Vec<String>,
}

/// How a thing is edited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edited {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else.
    Changed,
}

impl Edited {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Edited::Added => "added",
            Edited::Removed => "removed",
            Edited::Changed => "changed",
        }
    }
}

/// Inside addresses whose tier, zone or labels are others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The network that looks.
    pub network: String,
    /// Both ends included, ascending.
    pub ranges: Vec<Range>,
    /// Where they were, in words.
    pub before: String,
    /// Where they are.
    pub now: String,
    /// When, as [`Change::dates`](super::Change::dates).
    pub dates: Vec<(u32, Option<u32>)>,
}

type Things = BTreeMap<(&'static str, String), BTreeSet<String>>;

/// Everything that decides and is written otherwise, subnets aside: in the order of the file's parts, then by name.
pub(super) fn edits(policies: [&Policy; 2]) -> Vec<Edit> {
    let [old, new] = policies.map(things);
    let keys: BTreeSet<&(&'static str, String)> = old.keys().chain(new.keys()).collect();
    let mut edits = Vec::new();
    for key in keys {
        let none = BTreeSet::new();
        let (before, now) = (old.get(key), new.get(key));
        let edited = match (before, now) {
            (None, _) => Edited::Added,
            (_, None) => Edited::Removed,
            (Some(before), Some(now)) if before != now => Edited::Changed,
            _ => continue,
        };
        let (before, now) = (before.unwrap_or(&none), now.unwrap_or(&none));
        edits.push(Edit {
            what: key.0,
            name: key.1.clone(),
            edited,
            removed: before.difference(now).cloned().collect(),
            added: now.difference(before).cloned().collect(),
        });
    }
    let order = |what: &str| PARTS.iter().position(|part| *part == what);
    edits.sort_by_key(|edit| order(edit.what));
    edits
}

const PARTS: [&str; 8] = [
    "network",
    "tier",
    "group",
    "destination",
    "service",
    "rule",
    "transit",
    "inventory",
];

fn things(policy: &Policy) -> Things {
    let mut things = Things::new();
    let mut add = |what: &'static str, name: &str, says: Vec<String>| {
        things.insert((what, name.to_owned()), says.into_iter().collect());
    };
    let words = |key: &'static str, values: &[String]| -> Vec<String> {
        values
            .iter()
            .map(|value| format!("{key} {value}"))
            .collect()
    };
    for network in &policy.places.networks {
        let connected = network.connected.iter();
        let cidrs: Vec<String> = network.cidrs.iter().map(ToString::to_string).collect();
        let says = [
            cidrs,
            words("vpc", &network.vpcs),
            words("account", &network.accounts),
            words("region", &network.regions),
            connected
                .map(|other| format!("connected to {}", policy.network_name(*other)))
                .collect(),
        ];
        add("network", &network.name, says.concat());
    }
    for (tier, criticality) in policy.tier_rows() {
        add("tier", tier, vec![format!("criticality {criticality}")]);
    }
    for group in policy.group_rows() {
        let network = group.network.map(|network| format!("network {network}"));
        let says = group.cidrs.into_iter().chain(group.members);
        let validity = validity(group.valid_from, group.valid_until);
        add(
            "group",
            group.name,
            says.chain(network).chain(validity).collect(),
        );
    }
    for destination in &policy.places.destinations {
        let cidrs: Vec<String> = destination.cidrs.iter().map(ToString::to_string).collect();
        let says = [
            cidrs,
            words("AWS service", &destination.service_names),
            words("region", &destination.regions),
            words("domain", &destination.domains),
            words("prefix list", &destination.missing_lists),
            validity(destination.validity.from, destination.validity.until).collect(),
        ];
        add("destination", &destination.name, says.concat());
    }
    for service in &policy.places.services {
        let ports = service.ports.ranges().iter().map(ToString::to_string);
        let symmetric = service.symmetric.then(|| "symmetric".to_owned());
        add("service", &service.name, ports.chain(symmetric).collect());
    }
    for row in policy.rule_rows() {
        let condition = policy
            .rules
            .conditions()
            .find(|condition| std::ptr::eq(policy.rule(condition.rule), row.rule));
        let family = condition.and_then(|condition| condition.ipv4);
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let more = [
            row.ports.map(|ports| format!("ports {ports}")),
            family.map(|ipv4| if ipv4 { "family ipv4" } else { "family ipv6" }.to_owned()),
            date("not before", row.not_before),
            date("expires", row.expires),
            row.rule
                .severity
                .map(|severity| format!("severity {}", severity.as_str())),
        ];
        let says = [
            vec![row.rule.effect.as_str().to_owned()],
            words("from", &row.clients),
            words("not from", &row.clients_except),
            words("to", &row.servers),
            words("not to", &row.servers_except),
            words("via", &owned(&row.via)),
            words("exempt from", &owned(&row.exempt)),
            more.into_iter().flatten().collect(),
        ];
        add("rule", &row.rule.id, says.concat());
    }
    let transit = policy.transit.texts();
    if !transit.is_empty() {
        add("transit", "nat", transit);
    }
    let files = policy.inventory.digests();
    if !files.is_empty() {
        let says = files.iter().map(|(digest, valid_from)| {
            let digest = &hex(digest)[..12];
            let since = valid_from.map(|from| format!(" from {} on", day_or_instant(from)));
            format!("file {digest}…{}", since.unwrap_or_default())
        });
        add("inventory", "files", says.collect());
    }
    things
}

fn date(key: &str, date: Option<i64>) -> Option<String> {
    date.map(|date| format!("{key} {}", day_or_instant(date)))
}

fn validity(from: Option<i64>, until: Option<i64>) -> impl Iterator<Item = String> {
    let dates = [date("valid from", from), date("valid until", until)];
    dates.into_iter().flatten()
}

/// The inside addresses that belong elsewhere during a span of time, as seen from one network.
pub(super) fn moved(views: [View<'_>; 2], regions: &[Region], span: Span) -> Vec<Moved> {
    let mut moved: BTreeMap<[String; 2], Vec<Range>> = BTreeMap::new();
    for region in regions {
        let belongs = [0, 1].map(|at| Belongs::of(views[at], region.classes[at]));
        let [before, now] = &belongs;
        let is_inside = belongs.iter().any(|belongs| belongs.is_inside);
        if !is_inside || before == now {
            continue;
        }
        let words = [before.words(now), now.words(before)];
        moved.entry(words).or_default().extend(&region.ranges);
    }
    let network = views[1].policy.network_name(views[1].network);
    let mut moved: Vec<Moved> = moved
        .into_iter()
        .map(|([before, now], ranges)| Moved {
            network: network.to_owned(),
            ranges: sorted(ranges),
            before,
            now,
            dates: vec![(span.from, span.until)],
        })
        .collect();
    moved.sort_by(|a, b| a.ranges.cmp(&b.ranges));
    moved
}

/// Where an address belongs.
#[derive(PartialEq, Eq)]
struct Belongs<'p> {
    is_inside: bool,
    network: Option<&'p str>,
    zone: &'p str,
    az: Option<&'p str>,
    labels: BTreeMap<&'p str, &'p str>,
}

impl<'p> Belongs<'p> {
    fn of(view: View<'p>, class: ClassId) -> Belongs<'p> {
        let policy = view.policy;
        let known = policy.space.class(class);
        let subnet = known.subnet;
        let subnet = subnet.map(|subnet| &policy.places.subnets[subnet as usize]);
        let end = super::kinds::bare_end(known.home, class);
        let elsewhere = |home: &NetworkId| *home != view.network;
        Belongs {
            is_inside: known.kind == Kind::Inside,
            network: known
                .home
                .filter(elsewhere)
                .map(|home| policy.network_name(home)),
            zone: policy.zone_name(policy.zone(&end)),
            az: subnet.and_then(|subnet| subnet.az.as_deref()),
            labels: subnet
                .iter()
                .flat_map(|subnet| &subnet.labels)
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
        }
    }

    /// The zone, and what else is not the same there: `app (az use2-az1, env=prod)`.
    fn words(&self, other: &Belongs<'_>) -> String {
        let mut more: Vec<String> = Vec::new();
        if self.network != other.network {
            more.extend(self.network.map(|network| format!("in {network}")));
        }
        if self.az != other.az && other.is_inside && self.is_inside {
            more.push(match self.az {
                Some(az) => format!("az {az}"),
                None => "no az".to_owned(),
            });
        }
        for (key, value) in &self.labels {
            if other.labels.get(key) != Some(value) && other.is_inside {
                more.push(format!("{key}={value}"));
            }
        }
        for key in other.labels.keys() {
            if !self.labels.contains_key(key) && self.is_inside {
                more.push(format!("no {key}"));
            }
        }
        if more.is_empty() {
            self.zone.to_owned()
        } else {
            format!("{} ({})", self.zone, more.join(", "))
        }
    }
}
