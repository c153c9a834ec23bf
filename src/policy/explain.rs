//! What a near miss says to a person, and what evidence a rule goes by.

use super::names::Name;
use super::ruleset::{Condition, Ports, Require, What};
use super::{Effect, Lacked, Miss, Path, Policy, day_or_instant};

impl Policy {
    /// What a miss at an instant, seconds since 1970, says to a person: `expired on 2026-03-31 (vendor-migration)`.
    pub fn explain_miss(&self, miss: Miss, at: i64) -> String {
        let id = &self.rule(miss.rule).id;
        let mut conditions = self.rules.conditions();
        let Some(allow) = conditions.find(|condition| condition.rule == miss.rule) else {
            return format!("lacks a condition ({id})");
        };
        let lacked = match miss.lacked {
            Lacked::Expired => format!("expired on {}", date(allow.expires)),
            Lacked::NotYet => format!("not in force before {}", date(allow.not_before)),
            Lacked::Port => format!("allowed on {} only", ports(&allow.ports)),
            Lacked::Path => format!(
                "allowed by {} only",
                allow
                    .via
                    .iter()
                    .map(|path| Path::as_str(*path))
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
            Lacked::Family => format!(
                "allowed for {} only",
                if allow.ipv4 == Some(true) {
                    "IPv4"
                } else {
                    "IPv6"
                }
            ),
            Lacked::Require(require) => self.explain_require(require),
            Lacked::Evidence => format!("no evidence: {}", self.evidence_wanted(allow, at)),
        };
        format!("{lacked} ({id})")
    }

    fn explain_require(&self, require: super::RuleId) -> String {
        let id = &self.rule(require).id;
        let what = self
            .rules
            .requires
            .iter()
            .find(|other| other.rule == require)
            .map(|require| &require.what);
        match (what, self.rule(require).effect) {
            (Some(What::Encrypted), _) | (None, Effect::RequireEncrypted) => {
                format!("not encrypted, and not exempt from {id}")
            }
            (Some(What::Shared { az, labels }), _) => {
                let mut shared: Vec<&str> = labels.iter().map(String::as_str).collect();
                if *az {
                    shared.insert(0, "az");
                }
                format!(
                    "{} not shared, and not exempt from {id}",
                    shared.join(" and ")
                )
            }
            (None, _) => format!("not exempt from {id}"),
        }
    }

    /// What would have to be loaded or logged for the rule to be judged at an instant.
    fn evidence_wanted(&self, allow: &Condition, at: i64) -> String {
        let mut wanted: Vec<&'static str> = Vec::new();
        for name in allow
            .from
            .iter()
            .chain(&allow.from_except)
            .chain(&allow.to)
            .chain(&allow.to_except)
        {
            self.evidence_for(*name, &mut wanted);
        }
        if self.wants_encryption(allow, at) {
            wanted.push(ENCRYPTION);
        }
        wanted.sort_unstable();
        wanted.dedup();
        if wanted.is_empty() {
            wanted.push("who is meant by its requires");
        }
        wanted.join(", ")
    }

    /// The requires of encryption that are in force at an instant, seconds since 1970.
    fn encryption_requires_at(&self, at: i64) -> impl Iterator<Item = &Require> {
        let requires = self.rules.requires.iter();
        requires.filter(move |require| {
            matches!(require.what, What::Encrypted) && require.validity.holds(at)
        })
    }

    /// Whether a require asks for encryption at an instant, seconds since 1970.
    pub fn asks_encryption_at(&self, at: i64) -> bool {
        self.encryption_requires_at(at).next().is_some()
    }

    /// Whether a require of encryption that is in force then may bind an allow.
    fn wants_encryption(&self, allow: &Condition, at: i64) -> bool {
        let may_be_inside = |names: &[Name]| names.iter().any(|name| name.may_be_inside());
        let mut requires = self.encryption_requires_at(at);
        requires.any(|require| {
            let is_inside_only = !require.between.iter().any(|name| name.may_be_outside());
            allow.exempt.binary_search(&require.rule).is_err()
                && (!is_inside_only || may_be_inside(&allow.from) && may_be_inside(&allow.to))
        })
    }

    /// Whether a miss at an instant, seconds since 1970, says that records do not tell of encryption: nothing else that it
    /// says depends on when.
    pub fn lacks_encryption(&self, miss: Miss, at: i64) -> bool {
        let mut allows = self.rules.allows.iter();
        miss.lacked == Lacked::Evidence
            && allows.any(|allow| allow.rule == miss.rule && self.wants_encryption(allow, at))
    }

    /// Adds what would have to be loaded or logged to tell whether an end is what a name says.
    pub(super) fn evidence_for(&self, name: Name, wanted: &mut Vec<&'static str>) {
        match name {
            Name::Group(group) if self.places.groups[usize::from(group)].needs_inventory() => {
                if !self.has_inventory() {
                    wanted.push("an inventory");
                    return;
                }
                wanted.push("an inventory that knows the address");
                if !self.places.groups[usize::from(group)].tags.is_empty() {
                    wanted.push("its instance's tags");
                }
            }
            Name::Destination(destination) => {
                let destination = &self.places.destinations[usize::from(destination)];
                if !destination.domains.is_empty() {
                    wanted.push("Resolver logs");
                }
                if !destination.missing_lists.is_empty() {
                    wanted.push("prefix lists");
                }
                if destination.services != 0 && !self.has_ranges {
                    wanted.push(SERVICES);
                }
            }
            Name::Aws(_) | Name::AnyAws | Name::Unlisted if !self.has_ranges => {
                wanted.push(SERVICES)
            }
            _ => {}
        }
    }
}

/// What tells whether a connection was encrypted.
pub(super) const ENCRYPTION: &str = "the encryption-status field";

const SERVICES: &str = "the AWS service fields, or pinned ip_ranges";

fn date(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "an unknown date".to_owned(), day_or_instant)
}

fn ports(ports: &Ports) -> String {
    match ports {
        Ports::Any => "any port".to_owned(),
        Ports::Only(sets) => sets
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        Ports::Except(set) => format!("other ports than {set}"),
    }
}
