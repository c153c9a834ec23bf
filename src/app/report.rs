//! What a run has to say: the material of every output format.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::resolver::ResolverReport;
use crate::flow::Tally;
use crate::judge::{Finding, Kind};
use crate::net::{Addr, Origin};
use crate::policy::{Policy, Severity};
use crate::sink::Day;

use super::terms::{Term, Terms};

/// The report of a `scan`.
#[derive(Clone, Debug, Default)]
pub struct RunReport {
    /// `[policy] id`; of several policies with different ones all of them.
    pub policy_id: String,
    /// `[policy] title`; of several policies that of the last to take effect.
    pub policy_title: String,
    /// The policy's hash; of several policies the one over all of them.
    pub policy_hash: String,
    /// The policies of a run of several, in the order of their time; empty where one judges all.
    pub policies: Vec<PolicyInForce>,
    /// The place in `policies` of the last that judged a finding, by finding id; empty where one judges all.
    pub judged_by: BTreeMap<String, usize>,
    /// What was read, and how well it can be judged.
    pub coverage: Coverage,
    /// Connections by client zone, server zone and verdict.
    pub matrix: BTreeMap<(String, String), Cell>,
    /// Bytes that members of each group sent, and received; empty where nobody asks.
    pub group_bytes: BTreeMap<String, [u64; 2]>,
    /// Zones in the order to show them: tiers as in the file, then the others.
    pub zones: Vec<String>,
    /// Findings, worst first; at most a bounded number, the rest counted in `findings_total`.
    pub findings: Vec<Finding>,
    /// Whose the heaviest addresses of findings are: those outside, as far as `[data]` of the policy tells.
    pub origins: BTreeMap<Addr, Origin>,
    /// How many findings there are in all, by severity word.
    pub findings_total: BTreeMap<&'static str, u64>,
    /// How many of them are open, by severity word: neither listed by `--known` nor muted. They decide the exit code.
    pub findings_open: BTreeMap<&'static str, u64>,
    /// Finding ids that `--known` lists and that occurred, sorted.
    pub known: Vec<String>,
    /// Internet noise: denied or unasked traffic from the internet that is no finding.
    pub noise: Noise,
    /// Hours committed to the lake, and hours that were there already.
    pub lake: Option<LakeSummary>,
    /// What was read of Resolver query logs; none where the policy names none, or several policies say so themselves.
    pub resolver: Option<ResolverReport>,
    /// Warnings for people, in the order they arose.
    pub warnings: Vec<String>,
}

impl RunReport {
    /// Nothing yet of a run by these policies.
    pub(super) fn of(terms: &Terms) -> RunReport {
        let in_force = |term: &Term| PolicyInForce {
            id: term.policy.id().to_owned(),
            title: term.policy.title().to_owned(),
            hash: term.policy.hash().to_owned(),
            from: term.from,
            until: term.until,
            resolver: None,
        };
        let is_one = terms.iter().len() == 1;
        RunReport {
            policy_id: terms.policy_id(),
            policy_title: terms.last().title().to_owned(),
            policy_hash: terms.policy_hash(),
            policies: match is_one {
                true => Vec::new(),
                false => terms.iter().map(in_force).collect(),
            },
            ..RunReport::default()
        }
    }

    /// Notes by which of several policies findings were judged. A policy that was in force later has the last word.
    pub(super) fn note_judged_by(&mut self, policy: &Policy, findings: &[Finding]) {
        let Some(place) = self.place_of(policy) else {
            return;
        };
        for finding in findings {
            let known = self.judged_by.entry(finding.finding_id.clone());
            let known = known.or_insert(place);
            *known = place.max(*known);
        }
    }

    /// Takes what was read of Resolver query logs for the days of a policy.
    pub(super) fn take_resolver(&mut self, policy: &Policy, read: &ResolverReport) {
        let unreadable = read.unreadable.iter().cloned();
        self.coverage.unreadable.extend(unreadable);
        self.warnings.extend(read.warnings());
        match self.place_of(policy) {
            Some(place) => self.policies[place].resolver = Some(read.clone()),
            None => self.resolver = Some(read.clone()),
        }
    }

    /// The place of one of several policies.
    fn place_of(&self, policy: &Policy) -> Option<usize> {
        let is_it = |known: &PolicyInForce| known.id == policy.id() && known.hash == policy.hash();
        self.policies.iter().position(is_it)
    }

    /// The id and the hash of the policy that judged a finding, of several that did the last.
    pub fn policy_of(&self, finding: &Finding) -> (&str, &str) {
        let place = self.judged_by.get(&finding.finding_id);
        match place.and_then(|place| self.policies.get(*place)) {
            Some(policy) => (&policy.id, &policy.hash),
            None => (&self.policy_id, &self.policy_hash),
        }
    }

    /// Takes the findings of all days: each once, worst first, and counted. `let_go` findings were beyond their day's
    /// bound, `known` ids were accepted earlier.
    pub fn take_findings(&mut self, days: Vec<Finding>, let_go: u64, known: &BTreeSet<String>) {
        let mut by_id: BTreeMap<String, Finding> = BTreeMap::new();
        for finding in days {
            match by_id.get_mut(&finding.finding_id) {
                Some(earlier) => earlier.absorb(&finding),
                None => {
                    by_id.insert(finding.finding_id.clone(), finding);
                }
            }
        }
        self.known = by_id
            .keys()
            .filter(|id| known.contains(*id))
            .cloned()
            .collect();
        for finding in by_id.values() {
            let severity = finding.severity.as_str();
            *self.findings_total.entry(severity).or_default() += 1;
            if !finding.muted && !known.contains(&finding.finding_id) {
                *self.findings_open.entry(severity).or_default() += 1;
            }
        }
        if let_go > 0 {
            self.warnings.push(format!(
                "{let_go} connections would have made findings, or were to be remembered by detectors, beyond the bound of a day"
            ));
        }
        self.findings = by_id.into_values().collect();
        self.findings.sort_by(|a, b| {
            let rank = |finding: &Finding| {
                (
                    Reverse(finding.severity),
                    finding.muted,
                    // What was held stands behind what got through.
                    finding.kind == Kind::DeniedAttempt,
                    finding.kind,
                    Reverse(finding.connections),
                )
            };
            rank(a)
                .cmp(&rank(b))
                .then_with(|| a.finding_id.cmp(&b.finding_id))
        });
    }

    /// The highest severity among open findings.
    pub fn worst_open(&self) -> Option<Severity> {
        Severity::ALL.iter().copied().rev().find(|severity| {
            self.findings_open
                .get(severity.as_str())
                .is_some_and(|&n| n > 0)
        })
    }

    /// Whether `--known` lists this finding.
    pub fn is_known(&self, finding: &Finding) -> bool {
        debug_assert!(self.known.is_sorted(), "known ids are sorted");
        self.known.binary_search(&finding.finding_id).is_ok()
    }
}

/// What was read, and how well it can be judged.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// Objects read.
    pub objects: u64,
    /// Their size as stored, bytes.
    pub bytes: u64,
    /// Their size after decompression, bytes.
    pub decoded_bytes: u64,
    /// Keys below the sources that are no flow logs.
    pub ignored: u64,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
    /// Of them, those that may be read at another time: their URLs.
    pub may_pass: BTreeSet<String>,
    /// Lines by what became of them.
    pub lines: Tally,
    /// The first malformed lines: url, line, why, excerpt. At most 20.
    pub malformed_samples: Vec<MalformedSample>,
    /// Earliest `start` and latest `end`, seconds.
    pub times: Option<(u32, u32)>,
    /// Judged records by network.
    pub networks: BTreeMap<String, u64>,
    /// How many interfaces reported.
    pub interfaces: u64,
    /// Records out of scope by VPC (or account and region where there is none).
    pub out_of_scope: BTreeMap<String, u64>,
    /// Judged records by orientation evidence, in the order of the ladder.
    pub orientation: BTreeMap<&'static str, u64>,
    /// Unjudged records by reason.
    pub unjudged: BTreeMap<&'static str, u64>,
    /// Connections on which a rule with `via` matched though the path is unknown.
    pub via_unknown: u64,
    /// Connections that are allowed by a name that their client asked for.
    pub by_client: u64,
    /// Connections that are allowed by a name that another client of the network asked for.
    pub by_network: u64,
    /// Connections that are allowed by a name that a pinned snapshot has the address of.
    pub by_snapshot: u64,
    /// Of all these, those to an address that also answered for a name that no allow is about.
    pub shared: u64,
    /// Layouts met: field names joined by spaces, objects.
    pub layouts: BTreeMap<String, u64>,
    /// Whether any object's layout was assumed.
    pub assumed_layouts: u64,
    /// Fields that would help and that at least one layout lacks: field, what for.
    pub lacking: Vec<(&'static str, &'static str)>,
    /// The log format to use instead, `${version} …`; none where nothing is lacking.
    pub advised_format: Option<String>,
    /// Carried evidence that exceeded its cap and was let go, entries.
    pub evidence_let_go: u64,
}

/// A malformed line, for the summary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedSample {
    /// The object.
    pub source: String,
    /// The line, 1-based.
    pub line: u64,
    /// Why it could not be decoded.
    pub reason: String,
    /// The line, cut short.
    pub text: String,
}

/// Connections of one pair of zones by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Allowed and not rejected.
    pub compliant: u64,
    /// Let through although forbidden.
    pub violation: u64,
    /// Denied, attempted, unknown whether it got through.
    pub attempted: u64,
    /// Denied, attempted and held.
    pub blocked: u64,
    /// Permitted, but stopped.
    pub overblocked: u64,
    /// Evidence missing.
    pub unproven: u64,
}

/// Traffic from the internet that is no finding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// Connections.
    pub connections: u64,
    /// Judged and unjudged records.
    pub records: u64,
    /// Distinct addresses (exact up to 4096, then an estimate).
    pub addresses: u64,
}

/// A policy of a run of several, and when it judges.
#[derive(Clone, Debug, Default)]
pub struct PolicyInForce {
    /// `[policy] id`.
    pub id: String,
    /// `[policy] title`.
    pub title: String,
    /// Its hash.
    pub hash: String,
    /// Midnight of its first day, seconds since 1970; none of the earliest, which also judges what was before.
    pub from: Option<u32>,
    /// Midnight of the first day that the next one judges; none of the last.
    pub until: Option<u32>,
    /// What was read of Resolver query logs for its days; none where it names none.
    pub resolver: Option<ResolverReport>,
}

impl PolicyInForce {
    /// The days that it judges: `from 2026-01-01 until 2026-02-01`.
    pub fn days(&self) -> String {
        let from = self.from.map(|from| format!("from {}", Day::of(from)));
        let until = self.until.map(|until| format!("until {}", Day::of(until)));
        let words: Vec<String> = from.into_iter().chain(until).collect();
        words.join(" ")
    }
}

/// What a run did to its lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LakeSummary {
    /// Where it is.
    pub url: String,
    /// Hours written by this run.
    pub hours_written: u64,
    /// Hours that were committed before and left as they were.
    pub hours_kept: u64,
    /// Rows written, by table.
    pub rows: BTreeMap<&'static str, u64>,
}

impl LakeSummary {
    /// Adds what another run did to the same lake.
    pub(super) fn add(&mut self, other: LakeSummary) {
        self.url = other.url;
        self.hours_written += other.hours_written;
        self.hours_kept += other.hours_kept;
        for (table, rows) in other.rows {
            *self.rows.entry(table).or_default() += rows;
        }
    }
}
