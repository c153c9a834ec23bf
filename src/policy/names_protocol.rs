//! Whether a rule names a protocol.

use super::{Policy, RuleId};

impl Policy {
    /// Whether the rule names the protocol itself (`ports = ["icmp"]`, a service of it) rather than covering it by
    /// naming none.
    pub fn names_protocol(&self, _rule: RuleId, _protocol: u8) -> bool {
        unimplemented!("written next")
    }
}
