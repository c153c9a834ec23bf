//! What the learned rules do not cover, and why.

use std::collections::BTreeMap;
use std::fmt;

use crate::judge::EdgeRow;
use crate::judge::sketch::Distinct;
use crate::net::Addr;
use crate::net::ports::PortRange;
use crate::policy::words;

words! {
    /// Why traffic is covered by no rule.
    Why {
        /// A deny of the base forbids it.
        Denied = "denied",
        /// Seen too seldom.
        Rare = "rare",
        /// Breaks a require of the base too seldom for an exemption.
        Require = "require",
        /// Of a client that tries one target after the other.
        Scan = "scan",
        /// The direction is a guess: more likely a reply.
        Reply = "reply",
        /// A rule would cover it if missing evidence said so.
        Unproven = "unproven",
        /// The lake does not keep what decides.
        Untold = "untold",
        /// Rejected, refused or unanswered.
        NotAccepted = "not-accepted",
        /// Not judged.
        NotJudged = "not-judged",
    }
}

impl Why {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Why::Denied => "a deny of the base forbids it",
            Why::Rare => "seen too seldom",
            Why::Require => "breaks a require of the base, too seldom for an exemption",
            Why::Scan => {
                "of clients that try one target after the other and are mostly turned away"
            }
            Why::Reply => {
                "an ephemeral server port and a direction that is a guess: more likely replies"
            }
            Why::Unproven => "evidence is missing",
            Why::Untold => "the lake does not keep what decides",
            Why::NotAccepted => "rejected, refused or unanswered",
            Why::NotJudged => {
                "not judged: strays, what came after a close, what no policy has a say in"
            }
        }
    }
}

/// What is left out for one reason between two places.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// Why.
    pub why: Why,
    /// The deny or require of the base, or the reason not to judge; empty where there is none.
    pub rule: String,
    /// The client's group or zone.
    pub client: String,
    /// The server's group or zone.
    pub server: String,
    /// Protocol and server port; none where the reason does not go by them.
    pub service: Option<(u8, Option<u16>)>,
    /// Connections.
    pub connections: u64,
    /// Of them, those that the network let through and that are judged.
    pub accepted: u64,
    /// Distinct clients: exact below 4096, then an estimate.
    pub clients: u64,
    /// Distinct servers, likewise.
    pub servers: u64,
    /// Client and server of the first edge.
    pub example: (Addr, Addr),
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.client, self.server)?;
        if let Some((protocol, port)) = self.service {
            let port = port.unwrap_or(0);
            let range = PortRange {
                protocol,
                first: port,
                last: port,
            };
            write!(f, " {range}")?;
        }
        if !self.rule.is_empty() {
            write!(f, " ({})", self.rule)?;
        }
        let (client, server) = self.example;
        write!(
            f,
            ": {} from {} to {}, such as {client} -> {server}",
            counted(self.connections, "connection"),
            counted(self.clients, "client"),
            counted(self.servers, "server"),
        )
    }
}

/// `1 client`, `12 clients`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Why, rule, client, server, service.
type Group = (Why, String, String, String, Option<(u8, Option<u16>)>);

struct Sum {
    connections: u64,
    accepted: u64,
    clients: Distinct,
    servers: Distinct,
    example: (Addr, Addr),
}

/// Counts what is left out.
#[derive(Default)]
pub struct Left {
    groups: BTreeMap<Group, Sum>,
}

impl Left {
    /// Takes an edge; `places` are the words for its ends, `is_accepted` is whether the network let it through.
    pub fn add(
        &mut self,
        edge: &EdgeRow<'_>,
        why: Why,
        rule: &str,
        places: [&str; 2],
        is_accepted: bool,
    ) {
        let goes_by_service = !matches!(why, Why::Scan | Why::NotAccepted | Why::NotJudged);
        let service = goes_by_service.then_some((edge.protocol, edge.server_port));
        let [client, server] = places.map(str::to_owned);
        let group = (why, rule.to_owned(), client, server, service);
        let sum = self.groups.entry(group).or_insert_with(|| Sum {
            connections: 0,
            accepted: 0,
            clients: Distinct::default(),
            servers: Distinct::default(),
            example: (edge.client_addr, edge.server_addr),
        });
        sum.connections += edge.connections;
        sum.accepted += if is_accepted { edge.connections } else { 0 };
        sum.clients.add_addr(edge.client_addr);
        sum.servers.add_addr(edge.server_addr);
    }

    /// All of it, by reason, the most connections first.
    pub fn finish(self) -> Vec<LeftOut> {
        // Records that came late have no connection of their own.
        let groups = self.groups.into_iter();
        let groups = groups.filter(|(_, sum)| sum.connections > 0);
        let mut all: Vec<LeftOut> = groups
            .map(|((why, rule, client, server, service), sum)| LeftOut {
                why,
                rule,
                client,
                server,
                service,
                connections: sum.connections,
                accepted: sum.accepted,
                clients: sum.clients.estimate(),
                servers: sum.servers.estimate(),
                example: sum.example,
            })
            .collect();
        // Stable: equals stay in the order of their names.
        all.sort_by_key(|left| (left.why, std::cmp::Reverse(left.connections)));
        all
    }
}
