//! A finding as named fields: those of alerts, and whether it is known.

use serde_json::json;

use crate::alert;
pub(super) use crate::alert::Fields;
use crate::app::report::RunReport;
use crate::judge::Finding;

/// Why the rule is there, in the policy's words, or what it does where the policy has none.
pub(super) fn reason(finding: &Finding) -> &str {
    match (finding.reason.as_str(), finding.rule.as_str()) {
        ("", "default") => "no rule allows it",
        ("", "") => "its network holds it, and no tier does",
        ("", _) => "the policy gives no reason",
        (reason, _) => reason,
    }
}

/// The finding's fields. The list of names is the same for all.
pub(super) fn of(report: &RunReport, finding: &Finding) -> Fields {
    let (policy_id, policy_hash) = report.policy_of(finding);
    let mut fields = alert::finding_fields(policy_id, policy_hash, finding, &report.origins);
    fields.0.push(("known", json!(report.is_known(finding))));
    fields
}
