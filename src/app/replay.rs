//! `policy replay`: which connections of logs or of a lake two policies judge differently.
//!
//! Logs are read once. Where the policies agree in what connections are put together by, both judge every connection of
//! the run, each as it would in a run of its own. Where they do not, the old policy judges the logs into a lake that goes
//! with the run, and that is replayed. A lake is replayed from its edges: see `judge::replay`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::batch::scan_comparing;
use super::comparing::Comparing;
use super::error::ScanError;
use super::over::{Over, outdated_note};
use super::policy_file;
use super::progress::Progress;
use super::report::RunReport;
use super::resolver;
use super::traffic::Traffic;
use crate::judge::EdgeRow;
use crate::judge::replay::{Again, Change, Changed, Changes, Counts, Pair, Rejudge, Seen};
use crate::policy::Policy;
use crate::sink::Lake;

/// What is to be replayed.
#[derive(Clone, Debug)]
pub struct ReplaySettings {
    /// The policy file that was.
    pub old: PathBuf,
    /// The policy file that is to be.
    pub new: PathBuf,
    /// What they are held against.
    pub over: Over,
}

/// How a policy is called.
#[derive(Clone, Debug)]
pub struct PolicyName {
    /// `[policy] id`.
    pub id: String,
    /// `[policy] title`.
    pub title: String,
    /// Its hash.
    pub hash: String,
}

impl PolicyName {
    /// Of a policy.
    pub fn of(policy: &Policy) -> PolicyName {
        PolicyName {
            id: policy.id().to_owned(),
            title: policy.title().to_owned(),
            hash: policy.hash().to_owned(),
        }
    }
}

/// What a replay found.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The policy that was.
    pub old: PolicyName,
    /// The policy that is to be.
    pub new: PolicyName,
    /// What they were held against, as named.
    pub over: String,
    /// Whether connections were judged, or else edges of a lake.
    pub from_logs: bool,
    /// When the traffic was: first and last, seconds.
    pub times: Option<(u32, u32)>,
    /// Connections that both policies were asked of.
    pub compared: u64,
    /// What the lake does not keep enough of.
    pub unknown: Counts,
    /// Connections on which a rule of the new policy with a path matched although theirs is unknown.
    pub via_unknown: u64,
    /// How much of each change there is, those that occur.
    pub totals: BTreeMap<Change, Counts>,
    /// Groups of connections that are judged differently in the same way, by change, the largest first.
    pub changes: Vec<Changed>,
    /// What there is to know about the answer, a sentence each.
    pub notes: Vec<String>,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
}

/// Compares two policies over traffic.
///
/// # Errors
/// When a policy, the logs or the lake are not as they should be, or nothing of that time is there.
pub fn replay(settings: &ReplaySettings, progress: &dyn Progress) -> Result<Replay, ScanError> {
    let (old, new) = (
        policy_file::load(&settings.old)?,
        policy_file::load(&settings.new)?,
    );
    let pair = Pair {
        old: &old,
        new: &new,
    };
    let mut traffic = Traffic::open(&settings.over)?;
    if !traffic.is_lake() && old.other_ground(&new).is_empty() {
        let names = resolver::look_up(
            &new,
            &settings.new,
            [settings.over.since, settings.over.until],
            settings.over.memory,
            traffic.runtime(),
            progress,
        )?;
        let comparing = Comparing::new(pair);
        let settings_of_scan = settings.over.scan(&settings.old, None);
        let report = scan_comparing(&settings_of_scan, &comparing, progress)?;
        let mut replay = told(&settings.over, &pair, &comparing.finish(), true);
        if let Some(names) = names {
            replay.notes.extend(names.warnings());
            replay.unreadable.extend(names.unreadable);
        }
        return Ok(with_report(replay, report));
    }
    let (lake, background) = traffic.lake(&settings.old, progress)?;
    let mut replay = over_lake(&settings.over, lake, &pair)?;
    replay.unreadable = background.unreadable;
    replay.notes.extend(background.notes);
    Ok(replay)
}

fn with_report(mut replay: Replay, report: RunReport) -> Replay {
    replay.times = report.coverage.times;
    let unreadable = report.coverage.unreadable;
    replay.unreadable.extend(unreadable);
    replay.unreadable.sort();
    replay.unreadable.dedup();
    replay.notes.extend(report.warnings);
    replay
}

fn over_lake(over: &Over, lake: &Lake, pair: &Pair<'_>) -> Result<Replay, ScanError> {
    let is_recorded = lake.identity().policy_hash == pair.old.hash();
    let (parts, outdated) = over.on_threads(lake, |edges| {
        let mut rejudge = Rejudge::new(*pair, is_recorded);
        let mut part = Part::default();
        edges.each(&mut |edge| part.add(pair, &mut rejudge, edge))?;
        Ok(part)
    })?;
    let mut whole = Part::default();
    parts.into_iter().for_each(|part| whole.absorb(part));
    let mut replay = told(over, pair, &whole.changes, false);
    replay.times = whole.times;
    replay.notes.extend(outdated_note(outdated));
    if !is_recorded {
        replay.notes.push(
            "the lake was judged by another policy than the old one: both are judged again from its edges, and what it holds is no check"
                .to_owned(),
        );
    }
    replay.notes.extend(names_note([pair.old, pair.new]));
    let ground = pair.old.other_ground(pair.new);
    if !ground.is_empty() {
        replay.notes.push(format!(
            "the policies differ in {}: which records count, and what connections they make, is as {} had it",
            ground.join(" and "),
            if is_recorded { "the old policy" } else { "the lake's policy" },
        ));
    }
    Ok(replay)
}

/// Says so where a policy goes by names, which edges do not have.
pub(super) fn names_note<'p>(policies: impl IntoIterator<Item = &'p Policy>) -> Option<String> {
    let mut policies = policies.into_iter();
    let goes_by_logs =
        |policy: &Policy| policy.goes_by_names() && !policy.resolver_logs().is_empty();
    policies.any(goes_by_logs).then(|| {
        "edges do not tell by which names addresses were asked for: what is judged again of them goes by no Resolver logs"
            .to_owned()
    })
}

/// What came of some of a lake's hours.
#[derive(Default)]
struct Part {
    changes: Changes,
    times: Option<(u32, u32)>,
}

impl Part {
    fn add(&mut self, pair: &Pair<'_>, rejudge: &mut Rejudge<'_>, edge: &EdgeRow<'_>) {
        let (changes, counts) = (&mut self.changes, Counts::of(edge));
        edge.widen(&mut self.times);
        let (told, via_unknown) = match rejudge.again(edge) {
            Again::Told { told, via_unknown } => (told, via_unknown),
            Again::Unknown => {
                changes.unknown += counts;
                return;
            }
        };
        changes.compared += counts.connections;
        if via_unknown {
            changes.via_unknown += counts.connections;
        }
        let seen = Seen {
            client: edge.client_addr,
            server: edge.server_addr,
            server_port: edge.server_port,
            protocol: edge.protocol,
            counts,
            first_seen: edge.first_seen,
            last_seen: edge.last_seen,
            source: edge.source,
            line: edge.line,
        };
        changes.add(pair, &told, &seen);
    }

    fn absorb(&mut self, other: Part) {
        self.changes.absorb(other.changes);
        let both = [self.times, other.times].into_iter().flatten();
        self.times = both.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    }
}

fn told(over: &Over, pair: &Pair<'_>, changes: &Changes, from_logs: bool) -> Replay {
    Replay {
        old: PolicyName::of(pair.old),
        new: PolicyName::of(pair.new),
        over: over.what.clone(),
        from_logs,
        times: None,
        compared: changes.compared,
        unknown: changes.unknown,
        via_unknown: changes.via_unknown,
        totals: changes.totals().clone(),
        changes: changes.groups(pair),
        notes: Vec::new(),
        unreadable: Vec::new(),
    }
}

impl Replay {
    /// How much of a change is in no group that is told.
    pub fn untold(&self, change: Change) -> Counts {
        let mut left = self.totals.get(&change).copied().unwrap_or_default();
        for group in self.changes.iter().filter(|group| group.change == change) {
            left.records -= group.counts.records;
            left.connections -= group.counts.connections;
            left.bytes = left.bytes.saturating_sub(group.counts.bytes);
        }
        left
    }
}
