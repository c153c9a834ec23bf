//! The table `records` where there is no lake: judged when a query asks for it, and handed on batch by batch.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use tokio::sync::mpsc::{self, Sender};

use super::lake::hours;
use crate::sink::{Hour, RecordBatches, Table};

/// Batches that wait between the threads that judge and the query.
const BATCHES_AHEAD: usize = 4;

/// Judges records.
pub trait RecordSource: Send + Sync + std::fmt::Debug {
    /// Judges the records of the hours between the two, both included, and hands on these columns of
    /// [`RecordBatches::all`] in batches of so many rows, until that is closed. Blocks.
    ///
    /// # Errors
    /// When they cannot be judged, in words for people.
    fn judge(
        &self,
        columns: &[usize],
        hours: (Option<Hour>, Option<Hour>),
        batch_rows: usize,
        rows: &Sender<RecordBatch>,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

/// The table.
#[derive(Debug)]
pub(super) struct RecordsTable {
    source: Arc<dyn RecordSource>,
    schema: SchemaRef,
}

impl RecordsTable {
    /// The table of what this source judges.
    pub fn new(source: Arc<dyn RecordSource>) -> RecordsTable {
        RecordsTable {
            source,
            schema: RecordBatches::all(),
        }
    }
}

#[async_trait]
impl TableProvider for RecordsTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They choose hours; all else is asked of what was judged.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = || (0..self.schema.fields().len()).collect();
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(all);
        let schema = Arc::new(self.schema.project(&columns)?);
        let judged = Arc::new(Judged {
            source: self.source.clone(),
            schema: schema.clone(),
            columns,
            hours: hours(Table::Records, filters),
        });
        let plan = StreamingTableExec::try_new(schema, vec![judged], None, None, false, limit)?;
        Ok(Arc::new(plan))
    }
}

/// Records that are judged when somebody reads them.
#[derive(Debug)]
struct Judged {
    source: Arc<dyn RecordSource>,
    schema: SchemaRef,
    columns: Vec<usize>,
    hours: (Option<Hour>, Option<Hour>),
}

impl PartitionStream for Judged {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (source, columns, hours) = (self.source.clone(), self.columns.clone(), self.hours);
        let batch_rows = context.session_config().batch_size();
        let (rows, batches) = mpsc::channel(BATCHES_AHEAD);
        // Judging begins when the first batch is asked for, and ends when nobody takes batches any more.
        let stream = async move {
            let judging = tokio::task::spawn_blocking(move || {
                source.judge(&columns, hours, batch_rows, &rows)
            });
            let batches = futures::stream::unfold(batches, async |mut batches| {
                Some((Ok(batches.recv().await?), batches))
            });
            let end = futures::stream::once(async move {
                match judging.await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(Err(DataFusionError::External(error))),
                    Err(error) => Some(Err(DataFusionError::External(error.into()))),
                }
            });
            batches.chain(end.filter_map(std::future::ready))
        };
        let stream = futures::stream::once(stream).flatten();
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}
