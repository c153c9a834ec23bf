//! Look-ups by name, for rows that were written earlier, and a digest of the texts beside what decides.

use sha2::{Digest, Sha256};

use super::{Detecting, Policy, Rule, ZoneId};
use crate::net::hex;

impl Policy {
    /// The zone of this name, as [`Policy::zone_name`] gives it.
    pub fn zone_named(&self, name: &str) -> Option<ZoneId> {
        let place = self.zones.names.iter().position(|known| known == name)?;
        Some(ZoneId(place as u16))
    }

    /// The rule of this id, the default included.
    pub fn rule_by_id(&self, id: &str) -> Option<&Rule> {
        self.rules.texts.iter().find(|rule| rule.id == id)
    }

    /// A digest, in hex, of what goes into findings beside what decides: reasons, owners, controls, severities,
    /// mutes, what is set of detectors.
    pub fn texts_digest(&self) -> String {
        let detectors: Vec<String> = self.detecting.iter().map(Detecting::settings).collect();
        let digest = Sha256::digest(format!(
            "{:?}{:?}{detectors:?}",
            self.rules.texts, self.mutes
        ));
        hex(&digest[..8])
    }
}
