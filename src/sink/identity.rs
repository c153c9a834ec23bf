//! What a lake belongs to, and the `lake.json` that says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::net::hex;

/// The version of the lake's layout. A lake with a higher one was made by a newer program.
pub(super) const FORMAT: u32 = 1;

/// What a lake belongs to: one policy and one selection of what to read, but for time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `[policy] id`.
    pub policy_id: String,
    /// The hash of what decides in the policy.
    pub policy_hash: String,
    /// The sources as given, sorted.
    pub sources: Vec<String>,
    /// The accounts asked for, sorted; empty is all.
    pub accounts: Vec<String>,
    /// The regions asked for, sorted; empty is all.
    pub regions: Vec<String>,
    /// Which judged records are kept: `none`, `flagged` or `all`.
    pub keep: String,
    /// Other options that change what is written, by name: `layout`, `horizon`.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
}

impl Identity {
    /// The same with its lists sorted and without repetitions.
    pub(super) fn normalised(mut self) -> Identity {
        for list in [&mut self.sources, &mut self.accounts, &mut self.regions] {
            list.sort();
            list.dedup();
        }
        self
    }

    /// A short digest of all of it.
    pub(super) fn digest(&self) -> String {
        let text = serde_json::to_vec(self).expect("text and lists become JSON");
        hex(&Sha256::digest(text)[..16])
    }

    /// In what another identity differs, a sentence each.
    pub(super) fn differences(&self, other: &Identity) -> Vec<String> {
        let mut found = Vec::new();
        let mut check = |what: &str, here: &str, there: &str| {
            if here != there {
                found.push(format!(
                    "{what}: the lake has {}, this run has {}",
                    quoted(here),
                    quoted(there)
                ));
            }
        };
        check("policy", &self.policy_id, &other.policy_id);
        check("policy hash", &self.policy_hash, &other.policy_hash);
        check(
            "sources",
            &self.sources.join(", "),
            &other.sources.join(", "),
        );
        check(
            "accounts",
            &self.accounts.join(", "),
            &other.accounts.join(", "),
        );
        check(
            "regions",
            &self.regions.join(", "),
            &other.regions.join(", "),
        );
        check("kept records", &self.keep, &other.keep);
        for name in self.settings.keys().chain(
            other
                .settings
                .keys()
                .filter(|name| !self.settings.contains_key(*name)),
        ) {
            let of = |identity: &Identity| identity.settings.get(name).cloned().unwrap_or_default();
            check(name, &of(self), &of(other));
        }
        found
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() {
        "none given".to_owned()
    } else {
        format!("`{text}`")
    }
}

/// The content of `lake.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Description {
    /// The version of the layout.
    pub format: u32,
    /// What the lake belongs to.
    pub identity: Identity,
    /// Digests of identities that it belonged to before; hours may remain of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

impl Description {
    /// The description of a lake that is new.
    pub fn new(identity: Identity) -> Description {
        Description {
            format: FORMAT,
            identity,
            earlier: Vec::new(),
        }
    }

    /// The same lake under another identity.
    pub fn handed_to(mut self, identity: Identity) -> Description {
        let digest = self.identity.digest();
        self.earlier.retain(|earlier| *earlier != digest);
        self.earlier.push(digest);
        Description {
            format: FORMAT,
            identity,
            earlier: self.earlier,
        }
    }

    /// As written.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("text and lists become JSON");
        text.push(b'\n');
        text
    }

    /// Reads `lake.json`; an error is a reason and a hint.
    pub fn parse(text: &[u8]) -> Result<Description, (String, &'static str)> {
        const DAMAGED: &str =
            "give another folder to --lake; if this one is a lake, restore its lake.json";
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } =
            serde_json::from_slice(text).map_err(|error| (error.to_string(), DAMAGED))?;
        if format > FORMAT {
            let reason = format!("expected a lake of format {FORMAT} or less, got {format}");
            return Err((
                reason,
                "it was made by a newer version of the program: use that",
            ));
        }
        serde_json::from_slice(text).map_err(|error| (error.to_string(), DAMAGED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let text = |text: &str| text.to_owned();
        Identity {
            policy_id: text("SEC-003"),
            policy_hash: text("abc"),
            sources: vec![text("b"), text("a"), text("b")],
            accounts: vec![],
            regions: vec![text("us-east-2")],
            keep: text("flagged"),
            settings: BTreeMap::from([(text("horizon"), text("12"))]),
        }
        .normalised()
    }

    #[test]
    fn a_description_is_read_as_it_was_written() {
        let description = Description::new(identity());
        assert_eq!(
            Description::parse(&description.to_json()),
            Ok(description.clone())
        );
        assert!(!String::from_utf8_lossy(&description.to_json()).contains("earlier"));
        let handed = description.handed_to(Identity {
            keep: "all".to_owned(),
            ..identity()
        });
        assert_eq!(handed.earlier, [identity().digest()]);
        assert_eq!(Description::parse(&handed.to_json()), Ok(handed));
    }

    #[test]
    fn order_and_repetition_of_sources_make_no_other_identity() {
        let other = Identity {
            sources: vec!["a".to_owned(), "b".to_owned()],
            ..identity()
        };
        assert_eq!(identity().digest(), other.digest());
        assert_eq!(identity().differences(&other), [""; 0]);
    }

    #[test]
    fn each_difference_is_a_sentence() {
        let other = Identity {
            policy_hash: "def".to_owned(),
            regions: vec![],
            settings: BTreeMap::new(),
            ..identity()
        };
        assert_ne!(identity().digest(), other.digest());
        assert_eq!(
            identity().differences(&other),
            [
                "policy hash: the lake has `abc`, this run has `def`",
                "regions: the lake has `us-east-2`, this run has none given",
                "horizon: the lake has `12`, this run has none given",
            ]
        );
    }

    #[test]
    fn what_is_no_description_is_refused() {
        fn check(text: &str, reason: &str) {
            let (found, _) = Description::parse(text.as_bytes()).expect_err("no description");
            assert!(found.contains(reason), "{found}");
        }
        check("", "EOF");
        check(
            "{\"format\": 2, \"other\": 1}",
            "expected a lake of format 1 or less, got 2",
        );
        check("{\"format\": 1}", "missing field `identity`");
    }
}
