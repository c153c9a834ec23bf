//! The records of a slot become connections; each gets a direction with its evidence, an outcome, the policy's decision
//! and a verdict. No I/O, no clock.

mod arena;
pub mod close;
pub mod connection;
pub mod controls;
pub mod directions;
mod edge;
pub mod edges;
pub mod evidence;
pub mod facts;
mod finding;
pub mod findings;
pub mod fold;
mod judgement;
pub mod judgement_rows;
pub mod ladder;
pub mod lines;
mod memo;
pub mod orient;
pub mod outcome;
pub mod part;
pub mod records;
pub mod replay;
pub mod reporter;
pub mod ruling;
pub mod server_names;
pub mod sketch;
pub mod subject;
pub mod suggest;
pub mod table;
pub mod traffic;
pub mod verdict;
mod word;

pub use arena::prefetch_bytes;
pub use edge::{Edge, EdgeRow, Inside};
pub use finding::{Finding, Subject};
pub use judgement::{Flags, JudgementRow};
pub use server_names::ServerNames;
pub use word::{Confidence, Kind, Observer, Orientation, Outcome, Reason, Verdict};
