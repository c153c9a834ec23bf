//! Denies read as entries of a network ACL, which knows packets and no connections: which of them would cut the replies of
//! connections that the policy allows.
//!
//! A deny is about who opens a connection. Its words as an ACL entry (from these addresses to those, to these ports) also
//! match the replies of connections that go the other way: they come from the server's addresses, and their destination
//! port is the client's, an ephemeral one. So for each deny an allowed connection is looked for, by asking the policy
//! itself, whose reply the deny would match if it were read as a new connection.

use std::collections::HashMap;
use std::rc::Rc;

use super::super::fit::Truth;
use super::super::names::Name;
use super::super::ruleset::Ports;
use super::super::{Answer, ClassId, End, GroupId, Known, Policy, Question, RuleId};
use super::cover::{IPV4, Shapes};
use super::ends::{Ends, Holds, holds};
use super::table::{CUT_REPLIES, ONLY_PORTS_OUT};
use super::{Found, Rules};
use crate::net::ports::{PortRange, PortSet};
use crate::net::protocol::{self, TCP, UDP};

/// The first port that clients pick for themselves. Source: AWS, *Custom network ACLs*, ephemeral ports: 1024 to 65535
/// covers all clients.
const FIRST_EPHEMERAL: u16 = 1024;

/// How many of the ephemeral ports a deny must hold to be remarked on. A deny of few ports hits a reply now and then only.
const MIN_EPHEMERAL: u32 = 1024;

/// How many connections the policy is asked about at most: each takes time in proportion to the number of rules.
const MAX_ASKED: usize = 500;

/// How many classes of each end, and how many server ports, are tried for a pair of rules.
const MAX_TRIED: usize = 3;

pub(super) fn lint(
    policy: &Policy,
    rules: &Rules<'_>,
    shapes: &Shapes<'_>,
    at: i64,
    found: &mut Found,
) {
    let mut allows: Vec<usize> = (0..rules.all.len())
        .filter(|number| !rules.all[*number].is_deny())
        .collect();
    // Of several, one that permits ssh is named: it is what people miss first.
    allows.sort_by_key(|number| !shapes.all[*number].ports.contains(TCP, 22));
    let mut search = Search {
        policy,
        shapes,
        allows,
        at,
        in_view: HashMap::new(),
        left: MAX_ASKED,
    };
    for (number, rule) in rules.all.iter().enumerate() {
        // A network ACL knows no paths.
        if !rule.is_deny() || !rule.condition.via.is_empty() {
            continue;
        }
        let Some(cut) = search.cut_by(number) else {
            continue;
        };
        let replies = format!(
            "replies of {}, from {} of {} to {}",
            rules.reference_to(policy, cut.rule),
            cut.port,
            cut.server,
            cut.client
        );
        match &rule.condition.ports {
            Ports::Except(set) => found.add(
                &ONLY_PORTS_OUT,
                &rule.id.span,
                format!(
                    "read as a network ACL, {} would cut {replies}: a reply goes to an ephemeral port, not to {set}",
                    rule.title()
                ),
                "as a deny of connections it is right; in a network ACL allow 1024-65535 to these ends before it",
            ),
            _ => found.add(
                &CUT_REPLIES,
                &rule.id.span,
                format!("read as a network ACL, {} would cut {replies}", rule.title()),
                "as a deny of connections it is right; in a network ACL allow 1024-65535 to these ends before it",
            ),
        }
    }
}

/// An allowed connection whose replies would be cut: the rule that allows it, and its ends in words.
struct Cut {
    rule: RuleId,
    port: PortRange,
    client: String,
    server: String,
}

struct Search<'s, 'p> {
    policy: &'p Policy,
    shapes: &'s Shapes<'p>,
    /// Numbers of the allows.
    allows: Vec<usize>,
    at: i64,
    /// Which classes an address can be of at an instant, of a policy whose places change.
    in_view: HashMap<u32, Rc<[bool]>>,
    /// How many more connections may be asked about.
    left: usize,
}

/// An end that a rule could be about: a class, and what records would have to say of it.
struct Seen {
    class: ClassId,
    groups: Vec<GroupId>,
    services: u64,
}

impl Seen {
    fn end(&self, policy: &Policy) -> End<'_> {
        End {
            home: policy.space.class(self.class).home,
            class: self.class,
            groups: &self.groups,
            known: Known::default(),
            services: self.services,
            services_known: true,
            domains: Default::default(),
        }
    }
}

impl Search<'_, '_> {
    /// An allowed connection whose replies a deny would match as new connections.
    fn cut_by(&mut self, deny: usize) -> Option<Cut> {
        let reply_ports = reply_ports(&self.shapes.all[deny].ports);
        if reply_ports.is_empty() || self.left == 0 {
            return None;
        }
        let allows = self.allows.clone();
        allows
            .into_iter()
            .find_map(|allow| self.cut_of(deny, allow, &reply_ports))
    }

    fn cut_of(&mut self, deny: usize, allow: usize, reply_ports: &[(u8, u16)]) -> Option<Cut> {
        let (policy, shapes) = (self.policy, self.shapes);
        let (deny_shape, allow_shape) = (&shapes.all[deny], &shapes.all[allow]);
        let families = deny_shape.families & allow_shape.families;
        let begins = deny_shape.times.0.max(allow_shape.times.0).max(self.at);
        let ends = deny_shape.times.1.min(allow_shape.times.1);
        if families == 0 || begins >= ends {
            return None;
        }
        let begins = u32::try_from(begins).unwrap_or(u32::MAX);
        let clients = self.seen(shapes.from(allow), shapes.to(deny), begins);
        if clients.is_empty() {
            return None;
        }
        let servers = self.seen(shapes.to(allow), shapes.from(deny), begins);
        for (protocol, port) in server_ports(&allow_shape.ports) {
            let Some((_, reply_port)) = reply_ports.iter().find(|(known, _)| *known == protocol)
            else {
                continue;
            };
            for (client, server) in clients
                .iter()
                .flat_map(|client| servers.iter().map(move |server| (client, server)))
            {
                if !self.crosses_an_acl(client, server) {
                    continue;
                }
                let request = Question {
                    client: client.end(policy),
                    server: server.end(policy),
                    protocol,
                    server_port: port,
                    ipv4: families & IPV4 != 0,
                    at: begins,
                    path: None,
                    encrypted: Some(true),
                };
                let reply = Question {
                    client: request.server,
                    server: request.client,
                    server_port: *reply_port,
                    ..request
                };
                if policy.fit(deny_shape.condition, &reply).truth() != Truth::Yes {
                    continue;
                }
                self.left = self.left.checked_sub(1)?;
                let decision = policy.decide(&request);
                if decision.answer == Answer::Allow {
                    return Some(Cut {
                        rule: decision.rule,
                        port: PortRange {
                            protocol,
                            first: port,
                            last: port,
                        },
                        client: self.zone_of(&request.client),
                        server: self.zone_of(&request.server),
                    });
                }
            }
        }
        None
    }

    fn zone_of(&self, end: &End<'_>) -> String {
        let zone = self.policy.zone_name(self.policy.zone(end));
        format!("`{zone}`")
    }

    /// Whether packets between two ends can exist and pass a network ACL: within a subnet there is none.
    fn crosses_an_acl(&self, client: &Seen, server: &Seen) -> bool {
        let (client, server) = (
            self.policy.space.class(client.class),
            self.policy.space.class(server.class),
        );
        let is_reachable = match (client.home, server.home) {
            (Some(one), Some(other)) => {
                let network = &self.policy.places.networks[usize::from(one.0)];
                one == other || network.connected.binary_search(&other).is_ok()
            }
            (None, None) => false,
            _ => true,
        };
        is_reachable && (client.subnet.is_none() || client.subnet != server.subnet)
    }

    /// A few ends that could be of both lists at an instant, seen as the first would have them.
    fn seen(&mut self, list: &Ends<'_>, other: &Ends<'_>, at: u32) -> Vec<Seen> {
        let space = &self.policy.space;
        let in_view: Option<Rc<[bool]>> = (!space.begins().is_empty()).then(|| {
            let in_view = self.in_view.entry(at);
            Rc::clone(in_view.or_insert_with(|| space.seen_at(at).into()))
        });
        let is_there = |class: &usize| in_view.as_ref().is_none_or(|in_view| in_view[*class]);
        let classes = list.may.common(&other.may).filter(is_there).take(MAX_TRIED);
        classes
            .map(|class| self.seen_as(ClassId(class as u32), list.names))
            .collect()
    }

    /// An end of a class, with what makes it an end of one of the names.
    fn seen_as(&self, class: ClassId, names: &[Name]) -> Seen {
        let mut seen = Seen {
            class,
            groups: Vec::new(),
            services: 0,
        };
        if names
            .iter()
            .any(|name| holds(self.policy, class, *name) == Holds::Always)
        {
            return seen;
        }
        for name in names {
            match name {
                Name::Group(group) => seen.groups = vec![GroupId(*group)],
                Name::Aws(bit) => seen.services = 1 << bit,
                Name::Destination(id) => {
                    let services = self.policy.places.destinations[usize::from(*id)].services;
                    seen.services = services & services.wrapping_neg();
                }
                _ => continue,
            }
            break;
        }
        seen
    }
}

/// For each protocol of which a deny holds enough ephemeral ports, one of these.
fn reply_ports(ports: &PortSet) -> Vec<(u8, u16)> {
    let mut found: Vec<(u8, u16, u32)> = Vec::new();
    for range in ports.ranges() {
        if !protocol::has_ports(range.protocol) || range.last < FIRST_EPHEMERAL {
            continue;
        }
        let number = u32::from(range.last - range.first.max(FIRST_EPHEMERAL)) + 1;
        match found.last_mut() {
            Some((protocol, port, total)) if *protocol == range.protocol => {
                *port = range.last;
                *total += number;
            }
            _ => found.push((range.protocol, range.last, number)),
        }
    }
    let enough = found
        .into_iter()
        .filter(|(_, _, number)| *number >= MIN_EPHEMERAL);
    enough.map(|(protocol, port, _)| (protocol, port)).collect()
}

/// A few of an allow's server ports: those that people know first.
fn server_ports(ports: &PortSet) -> Vec<(u8, u16)> {
    const KNOWN: [(u8, u16); 3] = [(TCP, 22), (TCP, 443), (UDP, 53)];
    let known = KNOWN
        .into_iter()
        .filter(|(protocol, port)| ports.contains(*protocol, *port));
    let firsts = ports
        .ranges()
        .iter()
        .filter(|range| protocol::has_ports(range.protocol))
        .map(|range| (range.protocol, range.first));
    let mut wanted: Vec<(u8, u16)> = known.collect();
    wanted.extend(firsts.take(MAX_TRIED));
    wanted.dedup();
    wanted.truncate(MAX_TRIED);
    wanted
}
