//! The program's side of the comparison: the same objects as text, through decoding, folding, proving and judging, on
//! one thread and without files.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate::flow::{DecodeOptions, Fields, Input, Record, Scratch, decode};
use tidegate::judge::close::{Pieces, judge_piece, prove};
use tidegate::judge::edges::{EdgeTable, EdgeWords};
use tidegate::judge::evidence::{Evidence, Horizon};
use tidegate::judge::facts::SlotFacts;
use tidegate::judge::fold::{Folder, ObjectFacts};
use tidegate::judge::ladder::Ladder;
use tidegate::judge::part::Parts;
use tidegate::judge::records::{JudgedSink, RecordJudge, Rulings, Wanted};
use tidegate::judge::reporter::{KeyPlace, Reporters};
use tidegate::judge::ruling::{Explained, Judge, Judged, Ruling, SlotContext};
use tidegate::judge::table::ConnectionTable;
use tidegate::judge::traffic::Traffic;
use tidegate::judge::{EdgeRow, Flags, JudgementRow, Orientation};
use tidegate::policy::Policy;
use tidegate::source::KeyFacts;

use super::edges::{EdgeCounts, EdgeKey, edges};
use super::judge::{TwinRow, judge_all};
use super::policy::TwinPolicy;
use super::record::{TextObject, TwinObject};
use super::table::describe_row;

/// Panics unless twin and program agree on every row and every edge.
#[track_caller]
pub fn agree(policy: &TwinPolicy, objects: &[TwinObject], judged_from: u32, horizon: usize) {
    if let Err(difference) = compare(policy, objects, judged_from, horizon) {
        panic!("{difference}");
    }
}

/// What twin and program disagree on.
pub fn compare(
    policy: &TwinPolicy,
    objects: &[TwinObject],
    judged_from: u32,
    horizon: usize,
) -> Result<(), String> {
    let twin = judge_all(policy, objects, judged_from, horizon);
    let texts: Vec<TextObject> = objects.iter().map(TwinObject::print).collect();
    let (rows, edge_counts) = engine(&policy.to_toml(), &texts, judged_from, horizon)?;

    let mut differences = String::new();
    for judged in &twin {
        let found = rows
            .iter()
            .find(|row| row.source == judged.row.source && row.line == judged.row.line);
        let found = found.map_or("no row".to_string(), describe_row);
        let expected = describe_row(&judged.row);
        if expected != found {
            differences += &format!("{}\n", difference(&expected, &found));
        }
    }
    if rows.len() != twin.len() {
        differences += &format!("twin has {} rows, program has {}\n", twin.len(), rows.len());
    }
    let twin_edges = edges(&twin);
    for key in twin_edges.keys().chain(edge_counts.keys()) {
        let (expected, found) = (twin_edges.get(key), edge_counts.get(key));
        if expected != found {
            differences += &format!("{key:?}\n    twin    {expected:?}\n    program {found:?}\n");
        }
    }
    if differences.is_empty() {
        Ok(())
    } else {
        Err(format!("\n{differences}"))
    }
}

/// The row, and the cells that differ.
fn difference(twin: &str, program: &str) -> String {
    let cells = twin
        .split(' ')
        .zip(program.split(' '))
        .filter(|(twin, program)| twin != program);
    let cells: Vec<String> = cells
        .map(|(twin, program)| format!("    twin {twin}, program {program}"))
        .collect();
    format!("{twin}\n{}", cells.join("\n"))
}

/// Judges the objects by the program.
fn engine(
    policy_toml: &str,
    objects: &[TextObject],
    judged_from: u32,
    horizon: usize,
) -> Result<(Vec<TwinRow>, BTreeMap<EdgeKey, EdgeCounts>), String> {
    let none = |_: &str| Err(std::io::ErrorKind::NotFound.into());
    let policy = Policy::parse("policy.toml", policy_toml, &none)
        .map_err(|errors| format!("{errors}\n{policy_toml}"))?;
    let mut objects: Vec<&TextObject> = objects.iter().collect();
    objects.sort_by(|a, b| a.url.cmp(&b.url));
    let urls: Vec<Arc<str>> = objects
        .iter()
        .map(|object| Arc::from(&*object.url))
        .collect();
    let keys: Vec<KeyFacts> = objects
        .iter()
        .map(|object| KeyFacts::parse(&object.url).expect("a key of AWS"))
        .collect();
    let facts_of = |rank: usize| ObjectFacts {
        slot: Some(keys[rank].time),
        rank: rank as u32,
        flow_log: &keys[rank].flow_log,
        place: KeyPlace {
            account: Some(&keys[rank].account),
            region: Some(&keys[rank].region),
        },
    };
    let reporters = Arc::new(Reporters::default());
    let (options, mut scratch) = (DecodeOptions::default(), Scratch::default());

    let mut parts = Parts::new();
    for (rank, object) in objects.iter().enumerate() {
        let mut malformed =
            |line: u64, why: &_, _: &[u8]| panic!("line {line} of {}: {why}", object.url);
        let mut folder = Folder::new(
            &policy,
            &reporters,
            facts_of(rank),
            &mut parts,
            &mut malformed,
        );
        let bytes = bytes::Bytes::from(object.text.clone());
        decode(Input::Bytes(&bytes), &options, &mut scratch, &mut folder)
            .map_err(|error| error.to_string())?;
        folder.finish(true);
    }
    let mut evidence: BTreeMap<u32, Evidence> = BTreeMap::new();
    let mut companies = BTreeMap::new();
    for (slot, part) in &parts {
        // So few ends at a time that peers are mostly counted in rounds.
        let (proofs, company) = prove(&part.table, 5).map_err(|error| error.to_string())?;
        evidence.insert(*slot, proofs.seal());
        companies.insert(*slot, company);
    }

    let snapshot = reporters.snapshot();
    let (mut judge, explaining) = (Judge::new(&policy), Judge::new(&policy));
    let mut rows = Rows {
        url: String::new(),
        rows: Vec::new(),
    };
    let mut tables: BTreeMap<u32, EdgeTable> = BTreeMap::new();
    for (&slot, part) in parts.range(judged_from..) {
        let first = slot.saturating_sub(300 * horizon as u32);
        let earlier = evidence
            .range(first..slot)
            .rev()
            .map(|(_, evidence)| evidence)
            .collect();
        let horizon = Horizon {
            own: &evidence[&slot],
            earlier,
        };
        let facts = SlotFacts::new(&policy, &snapshot, &part.notes.interfaces);
        let edges = tables
            .entry(slot / 3600)
            .or_insert_with(|| EdgeTable::new(reporters.clone()));
        let mut rulings = Rulings::new(Wanted::All);
        let context = SlotContext {
            facts: &facts,
            horizon: &horizon,
            peers: &companies[&slot].peers,
            talking: &companies[&slot].talking,
            slot,
        };
        let mut each = |table: &ConnectionTable, place, traffic: &Traffic, ruling: &Ruling| {
            let (connection, views) = (table.at(place), table.views(place));
            let ladder = Ladder::of(&connection.key(), traffic, context.horizon, context.peers);
            let explained = explaining.explain(&context, connection, traffic, ruling);
            is_explained(&policy, ruling, &ladder, &explained).map_err(std::io::Error::other)?;
            edges.add(
                &policy,
                &facts,
                connection,
                views.clone(),
                traffic,
                ruling,
                &mut |_| true,
            );
            rulings.keep(&policy, &facts, connection, views, traffic, ruling);
            Ok(())
        };
        for piece in 0..part.table.count() {
            judge_piece(&mut judge, &part.table, piece, &context, &mut each)
                .map_err(|error| error.to_string())?;
        }
        rulings.take_unjudgeable_too();
        for (rank, object) in objects
            .iter()
            .enumerate()
            .filter(|(rank, _)| keys[*rank].time == slot)
        {
            rows.url = object.url.clone();
            let mut judged = RecordJudge::new(
                &policy,
                &reporters,
                &facts,
                &rulings,
                facts_of(rank),
                slot,
                &mut rows,
            );
            let bytes = bytes::Bytes::from(object.text.clone());
            decode(Input::Bytes(&bytes), &options, &mut scratch, &mut judged)
                .map_err(|error| error.to_string())?;
        }
    }
    let mut edge_counts = BTreeMap::new();
    for (hour, mut table) in tables {
        let mut words = EdgeWords::new(&policy, &snapshot, &urls);
        for entry in table.entries() {
            let (key, counts) = edge(hour, &words.row(entry));
            edge_counts.insert(key, counts);
        }
    }
    Ok((rows.rows, edge_counts))
}

/// What is told of a ruling to people is the ruling: the first rung that tells is the one that decided, and the policy's
/// answer is the one that counted.
fn is_explained(
    policy: &Policy,
    ruling: &Ruling,
    ladder: &Ladder,
    explained: &Explained<'_>,
) -> Result<(), String> {
    let oriented = &ruling.oriented;
    let rung = ladder.decides().ok_or("no rung tells")?;
    let decided = (rung.client, rung.orientation, rung.confidence);
    let expected = (
        Some(oriented.client),
        oriented.orientation,
        oriented.confidence,
    );
    if decided != expected {
        return Err(format!(
            "the ladder says {decided:?}, the judge {expected:?}"
        ));
    }
    let zones = (explained.ahead.client.zone, explained.ahead.server.zone);
    let expected = [ruling.zones.client, ruling.zones.server].map(|zone| policy.zone_name(zone));
    if zones != (expected[0], expected[1]) {
        return Err(format!(
            "the explanation says {zones:?}, the judge {expected:?}"
        ));
    }
    let Judged::Decided { decision, .. } = ruling.judged else {
        return Ok(());
    };
    let ahead = explained.ahead.explanation.decision;
    let reverse = explained.reverse.as_ref().map(|reverse| reverse.decision);
    let may_be_reverse = oriented.orientation == Orientation::Peer;
    if decision == ahead || (may_be_reverse && Some(decision) == reverse) {
        return Ok(());
    }
    Err(format!(
        "explained are {ahead:?} and {reverse:?}, the judge says {decision:?}"
    ))
}

struct Rows {
    url: String,
    rows: Vec<TwinRow>,
}

impl JudgedSink for Rows {
    type Reporter = ();

    fn reporter(&mut self, _fields: &impl Fields) {}

    fn judged(
        &mut self,
        record: &Record,
        _fields: &impl Fields,
        _reporter: (),
        row: &JudgementRow<'_>,
    ) {
        let names = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let Flags {
            denied_attempt,
            egress_violation,
            cross_tier_violation,
            intra_tier_violation,
            ingress_violation,
        } = row.flags;
        self.rows.push(TwinRow {
            source: self.url.clone(),
            line: record.line,
            network: row.network.map(str::to_string),
            client_addr: row.client_addr.map(|addr| addr.to_string()),
            client_port: row.client_port,
            server_addr: row.server_addr.map(|addr| addr.to_string()),
            server_port: row.server_port,
            client_tier: row.client_tier.map(str::to_string),
            server_tier: row.server_tier.map(str::to_string),
            client_groups: names(row.client_groups),
            server_groups: names(row.server_groups),
            orientation: row.orientation.map(|word| word.as_str().to_string()),
            confidence: row.confidence.map(|word| word.as_str().to_string()),
            observer: row.observer.map(|word| word.as_str().to_string()),
            outcome: row.outcome.map(|word| word.as_str().to_string()),
            via: row.via.map(|word| word.as_str().to_string()),
            decision: row.decision.map(|word| word.as_str().to_string()),
            rule: row.rule.to_string(),
            verdict: row.verdict.as_str().to_string(),
            severity: row.severity.map(|word| word.as_str().to_string()),
            flags: [
                denied_attempt,
                egress_violation,
                cross_tier_violation,
                intra_tier_violation,
                ingress_violation,
            ],
        });
    }
}

fn edge(hour: u32, row: &EdgeRow<'_>) -> (EdgeKey, EdgeCounts) {
    let key = EdgeKey {
        hour,
        network: row.network.to_string(),
        client_addr: row.client_addr.to_string(),
        server_addr: row.server_addr.to_string(),
        server_port: row.server_port,
        protocol: row.protocol,
        orientation: row.orientation.as_str().to_string(),
        outcome: row.outcome.map(|word| word.as_str().to_string()),
        verdict: row.verdict.as_str().to_string(),
        rule: row.rule.to_string(),
        client_tier: Some(row.client_zone.to_string()),
        server_tier: Some(row.server_zone.to_string()),
    };
    let counts = EdgeCounts {
        records: row.records,
        connections: row.connections,
        packets_to_server: row.packets_to_server,
        packets_to_client: row.packets_to_client,
        bytes_to_server: row.bytes_to_server,
        bytes_to_client: row.bytes_to_client,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        source: row.source.to_string(),
        line: row.line,
    };
    (key, counts)
}
