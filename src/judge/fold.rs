//! Records go into the parts of their slots: the hot loop of the program.

use std::collections::BTreeMap;

use crate::flow::{Action, Direction, Excerpt, Field, Fields, MalformedLine, Record, RecordSink};
use crate::net::Addr;
use crate::policy::{NetworkId, Policy, is_nat};

use super::connection::{Contribution, End, Home, Key, Lane, Origin, Side, Tag, View};
use super::lines::LineNotes;
use super::memo::Memo;
use super::part::{Notes, Parts, SlotPart, insert_sorted};
use super::reporter::{KeyPlace, Reporter, ReporterId, Reporters};

/// Length of a slot in seconds: AWS publishes every five minutes.
pub const SLOT_SECS: u32 = 300;

/// The slot that an instant lies in: its start. All in seconds since 1970.
pub fn slot_at(time: u32) -> u32 {
    time - time % SLOT_SECS
}

/// The hour that an instant lies in: its start. All in seconds since 1970.
pub fn hour_at(time: u32) -> u32 {
    time - time % 3600
}

/// How many records wait for their cache lines together.
const BATCH: usize = 64;

/// Batches after which room is asked for: about as many connections as a mebibyte or two hold.
const BATCHES_PER_ASKING: u32 = 128;

/// Whoever watches over memory: may take the connections out of the part of this slot. The last argument is true where
/// what the object added does not count unless it proves whole; whatever was taken out, the table has a checkpoint then.
pub type AskForRoom<'a> = dyn FnMut(u32, &mut SlotPart, bool) + 'a;

/// What the fold must know of the object whose records it takes.
#[derive(Clone, Copy)]
pub struct ObjectFacts<'a> {
    /// The slot of the object's key time; none if each record goes to the slot of its `end`.
    pub slot: Option<u32>,
    /// The rank of the object's URL among those of the day.
    pub rank: u32,
    /// The flow log's id in the key, empty if it has none.
    pub flow_log: &'a str,
    /// Account and region of the key.
    pub place: KeyPlace<'a>,
}

/// Takes an object's records into the parts of their slots.
pub struct Folder<'a> {
    policy: &'a Policy,
    reporters: &'a Reporters,
    object: ObjectFacts<'a>,
    parts: &'a mut Parts,
    /// What the object says beside its connections, by slot; all slots that it has records of.
    noted: BTreeMap<u32, Notes>,
    is_unverified: bool,
    slot: u32,
    part: SlotPart,
    /// What the object says of `slot`.
    notes: Notes,
    memo: Memo<Met>,
    pending: Vec<Contribution>,
    one_network: bool,
    lines: Option<LineNotes>,
    /// Bytes that the rejected records may take.
    most_rejected: usize,
    room: Option<&'a mut AskForRoom<'a>>,
    batches: u32,
    malformed: &'a mut dyn FnMut(u64, &MalformedLine, &[u8]),
}

impl<'a> Folder<'a> {
    /// A folder for one object. `malformed` is told of every malformed line.
    pub fn new(
        policy: &'a Policy,
        reporters: &'a Reporters,
        object: ObjectFacts<'a>,
        parts: &'a mut Parts,
        malformed: &'a mut dyn FnMut(u64, &MalformedLine, &[u8]),
    ) -> Folder<'a> {
        let slot = object.slot.unwrap_or(0);
        let part = parts.remove(&slot).unwrap_or_default();
        Folder {
            policy,
            reporters,
            object,
            parts,
            noted: BTreeMap::new(),
            is_unverified: false,
            slot,
            part,
            notes: Notes::default(),
            memo: Memo::default(),
            pending: Vec::with_capacity(BATCH),
            one_network: policy.has_one_network(),
            lines: None,
            most_rejected: 0,
            room: None,
            batches: 0,
            malformed,
        }
    }

    /// Has the folder note which connection each line belongs to, and the rejected records if they take no more than so many
    /// bytes.
    pub fn note_lines(mut self, most_rejected: usize) -> Self {
        self.lines = Some(LineNotes {
            rejected: Some(Excerpt::default()),
            ..LineNotes::default()
        });
        self.most_rejected = most_rejected;
        self
    }

    /// Has the folder ask for room while parts grow.
    pub fn ask_for_room(mut self, room: &'a mut AskForRoom<'a>) -> Self {
        self.room = Some(room);
        self
    }

    /// Ends the object; the lines, if they were noted. Unless it was read to its end (`whole`), nothing that came
    /// unverified is kept.
    pub fn finish(mut self, whole: bool) -> Option<LineNotes> {
        self.store_part();
        let counts = whole || !self.is_unverified;
        for (slot, notes) in self.noted {
            let part = self.parts.entry(slot).or_default();
            if counts {
                part.table.keep();
                part.notes.merge(notes);
            } else {
                part.table.take_back();
            }
            if part.is_empty() {
                self.parts.remove(&slot);
            }
        }
        self.lines
    }

    fn take_part(&mut self, slot: u32) {
        self.slot = slot;
        self.part = self.parts.remove(&slot).unwrap_or_default();
        self.notes = self.noted.remove(&slot).unwrap_or_default();
        self.memo = Memo::default();
        if self.is_unverified {
            self.part.table.checkpoint();
        }
    }

    fn store_part(&mut self) {
        self.flush();
        self.parts.insert(self.slot, std::mem::take(&mut self.part));
        self.noted
            .insert(self.slot, std::mem::take(&mut self.notes));
    }

    fn flush(&mut self) {
        self.part
            .table
            .add_batch(&self.pending, 1 << (self.object.rank % 64));
        self.pending.clear();
        self.batches += 1;
        if self.batches.is_multiple_of(BATCHES_PER_ASKING) {
            self.make_room();
        }
    }

    fn make_room(&mut self) {
        if let Some(room) = &mut self.room {
            room(self.slot, &mut self.part, self.is_unverified);
        }
    }

    #[cold]
    fn change_slot(&mut self, slot: u32) {
        self.flush();
        self.make_room();
        self.store_part();
        self.take_part(slot);
    }

    #[cold]
    fn meet(&mut self, fields: &impl Fields) -> usize {
        let (id, reporter) = self.reporters.intern(
            self.policy,
            self.object.flow_log,
            &self.object.place,
            fields,
        );
        let notes = self.notes.interfaces.entry(reporter.interface).or_default();
        insert_sorted(&mut notes.reporters, id);
        self.memo
            .insert(fields, Met::new(self.policy, id, &reporter))
    }

    /// Notes what the record says of the interface's own addresses.
    #[inline]
    fn note_address(
        &mut self,
        met: usize,
        record: &Record,
        source: (Home, Addr),
        target: (Home, Addr),
    ) {
        let known = self.memo.at_mut(met);
        let direction = record.told_direction();
        let own = match direction {
            Direction::Egress => source,
            Direction::Ingress => target,
            Direction::Unknown => {
                let notes = self.notes.interfaces.entry(known.interface).or_default();
                notes.candidates = notes.candidates.narrow([Some(source), Some(target)]);
                return;
            }
        };
        let last = &mut known.last_own[usize::from(own.1.is_v4())];
        if *last != Some(own) {
            *last = Some(own);
            if known.is_regional_nat
                && !is_address_of_regional_nat(self.policy, known.network, record)
            {
                return;
            }
            insert_sorted(
                &mut self
                    .notes
                    .interfaces
                    .entry(known.interface)
                    .or_default()
                    .own,
                own,
            );
        }
        if direction == Direction::Ingress
            && record.pkt_dst != record.dst
            && !known.carries
            && known.may_carry
        {
            self.note_beyond(met, record);
        }
    }

    /// An ingress record for an address that its interface does not show: a secondary address of the same subnet, or
    /// somebody else's, in which case the interface carries others' flows.
    fn note_beyond(&mut self, met: usize, record: &Record) {
        let known = self.memo.at_mut(met);
        let Some(network) = known.network else { return };
        let at = match record.instant() {
            0 => self.slot,
            instant => instant,
        };
        let place = |addr| self.policy.place(network, addr, at);
        let own_subnet = self.policy.subnet_of(place(record.dst).class);
        let target = place(record.pkt_dst);
        let carries = match own_subnet {
            Some(subnet) => self.policy.subnet_of(target.class) != Some(subnet),
            None => target.home.is_none(),
        };
        if carries {
            known.carries = true;
            self.notes
                .interfaces
                .entry(known.interface)
                .or_default()
                .carries = true;
        }
    }

    fn note_rejected(&mut self, record: &Record, fields: &impl Fields) {
        let Some(lines) = &mut self.lines else { return };
        let noted = lines.rejected.as_mut().and_then(|rejected| {
            rejected.push(u32::try_from(record.line).ok()?, fields.line()?);
            (rejected.memory() <= self.most_rejected).then_some(())
        });
        if noted.is_none() {
            lines.rejected = None;
        }
    }

    #[inline]
    fn home(&self, network: NetworkId, addr: Addr) -> Home {
        home(self.policy, self.one_network, network, addr)
    }
}

/// The connection that a record of `network` belongs to, and which of its ends sent.
#[inline]
pub fn connection_of(
    policy: &Policy,
    one_network: bool,
    network: NetworkId,
    record: &Record,
) -> (Key, Side) {
    let end = |addr, port| End {
        home: home(policy, one_network, network, addr),
        addr,
        port,
    };
    let source = end(record.pkt_src, record.src_port);
    let target = end(record.pkt_dst, record.dst_port);
    Key::of(source, target, record.protocol)
}

/// The home of an address in a record of `network`. With one network only there is nothing to tell apart, and no
/// look-up is needed.
#[inline]
pub fn home(policy: &Policy, one_network: bool, network: NetworkId, addr: Addr) -> Home {
    if one_network {
        return Home::inside(network.0);
    }
    match policy.home(network, addr) {
        Some(home) => Home::inside(home.0),
        None => Home::outside(network.0),
    }
}

/// Whether the next hop is a NAT gateway: by its type, because the policy lists the interface, or by the inventory.
#[inline]
fn is_nat_next_hop(policy: &Policy, fields: &impl Fields) -> bool {
    let by_type = fields
        .text(Field::NextHopInterfaceType)
        .and_then(|kind| std::str::from_utf8(kind).ok());
    by_type.is_some_and(is_nat)
        || fields
            .text(Field::NextHopInterfaceId)
            .and_then(|id| std::str::from_utf8(id).ok())
            .is_some_and(|id| {
                let by_inventory = || policy.interface_type(id);
                policy.is_transit(None, Some(id)) || by_inventory().is_some_and(is_nat)
            })
}

/// Of a regional NAT gateway's record only the end that faces the internet can be its own: it has no interface, and the
/// record's addresses are the packet's.
fn is_address_of_regional_nat(
    policy: &Policy,
    network: Option<NetworkId>,
    record: &Record,
) -> bool {
    let Some(network) = network else { return false };
    let is_inside = |addr| policy.home(network, addr).is_some();
    !is_inside(record.src) && !is_inside(record.dst)
}

impl RecordSink for Folder<'_> {
    #[inline]
    fn record(&mut self, record: &Record, fields: &impl Fields) {
        if self.object.slot.is_none() {
            let slot = slot_of(record);
            if slot != self.slot {
                self.change_slot(slot);
            }
        }
        let met = match self.memo.find(fields) {
            Some(met) => met,
            None => self.meet(fields),
        };
        let known = self.memo.at(met);
        let (reporter, is_gateway) = (known.reporter, known.is_transit_gateway);
        let Some(network) = known.network else {
            self.notes
                .unjudgeable
                .entry(reporter)
                .or_default()
                .out_of_scope += 1;
            return;
        };
        if !record.complete || (record.action == Action::Absent && !is_gateway) {
            self.notes
                .unjudgeable
                .entry(reporter)
                .or_default()
                .missing_field += 1;
            return;
        }
        let source = End {
            home: self.home(network, record.pkt_src),
            addr: record.pkt_src,
            port: record.src_port,
        };
        let target = End {
            home: self.home(network, record.pkt_dst),
            addr: record.pkt_dst,
            port: record.dst_port,
        };
        let hop = |hop: Addr, end: End| {
            if hop == end.addr {
                (end.home, hop)
            } else {
                (self.home(network, hop), hop)
            }
        };
        if !is_gateway {
            let (source_hop, target_hop) = (hop(record.src, source), hop(record.dst, target));
            self.note_address(met, record, source_hop, target_hop);
        }
        let (key, sender) = Key::of(source, target, record.protocol);
        let hash = key.hash();
        self.part.table.prefetch_index(hash);
        if let Some(lines) = &mut self.lines {
            lines.hashes.note(record.line, hash);
            if record.action == Action::Reject {
                self.note_rejected(record, fields);
            }
        }
        let next_hop_nat = is_nat_next_hop(self.policy, fields);
        self.pending.push(Contribution {
            key,
            hash,
            tag: Tag::new(reporter, record.told_direction(), Lane::of(record), sender),
            view: View::of(
                record,
                Origin::new(self.object.rank, record.line),
                next_hop_nat,
            ),
            services: match sender {
                Side::Low => [record.src_service, record.dst_service],
                Side::High => [record.dst_service, record.src_service],
            },
        });
        if self.pending.len() == BATCH {
            self.flush();
        }
    }

    fn status(&mut self, _record: &Record, _skip: bool, _fields: &impl Fields) {}

    fn malformed(&mut self, line: u64, why: &MalformedLine, text: &[u8]) {
        (self.malformed)(line, why, text);
    }

    fn unverified(&mut self) {
        self.is_unverified = true;
        self.part.table.checkpoint();
    }

    fn wants(&self, field: Field) -> bool {
        field.is_of_reporter()
            || matches!(
                field,
                Field::NextHopInterfaceType | Field::NextHopInterfaceId
            )
    }

    fn wants_extra(&self) -> bool {
        false
    }
}

/// The slot of a record whose object's key has no time: that of its `end`, else of its `start`.
pub fn slot_of(record: &Record) -> u32 {
    let time = if record.end != 0 {
        record.end
    } else {
        record.start
    };
    slot_at(time)
}

/// What is remembered of a reporter while its object is folded.
struct Met {
    reporter: ReporterId,
    interface: u32,
    network: Option<NetworkId>,
    is_transit_gateway: bool,
    is_regional_nat: bool,
    /// Whether it may be learned from records that it carries others' flows.
    may_carry: bool,
    carries: bool,
    last_own: [Option<(Home, Addr)>; 2],
}

impl Met {
    fn new(policy: &Policy, id: ReporterId, reporter: &Reporter) -> Met {
        let carries = reporter.carries_others(policy);
        Met {
            reporter: id,
            interface: reporter.interface,
            network: reporter.network,
            is_transit_gateway: reporter.is_transit_gateway(),
            is_regional_nat: reporter.is_regional_nat(),
            may_carry: carries.is_none(),
            carries: carries == Some(true),
            last_own: [None; 2],
        }
    }
}
