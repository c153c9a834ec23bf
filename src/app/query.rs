//! `sql`: the tables that were named, and queries over them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::flow::{DecodeOptions, Layout};
use crate::sink::{Hour, LakeError, LakeFile, LakeFiles, Store, Table};
use crate::source::{FetchOptions, Fetcher, S3, Source};
use crate::sql::{
    Bounds, Flows, LakeSource, Names, Notes, Params, Places, QueryError, RecordSource, Rows, STACK,
    Session, statements,
};

use super::asked::Asked;
use super::batch::scan_for;
use super::error::ScanError;
use super::memory::Shares;
use super::policy_file;
use super::progress::Progress;
use super::settings::{DEFAULT_HORIZON, Format, Keep, ScanSettings};

/// The settings of `sql`.
#[derive(Clone, Debug)]
pub struct QuerySettings {
    /// A lake to be read; none where there is none.
    pub lake: Option<String>,
    /// Raw logs: files, folders, globs, `s3://` prefixes; not `-`, which can be read but once.
    pub logs: Vec<String>,
    /// The policy file.
    pub policy: Option<PathBuf>,
    /// A file in MaxMind's format that tells the autonomous systems of addresses.
    pub asn: Option<PathBuf>,
    /// One that tells their countries.
    pub geo: Option<PathBuf>,
    /// The layout of lines without a header.
    pub layout: Option<Arc<Layout>>,
    /// Threads that a query is spread over; at least one.
    pub threads: usize,
    /// The bound on memory, bytes.
    pub memory: u64,
    /// The bound on temporary files, bytes.
    pub disk: u64,
    /// How long a query may take.
    pub timeout: Option<Duration>,
}

/// The tables that were named, and what queries over them run in.
pub struct Queries {
    session: Session,
    /// What queries run on; there until it is dropped.
    runtime: Option<Runtime>,
    /// What waits for them, with a clock of its own: threads that compute keep no time.
    waiting: Runtime,
    timeout: Option<Duration>,
    ends: Ends,
    /// Goes with what queries wrote aside.
    temp: tempfile::TempDir,
}

/// Ends the query that runs, if one does. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ends(watch::Sender<Ended>);

/// How many queries have come to an end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ended {
    /// Because somebody wanted it.
    early: u64,
    /// In whatever way.
    all: u64,
}

impl Ends {
    fn new() -> Ends {
        Ends(watch::Sender::default())
    }

    /// Ends the query that runs: it fails, and what it still computes is for nobody.
    pub fn end(&self) {
        self.0.send_modify(|ended| ended.early += 1);
    }

    fn has_ended(&self) {
        self.0.send_modify(|ended| ended.all += 1);
    }

    fn now(&self) -> Ended {
        *self.0.borrow()
    }
}

impl Queries {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// When a source, the lake or the policy is not as it should be.
    pub fn open(settings: &QuerySettings) -> Result<Queries, ScanError> {
        let policy = match &settings.policy {
            Some(path) => Some(Arc::new(policy_file::load(path)?)),
            None => None,
        };
        let runtime = runtime(settings.threads)?;
        let temp = tempfile::Builder::new()
            .prefix("tidegate-sql-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let judges = settings.lake.is_none() && policy.is_some() && !settings.logs.is_empty();
        let bounds = Bounds {
            threads: settings.threads,
            // The rest is for objects that are being decoded, and for their rows; or for judging.
            memory: if judges {
                settings.memory / 2
            } else {
                settings.memory / 4 * 3
            },
            disk: settings.disk,
        };
        let failed = |error: QueryError| ScanError::Failed(error.into());
        let mut session = Session::new(bounds, temp.path()).map_err(failed)?;
        let ends = Ends::new();
        if !settings.logs.is_empty() {
            let flows = flows(settings, &runtime, &session)?;
            session.add_flows(flows).map_err(failed)?;
        }
        if let Some(url) = &settings.lake {
            let open = || LakeFiles::open(Store::open(url, runtime.handle())?);
            let files = open().map_err(|error: LakeError| ScanError::from(error))?;
            let added = session.add_lake(Arc::new(files), &Table::ALL);
            added.map_err(failed)?;
        } else if judges {
            let judged = Arc::new(OnTheFly {
                settings: settings.clone(),
                memory: settings.memory / 2,
                folder: temp.path().join("judged"),
                notes: session.notes().clone(),
                ends: ends.clone(),
                judged: Mutex::default(),
            });
            let others = Table::ALL.into_iter();
            let others: Vec<Table> = others.filter(|table| *table != Table::Records).collect();
            session.add_lake(judged.clone(), &others).map_err(failed)?;
            session.add_records(judged).map_err(failed)?;
        }
        if let Some(policy) = policy {
            session.add_policy(policy).map_err(failed)?;
        }
        let places = Places::open(settings.asn.as_deref(), settings.geo.as_deref());
        let places = places.map_err(|error| ScanError::Usage {
            message: error.to_string(),
            hint: None,
        })?;
        session.add_places(places).map_err(failed)?;
        Ok(Queries {
            session,
            runtime: Some(runtime),
            waiting: waiting()?,
            timeout: settings.timeout,
            ends,
            temp,
        })
    }

    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("it is there until it is dropped")
    }

    /// Runs the statements of a text, one after the other, in which `$name` stands for a value; `each` takes the rows of
    /// each of them, on the thread that calls.
    ///
    /// # Errors
    /// When a statement is none that only reads, or fails; the first error of `each`.
    pub fn run<E: From<QueryError>>(
        &self,
        text: &str,
        params: &Params,
        mut each: impl FnMut(&mut Answer<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let early = self.ends.now().early;
        let text = text.to_owned();
        let parsed = self.runtime().spawn(async move { statements(&text) });
        let parsed = self.waiting.block_on(parsed);
        for statement in parsed.map_err(|error| QueryError::External(error.into()))?? {
            let (session, params) = (self.session.clone(), params.clone());
            let begun = async move { session.run(statement, &params).await };
            let begun = self.runtime().spawn(begun);
            let mut answer = Answer {
                deadline: self.timeout.map(Deadline::after),
                waiting: &self.waiting,
                early,
                ends: &self.ends,
                rows: None,
            };
            let rows = answer.wait(begun)?;
            answer.rows = Some(rows.map_err(|error| QueryError::External(error.into()))??);
            each(&mut answer)?;
        }
        Ok(())
    }

    /// What ends a query that runs.
    pub fn ends(&self) -> &Ends {
        &self.ends
    }

    /// What queries can name.
    pub fn names(&self) -> Names {
        self.waiting.block_on(self.session.names())
    }

    /// The folder of what queries write aside; it goes with this.
    pub fn temp(&self) -> &Path {
        self.temp.path()
    }

    /// What queries came across since this was last asked.
    pub fn notes(&self) -> &Notes {
        self.session.notes()
    }
}

impl Drop for Queries {
    fn drop(&mut self) {
        // Nobody waits for a query that took too long.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The rows of a query.
pub struct Answer<'w> {
    deadline: Option<Deadline>,
    waiting: &'w Runtime,
    ends: &'w Ends,
    /// How many queries had been ended early when it was asked.
    early: u64,
    /// There when it has begun.
    rows: Option<Rows>,
}

/// When a query has to be answered.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    fn after(timeout: Duration) -> Deadline {
        Deadline {
            at: Instant::now() + timeout,
            timeout,
        }
    }
}

impl Answer<'_> {
    /// Their columns.
    pub fn schema(&self) -> &SchemaRef {
        self.rows.as_ref().expect("it has begun").schema()
    }

    /// Some more of them; none at the end.
    ///
    /// # Errors
    /// When the query fails, or takes longer than it may.
    pub fn more(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        let mut rows = self.rows.take().expect("it has begun");
        let next = self.wait(rows.more());
        self.rows = Some(rows);
        next?
    }

    /// What a future gives, if it does before the deadline and before the query is ended.
    fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, QueryError> {
        let (deadline, early) = (self.deadline, self.early);
        let mut ended = self.ends.0.subscribe();
        let too_late = async {
            let Some(Deadline { at, timeout }) = deadline else {
                return std::future::pending().await;
            };
            tokio::time::sleep_until(at).await;
            let seconds = timeout.as_secs_f64();
            format!("the query took longer than its {seconds} s (--timeout)")
        };
        let why = self.waiting.block_on(async {
            tokio::select! {
                biased;
                _ = ended.wait_for(|ended| ended.early != early) => Err("the query was interrupted".to_owned()),
                why = too_late => Err(why),
                value = future => Ok(value),
            }
        });
        why.map_err(QueryError::Execution)
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        // What is judged for it need not go on.
        self.ends.has_ended();
    }
}

/// The tables of the lake at this folder or `s3://` prefix that have no files yet.
///
/// # Errors
/// When there is no such lake, or it cannot be listed.
pub fn empty_tables(url: &str) -> Result<Vec<Table>, ScanError> {
    let runtime = runtime(1)?;
    let files =
        || -> Result<LakeFiles, LakeError> { LakeFiles::open(Store::open(url, runtime.handle())?) };
    let files = files()?;
    let mut empty = Vec::new();
    for table in Table::ALL {
        if files.files(table, None, None)?.is_empty() {
            empty.push(table);
        }
    }
    Ok(empty)
}

/// What queries run on.
fn runtime(threads: usize) -> Result<Runtime, ScanError> {
    let built = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK)
        .enable_all()
        .build();
    Ok(built.context("cannot start the threads of queries")?)
}

fn waiting() -> Result<Runtime, ScanError> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    Ok(built.context("cannot keep the time of queries")?)
}

fn flows(
    settings: &QuerySettings,
    runtime: &Runtime,
    session: &Session,
) -> Result<Flows, ScanError> {
    if settings.logs.iter().any(|word| word == "-") {
        return Err(ScanError::Usage {
            message: "standard input cannot be queried: a query may read its logs several times"
                .to_owned(),
            hint: Some("put it into a file and name that".to_owned()),
        });
    }
    let words = settings.logs.iter().map(|word| Source::parse(word));
    let sources: Vec<Source> = words.collect::<Result<_, _>>().map_err(ScanError::from)?;
    let s3 = if sources.iter().any(Source::is_s3) {
        Some(runtime.block_on(S3::connect()).map_err(ScanError::from)?)
    } else {
        None
    };
    let shares = Shares::of(settings.memory);
    let fetch = FetchOptions {
        whole_limit: shares.object,
        ..FetchOptions::default()
    };
    let options = DecodeOptions {
        layout: settings.layout.clone(),
        max_row_group: shares.object,
        ..DecodeOptions::default()
    };
    let fetcher = Fetcher::new(s3.clone(), fetch);
    let held_back = (settings.memory / 8) as usize / settings.threads.max(1);
    let notes = session.notes().clone();
    Ok(Flows::new(sources, s3, fetcher, options, held_back, notes))
}

/// Judges raw logs where a query asks for what comes of them, as `scan` does: records go to the query as they come, all else
/// into a lake that goes with the session. Hours that were judged for an earlier query stay there.
struct OnTheFly {
    settings: QuerySettings,
    /// Bytes that judging may take.
    memory: u64,
    folder: PathBuf,
    notes: Arc<Notes>,
    ends: Ends,
    /// What was judged into the lake so far.
    judged: Mutex<Vec<(Option<Hour>, Option<Hour>)>>,
}

impl OnTheFly {
    /// Judges the hours between the two, both included: into the lake, or for whoever asks for records.
    fn judge(
        &self,
        (first, last): (Option<Hour>, Option<Hour>),
        asked: Option<&Asked<'_>>,
    ) -> Result<(), ScanError> {
        let lake = asked.is_none().then(|| self.folder.to_string_lossy());
        let settings = ScanSettings {
            sources: self.settings.logs.clone(),
            policy: self.settings.policy.clone().unwrap_or_default(),
            lake: lake.map(Cow::into_owned),
            keep: Keep::None,
            since: first.map(Hour::start),
            until: last.map(|last| last.start().saturating_add(3600)),
            accounts: Vec::new(),
            regions: Vec::new(),
            format: Format::Text,
            outputs: Vec::new(),
            fail_on: None,
            known: Default::default(),
            plan: false,
            rejudge: false,
            layout: self.settings.layout.clone(),
            threads: self.settings.threads,
            memory: self.memory,
            horizon: DEFAULT_HORIZON,
        };
        let progress = UntilEnded {
            ends: &self.ends,
            begun: self.ends.now(),
        };
        let report = match scan_for(&settings, asked, &progress) {
            Ok(report) => report,
            // No object of that time: the tables are empty.
            Err(ScanError::NoObjects { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (url, why) in &report.coverage.unreadable {
            self.notes.unreadable(url, why);
        }
        Ok(())
    }
}

impl LakeSource for OnTheFly {
    fn store(&self) -> Store {
        Store::local(&self.folder)
    }

    fn files(
        &self,
        table: Table,
        first: Option<Hour>,
        last: Option<Hour>,
    ) -> Result<Vec<LakeFile>, Box<dyn std::error::Error + Send + Sync>> {
        let hours = match table {
            Table::Findings => (
                first.map(|hour| hour.day().first_hour()),
                last.map(|hour| hour.day().last_hour()),
            ),
            _ => (first, last),
        };
        // One at a time: queries name several of the tables.
        let mut judged = super::lock(&self.judged);
        if !judged.contains(&hours) {
            self.judge(hours, None)?;
            judged.push(hours);
        }
        drop(judged);
        let store = self.store();
        if !store.exists("lake.json")? {
            return Ok(Vec::new());
        }
        Ok(LakeFiles::open(store)?.files(table, first, last)?)
    }
}

impl RecordSource for OnTheFly {
    fn judge(
        &self,
        columns: &[usize],
        hours: (Option<Hour>, Option<Hour>),
        batch_rows: usize,
        rows: &Sender<RecordBatch>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let asked = Asked {
            columns,
            batch_rows,
            rows,
        };
        match OnTheFly::judge(self, hours, Some(&asked)) {
            // They have what they wanted.
            Err(_) if rows.is_closed() => Ok(()),
            result => Ok(result?),
        }
    }
}

/// What is judged for a query is judged until the query ends.
struct UntilEnded<'e> {
    ends: &'e Ends,
    begun: Ended,
}

impl Progress for UntilEnded<'_> {
    fn begin(&self, _objects: u64, _bytes: u64) {}

    fn advance(&self, _objects: u64, _bytes: u64, _records: u64) {}

    fn stage(&self, _what: &str) {}

    fn is_over(&self) -> bool {
        self.ends.now() != self.begun
    }
}

impl std::fmt::Debug for OnTheFly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnTheFly({})", self.settings.logs.join(", "))
    }
}
