//! `policy usage`: what the traffic of logs or of a lake used of a policy.

use std::collections::HashMap;
use std::path::PathBuf;

use super::error::ScanError;
use super::over::{Over, outdated_note};
use super::policy_file;
use super::progress::Progress;
use super::replay::{PolicyName, names_note};
use super::traffic::Traffic;
use crate::judge::replay::{Again, Counts, Narrower, Pair, Rejudge, RuleUse, Said, Usage};
use crate::judge::{EdgeRow, Reason};
use crate::policy::{Effect, Policy, RuleId};
use crate::sink::Lake;

/// What is asked.
#[derive(Clone, Debug)]
pub struct UsageSettings {
    /// The policy file.
    pub policy: PathBuf,
    /// The traffic.
    pub over: Over,
}

/// What traffic used of a policy.
#[derive(Clone, Debug)]
pub struct UsageReport {
    /// The policy.
    pub policy: PolicyName,
    /// The traffic, as named.
    pub over: String,
    /// When it was: first and last, seconds.
    pub times: Option<(u32, u32)>,
    /// Rules by their ids, the default last.
    pub rules: Vec<UsedRule>,
    /// What the policy does not judge.
    pub unjudged: Counts,
    /// Of what the lake does not tell what the policy says.
    pub unknown: Counts,
    /// Connections on which a rule with a path matched although theirs is unknown.
    pub via_unknown: u64,
    /// What there is to know about the answer, a sentence each.
    pub notes: Vec<String>,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
}

/// A rule, and what it was used for.
#[derive(Clone, Debug)]
pub struct UsedRule {
    /// Its id.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Who answers for it; empty if it does not say.
    pub owner: String,
    /// Whether what it decides can show in flow logs.
    pub observable: bool,
    /// How often it decided, for whom, and what would have been enough.
    pub usage: RuleUse,
}

impl UsedRule {
    /// Whether it was of use, in a word: `used`, `unproven` (nothing but missing evidence), `unused`, `not-observable`,
    /// `not-in-force`.
    pub fn state(&self) -> &'static str {
        let usage = &self.usage;
        match usage.counts.connections {
            0 if !self.observable => "not-observable",
            0 if !usage.in_force => "not-in-force",
            0 => "unused",
            connections if connections == usage.unproven => "unproven",
            _ => "used",
        }
    }

    /// What would have been enough of what it grants, if that is clearly less.
    pub fn narrower(&self) -> Option<&Narrower> {
        Some(&self.usage.narrower).filter(|narrower| !narrower.is_empty())
    }
}

/// Finds what traffic uses of a policy.
///
/// # Errors
/// When the policy, the logs or the lake are not as they should be, or nothing of that time is there.
pub fn usage(settings: &UsageSettings, progress: &dyn Progress) -> Result<UsageReport, ScanError> {
    let policy = policy_file::load(&settings.policy)?;
    let mut traffic = Traffic::open(&settings.over)?;
    let (lake, background) = traffic.lake(&settings.policy, progress)?;
    let mut report = over_lake(&settings.over, lake, &policy)?;
    report.unreadable = background.unreadable;
    report.notes.extend(background.notes);
    Ok(report)
}

fn over_lake(over: &Over, lake: &Lake, policy: &Policy) -> Result<UsageReport, ScanError> {
    let is_recorded = lake.identity().policy_hash == policy.hash();
    let pair = Pair {
        old: policy,
        new: policy,
    };
    let mut rejudge = Rejudge::new(pair, is_recorded);
    let rules = (0..=policy.default_rule().0).map(RuleId);
    let numbers: HashMap<&str, RuleId> = rules
        .clone()
        .map(|rule| (&*policy.rule(rule).id, rule))
        .collect();
    let mut usage = Usage::new(policy);
    let outdated = over.each_edge(lake, &mut |edge| {
        let recorded_zones = [edge.client_zone, edge.server_zone];
        let (said, zones) = if is_recorded {
            (recorded(edge, &numbers), recorded_zones)
        } else {
            match rejudge.again(edge) {
                Again::Told { told, via_unknown } => {
                    usage.via_unknown += if via_unknown { edge.connections } else { 0 };
                    let zones = told.new_zones.map(|zone| policy.zone_name(zone));
                    (Some(told.new), zones)
                }
                Again::Unknown => (None, recorded_zones),
            }
        };
        usage.add(edge, said, rejudge.ends(edge, zones).as_deref());
    })?;
    let mut notes: Vec<String> = outdated_note(outdated).into_iter().collect();
    if is_recorded {
        usage.via_unknown = over.via_unknown(lake)?;
    } else {
        notes.push(
            "the lake was judged by another policy: this one is judged from its edges".to_owned(),
        );
        notes.extend(names_note([policy]));
    }
    let used = usage.finish().into_iter().map(|usage| {
        let rule = policy.rule(usage.rule);
        UsedRule {
            id: rule.id.clone(),
            effect: rule.effect,
            owner: rule.owner.clone(),
            observable: rule.observable,
            usage,
        }
    });
    Ok(UsageReport {
        policy: PolicyName::of(policy),
        over: over.what.clone(),
        times: usage.times,
        rules: used.collect(),
        unjudged: usage.unjudged,
        unknown: usage.unknown,
        via_unknown: usage.via_unknown,
        notes,
        unreadable: Vec::new(),
    })
}

/// What the lake holds of what its policy says.
fn recorded(edge: &EdgeRow<'_>, numbers: &HashMap<&str, RuleId>) -> Option<Said> {
    match edge.decision {
        Some(answer) => Some(Said::Decided(answer, *numbers.get(edge.rule)?)),
        None => Reason::from_word(edge.rule).map(Said::Not),
    }
}
