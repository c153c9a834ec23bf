//! What queries can name, for whoever completes a word or tells what is nearest to it.

use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

/// Names that queries can use, each list sorted.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Tables, and the columns of each in its order.
    pub tables: Vec<(String, Vec<String>)>,
    /// Functions: the engine's, scalar, aggregate and of windows, and ours.
    pub functions: Vec<String>,
}

/// The names of all tables, sorted.
pub(super) fn tables(context: &SessionContext) -> Vec<String> {
    let catalog = context.catalog("tidegate");
    let schema = catalog.and_then(|catalog| catalog.schema("public"));
    let mut names = schema.map_or_else(Vec::new, |schema| schema.table_names());
    names.sort();
    names
}

/// All names.
pub(super) async fn names(context: &SessionContext) -> Names {
    let mut all = Names::default();
    for name in tables(context) {
        let columns = match context.table_provider(name.as_str()).await {
            Ok(table) => {
                let schema = table.schema();
                schema.fields().iter().map(|f| f.name().clone()).collect()
            }
            Err(_) => Vec::new(),
        };
        all.tables.push((name, columns));
    }
    let state = context.state();
    let functions = state.udfs().into_iter();
    let functions = functions.chain(state.udafs()).chain(state.udwfs());
    all.functions = functions.collect();
    all.functions.sort();
    all.functions.dedup();
    all
}
