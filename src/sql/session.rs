//! What queries run in: the engine within its bounds, the tables that were named, our functions.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{FunctionRegistry, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::object_store::memory::InMemory;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement;
use futures::StreamExt;
use tokio::sync::mpsc::{self, Receiver};

use super::catalog::Params;
use super::flows::Flows;
use super::functions::Policies;
use super::lake::{LakeSource, LakeTable};
use super::names::{self, Names};
use super::notes::Notes;
use super::records::{RecordSource, RecordsTable};
use super::stores::{NamedFiles, NamedStores, flows_url, lake_url};
use super::{errors, functions, guard, policy_tables};
use crate::net::Origins;
use crate::sink::Table;

/// Bounds of a session.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Threads that a query is spread over; at least one.
    pub threads: usize,
    /// Bytes of memory that queries may hold before they spill, or fail where they cannot.
    pub memory: u64,
    /// Bytes of temporary files.
    pub disk: u64,
}

/// Functions of the engine that are left out: they make a value as large as an argument says, and no bound on memory sees
/// that. (Tables of them, such as `generate_series`, are bounded.)
const OF_ANY_SIZE: [&str; 7] = [
    "repeat",
    "lpad",
    "rpad",
    "array_repeat",
    "array_resize",
    "generate_series",
    "range",
];

/// Sorts that a query runs at a time, as a guess.
const SORTS: usize = 16;

/// Consumers of memory that are named where it did not suffice.
const NAMED_CONSUMERS: usize = 3;

/// Tables and functions, and queries over them. Nothing that is asked changes anything. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    context: SessionContext,
    notes: Arc<Notes>,
}

/// The rows of a query, as they come.
pub struct Rows {
    schema: SchemaRef,
    rows: Receiver<Result<RecordBatch>>,
    /// What sends them. It is a task of its own, so that whoever waits can end waiting while it computes.
    task: Option<SpawnedTask<()>>,
}

/// Batches that wait for whoever takes them.
const BATCHES_AHEAD: usize = 2;

impl Session {
    /// A session without tables; spilled rows go to `temp`.
    ///
    /// # Errors
    /// When the temporary folder cannot be used.
    pub fn new(bounds: Bounds, temp: &Path) -> Result<Session> {
        let pool = FairSpillPool::new(bounds.memory as usize);
        let consumers = NAMED_CONSUMERS.try_into().expect("it is not zero");
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, consumers)))
            .with_temp_file_path(temp)
            .with_max_temp_directory_size(bounds.disk)
            .with_object_store_registry(Arc::new(NamedStores::default()))
            .build_arc()?;
        let mut config = SessionConfig::new()
            .with_target_partitions(bounds.threads.max(1))
            .with_information_schema(true)
            .with_default_catalog_and_schema("tidegate", "public")
            // Hash joins do not spill.
            .set_bool("datafusion.optimizer.prefer_hash_join", false);
        let options = config.options_mut();
        options.execution.parquet.pushdown_filters = true;
        options.execution.parquet.schema_force_view_types = false;
        options.execution.time_zone = Some("UTC".to_owned());
        // What each sort of each thread holds back for its merge: little where memory is.
        let share = bounds.memory as usize / (SORTS * bounds.threads.max(1));
        let reserved = &mut options.execution.sort_spill_reservation_bytes;
        *reserved = (*reserved).min(share);
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(runtime)
            .with_default_features()
            // No table of a file or an address that a query names, and no way to make one.
            .with_table_factories(Default::default())
            .with_file_formats(Vec::new())
            .build();
        for name in OF_ANY_SIZE {
            state.deregister_udf(name)?;
        }
        functions::register(&mut state)?;
        let context = SessionContext::new_with_state(state);
        context.register_object_store(flows_url().as_ref(), Arc::new(InMemory::new()));
        Ok(Session {
            context,
            notes: Arc::default(),
        })
    }

    /// What queries came across, for tables that are made for this session.
    pub fn notes(&self) -> &Arc<Notes> {
        &self.notes
    }

    /// Adds the table `flows`.
    ///
    /// # Errors
    /// When there is one.
    pub fn add_flows(&self, flows: Flows) -> Result<()> {
        self.context
            .register_table("flows", Arc::new(flows))
            .map(drop)
    }

    /// Adds these tables of a lake.
    ///
    /// # Errors
    /// When there are such tables.
    pub fn add_lake(&mut self, source: Arc<dyn LakeSource>, tables: &[Table]) -> Result<()> {
        let url = lake_url();
        let named = Arc::new(NamedFiles::new(source.store()));
        self.context
            .register_object_store(url.as_ref(), named.clone());
        for table in tables {
            let provider = LakeTable::new(*table, source.clone(), named.clone(), url.clone());
            self.context
                .register_table(table.name(), Arc::new(provider))?;
        }
        Ok(())
    }

    /// Adds the table `records`, which is judged when it is asked for.
    ///
    /// # Errors
    /// When there is one.
    pub fn add_records(&mut self, source: Arc<dyn RecordSource>) -> Result<()> {
        let provider = RecordsTable::new(source);
        self.context
            .register_table(Table::Records.name(), Arc::new(provider))
            .map(drop)
    }

    /// Adds the tables of the last of these policies, and has functions answer by the one of the time they are asked about.
    ///
    /// # Errors
    /// When there are such tables.
    pub fn add_policies(&mut self, policies: Policies) -> Result<()> {
        if let Some((_, last)) = policies.0.last() {
            for (name, table) in policy_tables::tables(last)? {
                self.context.register_table(name, Arc::new(table))?;
            }
        }
        functions::set_policies(&mut *self.context.state_ref().write(), policies)
    }

    /// Has functions answer by what files say of addresses.
    ///
    /// # Errors
    /// When functions cannot be replaced.
    pub fn add_origins(&mut self, origins: Origins) -> Result<()> {
        functions::set_origins(&mut *self.context.state_ref().write(), origins)
    }

    /// What queries can name.
    pub async fn names(&self) -> Names {
        names::names(&self.context).await
    }

    /// Begins a query, one of [`guard::statements`], in which `$name` stands for the value of that name. On the runtime
    /// that it is to run on.
    ///
    /// # Errors
    /// When it names what there is not, or cannot be planned.
    pub async fn run(&self, statement: Statement, params: &Params) -> Result<Rows> {
        let planned = self.plan(statement, params).await;
        let plan = planned.map_err(|error| errors::with_nearest(error, &self.context))?;
        let mut rows = self
            .context
            .execute_logical_plan(plan)
            .await?
            .execute_stream()
            .await?;
        let schema = rows.schema();
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let task = SpawnedTask::spawn(async move {
            while let Some(batch) = rows.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
        });
        Ok(Rows {
            schema,
            rows: receiver,
            task: Some(task),
        })
    }

    async fn plan(&self, statement: Statement, params: &Params) -> Result<LogicalPlan> {
        let plan = self.context.state().statement_to_plan(statement).await?;
        guard::options().verify_plan(&plan)?;
        if params.is_empty() {
            return Ok(plan);
        }
        let values = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.into()));
        plan.with_param_values(values.collect::<Vec<(&str, ScalarValue)>>())
    }
}

impl Rows {
    /// Their columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Some more of them; none at the end.
    ///
    /// # Errors
    /// When the query fails.
    pub async fn more(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(rows) = self.rows.recv().await {
            return rows.map(Some);
        }
        // All were sent, unless the task came to another end.
        match self.task.take() {
            Some(task) => match task.await {
                Ok(()) => Ok(None),
                Err(error) => Err(DataFusionError::External(error.into())),
            },
            None => Ok(None),
        }
    }
}
