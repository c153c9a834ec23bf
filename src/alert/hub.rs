//! Alerts as findings of AWS Security Hub, in batches.
//! <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html>
//!
//! Of a finding its last alert counts there, by `UpdatedAt`: an alert must not overtake another of the same finding. A batch
//! therefore has each finding once, and what follows waits for the next batch, which is of a later time.

use std::collections::{BTreeMap, BTreeSet};
use std::slice::from_ref;

use serde_json::{Value, json};

use super::asff::{Product, asff};
use super::aws::{Service, may_pass};
use super::{SendError, cut};

/// Findings that Security Hub takes at once.
const TOGETHER: usize = 100;
/// Bytes of a finding at most.
const MOST: usize = 240_000;
/// How much of what is said of a finding is told.
const TOLD: usize = 300;

/// A finding, and the place of its alert.
struct Placed {
    place: usize,
    id: String,
    finding: Value,
}

/// Imports the first of the alerts, as many as a batch takes: what became of each. Those that are about no finding of their
/// own, digests, are taken as they are; `now` is in milliseconds since 1970.
pub(super) async fn import(
    service: &Service,
    product: &Product,
    alerts: &[String],
    now: u64,
) -> Vec<Result<(), SendError>> {
    let (count, batch) = batch(product, alerts, now);
    let mut outcomes: Vec<Result<(), SendError>> = (0..count).map(|_| Ok(())).collect();
    let Some(first) = batch.first() else {
        return outcomes;
    };
    match put(service, &batch, &mut outcomes).await {
        Ok(()) => {}
        // One that is malformed has all refused: each by itself, then.
        Err(SendError::Never(_)) if batch.len() > 1 => {
            one_by_one(service, &batch, &mut outcomes).await;
        }
        Err(error) => {
            outcomes.truncate(first.place);
            outcomes.push(Err(error));
        }
    }
    outcomes
}

/// The findings of the first alerts, and how many alerts that are.
fn batch(product: &Product, alerts: &[String], now: u64) -> (usize, Vec<Placed>) {
    let mut findings = Vec::new();
    let mut ids = BTreeSet::new();
    for (place, alert) in alerts.iter().enumerate() {
        let alert: Value = serde_json::from_str(alert).unwrap_or(Value::Null);
        let Some(finding) = asff(&alert, product, now) else {
            continue;
        };
        let id = finding["Id"].as_str().unwrap_or_default().to_owned();
        if findings.len() == TOGETHER || !ids.insert(id.clone()) {
            return (place, findings);
        }
        findings.push(Placed { place, id, finding });
    }
    (alerts.len(), findings)
}

async fn one_by_one(
    service: &Service,
    findings: &[Placed],
    outcomes: &mut Vec<Result<(), SendError>>,
) {
    for finding in findings {
        let Err(error) = put(service, from_ref(finding), outcomes).await else {
            continue;
        };
        let is_later = matches!(error, SendError::Later(_));
        outcomes[finding.place] = Err(error);
        if is_later {
            outcomes.truncate(finding.place + 1);
            return;
        }
    }
}

/// Puts findings, and notes which were not taken.
async fn put(
    service: &Service,
    findings: &[Placed],
    outcomes: &mut [Result<(), SendError>],
) -> Result<(), SendError> {
    let bodies: Vec<&Value> = findings.iter().map(|placed| &placed.finding).collect();
    let is_large = |body: &Value| body.to_string().len() > MOST;
    if bodies.iter().any(|body| is_large(body)) {
        return Err(SendError::Never(format!(
            "it is larger than the {} KB that Security Hub takes",
            MOST / 1000
        )));
    }
    let request = json!({ "Findings": bodies }).to_string();
    let answer = service
        .call("/findings/import", "application/json", request)
        .await?;
    let mut failed = failures(&answer)?;
    for placed in findings {
        if let Some(error) = failed.remove(&placed.id) {
            outcomes[placed.place] = Err(error);
        }
    }
    Ok(())
}

/// Which findings an answer says were not taken, by id.
fn failures(answer: &str) -> Result<BTreeMap<String, SendError>, SendError> {
    let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
    if !answer["SuccessCount"].is_u64() {
        return Err(SendError::Later(
            "it did not say which findings it took".to_owned(),
        ));
    }
    let failed = answer["FailedFindings"].as_array();
    let failed = failed.into_iter().flatten().map(|failed| {
        let text = |name: &str| failed[name].as_str().unwrap_or_default();
        let code = text("ErrorCode");
        let told = format!("{code}: {}", cut(text("ErrorMessage"), TOLD));
        let error = if may_pass(code) {
            SendError::Later(told)
        } else {
            SendError::Never(told)
        };
        (text("Id").to_owned(), error)
    });
    Ok(failed.collect())
}

#[cfg(test)]
mod tests {
    use super::super::arn::Arn;
    use super::*;

    fn alert(finding: usize, event: &str) -> String {
        json!({"alert_id": "00", "event": event, "finding_id": format!("{finding}"), "policy_id": "p", "title": "t"})
            .to_string()
    }

    fn product() -> Product {
        let arn = "arn:aws:securityhub:eu-west-1:123456789012:product/123456789012/default";
        Product::of(&Arn::of("securityhub", arn).expect("a name"))
    }

    #[test]
    fn a_batch_has_each_finding_once_and_not_too_many() {
        let many: Vec<String> = (0..150).map(|finding| alert(finding, "opened")).collect();
        let (count, findings) = batch(&product(), &many, 0);
        assert_eq!((count, findings.len()), (100, 100));
        let digest = json!({"event": "digest", "title": "t", "count": 2}).to_string();
        let again = [
            digest.clone(),
            alert(1, "opened"),
            digest,
            alert(2, "opened"),
            alert(1, "resolved"),
            alert(3, "opened"),
        ];
        let (count, findings) = batch(&product(), &again, 0);
        let places: Vec<usize> = findings.iter().map(|placed| placed.place).collect();
        assert_eq!((count, places), (4, vec![1, 3]));
    }

    #[test]
    fn what_was_not_taken_is_tried_later_or_never() {
        let answer = json!({"SuccessCount": 1, "FailedCount": 2, "FailedFindings": [
            {"Id": "a", "ErrorCode": "InternalFailure", "ErrorMessage": "x"},
            {"Id": "b", "ErrorCode": "InvalidInput", "ErrorMessage": "y"},
        ]});
        let failed = failures(&answer.to_string()).expect("an answer");
        assert!(matches!(&failed["a"], SendError::Later(told) if told == "InternalFailure: x"));
        assert!(matches!(&failed["b"], SendError::Never(told) if told == "InvalidInput: y"));
        assert_eq!(failed.len(), 2);
        assert!(matches!(failures("ok"), Err(SendError::Later(_))));
    }
}
