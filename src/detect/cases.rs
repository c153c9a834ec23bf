//! What detectors raise becomes findings: suspicions of one subject are one case, and the worst of them names it.

use std::collections::BTreeMap;

use super::trace::{Trace, TracedEnd};
use crate::judge::server_names::NamesGatherer;
use crate::judge::subject::{finding_id, is_muted};
use crate::judge::{Confidence, Finding, Kind, ServerNames, Subject};
use crate::policy::{Detecting, Policy, Severity};

/// Cases of one kind that a day may have. Nobody reads more; what comes later is counted.
const CASES_CAP: usize = 2000;

/// What a detector raises.
pub(super) struct Suspicion {
    pub kind: Kind,
    /// Which ends the case is about.
    pub about: About,
    /// The server's port, where the case is about one.
    pub port: Option<u16>,
    /// The protocol, where the case is about one.
    pub protocol: Option<u8>,
    /// How bad it is; none is as the policy says.
    pub severity: Option<Severity>,
    /// How much there is of it: of several suspicions the weightiest gives title and reason.
    pub weight: u64,
    /// One sentence for people.
    pub title: String,
    /// By which numbers it was decided.
    pub reason: String,
    /// What it rests on.
    pub trace: Trace,
}

/// Which ends a case is about: its finding is the same from day to day for the same ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum About {
    Client,
    Server,
    Both,
}

/// The cases of a day.
pub(super) struct Cases<'a> {
    policy: &'a Policy,
    day: u32,
    cases: BTreeMap<(Kind, u64), Case>,
    /// How many of each kind.
    of_kind: BTreeMap<Kind, usize>,
    let_go: u64,
}

struct Case {
    finding: Finding,
    weight: u64,
    about: About,
    trace: Trace,
}

impl<'a> Cases<'a> {
    /// None yet, of the UTC day that begins at this instant.
    pub fn new(policy: &'a Policy, day: u32) -> Cases<'a> {
        Cases {
            policy,
            day,
            cases: BTreeMap::new(),
            of_kind: BTreeMap::new(),
            let_go: 0,
        }
    }

    /// How many suspicions were let go because there were too many cases.
    pub fn let_go(&self) -> u64 {
        self.let_go
    }

    /// Takes a suspicion.
    pub fn raise(&mut self, suspicion: Suspicion) {
        let Some(example) = suspicion.trace.example.as_deref() else {
            return;
        };
        let (about, trace) = (suspicion.about, &suspicion.trace);
        let name = |end: &TracedEnd, is_about: bool| match is_about {
            true => end.name.clone(),
            false => String::new(),
        };
        let subjects = [
            name(&trace.client, about != About::Server),
            name(&trace.server, about != About::Client),
        ];
        let id = finding_id(
            &example.network,
            suspicion.kind,
            &subjects,
            suspicion.port,
            suspicion.protocol.unwrap_or(0),
            "",
        );
        self.add(id, &subjects, suspicion);
    }

    /// Takes what is said of a flow log, an account, a region or an interface by this name; `what` is said of it.
    pub fn raise_of_source(&mut self, name: &str, what: &str, suspicion: Suspicion) {
        let subjects = [name.to_owned(), String::new()];
        let id = finding_id("", suspicion.kind, &subjects, None, 0, what);
        self.add(id, &subjects, suspicion);
    }

    fn add(&mut self, id: u64, subjects: &[String; 2], suspicion: Suspicion) {
        let kind = suspicion.kind;
        if !self.cases.contains_key(&(kind, id)) {
            let of_kind = self.of_kind.entry(kind).or_default();
            if *of_kind == CASES_CAP {
                self.let_go += 1;
                return;
            }
            *of_kind += 1;
        }
        let Some(detecting) = detecting(self.policy, kind) else {
            return;
        };
        let case = self.cases.entry((kind, id)).or_insert_with(|| Case {
            finding: begun(id, self.day, kind, subjects, &suspicion, detecting),
            weight: 0,
            about: suspicion.about,
            trace: Trace::default(),
        });
        let severity = suspicion.severity.unwrap_or(detecting.severity);
        case.finding.severity = case.finding.severity.max(severity);
        if suspicion.weight > case.weight {
            case.weight = suspicion.weight;
            case.finding.title = suspicion.title;
            case.finding.reason = suspicion.reason;
        }
        case.trace.absorb(suspicion.trace);
    }

    /// The findings, by kind and id.
    pub fn finish(self) -> Vec<Finding> {
        let policy = self.policy;
        let finish = |case: Case| case.finish(policy);
        self.cases.into_values().map(finish).collect()
    }
}

/// What holds of the detector that raises findings of this kind.
pub(super) fn detecting(policy: &Policy, kind: Kind) -> Option<&Detecting> {
    let is_it = |known: &&Detecting| known.detector().name == kind.as_str();
    policy.detecting().iter().find(is_it)
}

/// The finding of a new case, but for what its trace says.
fn begun(
    id: u64,
    day: u32,
    kind: Kind,
    subjects: &[String; 2],
    suspicion: &Suspicion,
    detecting: &Detecting,
) -> Finding {
    let example = suspicion.trace.example.as_deref();
    let inside = example.map(|example| example.inside.clone());
    let [
        account_id,
        region,
        vpc_id,
        subnet_id,
        interface_id,
        instance_id,
    ] = inside.unwrap_or_default();
    let end = |subject: &String| Subject {
        subject: subject.clone(),
        zone: String::new(),
        addresses: 0,
        heaviest: Vec::new(),
    };
    Finding {
        finding_id: format!("{id:016x}"),
        day,
        kind,
        severity: Severity::Low,
        confidence: example.map_or(Confidence::Certain, |example| example.confidence),
        title: String::new(),
        network: example.map_or_else(String::new, |example| example.network.clone()),
        client: end(&subjects[0]),
        server: end(&subjects[1]),
        server_names: Default::default(),
        server_port: suspicion.port,
        protocol: suspicion.protocol,
        rule: String::new(),
        reason: String::new(),
        owner: detecting.owner.clone(),
        controls: Vec::new(),
        lacked: None,
        outcome: example.and_then(|example| example.outcome),
        via: None,
        account_id,
        region,
        vpc_id,
        subnet_id,
        interface_id,
        instance_id,
        first_seen: 0,
        last_seen: 0,
        records: 0,
        connections: 0,
        packets: 0,
        bytes: 0,
        source: example.map_or_else(String::new, |example| example.source.clone()),
        line: example.map_or(0, |example| example.line),
        muted: false,
    }
}

/// The names that led the heaviest clients to the heaviest servers.
fn names(policy: &Policy, finding: &Finding, times: [u32; 2]) -> ServerNames {
    let mut names = NamesGatherer::default();
    for (client, _) in &finding.client.heaviest {
        for (server, _) in &finding.server.heaviest {
            names.add(policy, &finding.network, [*client, *server], times);
        }
    }
    names.finish()
}

impl Case {
    fn finish(self, policy: &Policy) -> Finding {
        let Case {
            mut finding, trace, ..
        } = self;
        let name = |is_about: bool, subject: &str| is_about.then(|| subject.to_owned());
        let client = name(self.about != About::Server, &finding.client.subject);
        let server = name(self.about != About::Client, &finding.server.subject);
        finding.client = trace.client.subject(client.as_deref());
        finding.server = trace.server.subject(server.as_deref());
        finding.server_names = names(policy, &finding, [trace.first_seen, trace.last_seen]);
        finding.first_seen = trace.first_seen;
        finding.last_seen = trace.last_seen;
        finding.records = trace.records;
        finding.connections = trace.connections;
        finding.packets = trace.packets;
        finding.bytes = trace.bytes;
        finding.muted = is_muted(
            policy,
            finding.kind,
            [&finding.client.zone, &finding.server.zone],
            (finding.protocol.unwrap_or(0), finding.server_port, ""),
            finding.first_seen,
        );
        finding
    }
}
