//! `lateral-fanout`: a host inside that reaches for the administration or databases of many others within an hour.

use super::EdgeDetector;
use super::cases::{About, Cases, Suspicion};
use super::logins::Logins;
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::Kind;
use crate::policy::Detecting;

pub(super) struct LateralFanout {
    hosts: u64,
    logins: Logins,
    except_tiers: Vec<String>,
    /// Of the current client.
    trace: Option<Trace>,
}

impl LateralFanout {
    pub fn new(set: &Detecting) -> LateralFanout {
        LateralFanout {
            hosts: set.number("hosts"),
            logins: Logins::of(set),
            except_tiers: set.texts("except_tiers").to_vec(),
            trace: None,
        }
    }
}

impl EdgeDetector for LateralFanout {
    fn see(&mut self, seen: &Seen<'_>) {
        let edge = seen.edge;
        if !self.logins.count(seen) || !seen.stays_inside() || !seen.is_sure_of_direction() {
            return;
        }
        let is_excepted = self
            .except_tiers
            .iter()
            .any(|tier| tier == edge.client_zone);
        if !is_excepted {
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
