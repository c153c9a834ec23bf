//! Traffic from a policy: what each allow permits, and what is denied, so that a scan against the same policy finds what was
//! planted and nothing else.
//!
//! `world` has an end for each class of addresses that the policy tells apart, `search` asks the policy which of them may
//! talk and chooses, `expect` says what a scan must make of a denied connection. What is chosen is recorded and written as
//! all other traffic is.

mod expect;
mod search;
mod world;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::connection::{Connection, End, Fate, Route};
use super::dice::Dice;
use super::object::Objects;
use super::options::{self, DEFAULT_START};
use super::plant::Planted;
use super::recorder::Recorder;
use super::row::Row;
use super::{GenerateError, SLOT_SECS, Summary};
use crate::net::protocol;
use crate::policy::{self, Answer, Decision, Policy, RuleId, RuleRow, Severity, ZoneKind};

use expect::Became;
use search::{Choice, Found};
use world::{Spot, World};

/// What to generate from a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyOptions {
    /// Fixes every choice.
    pub seed: u64,
    /// The publishing time of the first objects, seconds since 1970, a multiple of 300. Rules and places are
    /// taken as they are in force then.
    pub start: u32,
    /// Over how many slots of five minutes the connections are spread; at least 1.
    pub slots: u32,
}

impl Default for PolicyOptions {
    /// An hour, at the time of `sample-logs`.
    fn default() -> PolicyOptions {
        PolicyOptions {
            seed: 1,
            start: DEFAULT_START,
            slots: 12,
        }
    }
}

/// A rule that no connection was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmade {
    /// Its id.
    pub rule: String,
    /// Why.
    pub why: Why,
}

/// Why no connection was made for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is not in force when the traffic is made.
    NotInForce,
    /// It goes by what this traffic does not show: names, tags, security groups, ids.
    NoEvidence,
    /// Nothing that has an end inside is decided by it first.
    NothingFirst,
    /// Not every pair of ends was looked at.
    NotSeen,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Why::NotInForce => "it is not in force at the time of the traffic",
            Why::NoEvidence => {
                "it goes by domain names, tags, ids or security groups, which generated traffic does not show"
            }
            Why::NothingFirst => "nothing that has an end inside is decided by it first",
            Why::NotSeen => "the policy tells apart more pairs of ends than are looked at",
        })
    }
}

/// Writes `dir/logs`, `dir/planted.ndjson` and `dir/totals.json`; what was written, and the rules that nothing was made for.
///
/// # Errors
/// When the options make no sense, when `dir/logs` exists already, when no record can belong to a network of the policy, or
/// when writing fails.
pub fn generate_from(
    dir: &Path,
    policy: &Policy,
    options: &PolicyOptions,
) -> Result<(Summary, Vec<Unmade>), GenerateError> {
    options::check_times(options.start, options.slots)?;
    let logs = super::new_logs(dir)?;
    let world = World::of(policy, options.start);
    if world.logs.is_empty() {
        return Err(GenerateError::NoNetwork);
    }
    let mut dice = Dice::new(options.seed);
    let found = search::search(policy, &world, &mut dice, options.start);
    let mut making = Making {
        policy,
        world: &world,
        options,
        number: 0,
        connections: Vec::new(),
        planted: BTreeMap::new(),
        strangers: BTreeMap::new(),
    };
    for choice in found.allowed.values().flatten() {
        making.allow(choice);
    }
    for (number, choice) in found.denied.values().flatten().enumerate() {
        making.deny(choice, number);
    }
    let planted = making.findings();
    let summary = record(&logs, &world, options, &making.connections, planted.len())?;
    super::write_beside(dir, &summary, &planted, &[])?;
    Ok((summary, unmade(policy, &found, options.start)))
}

/// Records the connections and writes the objects.
fn record(
    logs: &Path,
    world: &World,
    options: &PolicyOptions,
    connections: &[Connection],
    planted: usize,
) -> Result<Summary, GenerateError> {
    let recorder = Recorder {
        fleet: &world.fleet,
        staggered: true,
    };
    let mut summary = Summary {
        planted: planted as u64,
        connections: connections.len() as u64,
        ..Summary::default()
    };
    let mut objects = Objects::new(logs.to_owned(), &world.logs, options.seed, options.start);
    for connection in connections {
        let mut rows = Vec::new();
        recorder.record(connection, &mut |row| rows.push(row));
        for row in rows {
            // Every connection ends within its slot.
            let slot = (row.end - options.start) / SLOT_SECS;
            let log = world.log_of[&row.interface.vpc.id];
            let row = Row {
                version: world.logs[log].version(),
                ..row
            };
            objects.add((slot, log, 0), &row, &mut summary);
            summary.records += 1;
            summary.ipv6 += u64::from(row.pkt_src.is_ipv6());
        }
    }
    objects.close_before(options.slots)?;
    Ok(summary)
}

/// What tells one planted finding from another: kind, subjects, port, protocol, rule.
type Key = (&'static str, String, String, u16, u8, RuleId);

struct Making<'a> {
    policy: &'a Policy,
    world: &'a World,
    options: &'a PolicyOptions,
    /// How many connections were made.
    number: u32,
    connections: Vec<Connection>,
    planted: BTreeMap<Key, Planted>,
    /// Addresses in no tier, whether as client, with how many connections they have.
    strangers: BTreeMap<(bool, String), u32>,
}

/// Without flags, who serves shows in that several ask: at least four (`fan_in` in `docs/verdicts.md`).
const CLIENTS_WITHOUT_FLAGS: u32 = 4;

impl<'a> Making<'a> {
    /// Lets an allowed connection be answered.
    fn allow(&mut self, choice: &Choice) {
        let decision = self.decided(choice, Fate::Established);
        if decision.answer == Answer::Allow {
            self.make(choice, Fate::Established);
        }
    }

    /// Lets a denied connection be answered; and another one be rejected, or else be left without an answer, in turn.
    fn deny(&mut self, choice: &Choice, number: usize) {
        let (client, server) = self.ends(choice);
        let stopped = match server.home {
            Some(_) => Fate::RejectedByServer,
            None => Fate::RejectedByClient,
        };
        let is_from_outside = client.home.is_none();
        let can_be_lost = choice.protocol == protocol::TCP && !is_from_outside;
        self.plant(choice, Fate::Established, Became::Violation);
        if can_be_lost && number % 2 == 1 {
            self.plant(choice, Fate::Unanswered, Became::Attempted);
        } else {
            self.plant(choice, stopped, Became::Blocked);
        }
    }

    /// What the policy says of the next connection, with what is recorded of it. The way shows in what an inside end sends:
    /// a client outside that is rejected gets no answer.
    fn decided(&self, choice: &Choice, fate: Fate) -> Decision {
        let (client, _) = self.ends(choice);
        let is_silent = client.home.is_none() && fate != Fate::Established;
        let path = Some(choice.way.path).filter(|_| !is_silent);
        let question = search::question(self.world, choice, path, self.next_start());
        self.policy.decide(&question)
    }

    /// When the next connection begins, seconds since 1970: in the midst of a slot, so that it ends in it.
    fn next_start(&self) -> u32 {
        let slot = self.number % self.options.slots;
        self.options.start + slot * SLOT_SECS + 60 + self.number % 150
    }

    fn ends(&self, choice: &Choice) -> (&'a Spot, &'a Spot) {
        let spots = &self.world.spots;
        (&spots[choice.client], &spots[choice.server])
    }

    /// Makes a denied connection with its finding, unless another one of the same finding is there, or it is no longer denied
    /// with what is recorded of it.
    fn plant(&mut self, choice: &Choice, fate: Fate, became: Became) {
        let policy = self.policy;
        let ends = self.ends(choice);
        let decision = self.decided(choice, fate);
        if decision.answer != Answer::Deny {
            return;
        }
        let severity = expect::severity(policy, ends, &decision, became);
        let kind = expect::kind(policy, ends, became);
        let client = expect::client_subject(policy, ends.0);
        let server = expect::server_subject(policy, ends.1);
        let key = (
            kind,
            client.clone(),
            server.clone(),
            choice.port,
            choice.protocol,
            decision.rule,
        );
        if self.planted.contains_key(&key) {
            return;
        }
        let made = self.make(choice, fate);
        if severity == Severity::Info {
            return;
        }
        let what = match became {
            Became::Violation => "a denied connection is answered",
            Became::Blocked => "a denied connection is rejected",
            Became::Attempted => "a denied connection is tried and not answered",
        };
        self.planted.insert(
            key,
            Planted {
                what,
                kind,
                severity: severity.as_str(),
                verdict: became.verdict(),
                client,
                server,
                server_port: Some(choice.port),
                protocol: choice.protocol,
                rule: Cow::Owned(policy.rule(decision.rule).id.clone()),
                connections: made,
            },
        );
    }

    /// Lets a connection happen, with several clients' ports where flags do not tell who serves; how many.
    fn make(&mut self, choice: &Choice, fate: Fate) -> u32 {
        let is_told_by_peers = choice.protocol != protocol::TCP
            && protocol::has_ports(choice.protocol)
            && fate == Fate::Established;
        let count = if is_told_by_peers {
            CLIENTS_WITHOUT_FLAGS
        } else {
            1
        };
        let start = self.next_start();
        for number in 0..count {
            let connection = self.connection(choice, start + number);
            self.connections.push(connection.but(fate));
            self.number += 1;
        }
        let (client, server) = self.ends(choice);
        let stranger = |spot: &Spot, is_client: bool| {
            let is_stranger = self.policy.zone_kind(spot.zone) == ZoneKind::Unassigned;
            is_stranger.then(|| (is_client, spot.addr.to_string()))
        };
        for stranger in [stranger(client, true), stranger(server, false)]
            .into_iter()
            .flatten()
        {
            *self.strangers.entry(stranger).or_default() += count;
        }
        count
    }

    /// The connection of a choice that begins at `start`, seconds since 1970, from a port of its own.
    fn connection(&self, choice: &Choice, start: u32) -> Connection {
        let (client, server) = self.ends(choice);
        let has_ports = protocol::has_ports(choice.protocol);
        let client_port = if has_ports {
            33_000 + (self.number % 28_000) as u16
        } else {
            0
        };
        let route = match choice.way.path {
            policy::Path::Local => Route::Local,
            policy::Path::Nat => self.nat(client),
            policy::Path::GatewayEndpoint => Route::GatewayEndpoint { code: 7 },
            policy::Path::InternetGateway => Route::InternetGateway,
            policy::Path::Vgw => Route::Straight { code: 3 },
            policy::Path::Peering => Route::Straight { code: 4 },
            policy::Path::LocalZone => Route::Straight { code: 6 },
        };
        let client = End {
            port: client_port,
            ..client.end
        };
        let server = End {
            port: choice.port,
            ..server.end
        };
        let connection = match choice.protocol {
            protocol::TCP => Connection::tcp(client, server, (start, start + 25)),
            protocol => Connection {
                protocol,
                ..Connection::udp(client, server, (start, start + 1))
            },
        };
        Connection {
            plain: choice.way.plain,
            ..connection.by(route)
        }
    }

    fn nat(&self, client: &Spot) -> Route {
        let network = client
            .home
            .expect("only what is inside goes out through NAT");
        Route::Nat {
            gateway: self.world.gateways[&network],
            port: 2_000 + (self.number % 28_000) as u16,
        }
    }

    /// All that must be found: what was planted, and each address in no tier.
    fn findings(&self) -> Vec<Planted> {
        let strangers = self
            .strangers
            .iter()
            .map(|((is_client, addr), connections)| {
                let side = |wanted: bool| {
                    if *is_client == wanted {
                        addr.clone()
                    } else {
                        String::new()
                    }
                };
                Planted {
                    what: "an address in no tier",
                    kind: "unassigned",
                    severity: "low",
                    verdict: "",
                    client: side(true),
                    server: side(false),
                    server_port: None,
                    protocol: 0,
                    rule: Cow::Borrowed(""),
                    connections: *connections,
                }
            });
        self.planted.values().cloned().chain(strangers).collect()
    }
}

/// The rules that decide nothing that was found, with the reason; sorted by id.
fn unmade(policy: &Policy, found: &Found, at: u32) -> Vec<Unmade> {
    let without: BTreeSet<String> = names_without_addresses(policy);
    let goes_by_evidence = |row: &RuleRow<'_>| {
        let all =
            |words: &[String]| !words.is_empty() && words.iter().all(|word| without.contains(word));
        all(&row.clients) || all(&row.servers)
    };
    let at = i64::from(at);
    let mut unmade = Vec::new();
    for (number, row) in policy.rule_rows().iter().enumerate() {
        let rule = RuleId(number as u16);
        let is_made = found.allowed.contains_key(&rule) || found.denied.contains_key(&rule);
        if is_made || rule == policy.default_rule() {
            continue;
        }
        let is_early = row.not_before.is_some_and(|not_before| at < not_before);
        let is_late = row.expires.is_some_and(|expires| at >= expires);
        let why = if is_early || is_late {
            Why::NotInForce
        } else if found.unproven.contains(&rule) || goes_by_evidence(row) {
            Why::NoEvidence
        } else if found.is_cut {
            Why::NotSeen
        } else {
            Why::NothingFirst
        };
        unmade.push(Unmade {
            rule: row.rule.id.clone(),
            why,
        });
    }
    unmade
}

/// Groups and destinations of which no address is known.
fn names_without_addresses(policy: &Policy) -> BTreeSet<String> {
    let groups = policy
        .group_rows()
        .filter(|group| group.cidrs.is_empty())
        .map(|group| group.name.to_owned());
    let destinations = policy
        .destination_rows()
        .filter(|row| row.cidrs.is_empty() && row.aws_services.is_empty())
        .map(|row| row.name.to_owned());
    groups.chain(destinations).collect()
}
