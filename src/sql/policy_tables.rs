//! The policy as tables.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use datafusion::common::Result;
use datafusion::datasource::MemTable;

use crate::policy::Policy;

/// The names of the tables.
pub(super) const NAMES: [&str; 5] = [
    "policy_rules",
    "policy_tiers",
    "policy_subnets",
    "policy_groups",
    "policy_destinations",
];

/// The tables of a policy, with their names.
pub(super) fn tables(policy: &Policy) -> Result<Vec<(&'static str, MemTable)>> {
    let batches = [
        rules(policy)?,
        tiers(policy)?,
        subnets(policy)?,
        groups(policy)?,
        destinations(policy)?,
    ];
    let tables = NAMES
        .into_iter()
        .zip(batches)
        .map(|(name, batch)| Ok((name, MemTable::try_new(batch.schema(), vec![vec![batch]])?)));
    tables.collect()
}

fn rules(policy: &Policy) -> Result<RecordBatch> {
    let rows = policy.rule_rows();
    let severity = rows
        .iter()
        .map(|row| row.rule.severity.map(|severity| severity.as_str()));
    batch(vec![
        ("rule", text(rows.iter().map(|row| Some(&*row.rule.id)))),
        (
            "effect",
            text(rows.iter().map(|row| Some(row.rule.effect.as_str()))),
        ),
        ("clients", lists(rows.iter().map(|row| &row.clients))),
        (
            "clients_except",
            lists(rows.iter().map(|row| &row.clients_except)),
        ),
        ("servers", lists(rows.iter().map(|row| &row.servers))),
        (
            "servers_except",
            lists(rows.iter().map(|row| &row.servers_except)),
        ),
        ("ports", text(rows.iter().map(|row| row.ports.as_deref()))),
        ("via", lists(rows.iter().map(|row| &row.via))),
        ("not_before", times(rows.iter().map(|row| row.not_before))),
        ("expires", times(rows.iter().map(|row| row.expires))),
        ("severity", text(severity)),
        (
            "reason",
            text(rows.iter().map(|row| not_empty(&row.rule.reason))),
        ),
        (
            "owner",
            text(rows.iter().map(|row| not_empty(&row.rule.owner))),
        ),
        ("controls", lists(rows.iter().map(|row| &row.rule.controls))),
        ("exempt", lists(rows.iter().map(|row| &row.exempt))),
    ])
}

fn tiers(policy: &Policy) -> Result<RecordBatch> {
    batch(vec![
        ("tier", text(policy.tier_rows().map(|(name, _)| Some(name)))),
        (
            "criticality",
            text(policy.tier_rows().map(|(_, word)| Some(word))),
        ),
    ])
}

fn subnets(policy: &Policy) -> Result<RecordBatch> {
    let rows: Vec<_> = policy.subnet_rows().collect();
    let label = |(key, value): &(&str, &str)| format!("{key}={value}");
    let labels: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.labels.iter().map(label).collect())
        .collect();
    batch(vec![
        ("network", text(rows.iter().map(|row| Some(row.network)))),
        ("tier", text(rows.iter().map(|row| Some(row.tier)))),
        ("az", text(rows.iter().map(|row| row.az))),
        ("cidrs", lists(rows.iter().map(|row| &row.cidrs))),
        ("labels", lists(labels.iter())),
        ("valid_from", times(rows.iter().map(|row| row.valid_from))),
        ("valid_until", times(rows.iter().map(|row| row.valid_until))),
    ])
}

fn groups(policy: &Policy) -> Result<RecordBatch> {
    let rows: Vec<_> = policy.group_rows().collect();
    batch(vec![
        ("group_name", text(rows.iter().map(|row| Some(row.name)))),
        ("network", text(rows.iter().map(|row| row.network))),
        ("cidrs", lists(rows.iter().map(|row| &row.cidrs))),
        ("members", lists(rows.iter().map(|row| &row.members))),
        ("valid_from", times(rows.iter().map(|row| row.valid_from))),
        ("valid_until", times(rows.iter().map(|row| row.valid_until))),
    ])
}

fn destinations(policy: &Policy) -> Result<RecordBatch> {
    let rows: Vec<_> = policy.destination_rows().collect();
    batch(vec![
        ("destination", text(rows.iter().map(|row| Some(row.name)))),
        ("cidrs", lists(rows.iter().map(|row| &row.cidrs))),
        (
            "aws_services",
            lists(rows.iter().map(|row| row.aws_services)),
        ),
        ("regions", lists(rows.iter().map(|row| row.regions))),
        ("domains", lists(rows.iter().map(|row| row.domains))),
        ("valid_from", times(rows.iter().map(|row| row.valid_from))),
        ("valid_until", times(rows.iter().map(|row| row.valid_until))),
    ])
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn text<'t>(values: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// Instants, given in seconds since 1970.
fn times(times: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let micros = times.map(|time| time.map(|seconds| seconds.saturating_mul(1_000_000)));
    Arc::new(
        micros
            .collect::<TimestampMicrosecondArray>()
            .with_timezone("UTC"),
    )
}

fn not_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn lists<'l, L, T>(values: impl Iterator<Item = &'l L>) -> ArrayRef
where
    L: AsRef<[T]> + ?Sized + 'l,
    T: AsRef<str> + 'l,
{
    let mut lists = ListBuilder::new(StringBuilder::new());
    for list in values {
        list.as_ref()
            .iter()
            .for_each(|word| lists.values().append_value(word));
        lists.append(true);
    }
    Arc::new(lists.finish())
}
