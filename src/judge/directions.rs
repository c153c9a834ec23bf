//! The policy asked about a connection: from the client's side, and from the server's where it could be the other way round.

use crate::net::protocol::{has_ports, is_icmp};
use crate::policy::{Answer, Decider, Decision, Policy, Question};

/// What is asked.
pub struct Directions<'q> {
    /// From who is shown as the client.
    pub ahead: Question<'q>,
    /// From the other end; only where the direction is ambiguous.
    pub reverse: Option<Question<'q>>,
    /// Whether the ends are equals, so that both directions decide.
    pub are_peers: bool,
}

impl Directions<'_> {
    /// The decision, and what was said of the other direction if that was asked about.
    pub fn decide(
        &self,
        policy: &Policy,
        decider: &mut Decider<'_>,
    ) -> (Decision, Option<Decision>) {
        let ahead = decider.decide(&self.ahead);
        let reverse = self.reverse.map(|reverse| decider.decide(&reverse));
        let decision = match reverse {
            Some(reverse) if self.are_peers => self.of_peers(policy, ahead, reverse),
            _ => ahead,
        };
        (decision, reverse)
    }

    /// Both directions of equals: one that is allowed is enough for symmetric services and protocols without ports,
    /// else both must be.
    fn of_peers(&self, policy: &Policy, ahead: Decision, reverse: Decision) -> Decision {
        let (protocol, port) = (self.ahead.protocol, self.ahead.server_port);
        let one_is_enough = !has_ports(protocol) || policy.is_symmetric(protocol, port);
        let order = if one_is_enough {
            [Answer::Allow, Answer::Unproven, Answer::Deny]
        } else {
            [Answer::Deny, Answer::Unproven, Answer::Allow]
        };
        let deciding = order
            .into_iter()
            .find(|answer| ahead.answer == *answer || reverse.answer == *answer);
        if deciding == Some(ahead.answer) {
            ahead
        } else {
            reverse
        }
    }
}

/// Whether it is ICMP that was denied, but by no rule for ICMP: between ends that also had an accepted connection that says
/// nothing.
pub fn is_stray_icmp(policy: &Policy, protocol: u8, decision: &Decision) -> bool {
    is_icmp(protocol)
        && decision.answer == Answer::Deny
        && !policy.names_protocol(decision.rule, protocol)
}
