//! `dns-bypass`: a host inside that asks resolvers outside, past the VPC's own.

use super::EdgeDetector;
use super::bounded::{Bounded, CLIENT_CAP};
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::judge::subject::service;
use crate::net::protocol::{TCP, UDP};
use crate::net::{Addr, Prefix};
use crate::policy::{Detecting, ZoneKind};

/// Public resolvers that also answer DNS over HTTPS, by their operators' own pages: Google Public DNS, Cloudflare 1.1.1.1,
/// Quad9, OpenDNS, AdGuard DNS.
const RESOLVERS: [&str; 17] = [
    "8.8.8.8",
    "8.8.4.4",
    "2001:4860:4860::8888",
    "2001:4860:4860::8844",
    "1.1.1.1",
    "1.0.0.1",
    "2606:4700:4700::1111",
    "2606:4700:4700::1001",
    "9.9.9.9",
    "149.112.112.112",
    "2620:fe::fe",
    "2620:fe::9",
    "208.67.222.222",
    "208.67.220.220",
    "94.140.14.14",
    "94.140.15.15",
    "2a10:50c0::ad1:ff",
];
/// DNS, DNS over TLS and over QUIC (RFC 7858, RFC 9250).
const DNS_PORTS: [u16; 2] = [53, 853];

pub(super) struct DnsBypass {
    resolvers: Vec<Prefix>,
    /// Of the current client, by resolver, port and protocol.
    asked: Bounded<(Addr, u16, u8), Trace>,
}

impl DnsBypass {
    pub fn new(set: &Detecting) -> DnsBypass {
        let further = set.texts("resolvers").iter().map(String::as_str);
        let resolvers = RESOLVERS.into_iter().chain(further);
        DnsBypass {
            resolvers: resolvers.filter_map(|text| text.parse().ok()).collect(),
            asked: Bounded::new(CLIENT_CAP),
        }
    }

    fn is_dns(&self, server: Addr, port: u16) -> bool {
        DNS_PORTS.contains(&port)
            || (port == 443 && self.resolvers.iter().any(|known| known.contains(server)))
    }
}

impl EdgeDetector for DnsBypass {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let Some(port) = edge
            .server_port
            .filter(|_| matches!(edge.protocol, TCP | UDP))
        else {
            return;
        };
        let goes_out =
            seen.goes_out() || (seen.client.is_inside() && seen.server == ZoneKind::Private);
        let is_bypass = goes_out && !seen.is_allowed() && seen.is_let_through();
        if is_bypass && self.is_dns(edge.server_addr, port) {
            let key = (edge.server_addr, port, edge.protocol);
            if let Some(trace) = self.asked.entry(key) {
                trace.add(seen);
            }
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        for ((_, port, protocol), trace) in self.asked.take() {
            let service = service(protocol, Some(port));
            cases.raise(Suspicion {
                kind: Kind::DnsBypass,
                about: About::Both,
                port: Some(port),
                protocol: Some(protocol),
                severity: None,
                weight: trace.connections,
                title: format!(
                    "{} asks the resolver {} on {service}, past the VPC's own",
                    trace.client.shown(),
                    trace.server.shown()
                ),
                reason: match port {
                    443 => "a public resolver that answers DNS over HTTPS, which no rule allows"
                        .to_owned(),
                    _ => "DNS to the outside, which no rule allows".to_owned(),
                },
                trace,
            });
        }
    }

    fn let_go(&self) -> u64 {
        self.asked.let_go()
    }
}
