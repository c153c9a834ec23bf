//! Why a control is not met, in words for programs and for people.

use std::fmt;

/// Why a control is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Connections that its rules deny were let through.
    Violations(u64),
    /// Connections that its rules deny were sent, and may have got through.
    Attempts(u64),
    /// Connections that its rules would allow if evidence that is missing said so.
    Unproven(u64),
    /// Connections of an unknown path under rules that ask for one.
    PathUnknown(u64),
    /// Connections that only the default denies, between zones of its rules, were or may have been let through.
    ByDefault(u64),
    /// These rules cannot show in flow logs.
    NotObservable(Vec<String>),
    /// These rules were not in force in all of the period.
    NotInForce(Vec<String>),
    /// None of its rules denies, and none decided anything.
    NothingChecked,
    /// Hours of the period without objects.
    HoursMissing(u64),
    /// Flow logs that delivered nothing for a while.
    LogsSilent(u64),
    /// Flow logs that tell of rejected traffic only.
    RejectOnly(u64),
    /// Objects that could not be read.
    Unreadable(u64),
    /// More lines were lost than may be.
    Lost {
        /// The lines that were lost.
        lost: u64,
        /// All lines that tell of traffic.
        telling: u64,
    },
    /// Networks of the policy of which the logs tell nothing.
    NetworksUnseen(Vec<String>),
    /// The policy is in force from a later time on.
    NotYetEffective,
}

impl Why {
    /// Its word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Why::Violations(_) => "violations",
            Why::Attempts(_) => "attempts",
            Why::Unproven(_) => "unproven",
            Why::PathUnknown(_) => "path-unknown",
            Why::ByDefault(_) => "denied-by-default",
            Why::NotObservable(_) => "not-observable",
            Why::NotInForce(_) => "not-in-force",
            Why::NothingChecked => "nothing-checked",
            Why::HoursMissing(_) => "hours-missing",
            Why::LogsSilent(_) => "logs-silent",
            Why::RejectOnly(_) => "reject-only",
            Why::Unreadable(_) => "unreadable",
            Why::Lost { .. } => "lost",
            Why::NetworksUnseen(_) => "networks-unseen",
            Why::NotYetEffective => "not-yet-effective",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = |number: &u64, noun: &str| {
            let plural = if *number == 1 { "" } else { "s" };
            format!("{number} {noun}{plural}")
        };
        match self {
            Why::Violations(count) => write!(
                f,
                "let through although its rules deny them: {}",
                some(count, "connection")
            ),
            Why::Attempts(count) => write!(
                f,
                "denied by its rules and sent, and nobody knows whether they got through: {}",
                some(count, "connection")
            ),
            Why::Unproven(count) => write!(
                f,
                "allowed by its rules only if missing evidence says so: {}",
                some(count, "connection")
            ),
            Why::PathUnknown(count) => write!(
                f,
                "allowed by rules that ask for a path, while theirs is unknown or mixed: {}",
                some(count, "connection")
            ),
            Why::ByDefault(count) => write!(
                f,
                "between the zones of its rules, denied by the default alone, and let through or perhaps let through: {}",
                some(count, "connection")
            ),
            Why::NotObservable(rules) => {
                write!(
                    f,
                    "rules that cannot show in flow logs: {}",
                    rules.join(", ")
                )
            }
            Why::NotInForce(rules) => write!(
                f,
                "rules that were not in force in all of the period: {}",
                rules.join(", ")
            ),
            Why::NothingChecked => {
                f.write_str("none of its rules denies anything, and none decided anything")
            }
            Why::HoursMissing(count) => {
                write!(
                    f,
                    "the lake has no objects of {} of the period",
                    some(count, "hour")
                )
            }
            Why::LogsSilent(count) => write!(
                f,
                "{} delivered nothing for a part of the period",
                some(count, "flow log")
            ),
            Why::RejectOnly(count) => write!(
                f,
                "{} tell of REJECT only: nothing that was let through could show",
                some(count, "flow log")
            ),
            Why::Unreadable(count) => write!(f, "{} could not be read", some(count, "object")),
            Why::Lost { lost, telling } => write!(
                f,
                "{lost} of {telling} lines are SKIPDATA, malformed, or lack what it takes to judge them"
            ),
            Why::NetworksUnseen(networks) => write!(
                f,
                "networks of the policy of which the logs tell nothing: {}",
                networks.join(", ")
            ),
            Why::NotYetEffective => f.write_str("the period begins before the policy is effective"),
        }
    }
}
