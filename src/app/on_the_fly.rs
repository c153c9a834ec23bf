//! What queries ask of raw logs and a policy where there is no lake, judged when they ask.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use crate::sink::{Hour, LakeFile, LakeFiles, Store, Table};
use crate::sql::{LakeSource, Notes, QueryError, RecordSource};

use super::asked::Asked;
use super::batch::scan_for;
use super::ends::{Ends, UntilEnded};
use super::error::ScanError;
use super::query::QuerySettings;
use super::settings::{DEFAULT_HORIZON, Format, Keep, ScanSettings};

/// Judges raw logs where a query asks for what comes of them, as `scan` does: records go to the query as they come, all else
/// into a lake that goes with the session. Hours that were judged for an earlier query stay there.
pub(super) struct OnTheFly {
    settings: QuerySettings,
    folder: PathBuf,
    notes: Arc<Notes>,
    ends: Ends,
    /// What was judged into the lake so far.
    judged: Mutex<Vec<(Option<Hour>, Option<Hour>)>>,
}

impl OnTheFly {
    /// Judges what these settings name, into this folder where there are files to be made.
    pub fn new(
        settings: &QuerySettings,
        folder: PathBuf,
        notes: Arc<Notes>,
        ends: Ends,
    ) -> OnTheFly {
        OnTheFly {
            settings: settings.clone(),
            folder,
            notes,
            ends,
            judged: Mutex::default(),
        }
    }

    /// Judges the hours between the two, both included: into the lake, or for whoever asks for records.
    fn judge(
        &self,
        (first, last): (Option<Hour>, Option<Hour>),
        asked: Option<&Asked<'_>>,
    ) -> Result<(), ScanError> {
        let lake = asked.is_none().then(|| self.folder.to_string_lossy());
        let settings = ScanSettings {
            sources: self.settings.logs.clone(),
            policies: self.settings.policies.clone(),
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
            // The rest is for the query.
            memory: self.settings.memory / 4 * 3,
            horizon: DEFAULT_HORIZON,
            detect: false,
            baseline: None,
        };
        let report = match scan_for(&settings, asked, &UntilEnded::new(&self.ends)) {
            Ok(report) => report,
            // No object of that time: the tables are empty.
            Err(ScanError::NoObjects { others: true, .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (url, why) in &report.coverage.unreadable {
            self.notes.unreadable(url, why);
        }
        Ok(())
    }
}

/// What a query fails by: whatever the user can change is an error of the question.
fn told(error: ScanError) -> QueryError {
    let hint = error.hint().map(|hint| format!("\nhint: {hint}"));
    match &error {
        ScanError::Failed(_) => QueryError::External(error.into()),
        _ => QueryError::Plan(format!("{error}{}", hint.unwrap_or_default())),
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
            self.judge(hours, None).map_err(told)?;
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
            result => Ok(result.map_err(told)?),
        }
    }
}

impl std::fmt::Debug for OnTheFly {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OnTheFly({})", self.settings.logs.join(", "))
    }
}
