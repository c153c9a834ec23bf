//! Rules learned from traffic: the few allows, by tiers, groups and services, that cover what is seen often enough.
//!
//! `class` tells accepted traffic from what is left out at sight; `scans` knows the clients that try one target after the
//! other; `seen` adds up what is seen of each service between two places, and says what was often enough; `merge` makes
//! the smallest set of rules of it; `left_out` counts what no rule covers, by reason.

mod class;
mod left_out;
mod merge;
mod scans;
mod seen;

pub use class::{Class, is_accepted};
pub(crate) use left_out::counted;
pub use left_out::{Left, LeftOut, Why};
pub use merge::{Learned, merged};
pub use scans::{Scanners, Scans};
pub use seen::{Key, Often, Seen, Spot, Sum};
