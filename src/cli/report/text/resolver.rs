//! What was read of Resolver logs, and what is allowed by names.

use super::super::words::{bytes, count, counted, interval};
use super::Page;
use crate::app::report::{Coverage, RunReport};
use crate::app::resolver::ResolverReport;

pub(super) fn write(page: &mut Page, report: &RunReport) {
    let of_policies = report.policies.iter().map(|policy| &policy.resolver);
    let mut all = of_policies.chain([&report.resolver]).flatten().peekable();
    let are_any = all.peek().is_some();
    for read in all {
        page.item("Resolver logs", &logs(read));
    }
    if are_any || allowed(&report.coverage) > 0 {
        page.item("by name", &by_name(&report.coverage));
    }
}

fn logs(read: &ResolverReport) -> String {
    let gathered = &read.gathered;
    let mut parts = vec![
        format!(
            "{} read, {}",
            counted(read.objects, "object"),
            bytes(read.bytes)
        ),
        format!(
            "{} queries with {} addresses",
            count(gathered.queries),
            count(gathered.answers)
        ),
    ];
    if let Some((first, last)) = gathered.times {
        parts.push(interval(first, last));
    }
    for (number, what) in [
        (gathered.out_of_scope, "of no network"),
        (read.malformed, "malformed"),
        (gathered.let_go, "entries beyond the bound let go"),
    ] {
        if number > 0 {
            parts.push(format!("{} {what}", count(number)));
        }
    }
    parts.join("; ")
}

/// Connections that are allowed by a name.
fn allowed(coverage: &Coverage) -> u64 {
    coverage.by_client + coverage.by_network + coverage.by_snapshot
}

fn by_name(coverage: &Coverage) -> String {
    let allowed = allowed(coverage);
    if allowed == 0 {
        return "no connection is allowed by a name".to_owned();
    }
    let mut text = format!(
        "{} allowed by a name: client {}, network {}, snapshot {}",
        counted(allowed, "connection"),
        count(coverage.by_client),
        count(coverage.by_network),
        count(coverage.by_snapshot)
    );
    if coverage.shared > 0 {
        text.push_str(&format!(
            "; {} of them to shared addresses, which also answered for names that no rule allows",
            count(coverage.shared)
        ));
    }
    text
}
