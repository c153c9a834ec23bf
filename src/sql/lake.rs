//! The tables of a lake: its committed files in DataFusion's own Parquet scan.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::flows::span_of;
use super::stores::NamedFiles;
use crate::sink::{Day, Hour, LakeFile, LakeFiles, Store, Table};

/// How long before a record's end an hour that holds it may have begun beside the hour itself, seconds: it ended in the
/// five minutes from its key's time, or a little later.
const EARLY_SECS: i64 = 3600;
/// How long after a record's end it may have been published, and an hour that holds it may begin, seconds: AWS speaks of
/// more than a day. The price is a look at the statistics of so many files.
const LATE_SECS: i64 = 48 * 3600;

/// Where the tables of a lake come from.
pub trait LakeSource: Send + Sync + std::fmt::Debug {
    /// The store that the files are in.
    fn store(&self) -> Store;

    /// The files of a table whose hours (of findings, whose days) lie between the two, both included; named below the
    /// store's root. Blocks.
    ///
    /// # Errors
    /// When they cannot be listed or made, in words for people.
    fn files(
        &self,
        table: Table,
        first: Option<Hour>,
        last: Option<Hour>,
    ) -> Result<Vec<LakeFile>, Box<dyn std::error::Error + Send + Sync>>;
}

impl LakeSource for LakeFiles {
    fn store(&self) -> Store {
        LakeFiles::store(self).clone()
    }

    fn files(
        &self,
        table: Table,
        first: Option<Hour>,
        last: Option<Hour>,
    ) -> Result<Vec<LakeFile>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(LakeFiles::files(self, table, first, last)?)
    }
}

/// A table of a lake.
#[derive(Debug)]
pub(super) struct LakeTable {
    table: Table,
    source: Arc<dyn LakeSource>,
    named: Arc<NamedFiles>,
    url: ObjectStoreUrl,
    schema: TableSchema,
}

impl LakeTable {
    /// A table of this lake, whose files DataFusion reads as `named` under `url`.
    pub fn new(
        table: Table,
        source: Arc<dyn LakeSource>,
        named: Arc<NamedFiles>,
        url: ObjectStoreUrl,
    ) -> LakeTable {
        LakeTable {
            schema: TableSchema::builder(table.schema())
                .with_table_partition_cols(partition_columns(table))
                .build(),
            table,
            source,
            named,
            url,
        }
    }

    /// The files for whose folders the filters on nothing else hold.
    fn of_partitions(
        &self,
        state: &dyn Session,
        files: Vec<LakeFile>,
        filters: &[Expr],
    ) -> Result<Vec<LakeFile>> {
        let columns = partition_columns(self.table);
        let is_partition =
            |column: &Column| columns.iter().any(|known| *known.name() == column.name);
        let on_partitions = filters
            .iter()
            .filter(|filter| filter.column_refs().into_iter().all(is_partition));
        let Some(filter) = conjunction(on_partitions.cloned()) else {
            return Ok(files);
        };
        let Some(first) = files.first() else {
            return Ok(files);
        };
        let mut values: Vec<Vec<ScalarValue>> = vec![Vec::new(); partition_values(first).len()];
        for file in &files {
            let each = values.iter_mut().zip(partition_values(file));
            each.for_each(|(column, value)| column.push(value));
        }
        let arrays = values.into_iter().map(ScalarValue::iter_to_array);
        let schema = Arc::new(Schema::new(columns.clone()));
        let rows = RecordBatch::try_new(schema.clone(), arrays.collect::<Result<_>>()?)?;
        let filter = state.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
        let holds = filter.evaluate(&rows)?.into_array(files.len())?;
        let holds = holds.as_boolean();
        let kept = files.into_iter().enumerate();
        let kept = kept.filter(|(place, _)| holds.is_valid(*place) && holds.value(*place));
        Ok(kept.map(|(_, file)| file).collect())
    }
}

/// The hours that may hold rows of a table for which these filters hold.
pub(super) fn hours(table: Table, filters: &[Expr]) -> (Option<Hour>, Option<Hour>) {
    let (first, last) = match table {
        Table::Records => ("start", "end"),
        Table::Edges | Table::Findings => ("first_seen", "last_seen"),
        Table::Objects => ("time", "time"),
        // No column of it is a time.
        Table::Quarantine => ("date", "date"),
    };
    // Some record of the row ended after whatever the row was seen after, and began before whatever it was seen before.
    let (began, ended) = (span_of(filters, first), span_of(filters, last));
    let seconds = |time: i64| u32::try_from(time).ok();
    let earliest = began.first.max(ended.first).saturating_sub(EARLY_SECS);
    let latest = began.last.min(ended.last).saturating_add(LATE_SECS);
    let days = span_of(filters, "date");
    let last_day = seconds(days.last).map(|time| Day::of(time).last_hour());
    let first = seconds(earliest.max(days.first)).map(Hour::of);
    let last = seconds(latest).map(Hour::of);
    (first, last.into_iter().chain(last_day).min())
}

/// What the folders of a table say, behind its columns.
fn partition_columns(table: Table) -> Vec<FieldRef> {
    table.folder_columns().into_iter().map(Arc::new).collect()
}

fn partition_values(file: &LakeFile) -> Vec<ScalarValue> {
    let day = file.day.start() / 86_400;
    let date = ScalarValue::Date32(Some(day as i32));
    let hour = |hour: Hour| ScalarValue::Int32(Some((hour.start() % 86_400 / 3600) as i32));
    std::iter::once(date).chain(file.hour.map(hour)).collect()
}

#[async_trait]
impl TableProvider for LakeTable {
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
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let (first, last) = hours(self.table, filters);
        let (source, table) = (self.source.clone(), self.table);
        let list = tokio::task::spawn_blocking(move || source.files(table, first, last));
        let listed = list
            .await
            .map_err(|error| DataFusionError::External(error.into()))?;
        let listed = listed.map_err(DataFusionError::External)?;
        let listed = self.of_partitions(state, listed, filters)?;
        // A scan of no files has no partition, and cannot be sorted.
        if listed.is_empty() {
            let schema = self.schema();
            let schema = match projection {
                Some(columns) => Arc::new(schema.project(columns)?),
                None => schema,
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        }
        self.named.name(&listed);
        let files = listed.iter().map(|file| {
            let values = partition_values(file);
            PartitionedFile::new(file.name.clone(), file.size).with_partition_values(values)
        });
        let groups =
            FileGroup::new(files.collect()).split_files(state.config().target_partitions());
        let options = state.default_table_options().parquet;
        let source = ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        let config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
