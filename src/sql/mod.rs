//! SQL over raw flow logs and over a lake: DataFusion's engine, our tables and functions, read-only.
//!
//! | table | from | how |
//! |---|---|---|
//! | `flows` | raw logs | [`Flows`]: a file source inside the engine's own scan |
//! | `records`, `edges`, `findings`, `objects`, `quarantine` | a lake | its committed files, in the engine's Parquet scan |
//! | `records` | raw logs and a policy | judged when a query asks |
//! | `policy_…` | a policy | rows in memory |
//!
//! A text becomes statements by [`statements`], which lets through what only reads; a [`Session`] runs them within its
//! [`Bounds`], over the tables that were named and nothing else: there is no store behind it but those.

mod catalog;
mod ddl;
mod errors;
mod flows;
mod functions;
mod guard;
mod lake;
mod names;
mod notes;
mod policy_tables;
mod records;
mod session;
mod stores;

pub use catalog::{CuratedQuery, Param, ParamKind, ParamValue, Params, built_in};
pub use datafusion::error::DataFusionError as QueryError;
pub use ddl::{Engine, ddl};
pub use errors::explain;
pub use flows::Flows;
pub use functions::{Doc, Policies, docs};
pub use guard::{STACK, is_whole, statements};
pub use lake::LakeSource;
pub use names::Names;
pub use notes::Notes;
pub use records::RecordSource;
pub use session::{Bounds, Rows, Session};
