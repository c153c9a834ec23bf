//! What the policy says of one connection: POLICY.md section 3.

use super::{Answer, ClassId, GroupId, NetworkId, Path, Policy, RuleId, Severity};

/// One end of a connection, with all that rules may match on.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The network that holds the address; none outside.
    pub home: Option<NetworkId>,
    /// Memberships by prefix.
    pub class: ClassId,
    /// Groups by interface facts, sorted; without those by prefix.
    pub groups: &'a [GroupId],
    /// Stands for `groups` in memory keys: equal numbers mean equal slices. 0 is the empty one.
    pub groups_key: u32,
    /// AWS services that any record of the connection names for this end: bit `i` is `net::aws::SERVICES[i]`.
    pub services: u64,
    /// Whether any record of the connection has the service field of this end (a `-` counts).
    pub services_known: bool,
}

/// What the policy is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who opened the connection.
    pub client: End<'a>,
    /// Who was asked.
    pub server: End<'a>,
    /// IANA protocol number.
    pub protocol: u8,
    /// The server's port; 0 where the protocol has none.
    pub server_port: u16,
    /// Whether both ends are IPv4 (rules with `family`).
    pub ipv4: bool,
    /// The instant: seconds since 1970.
    pub at: u32,
    /// The path, if records tell one.
    pub path: Option<Path>,
    /// Whether the connection was encrypted (`encryption-status` 1 to 3 on all records that say), if any record says.
    pub encrypted: Option<bool>,
}

/// What the policy answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// Allow, deny or unproven.
    pub answer: Answer,
    /// The rule that decided, the default included.
    pub rule: RuleId,
    /// The deciding rule's own `severity`.
    pub severity: Option<Severity>,
    /// What the nearest allow lacked (denied and unproven only).
    pub miss: Option<Miss>,
    /// The answer is a broken require, and an end lacks the label it asks for.
    pub unlabelled: bool,
    /// A rule with `via` matched although the path is unknown.
    pub via_unknown: bool,
}

/// The one condition of the nearest allow that failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Miss {
    /// The allow that nearly matched.
    pub rule: RuleId,
    /// What it lacked.
    pub lacked: Lacked,
}

/// A condition that failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lacked {
    /// The rule had expired.
    Expired,
    /// The rule was not yet in force.
    NotYet,
    /// Another port or protocol.
    Port,
    /// Another path.
    Path,
    /// Another address family.
    Family,
    /// A require that it does not exempt: the label, zone or encryption.
    Require(RuleId),
    /// Evidence that no input gave.
    Evidence,
}

impl Policy {
    /// What the policy says, rule by rule: the plain form.
    pub fn decide(&self, _question: &Question<'_>) -> Decision {
        unimplemented!("written next")
    }

    /// What a miss says to a person: `expired on 2026-03-31 (vendor-migration)`.
    pub fn explain_miss(&self, _miss: Miss) -> String {
        unimplemented!("written next")
    }
}

/// [`Policy::decide`] that remembers: one per thread, the same answers.
pub struct Decider<'p> {
    _policy: &'p Policy,
}

impl<'p> Decider<'p> {
    /// A decider with an empty memory.
    pub fn new(policy: &'p Policy) -> Decider<'p> {
        Decider { _policy: policy }
    }

    /// What the policy says; computed once per distinct combination of what rules can tell apart.
    pub fn decide(&mut self, _question: &Question<'_>) -> Decision {
        unimplemented!("written next")
    }
}
