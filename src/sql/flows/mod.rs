//! The table `flows`: raw flow logs where they lie, text of any layout and Parquet as one table.
//!
//! ```text
//! filters ──▶ prune: which keys ──▶ Listing ──▶ FlowSource in DataFusion's scan ──▶ rows: decode, test, build
//! ```

mod condition;
mod prune;
mod rows;
mod scan;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field as ArrowField, FieldRef, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};

pub(super) use prune::span_of;
use scan::{FlowSource, Reading};

use super::notes::Notes;
use super::stores;
use crate::flow::{DecodeOptions, flows_schema};
use crate::source::{Fetcher, Listing, Object, S3, Source, WHAT_IS_TAKEN};

/// Flow logs as a table.
pub struct Flows {
    sources: Vec<Source>,
    s3: Option<S3>,
    schema: TableSchema,
    reading: Arc<Reading>,
}

impl Flows {
    /// The table of what is in these sources, some of which may be in S3; `notes` takes what cannot be read. Of each object
    /// that is being read so many bytes of rows are held back until it has proven whole; the rows of a larger one are handed
    /// on as they come, and the query fails should it break.
    pub fn new(
        sources: Vec<Source>,
        s3: Option<S3>,
        fetcher: Fetcher,
        options: DecodeOptions,
        held_back: usize,
        notes: Arc<Notes>,
    ) -> Flows {
        Flows {
            sources,
            s3,
            schema: TableSchema::builder(flows_schema())
                .with_table_partition_cols(key_columns())
                .build(),
            reading: Arc::new(Reading {
                fetcher,
                options,
                held_back,
                notes,
            }),
        }
    }
}

/// What the objects' keys say, behind the columns of the raw log: when an object was published, whose flow log it is of
/// and in which region. Null for objects whose keys are not AWS's.
fn key_columns() -> Vec<FieldRef> {
    let time = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
    let columns = [
        ("key_time", time),
        ("key_account", DataType::Utf8),
        ("key_region", DataType::Utf8),
    ];
    let columns = columns.map(|(name, kind)| Arc::new(ArrowField::new(name, kind, true)));
    columns.to_vec()
}

/// The values of [`key_columns`].
fn key_values(object: &Object) -> Vec<ScalarValue> {
    let key = object.key.as_ref();
    let text = |text: Option<&Arc<str>>| ScalarValue::Utf8(text.map(|text| text.to_string()));
    vec![
        ScalarValue::TimestampMicrosecond(
            key.map(|key| i64::from(key.time) * 1_000_000),
            Some("UTC".into()),
        ),
        text(key.map(|key| &key.account)),
        text(key.map(|key| &key.region)),
    ]
}

#[async_trait]
impl TableProvider for Flows {
    fn schema(&self) -> SchemaRef {
        self.schema.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // They choose objects; which rows are tested before they are built is settled when the plan is physical.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let failed = |error: crate::source::SourceError| DataFusionError::External(Box::new(error));
        let selection = prune::selection(filters);
        let mut listing = Listing::open(&self.sources, selection, self.s3.clone())
            .await
            .map_err(failed)?;
        let mut objects = Vec::new();
        while let Some(some) = listing.next().await.map_err(failed)? {
            objects.extend(some.objects);
        }
        let counts = listing.counts();
        if counts.objects == 0 && !listing.has_pruned() {
            return Err(DataFusionError::Plan(format!(
                "{}\nhint: {WHAT_IS_TAKEN}",
                listing.nothing_found()
            )));
        }
        let metrics = ExecutionPlanMetricsSet::new();
        let count = |name, number: u64| {
            MetricBuilder::new(&metrics)
                .global_counter(name)
                .add(number as usize);
        };
        count("objects_wanted", counts.objects);
        count("bytes_stored", counts.bytes);
        count("objects_pruned", counts.pruned);
        count("files_ignored", counts.ignored);
        count("list_requests", counts.list_requests);

        let source = FlowSource::new(self.schema.clone(), self.reading.clone(), metrics);
        let groups = groups(objects, state.config().target_partitions());
        let config = FileScanConfigBuilder::new(stores::flows_url(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Deals objects out to so many partitions, the largest first and each to the one that has the least so far.
fn groups(mut objects: Vec<Object>, partitions: usize) -> Vec<FileGroup> {
    objects.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.url.cmp(&b.url)));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = Vec::new();
    groups.resize_with(partitions.min(objects.len()).max(1), Default::default);
    for object in objects {
        let group = groups.iter_mut().min_by_key(|(bytes, _)| *bytes);
        let (bytes, files) = group.expect("there is at least one group");
        *bytes += object.size.max(1);
        let values = key_values(&object);
        let file = PartitionedFile::new(object.url.to_string(), object.size);
        files.push(file.with_partition_values(values).with_extension(object));
    }
    groups
        .into_iter()
        .map(|(_, files)| FileGroup::new(files))
        .collect()
}

impl fmt::Debug for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = self.sources.iter().map(Source::to_string);
        write!(f, "Flows({})", sources.collect::<Vec<_>>().join(", "))
    }
}
