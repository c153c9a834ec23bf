//! What an object's key says: AWS's own layouts, plain, hourly and hive.

use std::sync::Arc;

/// Facts in the name of a flow log object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The account in the name.
    pub account: Arc<str>,
    /// The region in the name.
    pub region: Arc<str>,
    /// The flow log's id (`fl-…`).
    pub flow_log: Arc<str>,
    /// The publishing time in the name, seconds since 1970.
    pub time: u32,
}
