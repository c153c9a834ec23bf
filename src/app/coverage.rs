//! What a run says of its objects: how much was read, what could not be, and what the logs' format lacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use crate::flow::Field;
use crate::sink::{Hour, Lake, LakeError, ObjectRow};

use super::lock;
use super::malformed::MalformedLines;
use super::report::{Coverage, MalformedSample, RunReport};

/// Malformed lines that the report shows.
const SAMPLES: usize = 20;

/// Fields that judgement draws on beyond the default format, and what each is for.
const WANTED: [(Field, &str); 11] = [
    (Field::TcpFlags, "who opened a TCP connection, for certain"),
    (
        Field::FlowDirection,
        "which end an interface is, and so on whose side a reject happened",
    ),
    (
        Field::PktSrcaddr,
        "the true source behind NAT gateways, transit gateways and secondary addresses",
    ),
    (Field::PktDstaddr, "the true destination behind the same"),
    (
        Field::TrafficPath,
        "the way out: NAT, internet gateway, endpoint, peering",
    ),
    (Field::PktSrcAwsService, "AWS services as sources"),
    (Field::PktDstAwsService, "AWS services as destinations"),
    (Field::VpcId, "which network an address belongs to"),
    (Field::SubnetId, "where a finding is"),
    (Field::InstanceId, "which instance a finding is about"),
    (
        Field::InterfaceId,
        "copies of the same traffic by several flow logs",
    ),
];

/// Gathers what is said of objects, from any thread.
#[derive(Default)]
pub struct CoverageGatherer {
    coverage: Mutex<Coverage>,
    /// Objects that could not be read, and why.
    unreadable: Mutex<BTreeMap<String, String>>,
    /// Objects that could be read but not a second time, and why.
    unread_again: Mutex<BTreeMap<String, String>>,
}

impl CoverageGatherer {
    /// Takes the account of an object and its malformed lines.
    pub fn object(&self, row: &ObjectRow, malformed: &MalformedLines) {
        if let Some(reason) = &row.unreadable {
            lock(&self.unreadable).insert(row.source.clone(), reason.clone());
        }
        let mut coverage = lock(&self.coverage);
        coverage.lines += row.lines;
        if row.layout.is_none() {
            return;
        }
        coverage.objects += 1;
        coverage.bytes += row.size;
        coverage.decoded_bytes += row.decoded_size;
        coverage.assumed_layouts += u64::from(row.layout_assumed);
        add_samples(&mut coverage, malformed.samples().cloned());
        if let Some(layout) = row.layout.as_deref().filter(|layout| !layout.is_empty()) {
            *coverage.layouts.entry(layout.to_owned()).or_default() += 1;
        }
        if row.lines.records > 0 {
            coverage.times = Some(match coverage.times {
                None => (row.first_seen, row.last_seen),
                Some((first, last)) => (first.min(row.first_seen), last.max(row.last_seen)),
            });
        }
    }

    /// Takes an object that could not be fetched, and may be at another time.
    pub fn may_pass(&self, source: &str) {
        lock(&self.coverage).may_pass.insert(source.to_owned());
    }

    /// Takes evidence that was beyond its cap.
    pub fn let_go(&self, entries: u64) {
        lock(&self.coverage).evidence_let_go += entries;
    }

    /// Whether an object of this URL could not be read, so that nothing of it counts.
    pub fn is_unreadable(&self, source: &str) -> bool {
        lock(&self.unreadable).contains_key(source)
    }

    /// Takes an object that was judged and could not be read again for its records.
    pub fn unread_again(&self, source: &str, reason: &str) {
        lock(&self.unread_again).insert(source.to_owned(), reason.to_owned());
    }

    /// Takes malformed lines that a lake holds.
    ///
    /// # Errors
    /// When the lake cannot be read.
    pub fn recall_malformed(&self, lake: &Lake, hour: Hour) -> Result<(), LakeError> {
        let lines = lake.quarantined(hour, SAMPLES)?.into_iter();
        add_samples(&mut lock(&self.coverage), lines.map(MalformedSample::from));
        Ok(())
    }

    /// Writes it into the report.
    pub fn finish(self, ignored: u64, report: &mut RunReport) {
        let unread = self.unread_again.into_inner();
        let unread = unread.unwrap_or_else(PoisonError::into_inner);
        if let Some((source, reason)) = unread.first_key_value() {
            report.warnings.push(format!(
                "objects that were judged but could not be read again for `records`, which lacks some of theirs: {}, the first: {source}: {reason}; --rejudge writes them anew",
                unread.len()
            ));
        }
        let coverage = self.coverage.into_inner();
        let mut coverage = coverage.unwrap_or_else(PoisonError::into_inner);
        let unreadable = self.unreadable.into_inner();
        let unreadable = unreadable.unwrap_or_else(PoisonError::into_inner);
        coverage.unreadable = unreadable.into_iter().collect();
        coverage.ignored = ignored;
        coverage.lacking = lacking(&coverage.layouts);
        coverage.advised_format = advised_format(&coverage.layouts, &coverage.lacking);
        report.coverage = coverage;
    }
}

/// Adds samples; the first by object and line stay.
fn add_samples(coverage: &mut Coverage, more: impl Iterator<Item = MalformedSample>) {
    let samples = &mut coverage.malformed_samples;
    samples.extend(more);
    samples.sort_by(|a, b| (&a.source, a.line).cmp(&(&b.source, b.line)));
    samples.dedup();
    samples.truncate(SAMPLES);
}

fn fields_of(layout: &str) -> BTreeSet<Field> {
    layout
        .split_ascii_whitespace()
        .filter_map(Field::from_name)
        .collect()
}

/// The fields that some layout lacks. Transit gateway logs have no others to offer.
fn lacking(layouts: &BTreeMap<String, u64>) -> Vec<(&'static str, &'static str)> {
    let layouts: Vec<BTreeSet<Field>> = layouts
        .keys()
        .map(|layout| fields_of(layout))
        .filter(|fields| !fields.contains(&Field::TgwAttachmentId))
        .collect();
    let is_missing = |field: &Field| layouts.iter().any(|fields| !fields.contains(field));
    WANTED
        .iter()
        .filter(|(field, _)| is_missing(field))
        .map(|(field, why)| (field.name(), *why))
        .collect()
}

/// The default format, what is wanted beyond it, and whatever the logs have already.
fn advised_format(layouts: &BTreeMap<String, u64>, lacking: &[(&str, &str)]) -> Option<String> {
    if lacking.is_empty() {
        return None;
    }
    let is_vpc = |field: &Field| field.version() != 6;
    let mut fields: BTreeSet<Field> = layouts
        .keys()
        .flat_map(|layout| fields_of(layout))
        .filter(is_vpc)
        .collect();
    fields.extend(Field::ALL.iter().filter(|field| field.version() == 2));
    fields.extend(WANTED.iter().map(|(field, _)| *field));
    fields.extend([Field::AccountId, Field::Region, Field::AzId]);
    let words: Vec<String> = fields
        .into_iter()
        .map(|field| format!("${{{}}}", field.name()))
        .collect();
    Some(words.join(" "))
}
