//! Changes of the network: random policies on random configurations, every connection of every address.

use std::collections::BTreeMap;

use crate::config::permit::{Connection, Permits, Step, Through};
use crate::config::{
    AclEntry, Config, Direction, GroupRule, Interface, NetworkAcl, Peer, SecurityGroup, Subnet,
    Traffic, Vpc,
};
use crate::fix::change::{Change, applied};
use crate::fix::check::Check;
use crate::fix::close::{Closer, Closing, State};
use crate::fix::open;
use crate::net::ports::PortRange;
use crate::net::{Addr, Prefix, protocol};
use crate::policy::{Answer, NetworkId, Policy, PortsBetween};

/// Numbers that look random and are the same for a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }

    fn one<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

fn prefix(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

fn ports(text: &str) -> Traffic {
    let ports: Option<PortRange> = (text != "all").then(|| text.parse().expect("ports"));
    Traffic { ports, icmp: None }
}

const ADDRS: [&str; 11] = [
    "10.0.1.5",
    "10.0.1.6",
    "10.0.1.20",
    "10.0.2.5",
    "10.0.2.17",
    "10.0.2.18",
    "10.0.3.9",
    "10.0.3.10",
    "198.51.100.7",
    "203.0.113.9",
    "172.16.0.1",
];

const CODES: [(u8, u16); 7] = [
    (protocol::TCP, 22),
    (protocol::TCP, 443),
    (protocol::TCP, 5432),
    (protocol::TCP, 9000),
    (protocol::UDP, 53),
    (1, 0),
    (47, 0),
];

fn connections() -> impl Iterator<Item = Connection> {
    let pairs = ADDRS.iter().flat_map(|client| {
        let others = ADDRS.iter().filter(move |server| *server != client);
        others.map(move |server| (addr(client), addr(server)))
    });
    pairs.flat_map(|(client, server)| {
        CODES.iter().map(move |(protocol, server_port)| Connection {
            client,
            server,
            protocol: *protocol,
            server_port: *server_port,
        })
    })
}

fn policy(random: &mut Random) -> Policy {
    let mut text = "[policy]\nid = \"P\"\n[networks.prod]\ncidrs = [\"10.0.0.0/16\"]\n".to_owned();
    for (tier, cidr) in [
        ("app", "10.0.1.0/24"),
        ("data", "10.0.2.0/24"),
        ("web", "10.0.3.0/24"),
    ] {
        text.push_str(&format!(
            "[[subnets]]\ntier = \"{tier}\"\ncidrs = [\"{cidr}\"]\n"
        ));
    }
    text.push_str(
        "[groups.db]\ncidrs = [\"10.0.2.16/28\"]\n[groups.etl]\ncidrs = [\"10.0.1.16/28\"]\n",
    );
    text.push_str("[destinations.repo]\ncidrs = [\"198.51.100.0/24\"]\n[destinations.names]\ndomains = [\"a.example\"]\n");
    let words = [
        "app", "data", "web", "db", "etl", "repo", "any-tier", "inside", "internet", "any",
        "private", "names",
    ];
    let ports = [
        "tcp/22",
        "tcp/443",
        "tcp/5432",
        "tcp/1-1024",
        "udp/53",
        "icmp",
        "gre",
        "tcp/*",
    ];
    for number in 0..1 + random.below(5) {
        let effect = if random.chance(80) { "allow" } else { "deny" };
        let (from, mut to) = (random.one(&words), random.one(&words));
        let from = if effect == "deny" && from == "names" {
            "app"
        } else {
            from
        };
        if effect == "deny" && to == "names" {
            to = "web";
        }
        text.push_str(&format!(
            "[[{effect}]]\nid = \"r{number}\"\nfrom = \"{from}\"\nto = \"{to}\"\n"
        ));
        if random.chance(85) {
            text.push_str(&format!("ports = [\"{}\"]\n", random.one(&ports)));
        }
    }
    Policy::parse("p.toml", &text, &|_| unreachable!("it pins nothing"))
        .unwrap_or_else(|errors| panic!("{}\n{text}", errors.render(false)))
}

fn config(random: &mut Random) -> Config {
    let ids = ["sg-a", "sg-b", "sg-c", "sg-d"];
    let texts = [
        "0.0.0.0/0",
        "10.0.0.0/16",
        "10.0.1.0/24",
        "10.0.2.0/24",
        "10.0.1.5/32",
        "198.51.100.0/22",
    ];
    let codes = [
        "all",
        "tcp/0-65535",
        "tcp/22",
        "tcp/443",
        "tcp/1-9000",
        "udp/53",
        "icmp",
        "gre",
    ];
    let mut config = Config {
        vpcs: vec![Vpc {
            id: "vpc-1".to_owned(),
            cidrs: vec![prefix("10.0.0.0/16")],
            ..Vpc::default()
        }],
        has_all_interfaces: true,
        ..Config::default()
    };
    for id in ids {
        let mut rules = Vec::new();
        for _ in 0..1 + random.below(4) {
            rules.push(GroupRule {
                direction: if random.chance(50) {
                    Direction::Ingress
                } else {
                    Direction::Egress
                },
                traffic: ports(random.one(&codes)),
                peer: if random.chance(25) {
                    Peer::Group(random.one(&ids).to_owned())
                } else {
                    Peer::Cidr(prefix(random.one(&texts)))
                },
                description: random.chance(30).then(|| "said".to_owned()),
            });
        }
        rules.sort();
        rules.dedup_by(|one, other| crate::fix::change::is_same(one, other));
        config.groups.push(SecurityGroup {
            id: id.to_owned(),
            vpc: Some("vpc-1".to_owned()),
            rules,
            is_told: true,
            ..SecurityGroup::default()
        });
    }
    for number in 1..=3 {
        let id = format!("subnet-{number}");
        config.subnets.push(Subnet {
            id: id.clone(),
            vpc: Some("vpc-1".to_owned()),
            cidrs: vec![prefix(&format!("10.0.{number}.0/24"))],
            ..Subnet::default()
        });
        let mut entries = Vec::new();
        for direction in [Direction::Ingress, Direction::Egress] {
            for step in 1..=random.below(3) {
                entries.push(AclEntry {
                    direction,
                    number: step as u32 * 10,
                    is_allow: random.chance(60),
                    cidr: prefix(random.one(&texts)),
                    traffic: ports(random.one(&codes)),
                });
            }
            if random.chance(80) {
                entries.push(AclEntry {
                    direction,
                    number: 100,
                    is_allow: true,
                    cidr: prefix("0.0.0.0/0"),
                    traffic: Traffic::ALL,
                });
            }
        }
        entries.sort();
        config.acls.push(NetworkAcl {
            id: format!("acl-{number}"),
            vpc: Some("vpc-1".to_owned()),
            entries,
            subnets: vec![id],
            ..NetworkAcl::default()
        });
    }
    for (number, text) in ADDRS.iter().take(8).enumerate() {
        let mut groups = vec![random.one(&ids).to_owned()];
        if random.chance(40) {
            groups.push(random.one(&ids).to_owned());
        }
        groups.sort();
        groups.dedup();
        config.interfaces.push(Interface {
            id: format!("eni-{number}"),
            vpc: Some("vpc-1".to_owned()),
            subnet: Some(format!("subnet-{}", &text[5..6])),
            addrs: vec![Prefix::of(addr(text), 32)],
            groups,
            ..Interface::default()
        });
    }
    config
}

fn answer(policy: &Policy, connection: &Connection) -> Answer {
    let Connection {
        client,
        server,
        protocol,
        server_port,
    } = *connection;
    let decision = policy.decide_by_addr(client, server, protocol, server_port, 0);
    decision.answer
}

fn comes(permits: &Permits<'_>, connection: &Connection) -> Through {
    permits.ask(connection).request()
}

/// Every connection as both configurations have it.
fn compared(before: &Config, after: &Config) -> Vec<(Connection, Through, Through)> {
    let (before, after) = (Permits::new(before), Permits::new(after));
    connections()
        .map(|one| (one, comes(&before, &one), comes(&after, &one)))
        .collect()
}

#[test]
fn what_is_closed_is_closed_and_what_the_policy_does_not_deny_stays() {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let mut narrowed = 0;
    for seed in 1..=200 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        for _ in 0..20 {
            random.below(2);
        }
        let (policy, whole) = (policy(&mut random), config(&mut random));
        let mut config = whole.clone();
        if random.chance(40) {
            // What there is besides carries groups too, and is to keep what it has.
            config.has_all_interfaces = false;
            config.interfaces.retain(|_| random.chance(70));
        }
        let permits = Permits::new(&config);
        let open: Vec<Connection> = connections()
            .filter(|one| answer(&policy, one) == Answer::Deny)
            .filter(|one| matches!(comes(&permits, one), Through::All | Through::Part))
            .collect();
        if open.is_empty() {
            continue;
        }
        let wanted: Vec<Connection> = (0..1 + random.below(4))
            .map(|_| open[random.below(open.len())])
            .collect();
        // Compliant by evidence that addresses do not tell.
        let evident: Vec<Connection> = (0..random.below(3))
            .map(|_| open[random.below(open.len())])
            .filter(|one| !wanted.contains(one))
            .collect();
        let mut between = PortsBetween::new(&policy, NetworkId(0), 0);
        let mut closer = Closer::new(&config, &wanted);
        let allowed = connections().filter(|one| answer(&policy, one) == Answer::Allow);
        for one in allowed.chain(evident.iter().copied()) {
            closer.see(&one, 1, ("a.log", 1), Some(&mut between));
        }
        let closing = closer.close(Some(&mut between));
        let after = closing.applied(&whole);
        narrowed += closing
            .rules
            .iter()
            .filter(|rule| !rule.by.is_empty())
            .count();
        assert!(
            closing.rules.iter().all(|rule| !rule.stays()),
            "seed {seed}"
        );
        check(seed, &policy, &whole, &after, &closing, &evident);
        for told in &closing.connections {
            let state = match &told.state {
                State::Closed(Step::ServerGroups) => "server-groups",
                State::Closed(Step::ClientGroups) => "client-groups",
                State::Closed(_) => "acl",
                State::Open(reasons) => {
                    assert!(!reasons.is_empty(), "seed {seed}");
                    "open"
                }
                State::NotLet | State::Unknown => panic!("seed {seed}: it comes through"),
            };
            *states.entry(state).or_default() += 1;
        }
    }
    for (state, least) in [
        ("server-groups", 20),
        ("client-groups", 5),
        ("acl", 1),
        ("open", 10),
    ] {
        assert!(
            states.get(state).copied().unwrap_or(0) >= least,
            "{states:?}"
        );
    }
    assert!(narrowed >= 20, "{narrowed}");
}

/// The same, said plainly: of all connections, those that are said to be closed are, and of those that came through before
/// none is lost that the policy does not deny.
fn check(
    seed: u64,
    policy: &Policy,
    config: &Config,
    after: &Config,
    closing: &Closing,
    evident: &[Connection],
) {
    let mut check = Check::new(config, after, &closing.changes);
    for (one, before, now) in compared(config, after) {
        let is_closed = closing
            .connections
            .iter()
            .any(|told| told.connection == one && matches!(told.state, State::Closed(_)));
        if is_closed {
            assert_eq!(now, Through::Nothing, "seed {seed}: {one:?}");
        }
        let has_to_stay = answer(policy, &one) != Answer::Deny || evident.contains(&one);
        if has_to_stay {
            assert_eq!(
                now, before,
                "seed {seed}: {one:?}\n{closing:#?}\n{config:#?}"
            );
            check.see(&one, 1, ("a.log", 1));
        }
        // Changes take away only.
        if before == Through::Nothing {
            assert_eq!(now, Through::Nothing, "seed {seed}: {one:?}");
        }
    }
    assert_eq!(check.finish().connections, 0, "seed {seed}");
}

#[test]
fn without_a_policy_nothing_is_changed() {
    let mut random = Random(7);
    let config = config(&mut random);
    let all: Vec<Connection> = connections().take(50).collect();
    let closing = Closer::new(&config, &all).close(None);
    assert!(closing.changes.is_empty() && closing.rules.is_empty());
    assert_eq!(closing.connections.len(), all.len());
}

#[test]
fn what_is_lost_is_counted() {
    let mut random = Random(11);
    let mut config = config(&mut random);
    let rule = GroupRule {
        direction: Direction::Ingress,
        traffic: Traffic::ALL,
        peer: Peer::Cidr(prefix("0.0.0.0/0")),
        description: None,
    };
    for group in &mut config.groups {
        let out = GroupRule {
            direction: Direction::Egress,
            ..rule.clone()
        };
        group.rules = vec![rule.clone(), out];
    }
    config.acls.clear();
    let closing = Closing {
        connections: Vec::new(),
        rules: Vec::new(),
        changes: config
            .groups
            .iter()
            .map(|group| Change::Revoke {
                group: group.id.clone(),
                rule: rule.clone(),
            })
            .collect(),
    };
    let after = closing.applied(&config);
    let mut check = Check::new(&config, &after, &closing.changes);
    let one = Connection {
        client: addr("10.0.1.5"),
        server: addr("10.0.2.5"),
        protocol: protocol::TCP,
        server_port: 22,
    };
    check.see(&one, 3, ("a.log", 9));
    let losses = check.finish();
    assert_eq!(losses.connections, 3);
    assert_eq!(losses.example, Some((one, "a.log".to_owned(), 9)));
}

#[test]
fn what_is_opened_comes_through_and_nothing_is_lost() {
    let (mut opened, mut unknown) = (0, 0);
    for seed in 1..=150 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        for _ in 0..20 {
            random.below(2);
        }
        let (policy, config) = (policy(&mut random), config(&mut random));
        let permits = Permits::new(&config);
        let held: Vec<Connection> = connections()
            .filter(|one| answer(&policy, one) == Answer::Allow)
            .filter(|one| {
                let permit = permits.ask(one);
                (permit.request(), permit.reply()) != (Through::All, Through::All)
            })
            .collect();
        if held.is_empty() {
            continue;
        }
        let wanted: Vec<Connection> = (0..1 + random.below(3))
            .map(|_| held[random.below(held.len())])
            .collect();
        let mut between = PortsBetween::new(&policy, NetworkId(0), 0);
        let opening = open::open(&config, &wanted, Some(&mut between));
        let after = applied(&config, &opening.changes);
        let permits = Permits::new(&after);
        for told in &opening.connections {
            match told.state {
                open::State::Opened => {
                    let permit = permits.ask(&told.connection);
                    let both = (permit.request(), permit.reply());
                    assert_eq!(both, (Through::All, Through::All), "seed {seed}");
                    opened += 1;
                }
                open::State::Let => panic!("seed {seed}: it was held"),
                open::State::Unknown => unknown += 1,
            }
        }
        for (one, before, now) in compared(&config, &after) {
            if before == Through::All {
                assert_eq!(now, Through::All, "seed {seed}: {one:?}");
            }
        }
    }
    assert!(opened >= 20, "{opened} opened, {unknown} not");
}
