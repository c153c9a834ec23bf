//! The judgement of one record: the columns that `records` adds to `flows`.

use super::{Confidence, Observer, Orientation, Outcome, Verdict};
use crate::net::Addr;
use crate::policy::{Answer, Path, Severity};

/// What a judged record adds to the raw one; text borrowed from the policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JudgementRow<'a> {
    /// The network that judged it; none out of scope.
    pub network: Option<&'a str>,
    /// Who opened the connection; none where the record could not be oriented (missing fields, out of scope).
    pub client_addr: Option<Addr>,
    /// The client's port; none where the protocol has no ports.
    pub client_port: Option<u16>,
    /// Who was asked.
    pub server_addr: Option<Addr>,
    /// The server's port.
    pub server_port: Option<u16>,
    /// The client's zone.
    pub client_tier: Option<&'a str>,
    /// The server's zone.
    pub server_tier: Option<&'a str>,
    /// The client's groups, sorted by name.
    pub client_groups: &'a [&'a str],
    /// The server's groups, sorted by name.
    pub server_groups: &'a [&'a str],
    /// The evidence for the direction: the record's own if it has a SYN, else its connection's.
    pub orientation: Option<Orientation>,
    /// How sure that is.
    pub confidence: Option<Confidence>,
    /// Which end the reporting interface is.
    pub observer: Option<Observer>,
    /// What became of the connection.
    pub outcome: Option<Outcome>,
    /// The path out.
    pub via: Option<Path>,
    /// What the policy says; none if unjudged.
    pub decision: Option<Answer>,
    /// The deciding rule's id, or the reason why it was not judged.
    pub rule: &'a str,
    /// Decision and outcome together.
    pub verdict: Verdict,
    /// How bad; none if unjudged.
    pub severity: Option<Severity>,
    /// The five flags.
    pub flags: Flags,
}

/// The flags of a judged record; all false if unjudged..
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The verdict is blocked or attempted.
    pub denied_attempt: bool,
    /// Denied, client inside, server outside.
    pub egress_violation: bool,
    /// Denied, both inside, tiers differ.
    pub cross_tier_violation: bool,
    /// Denied, both inside, same tier.
    pub intra_tier_violation: bool,
    /// Denied, client outside, server inside.
    pub ingress_violation: bool,
}
