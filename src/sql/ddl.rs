//! What other engines are told of a lake: the statements that make its tables there, over the files as they are.

use arrow::datatypes::{DataType, Field, FieldRef};

use crate::policy::words;
use crate::sink::Table;

words! {
    /// An engine that reads a lake.
    Engine {
        /// Amazon Athena, with partition projection: no crawler, no MSCK REPAIR.
        Athena = "athena",
        /// Trino's Hive connector.
        Trino = "trino",
        /// DuckDB.
        Duckdb = "duckdb",
        /// Spark SQL.
        Spark = "spark",
    }
}

/// The statements for the lake at this folder or `s3://` prefix. Only DuckDB minds that some of its tables have no files
/// yet: they are views without rows there.
pub fn ddl(engine: Engine, lake: &str, empty: &[Table]) -> String {
    let lake = &lake.trim_end_matches('/').replace('\'', "''");
    let tables = Table::ALL.map(|table| match engine {
        Engine::Athena => athena(table, lake),
        Engine::Trino => trino(table, lake),
        Engine::Duckdb if empty.contains(&table) => duckdb_empty(table),
        Engine::Duckdb => duckdb(table, lake),
        Engine::Spark => spark(table, lake),
    });
    let (head, foot) = match engine {
        Engine::Trino => (
            "-- In a schema of a catalog with the Hive connector.\n\n",
            "",
        ),
        Engine::Spark => ("", "\n-- After new hours: MSCK REPAIR TABLE, as above.\n"),
        Engine::Athena | Engine::Duckdb => ("", ""),
    };
    format!("{head}{}{foot}", tables.join("\n"))
}

/// The columns that folders tell, and their types in an engine's words; a date is text in folders of Hive's kind.
fn partitions(table: Table, types: &Types) -> Vec<(String, String)> {
    let columns = table.folder_columns().into_iter();
    let typed = columns.map(|field| {
        let kind = match field.data_type() {
            DataType::Date32 => types.text.to_owned(),
            kind => types.word(kind),
        };
        (field.name().clone(), kind)
    });
    typed.collect()
}

/// What is matched below a table's folder.
fn files(table: Table) -> &'static str {
    match table {
        Table::Findings => "*/*.parquet",
        _ => "*/*/*.parquet",
    }
}

fn columns(table: Table, quote: char, types: &Types) -> String {
    let schema = table.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(field, quote, types));
    columns.collect::<Vec<_>>().join(",\n")
}

fn column(field: &Field, quote: char, types: &Types) -> String {
    format!(
        "  {quote}{}{quote} {}",
        field.name(),
        types.word(field.data_type())
    )
}

fn athena(table: Table, lake: &str) -> String {
    let name = table.name();
    let parts = partitions(table, &HIVE);
    let parts = parts.iter().map(|(name, kind)| format!("`{name}` {kind}"));
    let hour = match table {
        Table::Findings => "",
        _ => {
            "  'projection.hour.type' = 'integer',\n  'projection.hour.range' = '0,23',\n  'projection.hour.digits' = '2',\n"
        }
    };
    let template = match table {
        Table::Findings => "date=${date}",
        _ => "date=${date}/hour=${hour}",
    };
    format!(
        "CREATE EXTERNAL TABLE `{name}` (\n{}\n)\nPARTITIONED BY ({})\nSTORED AS PARQUET\nLOCATION '{lake}/{name}/'\nTBLPROPERTIES (\n  'projection.enabled' = 'true',\n  'projection.date.type' = 'date',\n  'projection.date.format' = 'yyyy-MM-dd',\n  'projection.date.range' = '2014-01-01,NOW',\n{hour}  'storage.location.template' = '{lake}/{name}/{template}/'\n);\n",
        columns(table, '`', &HIVE),
        parts.collect::<Vec<_>>().join(", "),
    )
}

fn spark(table: Table, lake: &str) -> String {
    let name = table.name();
    let parts = partitions(table, &HIVE);
    let typed = parts
        .iter()
        .map(|(name, kind)| format!("  `{name}` {kind}"));
    let names = parts.iter().map(|(name, _)| format!("`{name}`"));
    format!(
        "CREATE TABLE `{name}` (\n{},\n{}\n) USING PARQUET\nPARTITIONED BY ({})\nLOCATION '{lake}/{name}';\nMSCK REPAIR TABLE `{name}`;\n",
        columns(table, '`', &HIVE),
        typed.collect::<Vec<_>>().join(",\n"),
        names.collect::<Vec<_>>().join(", "),
    )
}

fn trino(table: Table, lake: &str) -> String {
    let name = table.name();
    let parts = partitions(table, &TRINO);
    let typed = parts
        .iter()
        .map(|(name, kind)| format!("  \"{name}\" {kind}"));
    let names = parts.iter().map(|(name, _)| format!("'{name}'"));
    format!(
        "CREATE TABLE \"{name}\" (\n{},\n{}\n) WITH (\n  format = 'PARQUET',\n  external_location = '{lake}/{name}',\n  partitioned_by = ARRAY[{}]\n);\nCALL system.sync_partition_metadata(CURRENT_SCHEMA, '{name}', 'ADD');\n",
        columns(table, '"', &TRINO),
        typed.collect::<Vec<_>>().join(",\n"),
        names.collect::<Vec<_>>().join(", "),
    )
}

fn duckdb(table: Table, lake: &str) -> String {
    let name = table.name();
    let path = format!("{lake}/{name}/{}", files(table));
    let folders = table.folder_columns();
    let types = folders
        .iter()
        .map(|field| format!("'{}': {}", field.name(), DUCKDB.word(field.data_type())));
    let types = types.collect::<Vec<_>>().join(", ");
    format!(
        "CREATE OR REPLACE VIEW \"{name}\" AS\n  SELECT * FROM read_parquet('{path}', hive_partitioning = true, hive_types = {{{types}}}, union_by_name = true);\n"
    )
}

/// DuckDB reads no files of a pattern that matches none.
fn duckdb_empty(table: Table) -> String {
    let name = table.name();
    let schema = table.schema();
    let columns = schema.fields().iter().map(|field| field.as_ref().clone());
    let columns = columns.chain(table.folder_columns()).map(|field| {
        let kind = DUCKDB.word(field.data_type());
        format!("    null::{kind} AS \"{}\"", field.name())
    });
    let columns: Vec<String> = columns.collect();
    format!(
        "-- There are no such files yet; once there are, the statement is another one.\nCREATE OR REPLACE VIEW \"{name}\" AS\n  SELECT\n{}\n  WHERE false;\n",
        columns.join(",\n")
    )
}

/// An engine's words for types.
struct Types {
    int: &'static str,
    text: &'static str,
    timestamp: &'static str,
    list: fn(String) -> String,
    /// Of fields, each with its type.
    row: fn(Vec<(String, String)>) -> String,
    map: fn(String, String) -> String,
}

const HIVE: Types = Types {
    int: "int",
    text: "string",
    timestamp: "timestamp",
    list: |item| format!("array<{item}>"),
    row: |fields| format!("struct<{}>", joined(fields, ":", ",")),
    map: |key, value| format!("map<{key},{value}>"),
};

const TRINO: Types = Types {
    int: "integer",
    text: "varchar",
    timestamp: "timestamp(6)",
    list: |item| format!("array({item})"),
    row: |fields| format!("row({})", joined(fields, " ", ", ")),
    map: |key, value| format!("map({key}, {value})"),
};

const DUCKDB: Types = Types {
    timestamp: "timestamptz",
    list: |item| format!("{item}[]"),
    row: |fields| format!("struct({})", joined(fields, " ", ", ")),
    ..TRINO
};

fn joined(fields: Vec<(String, String)>, of: &str, between: &str) -> String {
    let fields = fields
        .iter()
        .map(|(name, kind)| format!("{name}{of}{kind}"));
    fields.collect::<Vec<_>>().join(between)
}

impl Types {
    fn word(&self, kind: &DataType) -> String {
        let known = match kind {
            DataType::Int32 => self.int,
            DataType::Int64 => "bigint",
            DataType::Boolean => "boolean",
            DataType::Date32 => "date",
            DataType::Timestamp(..) => self.timestamp,
            DataType::List(item) => return (self.list)(self.word(item.data_type())),
            DataType::Struct(fields) => {
                let field = |field: &FieldRef| (field.name().clone(), self.word(field.data_type()));
                return (self.row)(fields.iter().map(field).collect());
            }
            DataType::Map(entry, _) => match entry.data_type() {
                DataType::Struct(pair) => {
                    let [key, value] = [0, 1].map(|at| self.word(pair[at].data_type()));
                    return (self.map)(key, value);
                }
                _ => self.text,
            },
            _ => self.text,
        };
        known.to_owned()
    }
}
