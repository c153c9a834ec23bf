//! Findings of days: gathered while the hours of a run are committed, or rebuilt from the edges that a lake holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::Finding;
use crate::judge::findings::DayFindings;
use crate::policy::Policy;
use crate::sink::{Day, Hour, Lake};

/// Gathers the findings of the days of a run, whose hours come in order.
#[derive(Default)]
pub struct Days<'a> {
    /// The day that is being gathered, and its hours so far.
    open: Option<(Day, BTreeSet<Hour>, DayFindings<'a>)>,
    ended: BTreeMap<Day, GatheredDay>,
}

/// What hours of a day say.
pub struct GatheredDay {
    /// These hours.
    pub hours: BTreeSet<Hour>,
    /// Their findings.
    pub findings: Vec<Finding>,
    /// Findings beyond the bound of a day.
    pub let_go: u64,
}

impl<'a> Days<'a> {
    /// The findings of the day of this hour, which follows all others.
    pub fn begin_hour(&mut self, policy: &'a Policy, hour: Hour) -> &mut DayFindings<'a> {
        let day = hour.day();
        if self.open.as_ref().is_some_and(|(open, ..)| *open != day) {
            self.end_day();
        }
        let (_, hours, findings) = self
            .open
            .get_or_insert_with(|| (day, BTreeSet::new(), DayFindings::new(policy, day.start())));
        hours.insert(hour);
        findings
    }

    fn end_day(&mut self) {
        if let Some((day, hours, findings)) = self.open.take() {
            let gathered = GatheredDay {
                hours,
                let_go: findings.let_go(),
                findings: findings.finish(),
            };
            self.ended.insert(day, gathered);
        }
    }

    /// All days.
    pub fn finish(mut self) -> BTreeMap<Day, GatheredDay> {
        self.end_day();
        self.ended
    }
}

/// The findings of a day from all its committed edges, written into the lake unless it has them already. They are read
/// only where the hours of this run are not all that the lake has of the day.
///
/// # Errors
/// When the lake fails.
pub fn findings_of(
    policy: &Policy,
    lake: &Lake,
    day: Day,
    gathered: Option<GatheredDay>,
) -> anyhow::Result<GatheredDay> {
    let made_from = lake.made_from(day, &policy.texts_digest())?;
    let hours = lake.committed_hours(day.first_hour()..=day.last_hour())?;
    if let Some((known, let_go)) = lake.findings_made_from(day)?
        && known == made_from
    {
        return Ok(GatheredDay {
            hours,
            findings: lake.read_findings(day)?,
            let_go,
        });
    }
    let gathered = match gathered {
        Some(gathered) if gathered.hours == hours => gathered,
        _ => rebuild(policy, lake, day, hours)?,
    };
    lake.write_findings(day, &gathered.findings, gathered.let_go, &made_from)?;
    Ok(gathered)
}

fn rebuild(
    policy: &Policy,
    lake: &Lake,
    day: Day,
    hours: BTreeSet<Hour>,
) -> anyhow::Result<GatheredDay> {
    let mut findings = DayFindings::new(policy, day.start());
    for &hour in &hours {
        let mut reader = lake.edges([hour])?.only_feeding();
        while let Some(block) = reader.next_block()? {
            for place in 0..block.len() {
                findings.add(&block.row(place)?);
            }
        }
        findings.end_hour();
    }
    Ok(GatheredDay {
        hours,
        let_go: findings.let_go(),
        findings: findings.finish(),
    })
}
