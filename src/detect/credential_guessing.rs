//! `credential-guessing`: many short sessions of one client with a login or a database within an hour.

use super::EdgeDetector;
use super::bounded::{Bounded, CLIENT_CAP};
use super::cases::{About, Cases, Suspicion};
use super::logins::Logins;
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::net::protocol::TCP;
use crate::policy::Detecting;

pub(super) struct CredentialGuessing {
    sessions: u64,
    packets: u64,
    logins: Logins,
    /// Of the current client, by server and port.
    doors: Bounded<(Addr, u16), Trace>,
}

impl CredentialGuessing {
    pub fn new(set: &Detecting) -> CredentialGuessing {
        CredentialGuessing {
            sessions: set.number("sessions"),
            packets: set.number("packets"),
            logins: Logins::of(set),
            doors: Bounded::new(CLIENT_CAP),
        }
    }
}

impl EdgeDetector for CredentialGuessing {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let Some(port) = edge.server_port.filter(|_| edge.protocol == TCP) else {
            return;
        };
        // A session that stays open is told of in each slot; only one with its SYN is another.
        let is_new = seen.has_own_syn() && seen.is_answered();
        let counts = is_new && self.logins.count(seen) && seen.server.is_inside();
        if counts && let Some(trace) = self.doors.entry((edge.server_addr, port)) {
            trace.add(seen);
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        for ((_, port), trace) in self.doors.take() {
            let sessions = trace.connections;
            let packets = trace.packets / sessions.max(1);
            if sessions < self.sessions || packets > self.packets {
                continue;
            }
            cases.raise(Suspicion {
                kind: Kind::CredentialGuessing,
                about: About::Both,
                port: Some(port),
                protocol: Some(TCP),
                severity: None,
                weight: sessions,
                title: format!(
                    "{} opened {sessions} short sessions with {} on {}",
                    trace.client.shown(),
                    trace.server.shown(),
                    service(TCP, Some(port))
                ),
                reason: format!(
                    "{sessions} sessions in an hour, of {packets} packets on average; the limit is {}",
                    self.sessions
                ),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.doors.let_go()
    }
}
