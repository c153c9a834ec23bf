//! Whose the addresses are that findings name, by the files that the policy names: looked up for what is told, and for
//! nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use super::policy_file;
use crate::judge::Finding;
use crate::net::{Addr, Origin, Origins};
use crate::policy::Policy;

/// A policy's files, read.
pub(super) struct Whose<'p> {
    policy: &'p Policy,
    origins: Origins,
}

impl<'p> Whose<'p> {
    /// Reads the files of a policy, which is at this path.
    ///
    /// # Errors
    /// When one cannot be read or used by now, in words.
    pub fn read(policy: &'p Policy, path: &Path) -> Result<Whose<'p>, String> {
        let origins = policy_file::origins(policy, path)?;
        Ok(Whose { policy, origins })
    }

    /// Whose the heaviest addresses of findings are, those that no network of the policy holds and of which something is
    /// known; and a warning where a file turns out to be broken.
    pub fn of<'f>(
        &self,
        findings: impl IntoIterator<Item = &'f Finding>,
    ) -> (BTreeMap<Addr, Origin>, Option<String>) {
        let (mut origins, mut warning) = (BTreeMap::new(), None);
        if self.origins.is_empty() {
            return (origins, warning);
        }
        let ends = findings
            .into_iter()
            .flat_map(|finding| [&finding.client, &finding.server]);
        for (addr, _) in ends.flat_map(|end| &end.heaviest) {
            if origins.contains_key(addr) || self.is_inside(*addr) {
                continue;
            }
            match self.origins.of(*addr) {
                Ok(origin) if origin.is_unknown() => {}
                Ok(origin) => {
                    origins.insert(*addr, origin);
                }
                Err(error) => {
                    warning.get_or_insert_with(|| {
                        format!("what [data] of the policy names tells nothing of {addr}: {error}")
                    });
                }
            }
        }
        (origins, warning)
    }

    fn is_inside(&self, addr: Addr) -> bool {
        self.policy.networks_holding(&[addr]).next().is_some()
    }
}
