//! Which connections to make: the policy is asked about pairs of ends, at a port of each range that it tells apart, by each
//! way that the pair can take, and of what each rule decides some are chosen.
//!
//! Of an allow those that show something new of it: another end, pair of zones, range of ports or way. Of what denies a few,
//! each with another pair of zones, range of ports or way.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::world::{Spot, World};
use crate::generate::dice::Dice;
use crate::net::ports::PortRange;
use crate::net::protocol;
use crate::net::services::is_service;
use crate::policy::{Answer, Decider, Effect, Path, Policy, Question, RuleId};

/// How many connections of an allow are made at most.
const MOST_ALLOWED: usize = 64;
/// How many connections of a deny, a require or the default are made at most: each is a finding, or two.
const MOST_DENIED: usize = 6;
/// How many pairs of ends are looked at; of more, so many that chance picks.
const MOST_PAIRS: usize = 200_000;
/// After so many rules weighed the search ends: some ten seconds.
const MOST_WORK: u64 = 1 << 31;

/// The way that a connection takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Way {
    pub path: Path,
    /// Within a network, but not encrypted.
    pub plain: bool,
}

/// A connection to make.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// Indices of spots.
    pub client: usize,
    pub server: usize,
    pub protocol: u8,
    pub port: u16,
    pub way: Way,
}

/// What a search found.
#[derive(Default)]
pub(super) struct Found {
    /// Connections that a rule allows, by rule.
    pub allowed: BTreeMap<RuleId, Vec<Choice>>,
    /// Connections that a deny, a require or the default denies, by rule.
    pub denied: BTreeMap<RuleId, Vec<Choice>>,
    /// Rules that could not decide for want of evidence.
    pub unproven: BTreeSet<RuleId>,
    /// Whether not every pair was looked at.
    pub is_cut: bool,
}

/// Asks the policy, at an instant, seconds since 1970. Chance decides in which order.
pub(super) fn search(policy: &Policy, world: &World, dice: &mut Dice, at: u32) -> Found {
    let (pairs, is_cut) = pairs(&world.spots, dice);
    let mut search = Search {
        world,
        ways: Ways::of(policy, world),
        ports: policy.port_ranges().iter().map(usual_port).collect(),
        decider: Decider::new(policy),
        at,
        shown: BTreeMap::new(),
        found: Found {
            is_cut,
            ..Found::default()
        },
    };
    let weighed_at_once = (search.ports.len() * policy.rule_rows().len()) as u64;
    let mut work = 0;
    for (client, server) in pairs {
        let ends = (&world.spots[client], &world.spots[server]);
        if !can_meet(policy, ends, at) {
            continue;
        }
        for way in search.ways.between(ends) {
            search.look(client, server, way);
            work += weighed_at_once;
        }
        if work > MOST_WORK {
            search.found.is_cut = true;
            break;
        }
    }
    search.found
}

/// The question about a connection of which records tell this path, at an instant, seconds since 1970.
pub(super) fn question(
    world: &World,
    choice: &Choice,
    path: Option<Path>,
    at: u32,
) -> Question<'static> {
    let (client, server) = (&world.spots[choice.client], &world.spots[choice.server]);
    let way = choice.way;
    Question {
        client: client.asked(),
        server: server.asked(),
        protocol: choice.protocol,
        server_port: choice.port,
        ipv4: client.addr.is_v4() && server.addr.is_v4(),
        at,
        path,
        // Within a VPC the hypervisor encrypts, and the records say so.
        encrypted: Some(way.path == Path::Local && !way.plain),
    }
}

struct Search<'a> {
    world: &'a World,
    ways: Ways<'a>,
    /// A port of each range that the policy tells apart.
    ports: Vec<(u8, u16)>,
    decider: Decider<'a>,
    at: u32,
    shown: BTreeMap<RuleId, Shown>,
    found: Found,
}

impl Search<'_> {
    /// Asks about a pair at every port, and chooses.
    fn look(&mut self, client: usize, server: usize, way: Way) {
        for (number, &(protocol, port)) in self.ports.iter().enumerate() {
            let choice = Choice {
                client,
                server,
                protocol,
                port,
                way,
            };
            let question = question(self.world, &choice, Some(way.path), self.at);
            let decision = self.decider.decide(&question);
            let zones = [client, server].map(|spot| self.world.spots[spot].zone.0);
            let mut features = vec![
                Feature::Ports(number),
                Feature::Way(way.path, way.plain),
                Feature::Zones(zones),
            ];
            let (chosen, most) = match decision.answer {
                Answer::Unproven => {
                    self.found.unproven.insert(decision.rule);
                    continue;
                }
                // Without flags or ports it cannot be told who asked whom.
                Answer::Deny if !matches!(protocol, protocol::TCP | protocol::UDP) => continue,
                Answer::Deny => (&mut self.found.denied, MOST_DENIED),
                Answer::Allow => {
                    features.extend([Feature::Client(client), Feature::Server(server)]);
                    (&mut self.found.allowed, MOST_ALLOWED)
                }
            };
            let shown = self.shown.entry(decision.rule).or_default();
            if shown.takes(&features, most) {
                chosen.entry(decision.rule).or_default().push(choice);
            }
        }
    }
}

/// What a connection shows of the rule that decides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Feature {
    Client(usize),
    Server(usize),
    Ports(usize),
    Way(Path, bool),
    Zones([u16; 2]),
}

/// What is shown of a rule.
#[derive(Default)]
struct Shown {
    features: HashSet<Feature>,
    number: usize,
}

impl Shown {
    /// Takes a connection if there is room and it shows something new.
    fn takes(&mut self, features: &[Feature], most: usize) -> bool {
        let is_new = features
            .iter()
            .any(|feature| !self.features.contains(feature));
        if self.number == most || !is_new {
            return false;
        }
        self.features.extend(features);
        self.number += 1;
        true
    }
}

/// Whether packets between two ends can be judged: of one family, one of them inside, each seen from the other's network as
/// it is at home.
fn can_meet(policy: &Policy, (client, server): (&Spot, &Spot), at: u32) -> bool {
    let sees = |spot: &Spot, other: &Spot| {
        spot.home.is_none_or(|network| {
            let place = policy.place(network, other.addr, at);
            (place.home, place.class) == (other.home, other.class)
        })
    };
    let is_anybody_inside = client.home.is_some() || server.home.is_some();
    let is_one_family = client.addr.is_v4() == server.addr.is_v4();
    let differ = client.addr != server.addr;
    is_anybody_inside && is_one_family && differ && sees(client, server) && sees(server, client)
}

/// The ways that there are.
struct Ways<'a> {
    world: &'a World,
    /// Those that only a policy that names them asks for.
    named: Vec<Path>,
    /// Whether a rule asks for encryption.
    has_encryption: bool,
}

impl<'a> Ways<'a> {
    fn of(policy: &Policy, world: &'a World) -> Ways<'a> {
        let rules = policy.rule_rows();
        let is_named = |path: &Path| {
            let mut named = rules.iter().flat_map(|row| row.via.iter());
            named.any(|via| *via == path.as_str())
        };
        let others = [Path::Vgw, Path::Peering, Path::LocalZone];
        Ways {
            world,
            named: others.into_iter().filter(is_named).collect(),
            has_encryption: rules
                .iter()
                .any(|row| row.rule.effect == Effect::RequireEncrypted),
        }
    }

    /// The ways between two ends: the usual ones, and those that rules name.
    fn between(&self, (client, server): (&Spot, &Spot)) -> Vec<Way> {
        let way = |path| Way { path, plain: false };
        let outside = match (client.home, server.home) {
            (Some(one), Some(other)) if one == other => {
                let plain = Way {
                    path: Path::Local,
                    plain: true,
                };
                let plain = self.has_encryption.then_some(plain);
                return [way(Path::Local)].into_iter().chain(plain).collect();
            }
            (Some(_), Some(_)) => return vec![way(Path::Peering)],
            (Some(_), None) => server,
            (None, _) => client,
        };
        let mut paths = vec![match outside.addr.is_private() {
            true => Path::Vgw,
            false => Path::InternetGateway,
        }];
        if let (Some(network), None) = (client.home, server.home) {
            let has_gateway = self.world.gateways.contains_key(&network);
            if server.addr.is_v4() && !server.addr.is_private() && has_gateway {
                paths.push(Path::Nat);
            }
            if matches!(server.end.service, Some("S3" | "DYNAMODB")) {
                paths.push(Path::GatewayEndpoint);
            }
        }
        let usual = paths[0];
        paths.extend(self.named.iter().filter(|path| **path != usual));
        paths.into_iter().map(way).collect()
    }
}

/// Pairs of ends in an order of chance, and whether some are left out.
fn pairs(spots: &[Spot], dice: &mut Dice) -> (Vec<(usize, usize)>, bool) {
    let firsts: Vec<usize> = (0..spots.len())
        .filter(|at| !spots[*at].is_second)
        .collect();
    let seconds = (0..spots.len()).filter(|at| spots[*at].is_second);
    // A second stands behind the first of its class.
    let mut pairs: Vec<(usize, usize)> = seconds.map(|second| (second - 1, second)).collect();
    let is_cut = firsts.len() * firsts.len() > MOST_PAIRS;
    if is_cut {
        pairs.extend((0..MOST_PAIRS).map(|_| (dice.pick(&firsts), dice.pick(&firsts))));
    } else {
        let with_all = |client: usize| firsts.iter().map(move |server| (client, *server));
        pairs.extend(firsts.iter().flat_map(|client| with_all(*client)));
    }
    for last in (1..pairs.len()).rev() {
        pairs.swap(last, dice.below(last as u64 + 1) as usize);
    }
    (pairs, is_cut)
}

/// Ports that servers often have.
const USUAL: [u16; 12] = [
    443, 22, 80, 53, 25, 3389, 5432, 8080, 9200, 161, 8443, 30_000,
];

/// A port that stands for a range: a usual one, else one that is a server's in practice, else the first but 0.
fn usual_port(range: &PortRange) -> (u8, u16) {
    let PortRange {
        protocol,
        first,
        last,
    } = *range;
    if !protocol::has_ports(protocol) {
        return (protocol, 0);
    }
    let all = first.max(1)..=last.max(1);
    let usual = USUAL.into_iter().find(|port| all.contains(port));
    let port = usual.or_else(|| all.clone().find(|port| is_service(protocol, *port)));
    (protocol, port.unwrap_or(*all.start()))
}
