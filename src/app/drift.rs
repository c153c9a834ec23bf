//! `policy drift`: a policy, how AWS is configured, and what the logs show, held against each other.

use std::path::Path;

use super::batch::{runtime, scan};
use super::error::ScanError;
use super::over::{Over, outdated_note};
use super::progress::Progress;
use crate::config::Config;
use crate::config::permit::Permits;
use crate::drift::{Drift, Held, Traffic, drift};
use crate::judge::EdgeRow;
use crate::judge::replay::Counts;
use crate::policy::Policy;
use crate::sink::{Lake, Store};

/// What is compared.
#[derive(Clone, Copy)]
pub struct DriftSettings<'s> {
    /// The policy and its file.
    pub policy: (&'s Policy, &'s Path),
    /// How AWS is configured.
    pub config: &'s Config,
    /// The traffic, if any.
    pub over: Option<&'s Over>,
    /// The instant, seconds since 1970, for rules that begin or end.
    pub at: u32,
}

/// What was found.
pub struct DriftReport<'s> {
    /// The gaps.
    pub drift: Drift<'s>,
    /// What there is to know of the traffic; none without any.
    pub traffic: Option<TrafficReport>,
    /// What there is to know about the answer, a sentence each.
    pub notes: Vec<String>,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
}

/// The traffic that gaps were held against.
#[derive(Clone, Debug, Default)]
pub struct TrafficReport {
    /// As named.
    pub over: String,
    /// When it was: first and last, seconds.
    pub times: Option<(u32, u32)>,
    /// What the policy does not judge.
    pub unjudged: Counts,
    /// What has an end that is none of those compared.
    pub elsewhere: Counts,
}

/// Compares.
///
/// # Errors
/// When there is nothing to compare, policy and configuration tell apart more ends than can be compared, the logs or the lake are not as they should be,
/// or nothing of that time is there.
pub fn find_drift<'s>(
    settings: &DriftSettings<'s>,
    progress: &dyn Progress,
) -> Result<DriftReport<'s>, ScanError> {
    let (policy, path) = settings.policy;
    let permits = Permits::new(settings.config);
    let compared = drift(policy, settings.config, &permits, settings.at);
    let (found, mut held) = compared.map_err(|error| ScanError::Usage {
        message: format!("cannot compare this policy with this configuration: {error}"),
        hint: Some("compare one VPC at a time".to_owned()),
    })?;
    if found.num_pairs == 0 {
        return Err(nothing_compared(&found));
    }
    let mut report = DriftReport {
        drift: found,
        traffic: None,
        notes: Vec::new(),
        unreadable: Vec::new(),
    };
    if let Some(over) = settings.over {
        hold_against(over, path, (&permits, &mut held), &mut report, progress)?;
    }
    Ok(report)
}

/// A comparison of nothing finds no gap, and would look like one of everything.
fn nothing_compared(found: &Drift<'_>) -> ScanError {
    let unlisted = &found.aside.unlisted_vpcs;
    let (message, hint) = if unlisted.is_empty() {
        (
            "nothing to compare: the configuration has no interfaces and no subnets of the policy's networks".to_owned(),
            "give describe-network-interfaces, describe-subnets and describe-vpcs, or a state that has them",
        )
    } else {
        (
            format!(
                "nothing to compare: no network of the policy has the VPCs of the configuration, {}",
                unlisted.join(", ")
            ),
            "list them in `vpcs` of the [networks.…] that they are",
        )
    };
    ScanError::Usage {
        message,
        hint: Some(hint.to_owned()),
    }
}

fn hold_against<'s>(
    over: &Over,
    policy: &Path,
    (permits, held): (&Permits<'s>, &mut Held<'s>),
    report: &mut DriftReport<'s>,
    progress: &dyn Progress,
) -> Result<(), ScanError> {
    let mut traffic = Traffic::new(held, permits, &mut report.drift);
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let mut add = |edge: &EdgeRow<'_>| traffic.add(edge);
    if let Some(lake) = over.lake(&runtime, temp.path())? {
        let outdated = over.each_edge(&lake, &mut add)?;
        report.notes.extend(outdated_note(outdated));
        report.notes.extend(over.widened());
    } else {
        let folder = temp.path().join("judged");
        let scanned = scan(&over.scan(policy, Some(&folder)), progress)?;
        let lake = Lake::read(Store::local(&folder), temp.path())?;
        over.each_edge(&lake, &mut add)?;
        report.unreadable = scanned.coverage.unreadable;
        report.notes.extend(scanned.warnings);
    }
    report.traffic = Some(TrafficReport {
        over: over.what.clone(),
        times: traffic.times,
        unjudged: traffic.unjudged,
        elsewhere: traffic.elsewhere,
    });
    traffic.finish();
    Ok(())
}
