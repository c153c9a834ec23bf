//! What other engines are told of a lake: the statements that make its tables there, over the files as they are.

use arrow::datatypes::{DataType, Field};

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

/// The statements for the lake at this folder or `s3://` prefix.
pub fn ddl(engine: Engine, lake: &str) -> String {
    let lake = lake.trim_end_matches('/');
    let tables = Table::ALL.map(|table| match engine {
        Engine::Athena => athena(table, lake),
        Engine::Trino => trino(table, lake),
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

/// The columns that folders tell, and their types in Hive's words.
fn partitions(table: Table) -> &'static [(&'static str, &'static str)] {
    match table {
        Table::Findings => &[("date", "string")],
        _ => &[("date", "string"), ("hour", "int")],
    }
}

/// What is matched below a table's folder.
fn files(table: Table) -> &'static str {
    match table {
        Table::Findings => "*/*.parquet",
        _ => "*/*/*.parquet",
    }
}

fn columns(table: Table, quote: char, kind: fn(&DataType) -> String) -> String {
    let schema = table.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| column(field, quote, kind));
    columns.collect::<Vec<_>>().join(",\n")
}

fn column(field: &Field, quote: char, kind: fn(&DataType) -> String) -> String {
    format!(
        "  {quote}{}{quote} {}",
        field.name(),
        kind(field.data_type())
    )
}

fn athena(table: Table, lake: &str) -> String {
    let name = table.name();
    let parts = partitions(table)
        .iter()
        .map(|(name, kind)| format!("`{name}` {kind}"));
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
        columns(table, '`', hive),
        parts.collect::<Vec<_>>().join(", "),
    )
}

fn spark(table: Table, lake: &str) -> String {
    let name = table.name();
    let parts = partitions(table).iter();
    let typed = parts
        .clone()
        .map(|(name, kind)| format!("  `{name}` {kind}"));
    let names = parts.map(|(name, _)| format!("`{name}`"));
    format!(
        "CREATE TABLE `{name}` (\n{},\n{}\n) USING PARQUET\nPARTITIONED BY ({})\nLOCATION '{lake}/{name}';\nMSCK REPAIR TABLE `{name}`;\n",
        columns(table, '`', hive),
        typed.collect::<Vec<_>>().join(",\n"),
        names.collect::<Vec<_>>().join(", "),
    )
}

fn trino(table: Table, lake: &str) -> String {
    let name = table.name();
    let parts = partitions(table).iter();
    let typed = parts.clone().map(|(name, kind)| {
        let kind = if *kind == "int" { "integer" } else { "varchar" };
        format!("  \"{name}\" {kind}")
    });
    let names = parts.map(|(name, _)| format!("'{name}'"));
    format!(
        "CREATE TABLE \"{name}\" (\n{},\n{}\n) WITH (\n  format = 'PARQUET',\n  external_location = '{lake}/{name}',\n  partitioned_by = ARRAY[{}]\n);\nCALL system.sync_partition_metadata(CURRENT_SCHEMA, '{name}', 'ADD');\n",
        columns(table, '"', ansi),
        typed.collect::<Vec<_>>().join(",\n"),
        names.collect::<Vec<_>>().join(", "),
    )
}

fn duckdb(table: Table, lake: &str) -> String {
    let name = table.name();
    let path = format!("{lake}/{name}/{}", files(table)).replace('\'', "''");
    format!(
        "CREATE OR REPLACE VIEW \"{name}\" AS\n  SELECT * FROM read_parquet('{path}', hive_partitioning = true, union_by_name = true);\n"
    )
}

/// A type in the words of Hive, Athena and Spark.
fn hive(kind: &DataType) -> String {
    match kind {
        DataType::Int32 => "int".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::List(item) => format!("array<{}>", hive(item.data_type())),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{}:{}", field.name(), hive(field.data_type())));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(pair) => {
                let [key, value] = [0, 1].map(|at| hive(pair[at].data_type()));
                format!("map<{key},{value}>")
            }
            _ => "string".to_owned(),
        },
        _ => "string".to_owned(),
    }
}

/// A type in the words of Trino.
fn ansi(kind: &DataType) -> String {
    match kind {
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Timestamp(..) => "timestamp(6)".to_owned(),
        DataType::List(item) => format!("array({})", ansi(item.data_type())),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), ansi(field.data_type())));
            format!("row({})", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(entry, _) => match entry.data_type() {
            DataType::Struct(pair) => {
                let [key, value] = [0, 1].map(|at| ansi(pair[at].data_type()));
                format!("map({key}, {value})")
            }
            _ => "varchar".to_owned(),
        },
        _ => "varchar".to_owned(),
    }
}
