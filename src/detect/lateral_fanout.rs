//! `lateral-fanout`: a host inside that reaches for the administration or databases of many others within an hour.

use super::EdgeDetector;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::policy::Detecting;

pub(super) struct LateralFanout {
    hosts: u64,
    ports: Vec<u64>,
    except_tiers: Vec<String>,
    /// Of the current client.
    trace: Option<Trace>,
}

impl LateralFanout {
    pub fn new(set: &Detecting) -> LateralFanout {
        LateralFanout {
            hosts: set.number("hosts"),
            ports: set.numbers("ports").to_vec(),
            except_tiers: set.texts("except_tiers").to_vec(),
            trace: None,
        }
    }
}

impl EdgeDetector for LateralFanout {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        let is_port = edge
            .server_port
            .is_some_and(|port| self.ports.contains(&u64::from(port)));
        if !is_port || !seen.stays_inside() || !seen.is_sure_of_direction() {
            return;
        }
        if !self
            .except_tiers
            .iter()
            .any(|tier| tier == edge.client_zone)
        {
            self.trace.get_or_insert_default().add(seen);
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        let Some(trace) = self.trace.take() else {
            return;
        };
        let hosts = trace.server.addresses();
        if hosts < self.hosts {
            return;
        }
        cases.raise(Suspicion {
            kind: Kind::LateralFanout,
            about: About::Client,
            port: None,
            protocol: None,
            severity: None,
            weight: hosts,
            title: format!(
                "{} reached for logins or databases of {hosts} hosts",
                trace.client.shown()
            ),
            reason: format!("{hosts} hosts in an hour; the limit is {}", self.hosts),
            trace,
        });
    }
}
