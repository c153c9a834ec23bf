//! Hop by hop what AWS's guide says, and on random configurations the same as plain definitions say.

use proptest::prelude::*;

use super::*;
use crate::config::made::{
    ADDRS, SUBNETS, VPCS, acl, addr, config, configs, entry, group, interface, prefix, rule,
};
use crate::config::{Direction, Interface, Peer, Traffic};
use crate::net::Prefix;

/// `10.1.0.5 -> 10.1.0.70 tcp/443`.
fn connection(text: &str) -> Connection {
    let words: Vec<&str> = text.split(' ').collect();
    let ports: crate::net::ports::PortRange = words[3].parse().expect("ports");
    Connection {
        client: addr(words[0]),
        server: addr(words[2]),
        protocol: ports.protocol,
        server_port: ports.first,
    }
}

/// Every hop on a line, and how much comes through.
fn told(config: &Config, text: &str) -> String {
    let permit = Permits::new(config).ask(&connection(text));
    let mut page = String::new();
    for hop in permit.request.iter().chain(&permit.reply) {
        for part in &hop.parts {
            let what = match &part.lets {
                Lets::Yes(by) => by.iter().map(ToString::to_string).collect::<Vec<_>>(),
                Lets::No(by) => vec![format!("NO {by}")],
                Lets::Unknown(why) => why.iter().map(|why| format!("? {why}")).collect(),
            };
            let codes = format!("{}-{}", part.first, part.last);
            page += &format!("{:?} {codes}: {}\n", hop.step, what.join(" | "));
        }
    }
    page + &format!("{:?}, replies {:?}", permit.request(), permit.reply())
}

fn check(config: &Config, text: &str, expected: &[&str]) {
    let found = told(config, text);
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{text}");
}

use Direction::{Egress, Ingress};

#[test]
fn a_connection_passes_groups_and_acls_and_its_replies_the_acls() {
    let mut web = rule(Ingress, "tcp/443", "sg-app");
    web.description = Some("the application".to_owned());
    let config = config(
        vec![
            group("sg-app", "vpc-1", vec![rule(Egress, "any", "0.0.0.0/0")]),
            group(
                "sg-web",
                "vpc-1",
                vec![web, rule(Ingress, "icmp 8", "0.0.0.0/0")],
            ),
        ],
        vec![acl(
            "acl-b",
            &["subnet-b"],
            vec![
                entry(Ingress, 100, true, "any", "10.1.0.0/24"),
                entry(Egress, 90, false, "tcp/1024-2000", "0.0.0.0/0"),
                entry(Egress, 100, true, "tcp/1024-60999", "0.0.0.0/0"),
                entry(Egress, 110, true, "icmp", "0.0.0.0/0"),
            ],
        )],
        vec![
            interface(1, "subnet-a", "10.1.0.5", &["sg-app"]),
            interface(2, "subnet-b", "10.1.0.70", &["sg-web"]),
            interface(3, "subnet-b", "10.1.0.71", &["sg-app"]),
        ],
    );
    check(
        &config,
        "10.1.0.5 -> 10.1.0.70 tcp/443",
        &[
            "ClientGroups 443-443: sg-app: out everything to 0.0.0.0/0",
            "ClientAcl 443-443: subnet-a: its network ACL is not in the input, and is taken to let everything through",
            "ServerAcl 443-443: acl-b: inbound entry 100, allow everything from 10.1.0.0/24",
            "ServerGroups 443-443: sg-web: in tcp/443 from sg-app, \"the application\"",
            "ServerAclReply 1024-2000: NO acl-b: outbound entry 90, deny tcp/1024-2000 to 0.0.0.0/0",
            "ServerAclReply 2001-60999: acl-b: outbound entry 100, allow tcp/1024-60999 to 0.0.0.0/0",
            "ServerAclReply 61000-65535: NO acl-b: outbound entry *, deny what no other matches",
            "ClientAclReply 1024-65535: subnet-a: its network ACL is not in the input, and is taken to let everything through",
            "All, replies Part",
        ],
    );
    // Within a subnet no network ACL is passed.
    check(
        &config,
        "10.1.0.71 -> 10.1.0.70 tcp/22",
        &[
            "ClientGroups 22-22: sg-app: out everything to 0.0.0.0/0",
            "ServerGroups 22-22: NO sg-web: no rule lets it in",
            "Nothing, replies All",
        ],
    );
    check(
        &config,
        "192.0.2.1 -> 10.1.0.70 icmp",
        &[
            "ServerAcl 0-65535: NO acl-b: inbound entry *, deny what no other matches",
            "ServerGroups 0-2047: NO sg-web: no rule lets it in",
            "ServerGroups 2048-2303: sg-web: in icmp type 8 from 0.0.0.0/0",
            "ServerGroups 2304-65535: NO sg-web: no rule lets it in",
            "ServerAclReply 0-65535: acl-b: outbound entry 110, allow icmp to 0.0.0.0/0",
            "Nothing, replies All",
        ],
    );
    // Neither end is the configuration's.
    check(
        &config,
        "192.0.2.1 -> 192.0.2.2 tcp/22",
        &["All, replies All"],
    );
}

#[test]
fn what_the_configuration_does_not_tell_is_said() {
    let mut nat = interface(4, "subnet-a", "10.1.0.9", &[]);
    nat.kind = Some("nat_gateway".to_owned());
    let config = config(
        vec![group(
            "sg-1",
            "vpc-1",
            vec![
                rule(Ingress, "tcp/1", "pl-unknown"),
                rule(Ingress, "tcp/2", "other-9"),
                rule(Ingress, "tcp/3", "sg-gone"),
                rule(Ingress, "tcp/4", "sg-1"),
                rule(Ingress, "tcp/5", "pl-known"),
            ],
        )],
        Vec::new(),
        vec![
            interface(1, "subnet-a", "10.1.0.5", &["sg-1"]),
            interface(2, "subnet-a", "10.1.0.6", &["sg-gone"]),
            interface(3, "subnet-a", "10.1.0.7", &[]),
            nat,
        ],
    );
    let cases = [
        (
            "192.0.2.1 -> 10.1.0.5 tcp/1",
            "? the entries of the prefix list pl-unknown are not in the input",
        ),
        (
            "192.168.0.1 -> 10.1.0.5 tcp/2",
            "? sg-9 is a security group of account 210987654321, and who carries it is not in the input",
        ),
        // Groups go by private addresses.
        (
            "203.0.113.1 -> 10.1.0.5 tcp/2",
            "NO sg-1: no rule lets it in",
        ),
        (
            "192.168.0.1 -> 10.1.0.5 tcp/3",
            "? the security group sg-gone is not in the input",
        ),
        (
            "192.168.0.1 -> 10.1.0.5 tcp/4",
            "NO sg-1: no rule lets it in",
        ),
        ("10.1.0.6 -> 10.1.0.5 tcp/3", "sg-1: in tcp/3 from sg-gone"),
        ("10.1.0.6 -> 10.1.0.5 tcp/4", "NO sg-1: no rule lets it in"),
        (
            "10.1.0.7 -> 10.1.0.5 tcp/4",
            "? which security groups eni-3 carries is not in the input",
        ),
        (
            "10.1.0.99 -> 10.1.0.5 tcp/4",
            "? no interface of the input has the address 10.1.0.99",
        ),
        (
            "192.0.2.1 -> 10.1.0.5 tcp/5",
            "sg-1: in tcp/5 from pl-known",
        ),
        (
            "192.0.2.1 -> 10.1.0.6 tcp/9",
            "? the security group sg-gone is carried and not in the input, or only in part",
        ),
        (
            "192.0.2.1 -> 10.1.0.9 tcp/9",
            "eni-4 (nat_gateway): carries no security groups",
        ),
    ];
    for (text, expected) in cases {
        let page = told(&config, text);
        let found = page
            .lines()
            .find_map(|line| line.strip_prefix("ServerGroups "));
        let found = found
            .and_then(|line| line.split_once(": "))
            .map(|(_, what)| what);
        assert_eq!(found, Some(expected), "{text}");
    }
}

#[test]
fn an_address_of_several_vpcs_is_in_that_of_the_other_end() {
    let mut config = config(
        vec![group(
            "sg-1",
            "vpc-1",
            vec![rule(Egress, "any", "0.0.0.0/0")],
        )],
        Vec::new(),
        vec![interface(1, "subnet-a", "10.1.0.5", &["sg-1"])],
    );
    config.vpcs[1].cidrs.push(prefix("10.1.0.0/28"));
    let vpc_of = |text: &str| {
        let permit = Permits::new(&config).ask(&connection(text));
        let vpc = permit.client.vpc.map(|vpc| vpc.id.as_str());
        (vpc, permit.request())
    };
    assert_eq!(
        vpc_of("10.1.0.5 -> 10.2.0.5 tcp/1"),
        (Some("vpc-2"), Through::Unknown)
    );
    assert_eq!(vpc_of("10.1.0.5 -> 10.1.0.70 tcp/1").0, Some("vpc-1"));
    assert_eq!(
        vpc_of("10.1.0.5 -> 192.0.2.1 tcp/1"),
        (None, Through::Unknown)
    );
}

/// Every code at which something of [`KINDS`] begins, and one beside it.
const CODES: [u16; 16] = [
    0, 8, 53, 54, 443, 444, 772, 773, 1023, 1024, 2047, 2048, 2303, 2304, 32768, 61000,
];

/// What becomes of a code, by plain definitions: nothing is looked up but by going through all there is.
struct Slow<'c>(&'c Config);

impl Slow<'_> {
    fn vpc(&self, at: Addr) -> Option<&str> {
        VPCS.iter()
            .find(|(_, cidr)| prefix(cidr).contains(at))
            .map(|(id, _)| *id)
    }

    fn subnet(&self, at: Addr) -> Option<&str> {
        SUBNETS
            .iter()
            .find(|(_, _, cidr)| prefix(cidr).contains(at))
            .map(|(id, ..)| *id)
    }

    fn interface(&self, at: Addr) -> Option<&Interface> {
        self.0
            .interfaces
            .iter()
            .find(|one| one.addrs == [Prefix::of(at, 32)])
    }

    fn covers(&self, traffic: &Traffic, protocol: u8, code: u16) -> bool {
        let Some(ports) = traffic.ports else {
            return true;
        };
        let icmp = match traffic.icmp {
            Some((kind, None)) => code / 256 == u16::from(kind),
            Some((kind, Some(detail))) => code == u16::from(kind) * 256 + u16::from(detail),
            None => true,
        };
        let port = protocol == 1 || (ports.first..=ports.last).contains(&code);
        ports.protocol == protocol && icmp && port
    }

    fn groups(
        &self,
        own: Addr,
        other: Addr,
        direction: Direction,
        protocol: u8,
        code: u16,
    ) -> Comes {
        if self.vpc(own).is_none() {
            return Comes::Through;
        }
        let Some(interface) = self.interface(own) else {
            return Comes::Unknown;
        };
        if interface.groups.is_empty() {
            return if interface.kind.is_some() {
                Comes::Through
            } else {
                Comes::Unknown
            };
        }
        let mut best = Comes::Not;
        for id in &interface.groups {
            let group = self.0.groups.iter().find(|group| group.id == *id);
            if group.is_none_or(|group| !group.is_told) {
                best = best.max(Comes::Unknown);
            }
            for rule in group.iter().flat_map(|group| &group.rules) {
                if rule.direction == direction && self.covers(&rule.traffic, protocol, code) {
                    best = best.max(self.meets(&rule.peer, other));
                }
            }
        }
        best
    }

    fn meets(&self, peer: &Peer, end: Addr) -> Comes {
        let known = |meets: bool| if meets { Comes::Through } else { Comes::Not };
        match peer {
            Peer::Cidr(cidr) => known(cidr.contains(end)),
            Peer::PrefixList(id) if id == "pl-known" => {
                known(prefix("10.1.0.0/28").contains(end) || prefix("192.0.2.0/24").contains(end))
            }
            Peer::PrefixList(_) => Comes::Unknown,
            Peer::Group(id) | Peer::ForeignGroup { id, .. } => match self.interface(end) {
                Some(one) if one.groups.contains(id) => Comes::Through,
                Some(one) if one.groups.is_empty() && one.kind.is_none() => Comes::Unknown,
                Some(_) => Comes::Not,
                None if self.vpc(end).is_some() => Comes::Unknown,
                None if end.is_private() && matches!(peer, Peer::ForeignGroup { .. }) => {
                    Comes::Unknown
                }
                None => Comes::Not,
            },
        }
    }

    fn acl(&self, own: Addr, other: Addr, direction: Direction, protocol: u8, code: u16) -> Comes {
        let Some(subnet) = self.subnet(own) else {
            return Comes::Through;
        };
        if self.subnet(other) == Some(subnet) {
            return Comes::Through;
        }
        let Some(acl) = self
            .0
            .acls
            .iter()
            .find(|acl| acl.subnets.iter().any(|id| id == subnet))
        else {
            return Comes::Through;
        };
        let matching = acl.entries.iter().filter(|entry| {
            entry.direction == direction
                && entry.cidr.contains(other)
                && self.covers(&entry.traffic, protocol, code)
        });
        match matching.min_by_key(|entry| entry.number) {
            Some(entry) if entry.is_allow => Comes::Through,
            _ => Comes::Not,
        }
    }

    fn request(&self, client: Addr, server: Addr, protocol: u8, code: u16) -> Comes {
        let hops = [
            self.groups(client, server, Egress, protocol, code),
            self.acl(client, server, Egress, protocol, code),
            self.acl(server, client, Ingress, protocol, code),
            self.groups(server, client, Ingress, protocol, code),
        ];
        hops.into_iter().min().expect("four hops")
    }

    fn reply(&self, client: Addr, server: Addr, protocol: u8, code: u16) -> Comes {
        self.acl(server, client, Egress, protocol, code)
            .min(self.acl(client, server, Ingress, protocol, code))
    }
}

proptest! {
    #[test]
    fn hops_are_what_plain_definitions_say(config in configs()) {
        let permits = Permits::new(&config);
        let slow = Slow(&config);
        let ends = ADDRS.map(addr);
        for client in ends {
            for server in ends.into_iter().filter(|server| *server != client) {
                for (protocol, ports) in [(6, &[443u16, 22, 40000][..]), (17, &[53, 54]), (1, &[0]), (50, &[0])] {
                    for port in ports {
                        let permit = permits.ask(&Connection { client, server, protocol, server_port: *port });
                        let asked: &[u16] = if protocol == 1 { &CODES } else { std::slice::from_ref(port) };
                        let request = sum(asked.iter().map(|code| slow.request(client, server, protocol, *code)));
                        prop_assert_eq!(permit.request(), request, "{} {} {} {}", client, server, protocol, port);
                        let replies: Vec<u16> = match protocol {
                            6 | 17 => CODES.into_iter().filter(|code| *code >= 1024).collect(),
                            1 => CODES.to_vec(),
                            _ => vec![0],
                        };
                        let reply = sum(replies.iter().map(|code| slow.reply(client, server, protocol, *code)));
                        prop_assert_eq!(permit.reply(), reply, "reply {} {} {}", client, server, protocol);
                    }
                }
            }
        }
    }

    #[test]
    fn codes_between_cuts_are_alike(config in configs(), client in 0usize..8, server in 0usize..8) {
        let permits = Permits::new(&config);
        let ends = [client, server].map(|at| {
            let own = addr(ADDRS[at]);
            let vpc = VPCS.iter().find(|(_, cidr)| prefix(cidr).contains(own));
            permits.end(vpc.map(|(id, _)| *id), own)
        });
        for step in Step::REQUEST.into_iter().chain(Step::REPLY) {
            for protocol in [6, 17, 1, 50] {
                let Some(screen) = permits.screen(step, ends.each_ref()) else {
                    continue;
                };
                let cuts: Vec<u16> = screen.cuts(protocol).collect();
                for code in CODES.into_iter().filter(|code| *code > 0 && !cuts.contains(code)) {
                    prop_assert_eq!(screen.lets(protocol, code), screen.lets(protocol, code - 1));
                }
                let passes = |code: &u16| Comes::of(&screen.lets(protocol, *code)) != Comes::Not;
                prop_assert!(!screen.is_shut() || !CODES.iter().any(passes));
            }
        }
    }
}
