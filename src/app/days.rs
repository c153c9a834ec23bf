//! Findings of days: gathered while the hours of a run are committed, or rebuilt from the edges that a lake holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::detect::{Baseline, DayDetection, LogHour};
use crate::judge::Finding;
use crate::judge::findings::{DayFindings, in_order};
use crate::policy::Policy;
use crate::sink::{Day, Hour, HourAsides, Lake, ObjectRow};

/// That detectors look at days, and what they know before.
#[derive(Clone, Copy)]
pub struct Detects<'a> {
    /// What is usual, where it was learned.
    pub baseline: Option<&'a Baseline>,
    /// The accounts whose logs are read; empty is all.
    pub accounts: &'a [String],
    /// The regions whose logs are read; empty is all.
    pub regions: &'a [String],
}

impl Detects<'_> {
    /// Whether logs of an account and a region are read.
    fn reads(&self, account: Option<&str>, region: Option<&str>) -> bool {
        let is_among = |all: &[String], one: Option<&str>| {
            all.is_empty() || one.is_none_or(|one| all.iter().any(|known| known == one))
        };
        is_among(self.accounts, account) && is_among(self.regions, region)
    }
}

/// Gathers the findings of the days of a run, whose hours come in order.
pub struct Days<'a> {
    policy: &'a Policy,
    detects: Option<Detects<'a>>,
    /// The day that is being gathered, and its hours so far.
    open: Option<(Day, BTreeSet<Hour>, DayGatherer<'a>)>,
    ended: BTreeMap<Day, GatheredDay>,
}

/// What hours of a day say.
pub struct GatheredDay {
    /// These hours.
    pub hours: BTreeSet<Hour>,
    /// Their findings.
    pub findings: Vec<Finding>,
    /// How much more there was than a day may have of it.
    pub let_go: u64,
}

/// Gathers the findings of one day.
pub struct DayGatherer<'a> {
    /// What the judgement of single connections says.
    pub findings: DayFindings<'a>,
    /// What the day says as a whole; none where nobody asks.
    pub detection: Option<DayDetection<'a>>,
}

impl<'a> DayGatherer<'a> {
    fn new(policy: &'a Policy, detects: Option<Detects<'a>>, day: Day) -> DayGatherer<'a> {
        let start = day.start();
        DayGatherer {
            findings: DayFindings::new(policy, start),
            detection: detects.map(|by| {
                let reads = |account: Option<&str>, region: Option<&str>| by.reads(account, region);
                DayDetection::new(policy, by.baseline, &reads, start)
            }),
        }
    }

    /// Ends an hour, of which these objects and asides are known.
    pub fn end_hour(&mut self, hour: Hour, objects: &[ObjectRow], asides: &HourAsides) {
        self.findings.end_hour();
        if let Some(detection) = &mut self.detection {
            for log in &logs(hour, objects, asides) {
                detection.add_log(log);
            }
            detection.end_hour(hour.start());
        }
    }

    fn finish(self, hours: BTreeSet<Hour>) -> GatheredDay {
        let mut let_go = self.findings.let_go();
        let mut findings = self.findings.finish();
        if let Some(detection) = self.detection {
            let (detected, more) = detection.finish();
            findings.extend(detected);
            let_go += more;
        }
        findings.sort_by(in_order);
        GatheredDay {
            hours,
            findings,
            let_go,
        }
    }
}

/// What flow logs delivered in an hour, as objects and asides tell.
pub fn logs<'o>(hour: Hour, objects: &'o [ObjectRow], asides: &HourAsides) -> Vec<LogHour<'o>> {
    let mut logs: BTreeMap<_, LogHour<'o>> = BTreeMap::new();
    for object in objects {
        let Some(flow_log) = object.flow_log_id.as_deref() else {
            continue;
        };
        let (account, region) = (object.account_id.as_deref(), object.region.as_deref());
        let log = logs.entry((account, region, flow_log)).or_insert_with(|| {
            let [accepts, rejects, is_exposed] =
                asides.actions.get(flow_log).copied().unwrap_or_default();
            LogHour {
                hour: hour.start(),
                account,
                region,
                flow_log,
                accepts,
                rejects,
                is_exposed,
                source: &object.source,
                ..LogHour::default()
            }
        });
        log.objects += 1;
        log.records += object.lines.records;
        log.skip_data += object.lines.skip_data;
        log.source = log.source.max(&object.source);
    }
    logs.into_values().collect()
}

impl<'a> Days<'a> {
    /// No days yet.
    pub fn new(policy: &'a Policy, detects: Option<Detects<'a>>) -> Days<'a> {
        Days {
            policy,
            detects,
            open: None,
            ended: BTreeMap::new(),
        }
    }

    /// The findings of the day of this hour, which follows all others.
    pub fn begin_hour(&mut self, hour: Hour) -> &mut DayGatherer<'a> {
        let day = hour.day();
        if self.open.as_ref().is_some_and(|(open, ..)| *open != day) {
            self.end_day();
        }
        let (policy, detects) = (self.policy, self.detects);
        let new = || (day, BTreeSet::new(), DayGatherer::new(policy, detects, day));
        let (_, hours, gatherer) = self.open.get_or_insert_with(new);
        hours.insert(hour);
        gatherer
    }

    fn end_day(&mut self) {
        if let Some((day, hours, gatherer)) = self.open.take() {
            self.ended.insert(day, gatherer.finish(hours));
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
    detects: Option<Detects<'_>>,
    lake: &Lake,
    day: Day,
    gathered: Option<GatheredDay>,
) -> anyhow::Result<GatheredDay> {
    let baseline = detects.and_then(|by| by.baseline);
    let digest = baseline.map_or("none", Baseline::digest);
    let made_from = lake.made_from(day, &format!("{} {digest}", policy.texts_digest()))?;
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
        _ => rebuild(policy, detects, lake, day, hours)?,
    };
    lake.write_findings(day, &gathered.findings, gathered.let_go, &made_from)?;
    Ok(gathered)
}

fn rebuild(
    policy: &Policy,
    detects: Option<Detects<'_>>,
    lake: &Lake,
    day: Day,
    hours: BTreeSet<Hour>,
) -> anyhow::Result<GatheredDay> {
    let mut gatherer = DayGatherer::new(policy, detects, day);
    for &hour in &hours {
        let mut reader = lake.edges([hour])?;
        if detects.is_none() {
            reader = reader.only_feeding();
        }
        while let Some(block) = reader.next_block()? {
            for place in 0..block.len() {
                let edge = block.row(place)?;
                gatherer.findings.add(&edge);
                if let Some(detection) = &mut gatherer.detection {
                    detection.add(&edge);
                }
            }
        }
        let (objects, asides) = match detects {
            Some(_) => (lake.objects(hour)?, lake.asides(hour)?),
            None => Default::default(),
        };
        gatherer.end_hour(hour, &objects, &asides);
    }
    Ok(gatherer.finish(hours))
}
