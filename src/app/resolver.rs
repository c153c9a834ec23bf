//! Resolver query logs, read before a run: listed, fetched, gathered. The policy goes by them from then on.
//!
//! They are logs like flow logs: what is read of them is what the run's time asks for, by the times in their keys, and all
//! of what has no such times. What is said of them is the same in whatever order they are read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::batch::list;
use super::error::ScanError;
use super::progress::{Progress, Unwatched};
use super::settings::DEFAULT_MEMORY;
use crate::flow::resolver::{MalformedQuery, queries_of_line};
use crate::flow::{DecodeOptions, Input, each_line};
use crate::net::hex;
use crate::policy::{Gathered, Lookups, LookupsBuilder, Policy};
use crate::sink::Hour;
use crate::source::{
    Body, FetchError, FetchOptions, Fetcher, Logs, Object, ReadBuffer, Selection, Source,
    SourceError,
};

/// Objects that are fetched ahead.
const AHEAD: usize = 8;

/// Malformed lines that are shown.
const SAMPLES: usize = 5;

/// How far a record's start may lie before the slots that are judged, seconds: records come late, but hardly by more than
/// a day. What was asked before is not read; a connection from then is `unproven`.
const LATE_SECS: u32 = 86_400;

/// How long after a query its object may be published, seconds.
const DELIVERY_SECS: u32 = 3600;

/// What was read of Resolver query logs.
#[derive(Clone, Debug, Default)]
pub struct ResolverReport {
    /// Objects read.
    pub objects: u64,
    /// Their size as stored, bytes.
    pub bytes: u64,
    /// Their lines.
    pub lines: u64,
    /// Of them, blank ones.
    pub blank: u64,
    /// Lines, or parts of them, that are no query.
    pub malformed: u64,
    /// The first of those: url, line, why.
    pub malformed_samples: Vec<(String, u64, String)>,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
    /// What was gathered.
    pub gathered: Gathered,
    /// SHA-256, in hex, over what was read: of each object its URL, and its entity tag or the digest of its bytes.
    pub digest: String,
    /// How long an answer speaks for connections, seconds.
    pub grace: u32,
    /// Of each object the time in its key, if it has one, and what it was; by what it was.
    pub states: Vec<State>,
}

/// The time in the key of an object, if it has one, and a digest of its name and what it was.
type State = (Option<u32>, [u8; 32]);

/// The times of the keys of the objects that hours from since to until (seconds; none is from the beginning, to the end)
/// are judged by. Whole days, because the findings of a day are made from all of its edges, whoever judged them.
pub(super) fn needed(policy: &Policy, [since, until]: [Option<u32>; 2]) -> [Option<u32>; 2] {
    let grace = policy.resolver_grace();
    let first = since.map(|since| (since - since % 86_400).saturating_sub(grace + LATE_SECS));
    let last = until.map(|until| {
        let end = until.div_ceil(86_400).saturating_mul(86_400);
        end.saturating_add(grace + DELIVERY_SECS)
    });
    [first, last]
}

/// The time, seconds, from which on all logs are there that an hour (its start) is judged by.
pub(super) fn whole_at(policy: &Policy, hour: u32) -> u32 {
    hour.saturating_add(3600 + policy.resolver_grace() + DELIVERY_SECS)
}

/// Has a policy know what the Resolver logs tell that it names, as far as the hours from since to until (seconds; none is
/// from the beginning, to the end) ask for it. None if it names none.
///
/// # Errors
/// When the logs cannot be listed, or there are none at all.
pub(super) fn look_up(
    policy: &Policy,
    file: &Path,
    times: [Option<u32>; 2],
    memory: u64,
    runtime: &Runtime,
    progress: &dyn Progress,
) -> Result<Option<ResolverReport>, ScanError> {
    if policy.resolver_logs().is_empty() {
        return Ok(None);
    }
    progress.stage("reading Resolver logs");
    let mut logs = ResolverLogs::new(policy, file, memory);
    let is_any = logs.read(needed(policy, times), runtime, progress)?;
    if !is_any {
        return Err(ScanError::Usage {
            message: format!(
                "no Resolver query logs in {} (`resolver_logs` of the policy)",
                policy.resolver_logs().join(", ")
            ),
            hint: Some(
                "below `AWSLogs` only `vpcdnsquerylogs` keys are taken, elsewhere .log .txt .gz .zst .json .jsonl .ndjson"
                    .to_owned(),
            ),
        });
    }
    let (lookups, report) = logs.finish();
    policy.know(lookups);
    Ok(Some(report))
}

/// Has a policy know what the Resolver logs tell that it names of one instant, seconds. None if it names none.
///
/// # Errors
/// When the logs cannot be listed, or there are none at all.
pub fn look_up_at(
    policy: &Policy,
    file: &Path,
    at: u32,
) -> Result<Option<ResolverReport>, ScanError> {
    let times = [Some(at), Some(at.saturating_add(1))];
    let runtime = super::batch::runtime()?;
    look_up(policy, file, times, DEFAULT_MEMORY, &runtime, &Unwatched)
}

/// What the policy names; local paths are relative to its file.
///
/// # Errors
/// When a word is no source, such as a path that is not there.
pub(super) fn sources(policy: &Policy, file: &Path) -> Result<Vec<Source>, ScanError> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let parse = |word: &String| {
        if word.starts_with("s3://") {
            return Source::parse(word);
        }
        let path = folder.join(word);
        let text = path.to_string_lossy();
        // A lone dash is a file's name here, as are words with a colon.
        Source::parse(if text == "-" { "./-" } else { &text })
    };
    let words = policy.resolver_logs().iter().map(parse);
    words.collect::<Result<_, _>>().map_err(in_data)
}

/// An error of what `[data]` names.
fn in_data(error: SourceError) -> ScanError {
    match ScanError::from(error) {
        ScanError::Usage { message, hint } | ScanError::NoObjects { message, hint, .. } => {
            ScanError::Usage {
                message: format!("`resolver_logs` of the policy: {message}"),
                hint,
            }
        }
        other => other,
    }
}

type Fetched = (Object, Result<Body, FetchError>);

/// The objects in their order, some of them ahead.
fn fetched(
    objects: Vec<Object>,
    fetcher: &Fetcher,
    runtime: &Runtime,
) -> impl Stream<Item = Fetched> {
    let fetch = {
        let (fetcher, handle) = (fetcher.clone(), runtime.handle().clone());
        move |mut object: Object| {
            let fetcher = fetcher.clone();
            let task = handle.spawn(async move {
                let body = fetcher.fetch(&mut object).await;
                (object, body)
            });
            async move { task.await.expect("fetching does not panic") }
        }
    };
    futures::stream::iter(objects).map(fetch).buffered(AHEAD)
}

/// The Resolver logs that a policy names, as far as they were read.
#[derive(Clone)]
pub(super) struct ResolverLogs<'p> {
    policy: &'p Policy,
    /// The policy's file, which what it names is beside.
    file: &'p Path,
    /// What shares are taken of, bytes.
    memory: u64,
    builder: LookupsBuilder<'p>,
    report: ResolverReport,
    /// By URL.
    objects: BTreeMap<Arc<str>, LogObject>,
    /// Whether they could not all be listed when that was last tried.
    is_unlisted: bool,
}

/// An object of Resolver logs.
#[derive(Clone)]
struct LogObject {
    /// The time in its key.
    time: Option<u32>,
    size: u64,
    etag: Option<Arc<str>>,
    /// What it was; or why it could not be read when that was last tried.
    read: Result<String, String>,
}

impl<'p> ResolverLogs<'p> {
    /// Nothing read yet. What is known of names, and what an object takes while it is read, are shares of so much memory.
    pub fn new(policy: &'p Policy, file: &'p Path, memory: u64) -> ResolverLogs<'p> {
        let most = usize::try_from(memory / 16).unwrap_or(usize::MAX);
        ResolverLogs {
            policy,
            file,
            memory,
            builder: LookupsBuilder::new(policy, most),
            report: ResolverReport {
                grace: policy.resolver_grace(),
                ..ResolverReport::default()
            },
            objects: BTreeMap::new(),
            is_unlisted: false,
        }
    }

    /// Reads those objects with keys of these times, or without times, that were not read before, and all of them anew if
    /// one is not what it was; whether there are any logs at all, of whatever time.
    ///
    /// # Errors
    /// When what the policy names is no source, or cannot be listed, or it was interrupted. What is not known for that is
    /// unproven.
    pub fn read(
        &mut self,
        times: [Option<u32>; 2],
        runtime: &Runtime,
        progress: &dyn Progress,
    ) -> Result<bool, ScanError> {
        self.is_unlisted = true;
        let mut read = self.read_new(times, runtime, progress)?;
        if read.is_none() {
            // What an object said before cannot be taken out.
            *self = ResolverLogs {
                is_unlisted: true,
                ..ResolverLogs::new(self.policy, self.file, self.memory)
            };
            read = self.read_new(times, runtime, progress)?;
        }
        self.is_unlisted = read.is_none();
        Ok(read.unwrap_or(true))
    }

    /// The same, without those that are not what they were: none if there is one.
    fn read_new(
        &mut self,
        [since, until]: [Option<u32>; 2],
        runtime: &Runtime,
        progress: &dyn Progress,
    ) -> Result<Option<bool>, ScanError> {
        let selection = Selection {
            logs: Logs::Resolver,
            since,
            until,
            ..Selection::default()
        };
        let sources = sources(self.policy, self.file)?;
        let (mut listing, s3) = list(&sources, selection, runtime).map_err(in_data)?;
        let options = FetchOptions {
            whole_limit: self.memory / 64,
            ..FetchOptions::default()
        };
        let fetcher = Fetcher::new(s3, options);
        let mut buffer = ReadBuffer::default();
        while let Some(mut batch) = runtime.block_on(listing.next()).map_err(in_data)? {
            let read = |object: &Object| {
                let known = self.objects.get(&object.url);
                known.filter(|known| known.read.is_ok())
            };
            let is_other = |object: &Object| {
                read(object)
                    .is_some_and(|known| known.size != object.size || known.etag != object.etag)
            };
            if batch.objects.iter().any(is_other) {
                return Ok(None);
            }
            batch.objects.retain(|object| read(object).is_none());
            let mut fetched = Box::pin(fetched(batch.objects, &fetcher, runtime));
            while let Some((object, body)) = runtime.block_on(fetched.next()) {
                if progress.is_over() {
                    return Err(ScanError::Failed(anyhow::anyhow!("it was interrupted")));
                }
                self.take(&object, body, &mut buffer);
            }
        }
        Ok(Some(listing.counts().objects > 0 || listing.has_pruned()))
    }

    fn take(&mut self, object: &Object, body: Result<Body, FetchError>, buffer: &mut ReadBuffer) {
        let read = match body {
            Ok(body) => self.read_body(object, &body, buffer),
            Err(error) => Err(error.reason.to_string()),
        };
        let read = LogObject {
            time: object.key.as_ref().map(|key| key.time),
            size: object.size,
            etag: object.etag.clone(),
            read,
        };
        self.objects.insert(object.url.clone(), read);
    }

    /// Reads an object wholly or not at all: what its bytes were.
    fn read_body(
        &mut self,
        object: &Object,
        body: &Body,
        buffer: &mut ReadBuffer,
    ) -> Result<String, String> {
        let mut aside = self.builder.aside();
        let (mut lines, mut blank, mut malformed) = (0, 0, Vec::new());
        let mut num_malformed = 0;
        let options = DecodeOptions::default();
        let mut note = |line: u64, error: MalformedQuery| {
            num_malformed += 1;
            if malformed.len() < SAMPLES {
                malformed.push((object.url.to_string(), line, error.to_string()));
            }
        };
        let mut each = |line: Option<&[u8]>| {
            lines += 1;
            let Some(line) = line else {
                let limit = options.max_line;
                return note(lines, MalformedQuery::TooLong { limit });
            };
            let any = queries_of_line(line, &mut |query| match query {
                Ok(query) => aside.add(&query),
                Err(error) => note(lines, error),
            });
            blank += u64::from(!any);
        };
        let input = body.input(buffer).map_err(|error| error.to_string())?;
        let state = match &object.etag {
            Some(etag) => etag.to_string(),
            None => digest_of(&input).map_err(|error| error.to_string())?,
        };
        each_line(input, &options, &mut each).map_err(|error| error.to_string())?;
        if num_malformed > 0 && aside.is_empty() {
            return Err(format!(
                "none of its {lines} lines is a Resolver query: {}",
                malformed.first().map_or("", |(_, _, why)| why)
            ));
        }
        self.builder.absorb(aside);
        self.report.lines += lines;
        self.report.blank += blank;
        self.report.malformed += num_malformed;
        let room = SAMPLES.saturating_sub(self.report.malformed_samples.len());
        self.report
            .malformed_samples
            .extend(malformed.into_iter().take(room));
        Ok(state)
    }

    /// Whether answers were let go that decisions go by: it knows less than it could of few hours.
    pub fn is_over(&self) -> bool {
        self.builder.is_over()
    }

    /// Forgets what hours from here on, seconds, are not judged by.
    pub fn forget_before(&mut self, hour: u32) {
        let [first, _] = needed(self.policy, [Some(hour), None]);
        let first = first.unwrap_or(0);
        self.objects
            .retain(|_, object| object.time.is_none_or(|time| time >= first));
        self.builder.forget_before(first);
    }

    /// As [`ResolverReport::digest_of`].
    pub fn digest_of(&self, hour: Hour) -> String {
        digest_of_hour(&self.states(), self.policy.resolver_grace(), hour)
    }

    /// By what they are.
    fn states(&self) -> Vec<State> {
        // Files are called as the policy calls them, from wherever it was read.
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let name = |url: &str| match Path::new(url).strip_prefix(folder) {
            Ok(below) if !url.contains("://") => below.to_string_lossy().into_owned(),
            _ => url.to_owned(),
        };
        let objects = self.objects.iter();
        let states = objects.map(|(url, object)| object.state(&name(url)));
        let mut states: Vec<State> = states.collect();
        if self.is_unlisted {
            states.push((None, [0; 32]));
        }
        states.sort_unstable_by_key(|(_, state)| *state);
        states
    }

    /// What they tell, and what there is to say about them.
    pub fn finish(mut self) -> (Lookups, ResolverReport) {
        let states = self.states();
        let unreadable = self.objects.iter().filter_map(|(url, object)| {
            let reason = object.read.as_ref().err()?;
            Some((url.to_string(), reason.clone()))
        });
        let unreadable: Vec<(String, String)> = unreadable.collect();
        // An object holds what was asked in the hour before it was published; that speaks for connections of a grace.
        let grace = self.policy.resolver_grace();
        for object in self.objects.values().filter(|object| object.read.is_err()) {
            match object.time {
                Some(time) => self.builder.lacks(
                    time.saturating_sub(DELIVERY_SECS),
                    time.saturating_add(grace),
                ),
                None => self.builder.lacks(0, u32::MAX),
            }
        }
        if self.is_unlisted {
            self.builder.lacks(0, u32::MAX);
        }
        let (lookups, gathered) = self.builder.finish();
        let report = ResolverReport {
            objects: self.objects.len() as u64,
            bytes: self.objects.values().map(|object| object.size).sum(),
            gathered,
            digest: digest_over(states.iter()),
            states,
            unreadable,
            ..self.report
        };
        (lookups, report)
    }
}

impl LogObject {
    fn state(&self, name: &str) -> State {
        let what = match &self.read {
            Ok(what) => what.clone(),
            Err(reason) => format!("unreadable: {reason}"),
        };
        let mut digest = Sha256::new();
        for text in [name, &what] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        (self.time, digest.finalize().into())
    }
}

fn digest_of_hour(states: &[State], grace: u32, hour: Hour) -> String {
    let (first, last) = (
        hour.start().saturating_sub(grace + LATE_SECS),
        // Whether logs cover an instant goes by what was asked up to a grace after it.
        hour.start().saturating_add(3600 + grace + DELIVERY_SECS),
    );
    let counts = |time: &Option<u32>| time.is_none_or(|time| (first..last).contains(&time));
    digest_over(states.iter().filter(|(time, _)| counts(time)))
}

/// SHA-256, in hex, over states in their order.
fn digest_over<'s>(states: impl Iterator<Item = &'s State>) -> String {
    let mut digest = Sha256::new();
    for (_, state) in states {
        digest.update(state);
    }
    hex(&digest.finalize())
}

/// SHA-256 of an object's bytes as stored, in hex.
fn digest_of(input: &Input<'_>) -> std::io::Result<String> {
    const CHUNK: u64 = 1 << 20;
    let mut digest = Sha256::new();
    match input {
        Input::Bytes(bytes) => digest.update(bytes),
        Input::Ranges(ranges) => {
            let mut at = 0;
            while at < ranges.size() {
                let length = CHUNK.min(ranges.size() - at);
                digest.update(ranges.read(at, length as usize)?);
                at += length;
            }
        }
    }
    Ok(hex(&digest.finalize()))
}

impl ResolverReport {
    /// SHA-256, in hex, over the objects that connections of an hour are judged by: those from the grace before it until
    /// the grace after it, as far as their keys tell. The same whatever else was read.
    pub fn digest_of(&self, hour: Hour) -> String {
        digest_of_hour(&self.states, self.grace, hour)
    }

    /// What a person should know: a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let gathered = &self.gathered;
        if !self.unreadable.is_empty() {
            warnings.push(format!(
                "objects of Resolver logs that could not be read: {}; what no other object allows by a name at that time is told as unproven",
                self.unreadable.len()
            ));
        }
        if gathered.needed_let_go > 0 {
            warnings.push(
                "Resolver logs hold more answers for names of the policy's destinations than there is memory for: what is allowed by a name that is not there is told as unproven; raise --memory"
                    .to_owned(),
            );
        }
        if gathered.let_go > gathered.needed_let_go {
            warnings.push(
                "Resolver logs hold more answers for other names than there is memory for: not all shared addresses, and not all names, are told; raise --memory"
                    .to_owned(),
            );
        }
        if self.malformed > 0 {
            let (url, line, why) = match self.malformed_samples.first() {
                Some((url, line, why)) => (url.as_str(), *line, why.as_str()),
                None => ("", 0, ""),
            };
            warnings.push(format!(
                "lines of Resolver logs that are no queries: {}, the first {url}:{line}: {why}",
                self.malformed
            ));
        }
        if gathered.queries == 0 {
            warnings.push(
                "Resolver logs hold no query of the policy's networks at that time: what is allowed by a name is unproven"
                    .to_owned(),
            );
        }
        warnings
    }
}
