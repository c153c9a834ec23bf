//! Which findings alert, and when: what is new, worse than it was said to be, or back.

use crate::alert::{Alert, Brief, Event};
use crate::judge::Finding;
use crate::ledger::{Announced, Change, LedgerError};
use crate::policy::Severity;
use crate::sink::Day;

use super::super::error::ScanError;
use super::Watch;

/// Up to which day's 00:00 recurring findings were told of.
const TOLD_UNTIL: &str = "told-until";
const DAY_SECS: u32 = 86_400;
/// How long a finding is not seen before it is resolved, seconds.
const QUIET: u32 = 3 * DAY_SECS;
/// How long a resolved finding is remembered, seconds.
const FORGOTTEN: u32 = 90 * DAY_SECS;

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
        let (event, opened) = match &known {
            None => (Some(Event::Opened), finding.first_seen),
            // What is judged again of old is not back.
            Some(known) if known.resolved && finding.last_seen <= known.last_seen => {
                return Ok(false);
            }
            Some(known) if known.resolved => (Some(Event::Reopened), finding.first_seen),
            Some(known) if known.severity < severity => (Some(Event::Escalated), known.opened),
            Some(known) => (None, known.opened),
        };
        let earlier = known.filter(|known| !known.resolved);
        let mut now = Announced {
            opened,
            last_seen: finding.last_seen,
            severity,
            resolved: false,
            brief: Brief::of(finding).to_text(),
        };
        if let Some(earlier) = earlier {
            now.last_seen = now.last_seen.max(earlier.last_seen);
            if earlier.severity > severity {
                (now.severity, now.brief) = (earlier.severity, earlier.brief);
            }
        }
        change.announce(&finding.finding_id, &now)?;
        let Some(event) = event else {
            return Ok(false);
        };
        let (origins, warning) = self.whose.of([finding]);
        if let Some(warning) = warning {
            tracing::warn!("{warning}");
        }
        let alert = Alert {
            event,
            finding,
            origins: &origins,
            opened,
            policy_id: self.policy.id(),
            policy_hash: self.policy.hash(),
        };
        self.queue(&Brief::of(finding), &alert.to_json(), change)
    }

    /// Puts an alert into the queues of those targets that want such findings; whether there are any.
    fn queue(
        &self,
        finding: &Brief,
        alert: &str,
        change: &mut Change<'_>,
    ) -> Result<bool, LedgerError> {
        let targets = self.senders.iter().map(|sender| sender.target());
        let mut queued = false;
        for target in targets.filter(|target| target.wants(finding)) {
            change.queue(&target.id(), alert)?;
            queued = true;
        }
        Ok(queued)
    }

    /// Once a day is over (by the watermark): tells what recurred in it, and what was not seen for a while.
    pub(super) fn turn_of_the_day(&self, watermark: u32) -> Result<(), ScanError> {
        let today = Day::of(watermark).start();
        // The first day that was not told of; none on the first of all.
        let told = self.ledger.read()?.counter(TOLD_UNTIL)?;
        if told >= u64::from(today) {
            return Ok(());
        }
        let from = u32::try_from(told).ok().filter(|from| *from > 0);
        self.ledger.write(|change| {
            change.set(TOLD_UNTIL, u64::from(today))?;
            let mut recurring = Vec::new();
            for (id, known) in &change.findings()? {
                let Some(brief) = Brief::parse(&known.brief) else {
                    continue;
                };
                let silent = watermark.saturating_sub(known.last_seen);
                if known.resolved {
                    if silent > FORGOTTEN {
                        change.forget_finding(id)?;
                    }
                } else if silent > QUIET {
                    let alert = brief.resolved(self.policy.id(), known.opened, known.last_seen);
                    self.queue(&brief, &alert, change)?;
                    change.announce(
                        id,
                        &Announced {
                            resolved: true,
                            ..known.clone()
                        },
                    )?;
                } else if from.is_some_and(|from| known.opened < from && known.last_seen >= from) {
                    recurring.push(brief);
                }
            }
            recurring.sort_by(|a, b| {
                let rank = |brief: &Brief| Severity::from_word(&brief.severity);
                rank(b)
                    .cmp(&rank(a))
                    .then_with(|| a.finding_id.cmp(&b.finding_id))
            });
            for target in self.senders.iter().map(|sender| sender.target()) {
                let wanted = recurring.iter().filter(|brief| target.wants(brief));
                let wanted: Vec<Brief> = wanted.cloned().collect();
                if !wanted.is_empty() {
                    let digest = Brief::recurring(&wanted, from.unwrap_or(today), &target.id());
                    change.queue(&target.id(), &digest)?;
                }
            }
            Ok(())
        })?;
        self.stop.ring();
        Ok(())
    }
}
