//! What there is of the logs of a period, and what is not.

use super::Why;
use crate::flow::Tally;

/// A stretch of time, seconds since 1970, half-open.
pub type Stretch = (u32, u32);

/// What there is of a period's logs, and what is not.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The period, in whole hours.
    pub period: Stretch,
    /// The hours of it that have objects that could be read.
    pub hours: u64,
    /// The stretches of hours that have none.
    pub missing: Vec<Stretch>,
    /// The hours among the missing ones that were judged for another policy or selection.
    pub outdated: u64,
    /// Objects that were read.
    pub objects: u64,
    /// Objects that could not be read.
    pub unreadable: u64,
    /// Lines by what became of them.
    pub lines: Tally,
    /// Records that lack what it takes to judge them.
    pub missing_field: u64,
    /// Records that no network of the policy claims.
    pub out_of_scope: u64,
    /// Connections on which a rule with a path matched although theirs is unknown.
    pub via_unknown: u64,
    /// The flow logs that delivered anything.
    pub logs: Vec<LogCoverage>,
    /// The policy's networks, and the connections that their records told of.
    pub networks: Vec<(String, u64)>,
    /// From when on the policy says that it is in force, if it does.
    pub effective: Option<i64>,
}

/// What a flow log delivered in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCoverage {
    /// The account in its keys.
    pub account_id: Option<String>,
    /// The region in its keys.
    pub region: Option<String>,
    /// Its id; none where keys have none.
    pub flow_log_id: Option<String>,
    /// Objects that were read.
    pub objects: u64,
    /// Their records.
    pub records: u64,
    /// Their SKIPDATA lines.
    pub skip_data: u64,
    /// Whether any record says ACCEPT.
    pub accepts: bool,
    /// Whether any record says REJECT.
    pub rejects: bool,
    /// When it delivered nothing.
    pub silences: Vec<Stretch>,
}

impl LogCoverage {
    /// Whether it tells of rejected traffic only, so that nothing let through could show.
    pub fn is_reject_only(&self) -> bool {
        self.rejects && !self.accepts
    }
}

impl Coverage {
    /// The hours of the period.
    pub fn hours_asked(&self) -> u64 {
        u64::from((self.period.1 - self.period.0) / 3600)
    }

    /// Lines that tell of traffic that was not judged: SKIPDATA, malformed lines, records without what it takes.
    pub fn lost(&self) -> u64 {
        self.lines.skip_data + self.lines.malformed + self.missing_field
    }

    /// All lines that tell of traffic: those that were lost are among them.
    pub fn telling(&self) -> u64 {
        self.lines.records + self.lines.skip_data + self.lines.malformed
    }

    /// Why the logs of the period are not complete; nothing if they are. Of 100 telling lines `max_lost` may be lost.
    pub fn gaps(&self, max_lost: f64) -> Vec<Why> {
        let mut why = Vec::new();
        let mut count = |number: u64, gap: fn(u64) -> Why| {
            if number > 0 {
                why.push(gap(number));
            }
        };
        let logs =
            |is: fn(&LogCoverage) -> bool| self.logs.iter().filter(|log| is(log)).count() as u64;
        count(self.hours_asked() - self.hours, Why::HoursMissing);
        count(logs(|log| !log.silences.is_empty()), Why::LogsSilent);
        count(logs(LogCoverage::is_reject_only), Why::RejectOnly);
        count(self.unreadable, Why::Unreadable);
        let (lost, telling) = (self.lost(), self.telling());
        if lost as f64 * 100.0 > max_lost * telling as f64 {
            why.push(Why::Lost { lost, telling });
        }
        let unseen = self.networks.iter().filter(|(_, seen)| *seen == 0);
        let unseen: Vec<String> = unseen.map(|(name, _)| name.clone()).collect();
        if !unseen.is_empty() {
            why.push(Why::NetworksUnseen(unseen));
        }
        if self
            .effective
            .is_some_and(|at| at > i64::from(self.period.0))
        {
            why.push(Why::NotYetEffective);
        }
        why
    }
}
