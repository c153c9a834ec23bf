//! Traffic as a lake: the one that it was given as, or one that its logs are judged into and that goes with the run.

use std::path::Path;

use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::batch::{runtime, scan};
use super::error::ScanError;
use super::over::Over;
use super::progress::Progress;
use crate::sink::{Lake, Store};

/// Traffic that is looked at.
pub(super) struct Traffic<'o> {
    over: &'o Over,
    lake: Option<Lake>,
    temp: TempDir,
    runtime: Runtime,
}

/// What there is to know about a lake beside what it holds.
#[derive(Debug, Default)]
pub(super) struct Background {
    /// A sentence each.
    pub notes: Vec<String>,
    /// Objects that could not be read: url and why.
    pub unreadable: Vec<(String, String)>,
}

impl<'o> Traffic<'o> {
    /// Opens it, if it is a lake.
    ///
    /// # Errors
    /// When it is a lake of a newer format, or the store fails.
    pub fn open(over: &'o Over) -> Result<Traffic<'o>, ScanError> {
        let runtime = runtime()?;
        let temp = super::temp_folder("tidegate-")?;
        Ok(Traffic {
            over,
            lake: over.lake(&runtime, temp.path())?,
            temp,
            runtime,
        })
    }

    /// What a lake in S3 is read on, and what else is fetched.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Whether it is a lake, and not logs.
    pub fn is_lake(&self) -> bool {
        self.lake.is_some()
    }

    /// The lake; logs are judged by the policy of this file first.
    ///
    /// # Errors
    /// When logs cannot be judged.
    pub fn lake(
        &mut self,
        policy: &Path,
        progress: &dyn Progress,
    ) -> Result<(&Lake, Background), ScanError> {
        let (lake, background) = match self.lake.take() {
            Some(lake) => {
                let background = Background {
                    notes: self.over.widened().into_iter().collect(),
                    ..Background::default()
                };
                (lake, background)
            }
            None => {
                let folder = self.temp.path().join("judged");
                let report = scan(&self.over.scan(policy, Some(&folder)), progress)?;
                let background = Background {
                    notes: report.warnings,
                    unreadable: report.coverage.unreadable,
                };
                (
                    Lake::read(Store::local(&folder), self.temp.path())?,
                    background,
                )
            }
        };
        Ok((&*self.lake.insert(lake), background))
    }
}
