//! `policy controls`: what a lake evidences of the controls that the rules of its policy implement.

mod findings;
mod read;

pub use findings::OpenFinding;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::batch::runtime;
use super::error::ScanError;
use super::over::{self, lake_expected_at, no_hour};
use super::policy_file;
use super::replay::PolicyName;
use crate::judge::EdgeRow;
use crate::judge::controls::{
    Checked, ControlRule, Coverage, State, Stretch, Why, in_order, state,
};
use crate::policy::{Answer, Effect, Policy, Rule, RuleId, RuleRow};
use crate::sink::{Hour, Identity};

const HOUR: u32 = 3600;

/// What is asked.
#[derive(Clone, Debug)]
pub struct ControlsSettings {
    /// The policy file: the one that the lake was judged by.
    pub policy: PathBuf,
    /// The lake, in a folder or below `s3://`.
    pub lake: String,
    /// The period begins with the hour of this time, seconds since 1970; none is the lake's first hour.
    pub since: Option<u32>,
    /// It ends with the hour before this time; none is the lake's last hour.
    pub until: Option<u32>,
    /// How many lines of 100 may be lost.
    pub max_lost: f64,
}

/// What a lake evidences of the controls of its policy.
#[derive(Clone, Debug)]
pub struct ControlsReport {
    /// The policy.
    pub policy: PolicyName,
    /// SHA-256 of its file, in hex: controls are no part of the policy's hash.
    pub file_digest: String,
    /// The lake, as named.
    pub lake: String,
    /// What it belongs to.
    pub identity: Identity,
    /// SHA-256, in hex, over the objects of the period: hour, source, size, entity tag and number of lines of each.
    pub inputs: String,
    /// What there is of the period's logs.
    pub coverage: Coverage,
    /// How many lines of 100 may be lost.
    pub max_lost: f64,
    /// The controls, by name.
    pub controls: Vec<Control>,
    /// What the default decided, which is under no control.
    pub by_default: Checked,
    /// Denies and requires that no control names and that decided something.
    pub uncontrolled: Vec<ControlRule>,
}

/// A control, and what is evidenced of it.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its name, as rules have it.
    pub name: String,
    /// What is said of it.
    pub state: State,
    /// Why it is not met; empty if it is.
    pub why: Vec<Why>,
    /// The rules that implement it, by their ids in the policy.
    pub rules: Vec<ControlRule>,
    /// What the default decided between zones of connections that these rules decided.
    pub by_default: Checked,
    /// The findings of the period that rest on its rules, worst first, at most 20.
    pub findings: Vec<OpenFinding>,
    /// How many there are.
    pub num_findings: u64,
    /// How many of them are muted.
    pub num_muted: u64,
}

/// Connections by the zones of their ends, client first.
type ByZones<T> = BTreeMap<String, BTreeMap<String, T>>;

/// What a rule decided.
#[derive(Default)]
struct Decided {
    checked: Checked,
    zones: ByZones<()>,
}

/// Gathers what each rule decided.
struct Gatherer<'p> {
    numbers: HashMap<&'p str, usize>,
    /// By rule: whether it allows only a path.
    asks_for_path: Vec<bool>,
    decided: Vec<Decided>,
    default: usize,
    by_default: ByZones<Checked>,
    networks: BTreeMap<String, u64>,
}

/// Finds what a lake evidences of controls.
///
/// # Errors
/// When the policy or the lake is not as it should be, the lake was judged by another policy, no rule names a control, or
/// nothing tells which period is meant.
pub fn controls(settings: &ControlsSettings) -> Result<ControlsReport, ScanError> {
    let (policy, file_digest) = policy_file::load_with_digest(&settings.policy)?;
    let runtime = runtime()?;
    let temp = super::temp_folder("tidegate-")?;
    let lake = lake_expected_at(
        &settings.lake,
        &runtime,
        temp.path(),
        "`scan --lake` makes one; it keeps what was read and what was not, which logs alone do not tell",
    )?;
    // Evidence is of the policy that judged: what another one would have said is a guess.
    over::check_judged_by(
        (&lake, &settings.lake),
        (&policy, &settings.policy),
        "judge it anew with `scan --rejudge`; `policy replay` tells what that would change",
    )?;
    let names: BTreeSet<&str> = policy
        .rule_rows()
        .iter()
        .flat_map(|row| row.rule.controls.iter().map(String::as_str))
        .collect();
    if names.is_empty() {
        return Err(ScanError::Usage {
            message: format!("no rule of `{}` names a control", settings.policy.display()),
            hint: Some("give rules `controls = [\"…\"]`; docs/policy.md describes them".to_owned()),
        });
    }
    let committed = over::hours(&lake, settings.since, settings.until)?;
    let period = period(settings, &committed)?;
    let hours: Vec<Hour> = committed
        .into_iter()
        .filter(|hour| (period.0..period.1).contains(&hour.start()))
        .collect();

    let mut gatherer = Gatherer::new(&policy);
    let (mut coverage, inputs) = read::coverage(&lake, &hours, period, &mut |hour| {
        over::read(&lake, hour, &mut |edge: &EdgeRow<'_>| gatherer.add(edge))
    })
    .map_err(anyhow::Error::from)?;
    let networks = policy
        .networks()
        .map(|network| policy.network_name(network));
    coverage.networks = networks
        .map(|name| {
            let seen = gatherer.networks.get(name).copied();
            (name.to_owned(), seen.unwrap_or(0))
        })
        .collect();
    coverage.effective = policy.effective();

    let findings = findings::of_period(&lake, period).map_err(anyhow::Error::from)?;
    let gaps = coverage.gaps(settings.max_lost);
    let mut controls: Vec<Control> = names
        .into_iter()
        .map(|name| gatherer.control(&policy, name, period, &gaps, &findings))
        .collect();
    controls.sort_by_key(|control| in_order(&control.name));
    let uncontrolled = gatherer.rules(&policy, period, &|rule| rule.controls.is_empty());
    let uncontrolled = uncontrolled
        .into_iter()
        .map(|(_, rule)| rule)
        .filter(|rule| {
            let denies = !matches!(rule.effect, Effect::Allow | Effect::Default);
            denies && rule.checked.connections() > 0
        });
    Ok(ControlsReport {
        policy: PolicyName::of(&policy),
        file_digest,
        lake: settings.lake.clone(),
        identity: lake.identity().clone(),
        inputs,
        coverage,
        max_lost: settings.max_lost,
        controls,
        by_default: gatherer.decided[gatherer.default].checked,
        uncontrolled: uncontrolled.collect(),
    })
}

/// The period in whole hours: as asked, and where it is not, from the first or to the last hour of the lake.
fn period(settings: &ControlsSettings, hours: &BTreeSet<Hour>) -> Result<Stretch, ScanError> {
    let end = |last: Hour| last.start().saturating_add(HOUR);
    let since = settings.since.map(|since| Hour::of(since).start());
    let until = settings
        .until
        .map(|until| end(Hour::of(until.saturating_sub(1))));
    let first = since.or(hours.first().map(|hour| hour.start()));
    let last = until.or(hours.last().map(|hour| end(*hour)));
    match (first, last) {
        (Some(first), Some(last)) if first < last => Ok((first, last)),
        _ => Err(no_hour(&settings.lake)),
    }
}

impl<'p> Gatherer<'p> {
    fn new(policy: &'p Policy) -> Gatherer<'p> {
        let rows = policy.rule_rows();
        let numbers = rows.iter().enumerate();
        let asks_for_path =
            |row: &RuleRow<'_>| row.rule.effect == Effect::Allow && !row.via.is_empty();
        Gatherer {
            numbers: numbers.map(|(place, row)| (&*row.rule.id, place)).collect(),
            asks_for_path: rows.iter().map(asks_for_path).collect(),
            decided: rows.iter().map(|_| Decided::default()).collect(),
            default: usize::from(policy.default_rule().0),
            by_default: ByZones::new(),
            networks: BTreeMap::new(),
        }
    }

    fn add(&mut self, edge: &EdgeRow<'_>) {
        *entry(&mut self.networks, edge.network) += edge.connections;
        let Some(answer) = edge.decision else { return };
        let Some(&place) = self.numbers.get(edge.rule) else {
            return;
        };
        let mut checked = Checked::default();
        checked.add(edge.verdict, edge.connections);
        if answer == Answer::Allow && self.asks_for_path[place] && edge.via.is_none() {
            checked.path_unknown = edge.connections;
        }
        let decided = &mut self.decided[place];
        decided.checked += checked;
        if place == self.default {
            let servers = entry(&mut self.by_default, edge.client_zone);
            *entry(servers, edge.server_zone) += checked;
        } else {
            entry(
                entry(&mut decided.zones, edge.client_zone),
                edge.server_zone,
            );
        }
    }

    /// The rules of which something holds, each with its number.
    fn rules(
        &self,
        policy: &Policy,
        (from, until): Stretch,
        is: &dyn Fn(&Rule) -> bool,
    ) -> Vec<(usize, ControlRule)> {
        let has_names = |place: usize| policy.has_its_names(RuleId(place as u16), from, until);
        let rows = policy.rule_rows();
        let rows = rows.iter().enumerate().filter(|(_, row)| is(row.rule));
        rows.map(|(place, row)| {
            let begins = row.not_before.is_none_or(|at| at <= i64::from(from));
            let lasts = row.expires.is_none_or(|at| at >= i64::from(until));
            let rule = ControlRule {
                id: row.rule.id.clone(),
                effect: row.rule.effect,
                observable: row.rule.observable,
                in_force: begins && lasts && has_names(place),
                checked: self.decided[place].checked,
            };
            (place, rule)
        })
        .collect()
    }

    fn control(
        &self,
        policy: &Policy,
        name: &str,
        period: Stretch,
        gaps: &[Why],
        findings: &[OpenFinding],
    ) -> Control {
        let is_of = |rule: &Rule| rule.controls.iter().any(|own| own == name);
        let (places, rules): (Vec<usize>, Vec<ControlRule>) =
            self.rules(policy, period, &is_of).into_iter().unzip();
        let mut by_default = Checked::default();
        for (client, servers) in &self.by_default {
            for (server, checked) in servers {
                let is_between = |place: &usize| {
                    let servers = self.decided[*place].zones.get(client);
                    servers.is_some_and(|servers| servers.contains_key(server))
                };
                if places.iter().any(is_between) {
                    by_default += *checked;
                }
            }
        }
        let (state, why) = state(&rules, &by_default, gaps);
        let of_rules = |finding: &&OpenFinding| rules.iter().any(|rule| rule.id == finding.rule);
        let own: Vec<&OpenFinding> = findings.iter().filter(of_rules).collect();
        Control {
            name: name.to_owned(),
            state,
            why,
            by_default,
            num_findings: own.len() as u64,
            num_muted: own.iter().filter(|finding| finding.muted).count() as u64,
            findings: own.into_iter().take(findings::TOLD).cloned().collect(),
            rules,
        }
    }
}

/// What stands under a name, which is made only where it is new.
fn entry<'m, T: Default>(map: &'m mut BTreeMap<String, T>, name: &str) -> &'m mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it was put there")
}
