//! `sql`: the tables that were named, and queries over them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::flow::{DecodeOptions, Layout};
use crate::policy::Policy;
use crate::sink::{Hour, LakeFile, LakeFiles, Store, Table};
use crate::source::{FetchOptions, Fetcher, S3, Source};
use crate::sql::{
    Bounds, Flows, LakeSource, Notes, Params, QueryError, Rows, STACK, Session, statements,
};

use super::batch::scan;
use super::error::ScanError;
use super::memory::Shares;
use super::policy_file;
use super::progress::Unwatched;
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
    /// Goes with what queries wrote aside.
    temp: tempfile::TempDir,
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
        let bounds = Bounds {
            threads: settings.threads,
            // The rest is for objects that are being decoded, and for their rows.
            memory: settings.memory / 4 * 3,
            disk: settings.disk,
        };
        let failed = |error: QueryError| ScanError::Failed(error.into());
        let mut session = Session::new(bounds, temp.path()).map_err(failed)?;
        if !settings.logs.is_empty() {
            let flows = flows(settings, &runtime, &session)?;
            session.add_flows(flows).map_err(failed)?;
        }
        if let Some(source) =
            lake_source(settings, policy.as_ref(), &runtime, temp.path(), &session)?
        {
            session.add_lake(source).map_err(failed)?;
        }
        if let Some(policy) = policy {
            session.add_policy(policy).map_err(failed)?;
        }
        Ok(Queries {
            session,
            runtime: Some(runtime),
            waiting: waiting()?,
            timeout: settings.timeout,
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
                rows: None,
            };
            let rows = answer.wait(begun)?;
            answer.rows = Some(rows.map_err(|error| QueryError::External(error.into()))??);
            each(&mut answer)?;
        }
        Ok(())
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

    /// What a future gives, if it does before the deadline.
    fn wait<T>(&self, future: impl Future<Output = T>) -> Result<T, QueryError> {
        self.waiting.block_on(async {
            let Some(Deadline { at, timeout }) = self.deadline else {
                return Ok(future.await);
            };
            tokio::time::timeout_at(at, future).await.map_err(|_| {
                let seconds = timeout.as_secs_f64();
                let what = format!("the query took longer than its {seconds} s (--timeout)");
                QueryError::Execution(what)
            })
        })
    }
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

/// The tables of the lake; without one those of what is judged on the fly, if there are logs and a policy.
fn lake_source(
    settings: &QuerySettings,
    policy: Option<&Arc<Policy>>,
    runtime: &Runtime,
    temp: &Path,
    session: &Session,
) -> Result<Option<Arc<dyn LakeSource>>, ScanError> {
    if let Some(url) = &settings.lake {
        let open = || LakeFiles::open(Store::open(url, runtime.handle())?);
        let files = open().map_err(|error: crate::sink::LakeError| ScanError::from(error))?;
        return Ok(Some(Arc::new(files)));
    }
    if policy.is_none() || settings.logs.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(OnTheFly {
        settings: settings.clone(),
        folder: temp.join("judged"),
        notes: session.notes().clone(),
        judged: Mutex::default(),
    })))
}

/// Judges raw logs where a query asks for what comes of them, by `scan` itself into a lake that goes with the session.
/// Hours that were judged for an earlier query stay.
struct OnTheFly {
    settings: QuerySettings,
    folder: PathBuf,
    notes: Arc<Notes>,
    /// What was judged so far.
    judged: Mutex<Vec<Judged>>,
}

/// Some hours with or without their records; none is from the first or to the last.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Judged {
    keep: Keep,
    first: Option<Hour>,
    last: Option<Hour>,
}

impl OnTheFly {
    fn judge(&self, wanted: Judged) -> Result<(), ScanError> {
        // One at a time: queries name several of the tables.
        let mut judged = super::lock(&self.judged);
        if judged.contains(&wanted) {
            return Ok(());
        }
        let settings = ScanSettings {
            sources: self.settings.logs.clone(),
            policy: self.settings.policy.clone().unwrap_or_default(),
            lake: Some(self.lake(wanted.keep).to_string_lossy().into_owned()),
            keep: wanted.keep,
            since: wanted.first.map(Hour::start),
            until: wanted.last.map(|last| last.start().saturating_add(3600)),
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
            memory: self.settings.memory,
            horizon: DEFAULT_HORIZON,
        };
        let report = match scan(&settings, &Unwatched) {
            Ok(report) => report,
            // No object of that time: the tables are empty.
            Err(ScanError::NoObjects { .. }) => {
                judged.push(wanted);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for (url, why) in &report.coverage.unreadable {
            self.notes.unreadable(url, why);
        }
        judged.push(wanted);
        Ok(())
    }

    fn lake(&self, keep: Keep) -> PathBuf {
        self.folder.join(keep.as_str())
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
        let keep = match table {
            Table::Records => Keep::All,
            _ => Keep::None,
        };
        let is_of_days = table == Table::Findings;
        let wanted = Judged {
            keep,
            first: first.map(|hour| {
                if is_of_days {
                    hour.day().first_hour()
                } else {
                    hour
                }
            }),
            last: last.map(|hour| {
                if is_of_days {
                    hour.day().last_hour()
                } else {
                    hour
                }
            }),
        };
        self.judge(wanted)?;
        let store = Store::local(&self.lake(keep));
        if !store.exists("lake.json")? {
            return Ok(Vec::new());
        }
        let mut files = LakeFiles::open(store)?.files(table, first, last)?;
        for file in &mut files {
            file.name = format!("{}/{}", keep.as_str(), file.name);
        }
        Ok(files)
    }
}

impl std::fmt::Debug for OnTheFly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnTheFly({})", self.settings.logs.join(", "))
    }
}
