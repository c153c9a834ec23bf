//! `sql`: the tables that were named, and queries over them.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::flow::{DecodeOptions, Layout};
use crate::net::Origins;
use crate::policy::OriginFiles;
use crate::sink::{LakeError, LakeFiles, Store, Table};
use crate::source::{FetchOptions, Fetcher, S3, Source};
use crate::sql::{
    Bounds, Flows, Names, Notes, Params, Policies, QueryError, Rows, STACK, Session, statements,
};

use super::ends::Ends;
use super::error::ScanError;
use super::memory::Shares;
use super::on_the_fly::OnTheFly;
use super::policy_file;
use super::terms::Terms;

/// The settings of `sql`.
#[derive(Clone, Debug)]
pub struct QuerySettings {
    /// A lake to be read; none where there is none.
    pub lake: Option<String>,
    /// Raw logs: files, folders, globs, `s3://` prefixes; not `-`, which can be read but once.
    pub logs: Vec<String>,
    /// The policy file; of several, each answers from its `effective` on. May be empty.
    pub policies: Vec<PathBuf>,
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
    threads: usize,
    /// What queries run on: a new one when one of them was given up, whose threads may compute for long.
    runtime: RefCell<Hurried>,
    has_given_up: Cell<bool>,
    /// What a lake is read on.
    _sources: Hurried,
    /// What waits for them, with a clock of its own: threads that compute keep no time.
    waiting: Runtime,
    timeout: Option<Duration>,
    ends: Ends,
    /// Goes with what queries wrote aside.
    temp: tempfile::TempDir,
}

impl Queries {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// When a source, the lake or the policy is not as it should be.
    pub fn open(settings: &QuerySettings) -> Result<Queries, ScanError> {
        let terms = match settings.policies.is_empty() {
            true => None,
            false => Some(Terms::load(&settings.policies)?),
        };
        let sources = Hurried::new(1)?;
        let runtime = &*sources;
        let temp = super::temp_folder("tidegate-sql-")?;
        let judges = settings.lake.is_none() && terms.is_some() && !settings.logs.is_empty();
        let bounds = Bounds {
            threads: settings.threads,
            // The rest is for judging, or for objects that are being decoded and for their rows.
            memory: settings.memory / 4 * if judges { 1 } else { 3 },
            disk: settings.disk,
        };
        let failed = |error: QueryError| ScanError::Failed(error.into());
        let mut session = Session::new(bounds, temp.path()).map_err(failed)?;
        let ends = Ends::new();
        if !settings.logs.is_empty() {
            let flows = flows(settings, runtime, &session)?;
            session.add_flows(flows).map_err(failed)?;
        }
        if let Some(url) = &settings.lake {
            let open = || LakeFiles::open(Store::open(url, runtime.handle())?);
            let files = open().map_err(|error: LakeError| ScanError::from(error))?;
            let added = session.add_lake(Arc::new(files), &Table::ALL);
            added.map_err(failed)?;
        } else if judges {
            let (folder, notes) = (temp.path().join("judged"), session.notes().clone());
            let judged = Arc::new(OnTheFly::new(settings, folder, notes, ends.clone()));
            let others = Table::ALL.into_iter();
            let others: Vec<Table> = others.filter(|table| *table != Table::Records).collect();
            session.add_lake(judged.clone(), &others).map_err(failed)?;
            session.add_records(judged).map_err(failed)?;
        }
        let origins = origins(settings, terms.as_ref())?;
        if let Some(terms) = &terms {
            let policies = terms
                .iter()
                .map(|term| (i64::from(term.from.unwrap_or(0)), term.policy.clone()));
            let added = session.add_policies(Policies(policies.collect()));
            added.map_err(failed)?;
        }
        session.add_origins(origins).map_err(failed)?;
        Ok(Queries {
            session,
            threads: settings.threads,
            runtime: RefCell::new(Hurried::new(settings.threads)?),
            has_given_up: Cell::new(false),
            _sources: sources,
            waiting: waiting()?,
            timeout: settings.timeout,
            ends,
            temp,
        })
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
        if self.has_given_up.take() {
            let fresh = Hurried::new(self.threads);
            *self.runtime.borrow_mut() =
                fresh.map_err(|error| QueryError::External(error.into()))?;
        }
        let runtime = self.runtime.borrow();
        let early = self.ends.now().early;
        let answer = || Answer {
            deadline: self.timeout.map(Deadline::after),
            queries: self,
            early,
            rows: None,
        };
        let text = text.to_owned();
        let parsed = answer().wait(runtime.spawn(async move { statements(&text) }))?;
        for statement in parsed.map_err(|error| QueryError::External(error.into()))?? {
            let (session, params) = (self.session.clone(), params.clone());
            let mut answer = answer();
            let begun = runtime.spawn(async move { session.run(statement, &params).await });
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

/// A runtime that nobody waits for when it goes.
struct Hurried(Option<Runtime>);

impl Hurried {
    fn new(threads: usize) -> Result<Hurried, ScanError> {
        Ok(Hurried(Some(runtime(threads)?)))
    }
}

impl std::ops::Deref for Hurried {
    type Target = Runtime;

    fn deref(&self) -> &Runtime {
        self.0.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Hurried {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The rows of a query.
pub struct Answer<'w> {
    queries: &'w Queries,
    deadline: Option<Deadline>,
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
        let too_late = async {
            let Some(Deadline { at, timeout }) = deadline else {
                return std::future::pending().await;
            };
            tokio::time::sleep_until(at).await;
            let seconds = timeout.as_secs_f64();
            format!("the query took longer than its {seconds} s (--timeout)")
        };
        let queries = self.queries;
        let why = queries.waiting.block_on(async {
            tokio::select! {
                biased;
                _ = queries.ends.wait(early) => Err("the query was interrupted".to_owned()),
                why = too_late => Err(why),
                value = future => Ok(value),
            }
        });
        queries
            .has_given_up
            .set(queries.has_given_up.get() || why.is_err());
        why.map_err(QueryError::Execution)
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        // What is judged for it need not go on.
        self.queries.ends.has_ended();
    }
}

/// The tables of the lake at this folder or `s3://` prefix that have no files yet.
///
/// # Errors
/// When there is no such lake, or it cannot be listed.
pub fn empty_tables(url: &str) -> Result<Vec<Table>, ScanError> {
    let runtime = Hurried::new(1)?;
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

/// What is known of addresses of the internet: by the files of the settings, else by those that the last policy names.
fn origins(settings: &QuerySettings, terms: Option<&Terms>) -> Result<Origins, ScanError> {
    let usage = |message: String| ScanError::Usage {
        message,
        hint: None,
    };
    let word = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let own = OriginFiles {
        asn: word(&settings.asn),
        geo: word(&settings.geo),
    };
    let own = own.origins(&|name| std::fs::read(name)).map_err(usage)?;
    let pinned = match terms {
        Some(terms) => policy_file::origins(terms.last(), terms.last_file()).map_err(usage)?,
        None => Origins::default(),
    };
    Ok(own.or(pinned))
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
