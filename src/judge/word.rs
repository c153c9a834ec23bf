//! The vocabularies of judgement: evidence, outcomes, verdicts, reasons, kinds of findings.

use crate::policy::words;

words! {
    /// The evidence that decided who the client is, best first: the `orientation` column.
    Orientation {
        /// A SYN without ACK from one end only.
        Syn = "syn",
        /// A SYN with ACK.
        SynAck = "syn_ack",
        /// The connection was decided in an earlier slot of the horizon.
        Connection = "connection",
        /// Exactly one end has proven to accept connections.
        Listener = "listener",
        /// A rejected attempt without any reverse record.
        LoneReject = "lone_reject",
        /// One end has many peers, the other few.
        FanIn = "fan_in",
        /// Exactly one port is in the program's list of services.
        Service = "service",
        /// By the ports' ranges alone.
        Port = "port",
        /// No ports, or equal ones.
        Peer = "peer",
    }

    /// How sure the orientation is; the order is from sure to unsure.
    Confidence {
        /// The client's own SYN was seen.
        Certain = "certain",
        /// Flags of the same connection or of the server prove it.
        Strong = "strong",
        /// Circumstances tell.
        Medium = "medium",
        /// It could be the other way round.
        Ambiguous = "ambiguous",
    }

    /// Which end of the connection the reporting interface is.
    Observer {
        /// The client's interface.
        Client = "client",
        /// The server's interface.
        Server = "server",
        /// An interface that carries others' flows.
        Transit = "transit",
        /// It cannot be told.
        Unknown = "unknown",
    }

    /// What became of a connection: the `outcome` column.
    Outcome {
        /// The server's side rejected the request.
        RejectedServer = "rejected_server",
        /// The client's side rejected the request.
        RejectedClient = "rejected_client",
        /// The request was accepted and the reply rejected: a stateless NACL.
        RejectedReturn = "rejected_return",
        /// The server answered with RST.
        Refused = "refused",
        /// Both directions flowed.
        Established = "established",
        /// Accepted at the server's interface, no reply seen.
        Delivered = "delivered",
        /// Accepted at the client's interface only, no reply seen.
        Sent = "sent",
        /// A transit gateway carried it.
        Forwarded = "forwarded",
    }

    /// Decision and outcome together: the `verdict` column.
    Verdict {
        /// Allowed, and not rejected.
        Compliant = "compliant",
        /// The network let through what the policy forbids.
        Violation = "violation",
        /// Denied and attempted; whether it got through is unknown.
        Attempted = "attempted",
        /// Denied, attempted, and held.
        Blocked = "blocked",
        /// The policy permits it, the network does not.
        Overblocked = "overblocked",
        /// The policy would permit it if missing evidence said so.
        Unproven = "unproven",
        /// Not judged; `rule` holds the reason.
        Unjudged = "unjudged",
    }

    /// Why a connection was not judged; the order is that of precedence.
    Reason {
        /// No network claims the record.
        OutOfScope = "out-of-scope",
        /// No address, protocol or port, or no action outside transit gateways.
        MissingField = "missing-field",
        /// A copy of the same traffic by another flow log of the same interface.
        Duplicate = "duplicate",
        /// Client and server are one address.
        SelfTraffic = "self",
        /// Link-local, multicast, loopback or broadcast.
        Local = "local",
        /// Neither end is inside.
        Unmapped = "unmapped",
        /// From outside to a NAT that sent nothing to that end.
        NatUnsolicited = "nat-unsolicited",
        /// One end is a transit address.
        Transit = "transit",
        /// A SYN-ACK without any other record of its connection.
        Unsolicited = "unsolicited",
        /// A REJECT of what came after a close or an idle time-out.
        PostClose = "post-close",
        /// A rejected record in mid-connection of which nothing else is known.
        Stray = "stray",
        /// ICMP between ends that also had an accepted connection.
        Diagnostic = "diagnostic",
    }

    /// What a finding is about.
    Kind {
        /// Denied, attempted, and held or unknown.
        DeniedAttempt = "denied-attempt",
        /// From inside to outside.
        EgressViolation = "egress-violation",
        /// Between tiers.
        CrossTierViolation = "cross-tier-violation",
        /// Within a tier.
        IntraTierViolation = "intra-tier-violation",
        /// From outside to inside.
        IngressViolation = "ingress-violation",
        /// The network stops what the policy permits.
        Overblocked = "overblocked",
        /// Evidence is missing.
        Unproven = "unproven",
        /// An inside address in no tier.
        Unassigned = "unassigned",
        /// One client, many ports of one server.
        PortScan = "port-scan",
        /// One client, one port of many servers.
        HostSweep = "host-sweep",
        /// A client inside that is turned away again and again.
        DeniedBurst = "denied-burst",
        /// A port that turned clients outside away lets them in.
        ExposureOpened = "exposure-opened",
        /// A client that was turned away elsewhere got in.
        ProbeThenSuccess = "probe-then-success",
        /// A connection that the baseline does not know.
        FirstSeen = "first-seen",
        /// More went out than usual.
        EgressVolume = "egress-volume",
        /// More was read from a data tier than usual.
        DataPull = "data-pull",
        /// Connections at regular intervals to an unlisted address.
        Beacon = "beacon",
        /// A connection with the internet that stays open for hours.
        LongSession = "long-session",
        /// One host reaches for the administration of many.
        LateralFanout = "lateral-fanout",
        /// Many short sessions with a login or a database.
        CredentialGuessing = "credential-guessing",
        /// Resolvers outside are asked.
        DnsBypass = "dns-bypass",
        /// Traffic hidden in ICMP, GRE, ESP or IP in IP.
        Tunnel = "tunnel",
        /// Traffic with a listed address.
        Watchlist = "watchlist",
        /// A source stopped delivering.
        SilentSource = "silent-source",
        /// A flow log does not tell everything.
        CoverageGap = "coverage-gap",
    }
}

impl Kind {
    /// Whether a detector finds it, and not the judgement of single connections.
    pub fn is_detected(self) -> bool {
        self >= Kind::PortScan
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Reason};
    use crate::policy::{DETECTORS, KINDS, REASONS};

    #[test]
    fn no_rule_is_called_like_a_reason() {
        let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(reasons, REASONS);
    }

    #[test]
    fn mutes_know_every_kind_of_finding() {
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let detectors = DETECTORS.iter().map(|detector| detector.name);
        let known: Vec<&str> = KINDS.into_iter().chain(detectors).collect();
        assert_eq!(kinds, known);
    }
}
