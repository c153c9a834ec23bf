//! Random policies of the small world: rules, requires and transit over fixed networks.

use std::hash::{DefaultHasher, Hash, Hasher};

use proptest::collection::vec;
use proptest::option::{self, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::policy::{
    Dates, Destination, Group, Network, Ports, Require, Rule, Service, Subnet, TwinPolicy, cidrs,
    words,
};
use super::table::{ACCOUNT, REGION, SLOT};

/// Which networks the policy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    /// Three, two of them connected.
    Connected,
    /// Three, each alone.
    Apart,
    /// One, by its VPC.
    OneVpc,
    /// One, by its account and region.
    OneAccount,
    /// One that says neither.
    OneUnnamed,
}

impl Topology {
    const ALL: [Topology; 6] = [
        Topology::Connected,
        Topology::Connected,
        Topology::Apart,
        Topology::OneVpc,
        Topology::OneAccount,
        Topology::OneUnnamed,
    ];
}

/// Leaves one network of three, and of rules and tiers what it knows.
fn narrow(policy: &mut TwinPolicy, topology: Topology) {
    if matches!(topology, Topology::Connected | Topology::Apart) {
        return;
    }
    policy.networks.retain(|network| network.name == "prod");
    policy
        .subnets
        .retain(|subnet| subnet.network.as_deref() == Some("prod"));
    policy.tiers.retain(|(tier, _)| tier != "shared");
    let network = &mut policy.networks[0];
    if topology != Topology::OneVpc {
        network.vpcs.clear();
    }
    if topology == Topology::OneUnnamed {
        network.accounts.clear();
        network.regions.clear();
    }
    let rename = |names: &mut Vec<String>| {
        for name in names.iter_mut().filter(|name| *name == "shared") {
            *name = "web".to_string();
        }
        *names = dedup(std::mem::take(names));
    };
    for rule in &mut policy.rules {
        let sides = [
            &mut rule.from,
            &mut rule.from_except,
            &mut rule.to,
            &mut rule.to_except,
        ];
        sides.into_iter().for_each(rename);
    }
    for require in &mut policy.requires {
        rename(&mut require.between);
    }
}

const TIERS: [&str; 4] = ["web", "app", "data", "shared"];

pub fn policy() -> impl Strategy<Value = TwinPolicy> {
    let transit = subsequence(
        vec!["10.0.0.220", "eni-nat", "10.0.0.208/28", "eni-attachment"],
        0..=2,
    );
    let criticalities = vec(option::of(select(vec!["low", "medium", "high"])), 4);
    let labels = vec(option::of(select(vec!["prod", "dev"])), 5);
    (
        vec(rule(), 0..8),
        vec(require(), 0..3),
        transit,
        criticalities,
        labels,
        select(Topology::ALL.to_vec()),
    )
        .prop_map(
            |(rules, requires, transit, criticalities, labels, topology)| {
                let mut policy = world(topology == Topology::Connected);
                policy.rules = rules;
                policy.requires = requires;
                policy.transit = transit.into_iter().map(str::to_string).collect();
                for (tier, criticality) in TIERS.iter().zip(criticalities) {
                    policy
                        .tiers
                        .extend(criticality.map(|word| (tier.to_string(), word.to_string())));
                }
                for (subnet, label) in policy.subnets.iter_mut().zip(labels) {
                    subnet
                        .labels
                        .extend(label.map(|value| ("env".to_string(), value.to_string())));
                }
                date(&mut policy);
                narrow(&mut policy, topology);
                // A label that no subnet has would be an error of the policy.
                if let Some(subnet) = policy.subnets.last_mut() {
                    subnet.labels = vec![("env".to_string(), "lab".to_string())];
                }
                number(&mut policy.rules, &mut policy.requires);
                policy
            },
        )
}

/// Gives entries their dates: mostly none, else from or until an instant of the judged slot. A subnet that ends may go on
/// in another tier. All of it follows from the rest of the policy, so that because of it nothing else is drawn otherwise.
fn date(policy: &mut TwinPolicy) {
    let mut hasher = DefaultHasher::new();
    format!("{policy:?}").hash(&mut hasher);
    let mut state = hasher.finish();
    let mut below = |bound: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32 % bound
    };
    let mut valid = || -> Dates {
        match below(10) {
            0..=5 => (None, None),
            6 => (Some(SLOT + below(30)), None),
            7 | 8 => (None, Some(SLOT + below(30))),
            _ => (Some(SLOT + below(15)), Some(SLOT + 15 + below(15))),
        }
    };
    let mut others = Vec::new();
    for (subnet, tier) in policy.subnets.iter_mut().zip(TIERS.iter().cycle()) {
        subnet.valid = valid();
        if let (None, Some(until)) = subnet.valid {
            others.push(Subnet {
                tier: tier.to_string(),
                valid: (Some(until), None),
                ..subnet.clone()
            });
        }
    }
    policy.subnets.splice(0..0, others);
    for group in &mut policy.groups {
        group.valid = valid();
    }
    for destination in &mut policy.destinations {
        destination.valid = valid();
    }
}

/// Three networks: prod, one that it may be connected to, and one with the same addresses that it is not.
fn world(connected: bool) -> TwinPolicy {
    let network = |name: &str, account: &str, prefixes: &str| Network {
        name: name.to_string(),
        vpcs: vec![format!("vpc-{name}")],
        accounts: words(account),
        regions: words(REGION),
        cidrs: cidrs(prefixes),
        connected_to: if connected && name == "prod" {
            words("shared")
        } else {
            Vec::new()
        },
    };
    let subnet = |network: &str, tier: &str, az: &str, prefixes: &str| Subnet {
        network: Some(network.to_string()),
        tier: tier.to_string(),
        az: (az != "-").then(|| az.to_string()),
        cidrs: cidrs(prefixes),
        ..Subnet::default()
    };
    let group = |name: &str| Group {
        name: name.to_string(),
        ..Group::default()
    };
    let destination = |name: &str| Destination {
        name: name.to_string(),
        ..Destination::default()
    };
    let service = |name: &str, ports: &str, symmetric: bool| Service {
        name: name.to_string(),
        ports: words(ports),
        symmetric,
    };
    TwinPolicy {
        networks: vec![
            network("lab", "333322221111", "10.0.0.0/16"),
            network("prod", ACCOUNT, "10.0.0.0/16 2600:1f16:abcd:ef00::/56"),
            network("shared", "222222222222", "10.9.0.0/16"),
        ],
        subnets: vec![
            subnet("prod", "web", "az1", "10.0.0.0/24"),
            subnet(
                "prod",
                "app",
                "az1",
                "10.0.32.0/24 2600:1f16:abcd:ef01::/64",
            ),
            subnet("prod", "app", "az2", "10.0.33.0/24"),
            subnet("prod", "data", "-", "10.0.64.0/19 2600:1f16:abcd:ef02::/64"),
            subnet("shared", "shared", "az1", "10.9.0.0/24"),
            subnet("lab", "web", "az1", "10.0.0.0/17"),
        ],
        groups: vec![
            Group {
                cidrs: cidrs("10.0.64.20/32"),
                network: Some("prod".to_string()),
                ..group("vectors")
            },
            Group {
                interfaces: words("eni-app5"),
                ..group("by-interface")
            },
            Group {
                instances: words("i-app6 i-data"),
                ..group("by-instance")
            },
            Group {
                tags: vec![("colour".to_string(), "blue".to_string())],
                ..group("by-tag")
            },
            Group {
                ecs_services: words("etl"),
                ..group("by-ecs")
            },
            Group {
                interface_types: words("network_load_balancer"),
                ..group("by-type")
            },
        ],
        destinations: vec![
            Destination {
                cidrs: cidrs("203.0.113.0/24"),
                ..destination("office")
            },
            Destination {
                aws_services: words("S3"),
                ..destination("store")
            },
            Destination {
                domains: words("packages.example"),
                cidrs: cidrs("203.0.112.0/23"),
                ..destination("repos")
            },
        ],
        services: vec![
            service("https", "tcp/443", false),
            service("dns", "udp/53 tcp/53", false),
            service("mesh", "udp/20001 tcp/7000", true),
            service("ping", "icmp icmpv6", false),
        ],
        ..TwinPolicy::default()
    }
}

/// Words of the sides of a rule; a deny may only use what needs no further evidence.
fn side(deny: bool) -> impl Strategy<Value = Vec<String>> {
    let mut certain = words(
        "any any-tier inside unassigned internet private outside web app app data data shared vectors by-interface \
         by-instance by-ecs by-type office",
    );
    if !deny {
        certain.extend(words("unlisted aws:* aws:S3 aws:EC2 by-tag store repos"));
    }
    vec(select(certain), 1..3).prop_map(dedup)
}

fn dedup(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}

fn except(deny: bool) -> impl Strategy<Value = Vec<String>> {
    prop_oneof![
        6 => Just(Vec::new()),
        1 => Just(words("same-subnet")),
        1 => side(deny),
    ]
}

fn ports() -> impl Strategy<Value = Ports> {
    let some = || {
        let choices = [
            "tcp/443",
            "tcp/5432",
            "tcp/7000-7001",
            "udp/*",
            "tcp/*",
            "udp/53",
            "icmp",
            "50",
            "tcp/1024-50000",
        ];
        subsequence(choices.to_vec(), 1..4)
            .prop_map(|ports| ports.into_iter().map(str::to_string).collect())
    };
    prop_oneof![
        3 => Just(Ports::Any),
        4 => some().prop_map(Ports::Only),
        1 => some().prop_map(Ports::Except),
        2 => select(vec!["https", "dns", "mesh", "ping"]).prop_map(|name| Ports::Service(name.to_string())),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    let severities = || {
        weighted(
            0.15,
            select(vec!["info", "low", "medium", "high", "critical"]),
        )
    };
    let via = weighted(
        0.2,
        select(vec![
            "local",
            "nat",
            "gateway-endpoint",
            "internet-gateway nat",
            "peering",
        ]),
    );
    let family = weighted(0.1, select(vec!["ipv4", "ipv6"]));
    let date = || weighted(0.1, SLOT..SLOT + 30);
    prop::bool::weighted(0.25)
        .prop_flat_map(move |deny| {
            let sides = (side(deny), except(deny), side(deny), except(deny));
            (
                Just(deny),
                sides,
                ports(),
                via.clone(),
                family.clone(),
                (date(), date()),
                0..4u8,
                severities(),
            )
        })
        .prop_map(
            |(
                deny,
                (from, from_except, to, to_except),
                ports,
                via,
                family,
                dates,
                exempt,
                severity,
            )| Rule {
                deny,
                id: String::new(),
                from,
                from_except,
                to,
                to_except,
                ports,
                via: via.map(words).unwrap_or_default(),
                family: family.map(str::to_string),
                not_before: dates.0,
                expires: dates.1.map(|date| date.max(dates.0.unwrap_or(0) + 1)),
                // Which requires exist is known later: bit by bit.
                exempt: (0..2)
                    .filter(|bit| !deny && exempt >> bit & 1 == 1)
                    .map(|bit: u8| format!("r{bit}"))
                    .collect(),
                severity: severity.map(str::to_string),
            },
        )
}

fn require() -> impl Strategy<Value = Require> {
    let between = subsequence(words("any-tier app data inside web shared any"), 1..3);
    let same = subsequence(words("az env"), 0..=2);
    let severity = weighted(0.2, select(vec!["info", "critical"]));
    let date = || weighted(0.15, SLOT..SLOT + 30);
    (between, same, severity, (date(), date())).prop_map(|(between, same, severity, dates)| {
        Require {
            id: String::new(),
            encrypted: same.is_empty(),
            between,
            same,
            not_before: dates.0,
            expires: dates.1.map(|date| date.max(dates.0.unwrap_or(0) + 1)),
            severity: severity.map(str::to_string),
        }
    })
}

/// Ids that sort in another order than the rules stand, and exempts of requires that exist.
fn number(rules: &mut [Rule], requires: &mut [Require]) {
    for (index, require) in requires.iter_mut().enumerate() {
        require.id = format!("r{index}");
    }
    for (index, rule) in rules.iter_mut().enumerate() {
        let effect = if rule.deny { "d" } else { "a" };
        rule.id = format!("{effect}{}-{index}", index * 5 % 7);
        rule.exempt
            .retain(|id| requires.iter().any(|require| require.id == *id));
    }
}
