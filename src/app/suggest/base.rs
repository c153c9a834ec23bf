//! The base of a suggestion: a policy's map, denies and requires, and policies that probe with them what traffic breaks.

use std::path::{Path, PathBuf};

use crate::app::error::ScanError;
use crate::app::policy_file;
use crate::policy::{Effect, Policy, without_sections};

/// The base of a suggestion.
pub(super) struct Base {
    path: PathBuf,
    /// As it is.
    pub policy: Policy,
    /// The text that learned rules are added to: without allows, and without tests and mutes, which may name them; or all
    /// of it, if its allows stay.
    pub text: String,
    /// The text without allows, whether they stay or not.
    bare: String,
    pub keeps_allows: bool,
    /// The ids of its requires, sorted.
    pub requires: Vec<String>,
}

impl Base {
    /// Reads it.
    ///
    /// # Errors
    /// When the file is no policy, or its rules cannot be taken out.
    pub fn load(path: &Path, keeps_allows: bool) -> Result<Base, ScanError> {
        let (text, policy) = policy_file::load_with_text(path)?;
        let bare = without_sections(&text, &["allow", "test", "mute"]);
        let rows = policy.rule_rows();
        let requires = rows.iter().filter(|row| {
            matches!(
                row.rule.effect,
                Effect::RequireZone | Effect::RequireLabels | Effect::RequireEncrypted
            )
        });
        let requires = requires.map(|row| row.rule.id.clone()).collect();
        drop(rows);
        let base = Base {
            path: path.to_owned(),
            text: if keeps_allows { text } else { bare.clone() },
            bare,
            policy,
            keeps_allows,
            requires,
        };
        let rest = base.parse(&base.bare)?;
        let has_allow = |policy: &Policy| {
            let rows = policy.rule_rows();
            rows.iter().any(|row| row.rule.effect == Effect::Allow)
        };
        if has_allow(&rest) || !rest.tests().is_empty() {
            return Err(ScanError::Usage {
                message: format!(
                    "cannot take the rules out of `{}`: expected each allow, test and mute in a section of its own",
                    path.display()
                ),
                hint: Some("write [[allow]] and its keys below, not allow = [ … ]".to_owned()),
            });
        }
        Ok(base)
    }

    /// Compiles a text that was made from it.
    ///
    /// # Errors
    /// All errors of the text.
    pub fn parse(&self, text: &str) -> Result<Policy, ScanError> {
        let name = format!("suggestion on {}", self.path.display());
        policy_file::parse_beside(&self.path, &name, text)
    }

    /// A policy that allows all that the denies let pass, whatever the requires; then for each require one that allows
    /// what does not break it.
    ///
    /// # Errors
    /// When the base cannot be continued.
    pub fn probes(&self) -> Result<Vec<Policy>, ScanError> {
        let rows = self.policy.rule_rows();
        let is_taken = |id: &str| rows.iter().any(|row| row.rule.id.starts_with(id));
        let mut probe = "probe".to_owned();
        while is_taken(&probe) {
            probe.push('-');
        }
        let without = std::iter::once(None).chain((0..self.requires.len()).map(Some));
        without
            .map(|require| {
                let exempt = self.requires.iter().enumerate();
                let exempt = exempt.filter(|(place, _)| Some(*place) != require);
                let exempt: Vec<String> = exempt.map(|(_, id)| format!("\"{id}\"")).collect();
                let exempt = match exempt.is_empty() {
                    true => String::new(),
                    false => format!("exempt = [{}]\n", exempt.join(", ")),
                };
                // ICMP has a rule of its own: what no rule names is diagnostics of other traffic.
                let rules = ["ports_except = [\"icmp\", \"icmpv6\"]", "ports = [\"icmp\", \"icmpv6\"]"];
                let mut text = self.bare.clone();
                for (place, ports) in rules.iter().enumerate() {
                    text.push_str(&format!(
                        "\n[[allow]]\nid = \"{probe}{place}\"\nfrom = \"any\"\nto = \"any\"\n{ports}\n{exempt}"
                    ));
                }
                self.parse(&text)
            })
            .collect()
    }
}
