//! Which findings alert, and when: what is new, worse than it was said to be, or back.

use crate::alert::{Alert, Event};
use crate::judge::Finding;
use crate::ledger::{Announced, Change, LedgerError};

use super::super::error::ScanError;
use super::Watch;

impl Watch<'_> {
    /// Puts alerts about findings into the queues of those targets that want them, together with what else is to be noted:
    /// after a crash both have happened, or neither.
    pub(super) fn announce<T>(
        &self,
        findings: &[Finding],
        note: impl FnOnce(&mut Change<'_>) -> Result<T, LedgerError>,
    ) -> Result<T, ScanError> {
        let (noted, queued) = self.ledger.write(|change| {
            let mut queued = false;
            for finding in findings.iter().filter(|finding| !finding.muted) {
                queued |= self.announce_one(finding, change)?;
            }
            Ok((note(change)?, queued))
        })?;
        if queued {
            self.stop.ring();
        }
        Ok(noted)
    }

    fn announce_one(
        &self,
        finding: &Finding,
        change: &mut Change<'_>,
    ) -> Result<bool, LedgerError> {
        let severity = finding.severity as u8;
        let known = change.announced(&finding.finding_id)?;
        let (event, opened) = match known {
            None => (Some(Event::Opened), finding.first_seen),
            Some(known) if known.resolved => (Some(Event::Reopened), finding.first_seen),
            Some(known) if known.severity < severity => (Some(Event::Escalated), known.opened),
            Some(known) => (None, known.opened),
        };
        let known_last = known.map_or(0, |known| known.last_seen);
        let known_severity = known.map_or(0, |known| known.severity);
        change.announce(
            &finding.finding_id,
            Announced {
                opened,
                last_seen: known_last.max(finding.last_seen),
                severity: match event {
                    Some(Event::Reopened) => severity,
                    _ => known_severity.max(severity),
                },
                resolved: false,
            },
        )?;
        let Some(event) = event else {
            return Ok(false);
        };
        let alert = Alert {
            event,
            finding,
            opened,
            policy_id: self.policy.id(),
            policy_hash: self.policy.hash(),
        };
        let text = alert.to_json();
        let targets = self.senders.iter().map(|sender| sender.target());
        let mut queued = false;
        for target in targets.filter(|target| target.wants(finding)) {
            change.queue(&target.id(), &text)?;
            queued = true;
        }
        Ok(queued)
    }
}
