//! `policy explain --record`: one record of a log, judged as a scan judges it, with all that its judgement went by.
//!
//! The record's slot is gathered, and the slots of its horizon for their evidence, from the objects of some sources. The
//! judgement is made by what a scan makes it by; then it is told, rung by rung and rule by rule.

mod line;
mod objects;
mod reader;

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::batch::runtime;
use super::error::ScanError;
use super::memory::Shares;
use super::progress::Unwatched;
use super::resolver::{ResolverReport, look_up};
use super::settings::DEFAULT_MEMORY;
use super::work::Memory;
use crate::flow::{DecodeOptions, Layout};
use crate::judge::close::Pieces;
use crate::judge::connection::{Key, Kinds, Lane, Side};
use crate::judge::facts::Seat;
use crate::judge::fold::{SLOT_SECS, slot_at, slot_of};
use crate::judge::ladder::Ladder;
use crate::judge::records::Rulings;
use crate::judge::reporter::Reporters;
use crate::judge::ruling::{Explained, Judge, Ruling, SlotContext};
use crate::judge::traffic::Traffic;
use crate::judge::{Confidence, Observer, Orientation, Outcome, Verdict};
use crate::policy::{Answer, Policy, Severity};
use crate::source::{FetchOptions, Fetcher};

use objects::{folder_of, object_named, objects_beside, slots_with_objects};
use reader::Reader;

/// Which record is asked about, and where its evidence lies.
#[derive(Clone, Debug)]
pub struct RecordSettings<'a> {
    /// The object: a file, or `s3://bucket/key`.
    pub source: &'a str,
    /// Its line in a text object, its row in a Parquet object; from 1.
    pub line: u64,
    /// Where the objects of its slot and horizon lie; none is the object's own folder.
    pub logs: &'a [String],
    /// Slots of five minutes that evidence is carried over.
    pub horizon: u32,
    /// The policy's file: the Resolver logs that it names are relative to it.
    pub policy_file: &'a Path,
    /// The layout of lines without a header.
    pub layout: Option<Arc<Layout>>,
}

/// What is told of a record.
#[derive(Debug)]
pub struct RecordStory<'p> {
    /// The object.
    pub source: Arc<str>,
    /// The line.
    pub line: u64,
    /// The record's fields that have a value, by their names in AWS's order.
    pub fields: Vec<(&'static str, String)>,
    /// The start of its slot, seconds since 1970.
    pub slot: u32,
    /// How many slots before it are its horizon.
    pub horizon: u32,
    /// How many of these have objects; none where an object's key has no time, since it may be of any slot.
    pub horizon_with_objects: Option<u32>,
    /// How many objects were read.
    pub objects: u64,
    /// Those that could not be, and why.
    pub unreadable: Vec<(Arc<str>, String)>,
    /// What was read of Resolver logs; none where the policy names none.
    pub resolver: Option<ResolverReport>,
    /// Its judgement: the row that a lake would have of it.
    pub judged: JudgedRecord,
    /// The connection that it belongs to; none where a field is missing, or no network claims it.
    pub connection: Option<ConnectionStory<'p>>,
}

/// The judgement of a record, as [`JudgementRow`](crate::judge::JudgementRow) has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JudgedRecord {
    /// The network that judged it.
    pub network: Option<String>,
    /// The evidence for its direction.
    pub orientation: Option<Orientation>,
    /// How sure that is.
    pub confidence: Option<Confidence>,
    /// Which end the reporting interface is.
    pub observer: Option<Observer>,
    /// What became of the connection.
    pub outcome: Option<Outcome>,
    /// What the policy says.
    pub decision: Option<Answer>,
    /// The deciding rule, or the reason why it was not judged.
    pub rule: String,
    /// Decision and outcome together.
    pub verdict: Verdict,
    /// How bad.
    pub severity: Option<Severity>,
}

/// What is told of a connection.
#[derive(Debug)]
pub struct ConnectionStory<'p> {
    /// Its ends.
    pub key: Key,
    /// What was seen of it in the slot: by direction, reporter and action.
    pub seen: Vec<Seen>,
    /// What each evidence says of who the client is.
    pub ladder: Ladder,
    /// The ruling.
    pub ruling: Ruling,
    /// How the policy decides.
    pub explained: Explained<'p>,
}

/// Records of a connection that one reporter has of one direction, with one action and kind of flags.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Who sent.
    pub sender: Side,
    /// What AWS did with it; of rejects what flags they had.
    pub lane: Lane,
    /// Which end the reporting interface is.
    pub seat: Seat,
    /// The interface, if records name it.
    pub interface: Option<String>,
    /// The flow log, empty where keys do not name one.
    pub flow_log: String,
    /// How many records.
    pub records: u32,
    /// Their bytes.
    pub bytes: u64,
    /// The kinds of their flags.
    pub kinds: Kinds,
}

/// Judges a record and tells how.
///
/// # Errors
/// When the object or the sources are not as they should be, or the object has no record on that line.
pub fn tell<'p>(
    policy: &'p Policy,
    settings: &RecordSettings<'_>,
) -> Result<RecordStory<'p>, ScanError> {
    let runtime = runtime()?;
    let shares = Shares::of(DEFAULT_MEMORY);
    let (target, s3) = object_named(settings.source, &runtime)?;
    let fetch = FetchOptions {
        whole_limit: shares.object,
        ..FetchOptions::default()
    };
    let mut reader = Reader {
        policy,
        runtime: &runtime,
        fetcher: Fetcher::new(s3.clone(), fetch),
        options: DecodeOptions {
            layout: settings.layout.clone(),
            max_row_group: shares.object,
            ..DecodeOptions::default()
        },
        ends_at_once: shares.ends,
        memory: Memory::default(),
        reporters: Reporters::default(),
        num_read: 0,
        unreadable: Vec::new(),
    };
    let found = reader.find(&target, settings.line)?;
    let slot = match &target.key {
        Some(key) => slot_at(key.time),
        None => slot_of(&found.record),
    };
    let times = [Some(slot), Some(slot.saturating_add(SLOT_SECS))];
    let resolver = look_up(
        policy,
        settings.policy_file,
        times,
        DEFAULT_MEMORY,
        &runtime,
        &Unwatched,
    )?;
    let first = slot.saturating_sub(settings.horizon.saturating_mul(SLOT_SECS));
    let logs = match settings.logs {
        [] => vec![folder_of(settings.source)],
        logs => logs.to_vec(),
    };
    let objects = objects_beside(&target, &logs, (first, slot), s3, &runtime)?;
    let (evidence, part) = reader.gather(&objects, (first, slot))?;
    let (judged, connection) = reader.judge(&target, &found, slot, &evidence, &part)?;
    Ok(RecordStory {
        source: target.url,
        line: settings.line,
        fields: found.fields,
        slot,
        horizon: settings.horizon,
        horizon_with_objects: slots_with_objects(&objects, (first, slot)),
        objects: reader.num_read,
        unreadable: reader.unreadable,
        resolver,
        judged,
        connection,
    })
}

/// Rules on the connection of the slot that has this key, keeps the ruling, and tells of it.
///
/// # Errors
/// When a partition cannot be read back.
fn told_connection<'p>(
    policy: &'p Policy,
    context: &SlotContext<'_>,
    slot: &dyn Pieces,
    key: &Key,
    rulings: &mut Rulings,
) -> io::Result<Option<ConnectionStory<'p>>> {
    let mut judge = Judge::new(policy);
    let mut story = None;
    for number in 0..slot.count() {
        slot.piece(number, &mut |table, mut places| {
            let Some(place) = places.find(|place| table.at(*place).is(key)) else {
                return Ok(());
            };
            let (connection, views) = (table.at(place), table.views(place));
            let traffic = Traffic::of(key, views.clone(), context.facts);
            let ruling = judge.rule(context, connection, views.clone(), &traffic);
            rulings.keep(
                policy,
                context.facts,
                connection,
                views.clone(),
                &traffic,
                &ruling,
            );
            let seen = views.map(|(tag, view)| {
                let reporter = context.facts.reporter(tag.reporter());
                Seen {
                    sender: tag.sender(),
                    lane: tag.lane(),
                    seat: context
                        .facts
                        .seat(tag, key.end(Side::Low), key.end(Side::High)),
                    interface: reporter.inside().interface_id.map(str::to_owned),
                    flow_log: reporter.flow_log.to_string(),
                    records: view.records,
                    bytes: view.bytes,
                    kinds: Kinds(view.kinds),
                }
            });
            let mut seen: Vec<Seen> = seen.collect();
            // Tags are in the order in which reporters arrived.
            seen.sort_by(|a, b| {
                let order = |seen: &Seen| {
                    (
                        seen.sender as u8,
                        seen.lane,
                        seen.interface.clone(),
                        seen.flow_log.clone(),
                    )
                };
                order(a).cmp(&order(b))
            });
            story = Some(ConnectionStory {
                key: *key,
                seen,
                ladder: Ladder::of(key, &traffic, context.horizon, context.peers),
                explained: judge.explain(context, connection, &traffic, &ruling),
                ruling,
            });
            Ok(())
        })?;
    }
    Ok(story)
}
