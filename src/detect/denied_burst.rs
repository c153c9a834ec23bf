//! `denied-burst`: a client inside that is turned away again and again within an hour.

use super::EdgeDetector;
use super::cases::{About, Cases, Suspicion};
use super::seen::Seen;
use super::trace::Trace;
use crate::judge::{Kind, Verdict};
use crate::policy::{Detecting, ZoneKind};

pub(super) struct DeniedBurst {
    connections: u64,
    /// Of the current client.
    trace: Option<Trace>,
}

impl DeniedBurst {
    pub fn new(set: &Detecting) -> DeniedBurst {
        DeniedBurst {
            connections: set.number("connections"),
            trace: None,
        }
    }
}

impl EdgeDetector for DeniedBurst {
    fn see(&mut self, seen: &Seen<'_>) {
        let is_ours = seen.client.is_inside() || seen.client == ZoneKind::Private;
        let is_held = matches!(seen.edge.verdict, Verdict::Blocked | Verdict::Attempted);
        if is_ours && is_held && seen.is_sure_of_direction() {
            self.trace.get_or_insert_default().add(seen);
        }
    }

    fn end_client(&mut self, cases: &mut Cases<'_>) {
        let Some(trace) = self.trace.take() else {
            return;
        };
        let attempts = trace.connections;
        if attempts < self.connections {
            return;
        }
        let servers = trace.server.addresses();
        cases.raise(Suspicion {
            kind: Kind::DeniedBurst,
            about: About::Client,
            port: None,
            protocol: None,
            severity: None,
            weight: attempts,
            title: format!(
                "{} was turned away {attempts} times in an hour",
                trace.client.shown()
            ),
            reason: format!(
                "{attempts} denied attempts in an hour, distinct servers: {servers}; the limit is {}",
                self.connections
            ),
            trace,
        });
    }
}
