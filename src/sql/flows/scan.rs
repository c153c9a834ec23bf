//! The file source of `flows` inside DataFusion's own scan: which columns and conditions it takes over, and how an object
//! is opened.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileOpenFuture, FileOpener, FileScanConfig, FileSource,
};
use datafusion::datasource::projection::{ProjectionOpener, SplitProjection};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::object_store::ObjectStore;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::{DisplayFormatType, apply_expression_roots};
use futures::StreamExt;
use tokio::sync::mpsc;

use super::condition::Condition;
use super::rows::{Counts, Ended, Wanted, read};
use crate::flow::DecodeOptions;
use crate::source::{Fetcher, Object};
use crate::sql::notes::Notes;

/// Batches that wait between the thread that decodes an object and the query.
const BATCHES_AHEAD: usize = 2;

/// What all objects are read by.
#[derive(Debug)]
pub(super) struct Reading {
    pub fetcher: Fetcher,
    pub options: DecodeOptions,
    /// Bytes of rows of one object that may wait for it to prove whole.
    pub held_back: usize,
    pub notes: Arc<Notes>,
}

/// Reads flow logs of any layout, text or Parquet, as rows of `flows`.
#[derive(Clone)]
pub(super) struct FlowSource {
    schema: TableSchema,
    projection: SplitProjection,
    /// Filters that were taken over, and what they are here.
    filters: Vec<Arc<dyn PhysicalExpr>>,
    conditions: Arc<[Condition]>,
    batch_rows: usize,
    reading: Arc<Reading>,
    metrics: ExecutionPlanMetricsSet,
}

impl FlowSource {
    /// A source of all columns and rows.
    pub fn new(
        schema: TableSchema,
        reading: Arc<Reading>,
        metrics: ExecutionPlanMetricsSet,
    ) -> FlowSource {
        FlowSource {
            projection: SplitProjection::unprojected(&schema),
            schema,
            filters: Vec::new(),
            conditions: Arc::from([]),
            batch_rows: 8192,
            reading,
            metrics,
        }
    }
}

impl FileSource for FlowSource {
    fn create_file_opener(
        &self,
        _store: Arc<dyn ObjectStore>,
        _config: &FileScanConfig,
        partition: usize,
    ) -> Result<Arc<dyn FileOpener>> {
        let count = |name| MetricBuilder::new(&self.metrics).counter(name, partition);
        let opener = Arc::new(FlowOpener {
            reading: self.reading.clone(),
            wanted: Wanted {
                columns: self.projection.file_indices.clone(),
                conditions: self.conditions.clone(),
                batch_rows: self.batch_rows,
                held_back: self.reading.held_back,
            },
            counts: Counts {
                objects: count("objects_read"),
                bytes: count("bytes_decoded"),
                rows: count("rows_decoded"),
                malformed: count("lines_malformed"),
            },
        });
        ProjectionOpener::try_new(self.projection.clone(), opener, self.schema.file_schema())
    }

    fn table_schema(&self) -> &TableSchema {
        &self.schema
    }

    fn with_batch_size(&self, batch_size: usize) -> Arc<dyn FileSource> {
        Arc::new(FlowSource {
            batch_rows: batch_size.max(1),
            ..self.clone()
        })
    }

    fn try_pushdown_projection(
        &self,
        projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn FileSource>>> {
        let merged = self.projection.source.try_merge(projection)?;
        Ok(Some(Arc::new(FlowSource {
            projection: SplitProjection::new(self.schema.file_schema(), &merged),
            ..self.clone()
        })))
    }

    fn projection(&self) -> Option<&ProjectionExprs> {
        Some(&self.projection.source)
    }

    fn filter(&self) -> Option<Arc<dyn PhysicalExpr>> {
        let all = self.filters.iter().cloned();
        all.reduce(|one, other| {
            Arc::new(datafusion::physical_expr::expressions::BinaryExpr::new(
                one,
                datafusion::logical_expr::Operator::And,
                other,
            ))
        })
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn FileSource>>> {
        let mut source = self.clone();
        let mut conditions = self.conditions.to_vec();
        let taken = filters
            .into_iter()
            .map(|filter| match Condition::of(&filter) {
                Some(condition) => {
                    conditions.push(condition);
                    source.filters.push(filter);
                    PushedDown::Yes
                }
                None => PushedDown::No,
            });
        let taken: Vec<PushedDown> = taken.collect();
        source.conditions = conditions.into();
        let source: Arc<dyn FileSource> = Arc::new(source);
        Ok(FilterPushdownPropagation::with_parent_pushdown_result(taken).with_updated_node(source))
    }

    fn metrics(&self) -> &ExecutionPlanMetricsSet {
        &self.metrics
    }

    fn file_type(&self) -> &str {
        "flow log"
    }

    fn supports_repartitioning(&self) -> bool {
        false
    }

    fn fmt_extra(&self, kind: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (kind, self.filter()) {
            (DisplayFormatType::TreeRender, _) | (_, None) => Ok(()),
            (_, Some(filter)) => write!(f, ", tested_before_built={filter}"),
        }
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let projected = self.projection.source.iter().map(|one| &one.expr);
        apply_expression_roots(
            projected
                .chain(&self.filters)
                .cloned()
                .collect::<Vec<_>>()
                .iter(),
            f,
        )
    }
}

/// Opens objects.
struct FlowOpener {
    reading: Arc<Reading>,
    wanted: Wanted,
    counts: Counts,
}

impl FileOpener for FlowOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let Some(object) = file.extension::<Object>() else {
            let what = format!("{} is no object of a listing", file.path());
            return Err(DataFusionError::Internal(what));
        };
        let mut object = object.clone();
        let (reading, wanted) = (self.reading.clone(), self.wanted.clone());
        let counts = self.counts.clone();
        Ok(Box::pin(async move {
            let body = match reading.fetcher.fetch(&mut object).await {
                Ok(body) => body,
                Err(error) => {
                    reading
                        .notes
                        .unreadable(&object.url, &error.reason.to_string());
                    return Ok(futures::stream::empty().boxed());
                }
            };
            // Decoding begins when the first batch is asked for: the next object is opened while this one is read.
            let batches = async move {
                let (rows, batches) = mpsc::channel::<RecordBatch>(BATCHES_AHEAD);
                let url = object.url.clone();
                let decode = tokio::task::spawn_blocking(move || {
                    let options = &reading.options;
                    let ended = read(&body, &object.url, options, &wanted, &counts, &rows);
                    if let Ended::Broken(error) = &ended {
                        reading.notes.unreadable(&object.url, &error.to_string());
                    }
                    ended
                });
                let batches = futures::stream::unfold(batches, async |mut batches| {
                    Some((Ok(batches.recv().await?), batches))
                });
                batches.chain(
                    futures::stream::once(async move {
                        match decode.await {
                            Ok(Ended::BrokenLate(error)) => Some(Err(broken(&url, &error))),
                            Ok(Ended::Whole | Ended::Broken(_)) => None,
                            Err(error) => Some(Err(broken(&url, &error))),
                        }
                    })
                    .filter_map(std::future::ready),
                )
            };
            Ok(futures::stream::once(batches).flatten().boxed())
        }))
    }
}

fn broken(url: &str, error: &impl fmt::Display) -> DataFusionError {
    DataFusionError::Execution(format!(
        "{url} broke when some of its rows had been counted: {error}; leave it out and ask again"
    ))
}
