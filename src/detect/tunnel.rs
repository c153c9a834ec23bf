//! `tunnel`: traffic hidden in ICMP, GRE, ESP, AH or IP in IP on its way out.

use super::EdgeDetector;
use super::bounded::{Bounded, CLIENT_CAP};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use super::volume::mebibytes;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::Addr;
use crate::net::protocol::is_icmp;
use crate::policy::Detecting;

/// IP in IP, IPv6 in IP, GRE, ESP, AH, EtherIP, IPComp. <https://www.iana.org/assignments/protocol-numbers/>
const ENCAPSULATIONS: [u8; 7] = [4, 41, 47, 50, 51, 97, 108];

pub(super) struct Tunnel {
    icmp: u64,
    other: u64,
    /// Of the current client, by server and protocol: bytes that went out, and the edges.
    out: Bounded<(Addr, u8), (u64, Trace)>,
}

impl Tunnel {
    pub fn new(set: &Detecting) -> Tunnel {
        let bytes = |name| set.number(name).saturating_mul(1024);
        Tunnel {
            icmp: bytes("icmp_kib"),
            other: bytes("other_kib"),
            out: Bounded::new(CLIENT_CAP),
        }
    }
}

impl EdgeDetector for Tunnel {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let is_icmp = is_icmp(edge.protocol);
        let can_hide = is_icmp || ENCAPSULATIONS.contains(&edge.protocol);
        // Peers have no sure direction: either end may be called the client.
        let is_with_outside = seen.goes_out() || seen.comes_in();
        // A rule for a VPN allows it; that pings are allowed does not make of one a road.
        let is_meant = seen.is_allowed() && !is_icmp;
        if !can_hide || !is_with_outside || is_meant || !seen.is_let_through() {
            return;
        }
        let bytes = match seen.goes_out() {
            true => edge.bytes_to_server,
            false => edge.bytes_to_client,
        };
        let Some((out, trace)) = self.out.entry((edge.server_addr, edge.protocol)) else {
            return;
        };
        *out = out.saturating_add(bytes);
        trace.add(seen);
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        for ((_, protocol), (bytes, trace)) in self.out.take() {
            let limit = if is_icmp(protocol) {
                self.icmp
            } else {
                self.other
            };
            if bytes < limit {
                continue;
            }
            cases.raise(Suspicion {
                kind: Kind::Tunnel,
                about: About::Both,
                port: None,
                protocol: Some(protocol),
                severity: None,
                weight: bytes,
                title: format!(
                    "{} and {} exchange {} over {}",
                    trace.client.shown(),
                    trace.server.shown(),
                    mebibytes(trace.bytes),
                    service(protocol, None)
                ),
                reason: format!(
                    "{} went out in an hour; the limit is {}",
                    mebibytes(bytes),
                    mebibytes(limit)
                ),
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.out.let_go()
    }
}
