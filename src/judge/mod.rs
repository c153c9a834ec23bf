//! The records of a slot become connections; each gets a direction with its evidence, an outcome, the policy's decision
//! and a verdict. No I/O, no clock.

mod edge;
mod finding;
mod judgement;
mod word;

pub use edge::{Edge, EdgeRow, Inside};
pub use finding::{Finding, Subject};
pub use judgement::{Flags, JudgementRow};
pub use word::{Confidence, Kind, Observer, Orientation, Outcome, Reason, Verdict};
