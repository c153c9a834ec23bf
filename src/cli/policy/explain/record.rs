//! How a record of a log is judged: its fields, what the slot has of its connection, who the client is and by which
//! evidence, what became of it, and how the policy decides.

use serde_json::{Value, json};

use super::text::{self, Page};
use super::{ExplainArgs, RecordPlace, Told, json as flow_json, ladder};
use crate::app::error::ScanError;
use crate::app::record_story::{ConnectionStory, RecordSettings, RecordStory, Seen, tell};
use crate::cli::report::words::{self, moment};
use crate::cli::{Exit, meant, say};
use crate::judge::Orientation;
use crate::judge::connection::{Lane, Side};
use crate::judge::facts::Seat;
use crate::judge::ruling::Judged;
use crate::net::protocol::has_ports;
use crate::policy::{Decision, Flow, Policy};

pub(super) fn explain(
    args: &ExplainArgs,
    policy: &Policy,
    place: &RecordPlace,
) -> Result<Exit, ScanError> {
    let settings = RecordSettings {
        source: &place.source,
        line: place.line,
        logs: &args.logs,
        horizon: args.horizon,
        policy_file: &args.file,
        layout: meant::layout(args.layout.as_deref())?,
    };
    let story = tell(policy, &settings)?;
    for (url, why) in &story.unreadable {
        say::warning(&format!("could not read {url}: {why}"));
    }
    if args.logs.is_empty() && story.horizon > 0 && story.horizon_with_objects == Some(0) {
        say::warning(
            "the folder of the record's object has no object of the slots before it, so their evidence is missing: \
             --logs names where they lie, for hourly keys the folder of the day",
        );
    }
    let printed = say::printed(&match args.format.as_str() {
        "json" => format!("{:#}\n", value(policy, &story)),
        _ => render(policy, &story, args.all),
    });
    let read = match story.unreadable.is_empty() {
        true => Exit::Done,
        false => Exit::Partial,
    };
    let names = say::resolver(&story.resolver);
    Ok(Exit::most_urgent([printed, read, names]))
}

/// The flow that a connection is, and how the policy decides on it.
fn told<'p>(policy: &'p Policy, story: &ConnectionStory<'p>, shows_all: bool) -> Told<'p> {
    let client = story.ruling.oriented.client;
    let server = story.key.end(client.other());
    Told {
        policy,
        flow: Flow {
            client: story.key.end(client).addr,
            server: server.addr,
            protocol: story.key.protocol,
            server_port: server.port,
            at: i64::from(story.explained.at),
        },
        about: story.explained.ahead.clone(),
        opposite: None,
        shows_all,
    }
}

fn render(policy: &Policy, story: &RecordStory<'_>, shows_all: bool) -> String {
    let mut page = Page::default();
    page.line(&format!("{}:{}", story.source, story.line));
    for (name, value) in &story.fields {
        page.line(&format!("  {name:<26} {value}"));
    }
    page.line("");
    let with_objects = match story.horizon_with_objects {
        Some(number) if story.horizon > 0 => {
            format!(", {} of them with objects", words::count(u64::from(number)))
        }
        _ => String::new(),
    };
    page.line(&format!(
        "judged with {}: the slot of {} and {} before it{with_objects}",
        words::counted(story.objects, "object"),
        moment(i64::from(story.slot)),
        words::counted(u64::from(story.horizon), "slot")
    ));
    let judged = &story.judged;
    page.entry("network", judged.network.as_deref().unwrap_or("none"));
    if let Some(observer) = judged.observer {
        page.entry("observer", observer.as_str());
    }
    let Some(connection) = &story.connection else {
        page.entry(
            "verdict",
            &format!("{}: {}", judged.verdict.as_str(), judged.rule),
        );
        return page.text;
    };
    seen(connection, &mut page);
    rungs(connection, &mut page);
    if let (Some(own), Some(confidence)) = (judged.orientation, judged.confidence)
        && own != connection.ruling.oriented.orientation
    {
        page.entry(
            "this record",
            &format!(
                "{} ({}): its own flags say the same",
                own.as_str(),
                confidence.as_str()
            ),
        );
    }
    page.line("");
    page.line("what became of it");
    let outcome = judged.outcome.map_or("none", |outcome| outcome.as_str());
    page.entry("outcome", outcome);
    if let Some(via) = connection.ruling.via {
        page.entry("path", via.as_str());
    }
    match judged.decision {
        Some(decision) => {
            page.entry(
                "decision",
                &format!("{} by {}", decision.as_str(), judged.rule),
            );
            page.entry("verdict", judged.verdict.as_str());
        }
        None => page.entry(
            "verdict",
            &format!("{}: {}", judged.verdict.as_str(), judged.rule),
        ),
    }
    if let Some(severity) = judged.severity {
        page.entry("severity", severity.as_str());
    }
    let Judged::Decided { decision, .. } = &connection.ruling.judged else {
        page.entry("", "no rule decides");
        return page.text;
    };
    text::body(&told(policy, connection, shows_all), &mut page);
    both_ways(policy, connection, decision, &mut page);
    page.text
}

/// Who sent what, as each interface saw it.
fn seen(story: &ConnectionStory<'_>, page: &mut Page) {
    page.line("");
    page.line("seen in the slot");
    for seen in &story.seen {
        page.line(&format!(
            "  {} -> {}: {} {} {}, {}; flags: {}",
            ladder::end(&story.key, seen.sender),
            ladder::end(&story.key, seen.sender.other()),
            words::counted(u64::from(seen.records), "record"),
            what_was_done(seen.lane),
            at(story, seen),
            words::bytes(seen.bytes),
            ladder::kinds(seen.kinds),
        ));
    }
}

fn what_was_done(lane: Lane) -> &'static str {
    match lane {
        Lane::Accepted => "accepted",
        Lane::Forwarded => "forwarded",
        _ => "rejected",
    }
}

fn at(story: &ConnectionStory<'_>, seen: &Seen) -> String {
    let interface = seen.interface.as_deref().unwrap_or("an interface");
    match seen.seat {
        Seat::End(side) => format!("at {interface} of {}", ladder::end(&story.key, side)),
        Seat::Transit => format!("at {interface}, which carries others' flows"),
        Seat::Unknown => format!("at {interface}, whose address is not known"),
    }
}

/// The ladder, rung by rung: the first that tells decides.
fn rungs(story: &ConnectionStory<'_>, page: &mut Page) {
    let oriented = &story.ruling.oriented;
    page.line("");
    page.line(&format!(
        "the client is {}, by {} ({})",
        ladder::end(&story.key, oriented.client),
        oriented.orientation.as_str(),
        oriented.confidence.as_str()
    ));
    for rung in &story.ladder.rungs {
        let word = match rung.client {
            None => "-",
            Some(_) if rung.orientation == oriented.orientation => "decides",
            Some(client) if client == oriented.client => "agrees",
            Some(_) => "disagrees",
        };
        page.line(&format!(
            "  {word:<10} {:<12} {}",
            rung.orientation.as_str(),
            ladder::seen(rung, &story.ladder, &story.key)
        ));
    }
}

/// What the opposite direction has to do with it.
fn both_ways(policy: &Policy, story: &ConnectionStory<'_>, decision: &Decision, page: &mut Page) {
    let Some(reverse) = &story.explained.reverse else {
        return;
    };
    let other = &reverse.decision;
    page.line("");
    page.line("it could be the other way round");
    page.entry(
        "then",
        &format!(
            "{} by {}",
            other.answer.as_str(),
            policy.rule(other.rule).id
        ),
    );
    let ahead = &story.explained.ahead.explanation.decision;
    let what = match story.ruling.oriented.orientation {
        Orientation::Peer if decision != ahead => "of two equals, this direction decides",
        Orientation::Peer => "of two equals, the first direction decides",
        _ => "this only limits the severity",
    };
    page.entry("effect", what);
}

fn value(policy: &Policy, story: &RecordStory<'_>) -> Value {
    let judged = &story.judged;
    let fields = story.fields.iter();
    let fields: serde_json::Map<String, Value> = fields
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    let unreadable = story.unreadable.iter();
    let unreadable: Vec<Value> = unreadable
        .map(|(url, why)| json!({ "source": **url, "reason": why }))
        .collect();
    json!({
        "source": *story.source,
        "line": story.line,
        "fields": fields,
        "slot": moment(i64::from(story.slot)),
        "horizon": story.horizon,
        "horizon_with_objects": story.horizon_with_objects,
        "objects": story.objects,
        "unreadable": unreadable,
        "network": judged.network,
        "observer": judged.observer.map(|word| word.as_str()),
        "orientation": judged.orientation.map(|word| word.as_str()),
        "confidence": judged.confidence.map(|word| word.as_str()),
        "outcome": judged.outcome.map(|word| word.as_str()),
        "decision": judged.decision.map(|word| word.as_str()),
        "rule": judged.rule,
        "verdict": judged.verdict.as_str(),
        "severity": judged.severity.map(|word| word.as_str()),
        "connection": story.connection.as_ref().map(|connection| connection_value(policy, connection)),
    })
}

fn connection_value(policy: &Policy, story: &ConnectionStory<'_>) -> Value {
    let end = |side: Side| {
        let end = story.key.end(side);
        let port = has_ports(story.key.protocol).then_some(end.port);
        json!({ "addr": end.addr.to_string(), "port": port })
    };
    let oriented = &story.ruling.oriented;
    let seen = story.seen.iter().map(|seen| {
        let (seat, addr) = match seen.seat {
            Seat::End(side) => ("end", Some(story.key.end(side).addr.to_string())),
            Seat::Transit => ("transit", None),
            Seat::Unknown => ("unknown", None),
        };
        json!({
            "from": end(seen.sender),
            "action": what_was_done(seen.lane),
            "interface": seen.interface,
            "flow_log": seen.flow_log,
            "seat": seat,
            "seat_addr": addr,
            "records": seen.records,
            "bytes": seen.bytes,
            "flags": ladder::kinds(seen.kinds),
        })
    });
    let rungs = story.ladder.rungs.iter().map(|rung| {
        json!({
            "orientation": rung.orientation.as_str(),
            "client": rung.client.map(end),
            "confidence": rung.client.map(|_| rung.confidence.as_str()),
            "decides": rung.client.is_some() && rung.orientation == oriented.orientation,
            "seen": ladder::seen(rung, &story.ladder, &story.key),
        })
    });
    let is_decided = matches!(story.ruling.judged, Judged::Decided { .. });
    let reverse = story.explained.reverse.as_ref().map(|reverse| {
        let rule = &policy.rule(reverse.decision.rule).id;
        json!({ "decision": reverse.decision.answer.as_str(), "rule": rule })
    });
    json!({
        "client": end(oriented.client),
        "server": end(oriented.client.other()),
        "orientation": oriented.orientation.as_str(),
        "confidence": oriented.confidence.as_str(),
        "seen": seen.collect::<Vec<Value>>(),
        "ladder": rungs.collect::<Vec<Value>>(),
        "via": story.ruling.via.map(|via| via.as_str()),
        "encrypted": story.explained.encrypted,
        "policy": is_decided.then(|| flow_json::value(&told(policy, story, true))),
        "reverse": reverse.filter(|_| is_decided),
    })
}
