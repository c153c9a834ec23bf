//! A record as the judge needs it: numbers and addresses parsed, everything else left as text behind [`Fields`].

use std::borrow::Cow;
use std::sync::Arc;

use super::decode::MalformedLine;
use super::{Field, Layout};
use crate::net::Addr;
use crate::net::aws::Service;

/// What AWS did with the traffic of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It was let through.
    Accept,
    /// A security group, a network ACL or Block Public Access stopped it, or it came after the connection was closed.
    Reject,
    /// The record has no action: a transit gateway's, or a format without the field.
    Absent,
}

/// Which way the traffic went at the interface that recorded it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Towards the interface's owner.
    Ingress,
    /// Away from the interface's owner.
    Egress,
    /// The record does not say.
    Unknown,
}

/// One decoded record with log status OK.
///
/// Numbers that a record lacks are 0 unless said otherwise; `complete` tells whether it can be judged at all.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Record {
    /// `srcaddr`: the hop the packet came from, as the interface saw it; `pkt_src` where only that is there, and
    /// unspecified (`::`) where neither is.
    pub src: Addr,
    /// `dstaddr`: the hop the packet went to; likewise.
    pub dst: Addr,
    /// `pkt-srcaddr`, the packet's own source; `src` where the record lacks it.
    pub pkt_src: Addr,
    /// `pkt-dstaddr`, the packet's own destination; `dst` where the record lacks it.
    pub pkt_dst: Addr,
    /// `srcport`; 0 for protocols without ports.
    pub src_port: u16,
    /// `dstport`; 0 for protocols without ports.
    pub dst_port: u16,
    /// `protocol`: the IANA number.
    pub protocol: u8,
    /// Whether both addresses (of hop or packet), the protocol and (where the protocol has them) both ports are there.
    pub complete: bool,
    /// `action`.
    pub action: Action,
    /// `flow-direction`.
    pub direction: Direction,
    /// `tcp-flags`: the OR over the capture window; none when missing, `-`, or the protocol is not TCP.
    pub tcp_flags: Option<u8>,
    /// `traffic-path`: 1 to 8 so far, 0 when absent.
    pub traffic_path: u8,
    /// `encryption-status`: 0 to 3 so far, none when absent.
    pub encryption: Option<u8>,
    /// `pkt-src-aws-service`.
    pub src_service: Service,
    /// `pkt-dst-aws-service`.
    pub dst_service: Service,
    /// `packets`.
    pub packets: u64,
    /// `bytes`.
    pub bytes: u64,
    /// `start`: seconds since 1970, 0 when absent; between 2014 and 2100 otherwise. Milliseconds in a log lose their fraction.
    pub start: u32,
    /// `end`, likewise.
    pub end: u32,
    /// The line in the text object, 1-based, header included; the row in a Parquet object, 1-based.
    pub line: u64,
}

impl Record {
    /// Which way the traffic went at the interface: `flow-direction`, else what its addresses tell. AWS shows an
    /// interface's own address in place of the packet's only in `dstaddr` of what comes in and in `srcaddr` of what goes
    /// out (VPC User Guide, *Flow log limitations*).
    #[inline]
    pub fn told_direction(&self) -> Direction {
        if self.direction != Direction::Unknown {
            return self.direction;
        }
        match (self.src == self.pkt_src, self.dst == self.pkt_dst) {
            (true, false) => Direction::Ingress,
            (false, true) => Direction::Egress,
            _ => Direction::Unknown,
        }
    }

    /// When it was: `start`, else `end`; 0 if it has neither.
    #[inline]
    pub fn instant(&self) -> u32 {
        if self.start != 0 {
            self.start
        } else {
            self.end
        }
    }
}

/// The text of a record's fields.
pub trait Texts {
    /// The field's text; none when the object lacks the field or the value is `-`.
    fn text(&self, field: Field) -> Option<&[u8]>;

    /// The same, what is no UTF-8 replaced.
    fn readable(&self, field: Field) -> Option<Cow<'_, str>> {
        let text = self.text(field)?;
        // Asked first, because it is much faster than looking for what is to be replaced.
        Some(match std::str::from_utf8(text) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(text),
        })
    }

    /// The field's number; none where the text is none: a field that nobody checks may hold anything.
    fn integer(&self, field: Field) -> Option<i64> {
        std::str::from_utf8(self.text(field)?).ok()?.parse().ok()
    }

    /// Calls `each` with name and text of every field that AWS does not document and whose value is not `-`.
    fn extra(&self, each: &mut dyn FnMut(&str, &[u8]));
}

/// A record's fields where they stand, whatever the object's format.
pub trait Fields: Texts {
    /// What the row is laid out by. One object for all rows that are laid out alike.
    fn layout(&self) -> &Arc<Layout>;

    /// The raw text of [`Field::OF_REPORTER`], neighbouring fields in one piece: as many pieces for every row of a layout,
    /// all equal for two rows only if the rows agree in every such field.
    fn reporter_texts(&self) -> impl Iterator<Item = &[u8]>;

    /// The row as a line of text, laid out by [`Fields::layout`]; none where it is no text.
    fn line(&self) -> Option<&[u8]>;
}

/// What takes the records of an object, in the order of its lines.
pub trait RecordSink {
    /// Takes a record with log status OK.
    fn record(&mut self, record: &Record, fields: &impl Fields);

    /// Whether the sink wants the record of this line of text, 1-based. Only asked of lines that look like a row of
    /// their layout; one that is not wanted counts as a record without being looked at.
    #[inline(always)]
    fn wants_line(&self, _line: u64) -> bool {
        true
    }

    /// Takes a line that says NODATA or SKIPDATA (`skip`). `record` holds what it has: times, and zeros.
    fn status(&mut self, record: &Record, skip: bool, fields: &impl Fields);

    /// Takes a line that could not be decoded; `text` is the raw line, cut at 64 KiB.
    fn malformed(&mut self, line: u64, why: &MalformedLine, text: &[u8]);

    /// Says that what follows may yet prove broken (a checksum still to come): it must be kept apart until
    /// `decode` has returned `Ok`, and be forgotten if it returns an error.
    fn unverified(&mut self);

    /// Whether the sink will ask for this field's text: columns of a Parquet object that nobody wants are not read.
    /// What a [`Record`] is made of is always read. Asked before the first record.
    fn wants(&self, _field: Field) -> bool {
        true
    }

    /// Whether the sink will ask for fields that AWS does not document.
    fn wants_extra(&self) -> bool {
        true
    }
}
