//! A row becomes a record: which field is read how, and what makes a line malformed. Text and Parquet differ only in
//! where their cells come from, so that both give the same answer.

use std::sync::Arc;

use super::cell::{Bad, Cell, NO_WORD, word};
use super::decode::MalformedLine;
use super::record::{Action, Direction, Fields, Record};
use super::{Column, Field, Layout};
use crate::net::aws::Service;
use crate::net::{Addr, protocol};

/// The first second that a record may name: 2014, a year before flow logs existed.
const FIRST_SECOND: u64 = 1_388_534_400;

/// The first second that a record may not name any more: 2100.
const LAST_SECOND: u64 = 4_102_444_800;

/// What a decoded row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// A record of traffic.
    Ok,
    /// There was no traffic.
    NoData,
    /// AWS lost records.
    SkipData,
}

/// A layout made ready: the column of each field, in one look-up.
pub(crate) struct Program {
    /// The column of each field, by the field's number; [`NONE`] if the layout lacks it.
    columns: [u8; Field::COUNT],
    /// The columns that AWS does not document.
    unknown: Vec<(u8, String)>,
    /// How many columns there are.
    pub width: usize,
    /// Whether any column holds something that a header's word cannot be. Only then does parsing tell them apart.
    pub tells_headers: bool,
    /// What was compiled.
    pub layout: Arc<Layout>,
}

/// No column.
const NONE: u8 = u8::MAX;

impl Program {
    /// Compiles a layout. Where a field stands twice, the first column holds it.
    pub fn new(layout: Arc<Layout>) -> Program {
        let mut program = Program {
            columns: [NONE; Field::COUNT],
            unknown: Vec::new(),
            width: layout.columns.len(),
            tells_headers: layout
                .columns
                .iter()
                .any(|column| matches!(column, Column::Known(field) if is_checked(*field))),
            layout: Arc::clone(&layout),
        };
        for (index, column) in (0..NONE).zip(&layout.columns) {
            match column {
                Column::Known(field) if program.columns[*field as usize] == NONE => {
                    program.columns[*field as usize] = index;
                }
                Column::Known(_) => {}
                Column::Unknown(name) => program.unknown.push((index, name.clone())),
            }
        }
        program
    }
}

/// Whether a wrong text in this field makes its line malformed.
pub(crate) fn is_checked(field: Field) -> bool {
    wants(field).is_some()
}

/// What a field that [`assemble`] reads should hold; none for the others.
fn wants(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::Version => "a version number",
        Field::Srcaddr | Field::Dstaddr | Field::PktSrcaddr | Field::PktDstaddr => "an IP address",
        Field::Srcport | Field::Dstport => "a port number",
        Field::Protocol => "a protocol number",
        Field::Packets | Field::Bytes => "a whole number",
        Field::Start | Field::End => "a time between 2014 and 2100",
        Field::Action => "ACCEPT or REJECT",
        Field::LogStatus => "OK, NODATA or SKIPDATA",
        Field::TcpFlags | Field::TrafficPath | Field::EncryptionStatus => "a number from 0 to 255",
        Field::FlowDirection => "ingress or egress",
        _ => return None,
    })
}

/// The complaint about a field that [`assemble`] did not accept.
#[cold]
pub(crate) fn complaint(field: Field, text: &[u8]) -> MalformedLine {
    MalformedLine::Field {
        field: field.name(),
        wants: wants(field).expect("only checked fields are complained about"),
        text: excerpt(text),
    }
}

/// The beginning of a text, fit to be shown.
pub(crate) fn excerpt(text: &[u8]) -> String {
    const SHOWN: usize = 60;
    let text = String::from_utf8_lossy(&text[..text.len().min(4 * SHOWN)]);
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Where the values of a row come from. None is "the object lacks the field, or the value is missing".
pub(crate) trait Cells {
    /// A whole number, not negative.
    fn number(&self, field: Field) -> Result<Option<u64>, Bad>;

    /// A number up to 255 that usually has one digit; 0 where it is missing.
    fn digit(&self, field: Field) -> Result<u8, Bad>;

    /// An address.
    fn address(&self, field: Field) -> Result<Option<Addr>, Bad>;

    /// Whether both fields are there and hold the same text.
    fn same(&self, one: Field, other: Field) -> bool;

    /// The text as one [`word`]; a missing value is `-`; longer texts are [`NO_WORD`]. None only without the field.
    fn word(&self, field: Field) -> Option<u64>;

    /// An AWS service.
    fn service(&self, field: Field) -> Service;
}

/// Makes a record of a row.
///
/// # Errors
/// The first field, in the order of the checks, that does not hold what its name promises.
#[inline(always)]
pub(crate) fn assemble(cells: &impl Cells, line: u64) -> Result<(Record, Status), Field> {
    let at_most = |field: Field, most: u64| match cells.number(field) {
        Ok(Some(number)) if number <= most => Ok(Some(number)),
        Ok(None) => Ok(None),
        _ => Err(field),
    };
    let address = |field: Field| cells.address(field).map_err(|Bad| field);
    let digit = |field: Field| cells.digit(field).map_err(|Bad| field);
    let time = |field: Field| match cells.number(field) {
        Ok(Some(time)) => to_seconds(time).ok_or(field),
        Ok(None) => Ok(0),
        Err(Bad) => Err(field),
    };

    at_most(Field::Version, i32::MAX as u64)?;
    let src = address(Field::Srcaddr)?;
    let dst = address(Field::Dstaddr)?;
    // Most packets' own addresses are those of the hop.
    let own = |field: Field, hop_field: Field, hop: Option<Addr>| {
        if cells.same(field, hop_field) {
            Ok(hop)
        } else {
            address(field)
        }
    };
    let pkt_src = own(Field::PktSrcaddr, Field::Srcaddr, src)?.or(src);
    let pkt_dst = own(Field::PktDstaddr, Field::Dstaddr, dst)?.or(dst);
    let src_port = at_most(Field::Srcport, u16::MAX.into())?;
    let dst_port = at_most(Field::Dstport, u16::MAX.into())?;
    let protocol = at_most(Field::Protocol, u8::MAX.into())?;
    let packets = at_most(Field::Packets, i64::MAX as u64)?.unwrap_or(0);
    let bytes = at_most(Field::Bytes, i64::MAX as u64)?.unwrap_or(0);
    let start = time(Field::Start)?;
    let end = time(Field::End)?;
    let action = action(cells.word(Field::Action))?;
    let flags = at_most(Field::TcpFlags, u8::MAX.into())?;
    let direction = direction(cells.word(Field::FlowDirection))?;
    let traffic_path = digit(Field::TrafficPath)?;
    let encryption = at_most(Field::EncryptionStatus, u8::MAX.into())?;
    let status = match cells.word(Field::LogStatus) {
        Some(OK) => Status::Ok,
        other => unusual_status(cells, other, src.is_none())?,
    };

    let number = protocol.unwrap_or(0) as u8;
    let with_ports = protocol::has_ports(number);
    let unspecified = Addr::from_v6(0);
    let record = Record {
        src: src.or(pkt_src).unwrap_or(unspecified),
        dst: dst.or(pkt_dst).unwrap_or(unspecified),
        pkt_src: pkt_src.unwrap_or(unspecified),
        pkt_dst: pkt_dst.unwrap_or(unspecified),
        src_port: if with_ports {
            src_port.unwrap_or(0) as u16
        } else {
            0
        },
        dst_port: if with_ports {
            dst_port.unwrap_or(0) as u16
        } else {
            0
        },
        protocol: number,
        complete: pkt_src.is_some()
            & pkt_dst.is_some()
            & protocol.is_some()
            & (!with_ports | (src_port.is_some() & dst_port.is_some())),
        action,
        direction,
        tcp_flags: if number == protocol::TCP {
            flags.map(|flags| flags as u8)
        } else {
            None
        },
        traffic_path,
        encryption: encryption.map(|status| status as u8),
        src_service: cells.service(Field::PktSrcAwsService),
        dst_service: cells.service(Field::PktDstAwsService),
        packets,
        bytes,
        start,
        end,
        line,
    };
    Ok((record, status))
}

const OK: u64 = word("OK");
const DASH: u64 = word("-");

#[inline(always)]
fn action(word_: Option<u64>) -> Result<Action, Field> {
    const ACCEPT: u64 = word("ACCEPT");
    const REJECT: u64 = word("REJECT");
    match word_ {
        Some(ACCEPT) => Ok(Action::Accept),
        Some(REJECT) => Ok(Action::Reject),
        Some(DASH) | None => Ok(Action::Absent),
        Some(_) => Err(Field::Action),
    }
}

#[inline(always)]
fn direction(word_: Option<u64>) -> Result<Direction, Field> {
    const INGRESS: u64 = word("ingress");
    const EGRESS: u64 = word("egress");
    let Some(word) = word_ else {
        return Ok(Direction::Unknown);
    };
    // One as often as the other: chosen without a branch.
    let either = if word == EGRESS {
        Direction::Egress
    } else {
        Direction::Ingress
    };
    if (word == EGRESS) | (word == INGRESS) {
        return Ok(either);
    }
    if word == DASH {
        Ok(Direction::Unknown)
    } else {
        Err(Field::FlowDirection)
    }
}

/// What a row is that does not say OK. A format may lack the field, or its value: then no source address means no data.
#[cold]
fn unusual_status(
    cells: &impl Cells,
    status: Option<u64>,
    no_source: bool,
) -> Result<Status, Field> {
    const NO_DATA: u64 = word("NODATA");
    const SKIP_DATA: u64 = word("SKIPDATA");
    match status {
        Some(NO_DATA) => Ok(Status::NoData),
        Some(SKIP_DATA) => Ok(Status::SkipData),
        Some(DASH) | None if no_source && cells.word(Field::Srcaddr) == Some(DASH) => {
            Ok(Status::NoData)
        }
        Some(DASH) | None => Ok(Status::Ok),
        Some(_) => Err(Field::LogStatus),
    }
}

/// Seconds since 1970, of seconds or milliseconds; none if outside 2014 to 2100.
#[inline(always)]
fn to_seconds(time: u64) -> Option<u32> {
    if time.wrapping_sub(FIRST_SECOND) < LAST_SECOND - FIRST_SECOND {
        return Some(time as u32);
    }
    let seconds = time / 1000;
    (seconds.wrapping_sub(FIRST_SECOND) < LAST_SECOND - FIRST_SECOND).then_some(seconds as u32)
}

/// A row of text: where its fields are, and which is which.
#[derive(Clone, Copy)]
pub(crate) struct TextRow<'a> {
    text: &'a [u8],
    /// The seam before each field, and the one after the last.
    bounds: &'a [u32],
    program: &'a Program,
}

impl<'a> TextRow<'a> {
    /// A row with as many fields as the program has columns.
    ///
    /// # Safety
    /// `bounds` must ascend (the first may be `u32::MAX`, one less than 0) and lie at least [`super::cell::READABLE`]
    /// bytes before the end of `text`.
    #[inline(always)]
    pub unsafe fn new(text: &'a [u8], bounds: &'a [u32], program: &'a Program) -> TextRow<'a> {
        assert!(bounds.len() == program.width + 1);
        TextRow {
            text,
            bounds,
            program,
        }
    }

    #[inline(always)]
    fn column(&self, column: u8) -> Option<Cell<'a>> {
        if column == NONE {
            return None;
        }
        // SAFETY: a program's columns are below its width, which `new` compared; the rest is what `new` was promised.
        unsafe {
            let start = self.bounds.get_unchecked(column as usize).wrapping_add(1) as usize;
            let end = *self.bounds.get_unchecked(column as usize + 1) as usize;
            Some(Cell::new(self.text.get_unchecked(start..end)))
        }
    }

    #[inline(always)]
    fn cell(&self, field: Field) -> Option<Cell<'a>> {
        self.column(self.program.columns[field as usize])
    }

    /// The raw text of a field.
    pub fn raw(&self, field: Field) -> &'a [u8] {
        self.cell(field).map_or(b"", Cell::bytes)
    }
}

impl Cells for TextRow<'_> {
    #[inline(always)]
    fn number(&self, field: Field) -> Result<Option<u64>, Bad> {
        self.cell(field).map_or(Ok(None), Cell::number)
    }

    #[inline(always)]
    fn digit(&self, field: Field) -> Result<u8, Bad> {
        self.cell(field).map_or(Ok(0), Cell::digit)
    }

    #[inline(always)]
    fn address(&self, field: Field) -> Result<Option<Addr>, Bad> {
        self.cell(field).map_or(Ok(None), Cell::address)
    }

    #[inline(always)]
    fn same(&self, one: Field, other: Field) -> bool {
        match (self.cell(one), self.cell(other)) {
            (Some(one), Some(other)) => one.same(other),
            _ => false,
        }
    }

    #[inline(always)]
    fn word(&self, field: Field) -> Option<u64> {
        self.cell(field).map(Cell::word)
    }

    #[inline(always)]
    fn service(&self, field: Field) -> Service {
        self.cell(field).map_or(Service::Unknown, Cell::service)
    }
}

impl Fields for TextRow<'_> {
    #[inline]
    fn text(&self, field: Field) -> Option<&[u8]> {
        self.cell(field)
            .filter(|cell| !cell.is_dash())
            .map(Cell::bytes)
    }

    fn num_fields(&self) -> u16 {
        self.program.width as u16
    }

    fn extra(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (column, name) in &self.program.unknown {
            if let Some(cell) = self.column(*column)
                && !cell.is_dash()
            {
                each(name, cell.bytes());
            }
        }
    }
}

/// A text's first bytes as [`word`], for texts that are not in a [`Cell`].
pub(crate) fn short_word(text: &[u8]) -> u64 {
    if text.len() > 8 {
        return NO_WORD;
    }
    text.iter()
        .rev()
        .fold(0, |packed, byte| packed << 8 | u64::from(*byte))
}
