//! What is told of an hour that no row of its tables shows. It stands in the hour's ledger, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lake::{ASIDES, ledger_name, note, open};
use super::{Hour, Lake, LakeError};
use crate::judge::edges::Asides;
use crate::judge::sketch::Distinct;

/// What a report says of an hour beside its edges and objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourAsides {
    /// What connections tell that is no edge's.
    #[serde(flatten)]
    pub connections: Asides,
    /// Records that lack what it takes to judge them.
    pub missing_field: u64,
    /// Records of no network, by where they come from: a VPC, an account and region.
    pub out_of_scope: BTreeMap<String, u64>,
    /// Interfaces that have records.
    pub interfaces: Distinct,
    /// Whether flow logs, by id, have any ACCEPT, any REJECT, and judged connections from public addresses.
    #[serde(default)]
    pub actions: BTreeMap<String, [bool; 3]>,
    /// The digest of the Resolver logs that it was judged by; none where the policy goes by none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver_logs: Option<String>,
}

impl HourAsides {
    /// As it stands in the ledger.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and texts are JSON")
    }
}

impl Lake {
    /// What a committed hour tells that is in none of its tables.
    ///
    /// # Errors
    /// When the store fails or the ledger is none of this program.
    pub fn asides(&self, hour: Hour) -> Result<HourAsides, LakeError> {
        let name = ledger_name(hour);
        let Some(content) = self.store().get(&name)? else {
            return Ok(HourAsides::default());
        };
        let Some(json) = note(open(&name, content)?.metadata(), ASIDES) else {
            return Ok(HourAsides::default());
        };
        serde_json::from_str(&json)
            .map_err(|error| LakeError::file(&name, format_args!("its `{ASIDES}`: {error}")))
    }
}
