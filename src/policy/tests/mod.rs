//! The policy as its users see it: text in, answers out. One module per part of the language.

mod dated;
mod decisions;
mod domains;
mod errors;
mod evidence;
mod explanation;
mod forms;
mod hashes;
mod hostile;
mod inventory;
pub(super) mod memory;
mod mutes;
mod places;
mod samples;
mod words;

use super::*;
use crate::net::aws::Service;

/// A policy without pinned files.
pub(super) fn parse(text: &str) -> Result<Policy, PolicyErrors> {
    parse_with(text, &[])
}

/// A policy with pinned files.
pub(super) fn parse_with(text: &str, files: &[(&str, &str)]) -> Result<Policy, PolicyErrors> {
    Policy::parse("policy.toml", text, &|name| {
        let file = files.iter().find(|(known, _)| *known == name);
        file.map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| std::io::ErrorKind::NotFound.into())
    })
}

/// A network with three tiers in two zones, to which tests add what they are about. 10.0.128.0/17 is unassigned.
pub(super) const BASE: &str = r#"
[policy]
id = "TEST"
[networks.prod]
vpcs = ["vpc-1"]
cidrs = ["10.0.0.0/16", "2600:1f16:abcd:ef00::/56"]
[[subnets]]
tier = "public"
az = "az1"
cidrs = ["10.0.0.0/19", "2600:1f16:abcd:ef00::/64"]
labels = { env = "prod" }
[[subnets]]
tier = "app"
az = "az1"
cidrs = ["10.0.32.0/19", "2600:1f16:abcd:ef01::/64"]
labels = { env = "prod" }
[[subnets]]
tier = "data"
az = "az1"
cidrs = ["10.0.64.0/20", "2600:1f16:abcd:ef02::/64"]
labels = { env = "prod" }
[[subnets]]
tier = "data"
az = "az2"
cidrs = ["10.0.80.0/20"]
labels = { env = "staging" }
[[subnets]]
tier = "bare"
cidrs = ["10.0.96.0/20"]
[groups.etl]
cidrs = ["10.0.33.0/24"]
[groups.vector-db]
cidrs = ["10.0.66.0/24", "10.0.86.0/24"]
[destinations.repos]
cidrs = ["198.51.100.0/24", "2001:db8:5::/48"]
[destinations.office]
cidrs = ["172.20.0.0/16"]
[services]
https = ["tcp/443"]
dns = ["udp/53", "tcp/53"]
"#;

/// [`BASE`] and more.
fn base(more: &str) -> Policy {
    let text = format!("{BASE}\n{more}");
    parse(&text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// [`BASE`], more, and pinned files.
fn base_with(more: &str, files: &[(&str, &str)]) -> Policy {
    let text = format!("{BASE}\n{more}");
    parse_with(&text, files).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Rules in short: `allow ID FROM -> TO [key=value…]`, one a line; values go into the file as they stand.
pub(super) fn rules(lines: &str) -> String {
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words = line.split(' ');
        let mut next = || words.next().expect("effect, id, from, arrow, to");
        let (effect, id, from, _, to) = (next(), next(), next(), next(), next());
        let list = |names: &str| {
            names
                .split(',')
                .map(|name| format!("{name:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        text += &format!(
            "[[{effect}]]\nid = {id:?}\nfrom = [{}]\nto = [{}]\n",
            list(from),
            list(to)
        );
        for setting in words {
            let (key, value) = setting.split_once('=').expect("key=value");
            text += &format!("{key} = {value}\n");
        }
    }
    text
}

/// A question in short: `CLIENT -> SERVER[:PORT] PROTOCOL [key=value…]`, where keys are `at` (seconds), `via`,
/// `encrypted`, and for each end, as `client-…` or `server-…`, `groups` and `service` (`-` is known to be none).
pub(super) struct Asked<'p> {
    policy: &'p Policy,
    client_groups: Vec<GroupId>,
    server_groups: Vec<GroupId>,
    client: (Addr, Option<u64>),
    server: (Addr, Option<u64>),
    protocol: u8,
    port: u16,
    at: u32,
    path: Option<Path>,
    encrypted: Option<bool>,
}

impl Asked<'_> {
    pub(super) fn new<'p>(policy: &'p Policy, text: &str) -> Asked<'p> {
        let mut words = text.split(' ');
        let mut next = || words.next().expect("client, arrow, server, protocol");
        let (client, _, server, name) = (next(), next(), next(), next());
        let (server, port) = match server.parse::<std::net::SocketAddr>() {
            Ok(with_port) => (Addr::from_ip(with_port.ip()), with_port.port()),
            Err(_) => (server.parse().expect("a server"), 0),
        };
        let mut asked = Asked {
            policy,
            client_groups: Vec::new(),
            server_groups: Vec::new(),
            client: (client.parse().expect("a client"), None),
            server: (server, None),
            protocol: protocol::number(name).expect("a protocol"),
            port,
            at: 1_767_225_600,
            path: None,
            encrypted: None,
        };
        for word in words {
            let (key, value) = word.split_once('=').expect("key=value");
            let service = || Some(Service::from_text(value.as_bytes()).bits());
            let groups = || {
                value
                    .split(',')
                    .map(|name| group_id(policy, name))
                    .collect()
            };
            match key {
                "at" => asked.at = value.parse().expect("seconds"),
                "via" => asked.path = Some(Path::from_word(value).expect("a path")),
                "encrypted" => asked.encrypted = Some(value == "true"),
                "client-service" => asked.client.1 = service(),
                "server-service" => asked.server.1 = service(),
                "client-groups" => asked.client_groups = groups(),
                "server-groups" => asked.server_groups = groups(),
                other => panic!("no setting {other}"),
            }
        }
        asked
    }

    pub(super) fn question(&self) -> Question<'_> {
        let end = |(addr, services): (Addr, Option<u64>), groups| {
            let place = self.policy.place(NetworkId(0), addr, self.at);
            End {
                home: place.home,
                class: place.class,
                groups,
                known: self.policy.known(place.home, addr, self.at),
                services: services.unwrap_or(0),
                services_known: services.is_some(),
                domains: Default::default(),
            }
        };
        Question {
            client: end(self.client, &self.client_groups),
            server: end(self.server, &self.server_groups),
            protocol: self.protocol,
            server_port: self.port,
            ipv4: self.client.0.is_v4(),
            at: self.at,
            path: self.path,
            encrypted: self.encrypted,
        }
    }
}

pub(super) fn group_id(policy: &Policy, name: &str) -> GroupId {
    let at = policy
        .places
        .groups
        .iter()
        .position(|group| group.name == name);
    GroupId(at.expect("a group of the policy") as u16)
}

/// What the policy says, in words: `allow RULE`, then what else is to be said.
fn answer(policy: &Policy, question: &str) -> String {
    let asked = Asked::new(policy, question);
    let decision = policy.decide(&asked.question());
    let mut words = format!(
        "{} {}",
        decision.answer.as_str(),
        policy.rule(decision.rule).id
    );
    if let Some(miss) = decision.miss {
        words += &format!(", {}", policy.explain_miss(miss, i64::from(asked.at)));
    }
    if decision.unlabelled {
        words += ", unlabelled";
    }
    if decision.via_unknown {
        words += ", via unknown";
    }
    words
}

/// Asks a policy of [`BASE`] and these rules.
fn check(lines: &str, question: &str, expected: &str) {
    check_of(&base(&rules(lines)), question, expected);
}

fn check_of(policy: &Policy, question: &str, expected: &str) {
    assert_eq!(answer(policy, question), expected, "{question}");
}

/// The zone of an address outside or inside, with what its records say of its service.
fn zone_of(policy: &Policy, addr: &str, service: Option<&str>) -> String {
    let place = policy.place(NetworkId(0), addr.parse().expect("an address"), 0);
    let services = service.map(|text| Service::from_text(text.as_bytes()).bits());
    let end = End {
        home: place.home,
        class: place.class,
        groups: &[],
        known: Known::default(),
        services: services.unwrap_or(0),
        services_known: services.is_some(),
        domains: Default::default(),
    };
    policy.zone_name(policy.zone(&end)).to_owned()
}
