//! What the flow logs of a scenario lack: one falls silent, one loses capture windows, one knows accepted traffic only.

use xxhash_rust::xxh3::xxh3_64;

use super::super::flowlog::{VERSION_5, VERSION_11};
use super::super::row::{Row, Status};
use super::Scenario;
use super::script::Script;

/// The slot from which on a silent log writes nothing: noon.
const SILENT_FROM: u32 = 144;
/// One of so many capture windows is lost.
const LOST_ONE_OF: u64 = 5;

/// What the flow logs lack, each by its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::generate) struct Gaps {
    /// Writes nothing from [`SILENT_FROM`] on.
    silent: Option<usize>,
    /// Loses a fifth of its interfaces' capture windows.
    patchy: Option<usize>,
    /// Writes no rejected records.
    accepts_only: Option<usize>,
}

impl Gaps {
    /// What the logs of this scenario lack; those of the default output lack nothing.
    pub(in crate::generate) fn of(scenario: Option<Scenario>) -> Gaps {
        match scenario {
            Some(Scenario::SilentSource) => Gaps {
                silent: Some(VERSION_5),
                ..Gaps::default()
            },
            Some(Scenario::CoverageGap) => Gaps {
                patchy: Some(VERSION_5),
                accepts_only: Some(VERSION_11),
                ..Gaps::default()
            },
            _ => Gaps::default(),
        }
    }

    /// Whether anything is lacking.
    pub(in crate::generate) fn any(&self) -> bool {
        *self != Gaps::default()
    }

    /// The log that loses capture windows.
    pub(in crate::generate) fn patchy(&self) -> Option<usize> {
        self.patchy
    }

    /// Whether the log at this place writes nothing of the row, nor of its loss.
    pub(in crate::generate) fn leave_out(&self, place: usize, slot: u32, row: &Row<'_>) -> bool {
        let is_silent = self.silent == Some(place) && slot >= SILENT_FROM;
        is_silent || (row.reject && self.accepts_only == Some(place))
    }

    /// The capture window, in minutes since 1970, with which the log at this place loses the row.
    pub(in crate::generate) fn lost_minute(&self, place: usize, row: &Row<'_>) -> Option<u32> {
        if self.patchy != Some(place) || row.status != Status::Ok {
            return None;
        }
        let minute = row.end / 60;
        let digest = xxh3_64(format!("{} {minute}", row.interface.id).as_bytes());
        digest.is_multiple_of(LOST_ONE_OF).then_some(minute)
    }
}

/// Says what must be found of a log that falls silent.
pub(super) fn silent_source(script: &mut Script<'_>) {
    script.lacking("a flow log writes nothing from noon on", VERSION_5);
}

/// Says what must be found of logs that are not whole.
pub(super) fn coverage_gap(script: &mut Script<'_>) {
    script.lacking("a flow log loses a fifth of its capture windows", VERSION_5);
    script.lacking("a flow log holds accepted traffic only", VERSION_11);
}
