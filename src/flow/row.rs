//! A row becomes a record: which field is read how, and what makes a line malformed. Text and Parquet differ only in
//! where their cells come from, so that both give the same answer.

use super::Field;
use super::cell::{Bad, NO_WORD, word};
use super::decode::MalformedLine;
use super::record::{Action, Direction, Record};
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

    /// A whole number that usually has ten digits.
    fn time(&self, field: Field) -> Result<Option<u64>, Bad> {
        self.number(field)
    }

    /// A number up to 255.
    fn byte(&self, field: Field) -> Result<Option<u8>, Bad> {
        match self.number(field)? {
            Some(number) => u8::try_from(number).map(Some).map_err(|_| Bad),
            None => Ok(None),
        }
    }

    /// A number up to 255; 0 where it is missing.
    fn digit(&self, field: Field) -> Result<u8, Bad> {
        Ok(self.byte(field)?.unwrap_or(0))
    }

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
    version(cells)?;
    let src = address(cells, Field::Srcaddr)?;
    let dst = address(cells, Field::Dstaddr)?;
    let pkt_src = own_address(cells, Field::PktSrcaddr, Field::Srcaddr, src)?;
    let pkt_dst = own_address(cells, Field::PktDstaddr, Field::Dstaddr, dst)?;
    let src_port = at_most(cells, Field::Srcport, u16::MAX.into())?;
    let dst_port = at_most(cells, Field::Dstport, u16::MAX.into())?;
    let protocol = byte(cells, Field::Protocol)?;
    let packets = at_most(cells, Field::Packets, u64::MAX)?.unwrap_or(0);
    let bytes = at_most(cells, Field::Bytes, u64::MAX)?.unwrap_or(0);
    let start = time(cells, Field::Start)?;
    let end = time(cells, Field::End)?;
    let action = action(cells.word(Field::Action))?;
    let flags = byte(cells, Field::TcpFlags)?;
    let direction = direction(cells.word(Field::FlowDirection))?;
    let traffic_path = cells
        .digit(Field::TrafficPath)
        .map_err(|Bad| Field::TrafficPath)?;
    let encryption = byte(cells, Field::EncryptionStatus)?;
    let status = match cells.word(Field::LogStatus) {
        Some(OK) => Status::Ok,
        other => unusual_status(cells, other, src.is_none())?,
    };

    let number = protocol.unwrap_or(0);
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
        tcp_flags: if number == protocol::TCP { flags } else { None },
        traffic_path,
        encryption,
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

/// Nobody uses the version, so it must only be one.
#[inline(always)]
fn version(cells: &impl Cells) -> Result<(), Field> {
    match cells.digit(Field::Version) {
        Ok(_) => Ok(()),
        Err(Bad) => at_most(cells, Field::Version, i32::MAX as u64).map(|_| ()),
    }
}

#[inline(always)]
fn byte(cells: &impl Cells, field: Field) -> Result<Option<u8>, Field> {
    match cells.byte(field) {
        Ok(byte) => Ok(byte),
        Err(Bad) => Err(field),
    }
}

/// A number up to `most`.
#[inline(always)]
fn at_most(cells: &impl Cells, field: Field, most: u64) -> Result<Option<u64>, Field> {
    match cells.number(field) {
        Ok(Some(number)) if number <= most => Ok(Some(number)),
        Ok(None) => Ok(None),
        _ => Err(field),
    }
}

#[inline(always)]
fn address(cells: &impl Cells, field: Field) -> Result<Option<Addr>, Field> {
    match cells.address(field) {
        Ok(address) => Ok(address),
        Err(Bad) => Err(field),
    }
}

/// The packet's own address: mostly that of the hop, and then not parsed again.
#[inline(always)]
fn own_address(
    cells: &impl Cells,
    field: Field,
    hop_field: Field,
    hop: Option<Addr>,
) -> Result<Option<Addr>, Field> {
    if cells.same(field, hop_field) {
        return Ok(hop);
    }
    other_own_address(cells, field, hop)
}

#[inline(never)]
fn other_own_address(
    cells: &impl Cells,
    field: Field,
    hop: Option<Addr>,
) -> Result<Option<Addr>, Field> {
    Ok(address(cells, field)?.or(hop))
}

/// Seconds since 1970, 0 where missing.
#[inline(always)]
fn time(cells: &impl Cells, field: Field) -> Result<u32, Field> {
    match cells.time(field) {
        Ok(Some(time)) => to_seconds(time).ok_or(field),
        Ok(None) => Ok(0),
        Err(Bad) => Err(field),
    }
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

/// A text's first bytes as [`word`], for texts that are not in a cell.
pub(crate) fn short_word(text: &[u8]) -> u64 {
    if text.len() > 8 {
        return NO_WORD;
    }
    text.iter()
        .rev()
        .fold(0, |packed, byte| packed << 8 | u64::from(*byte))
}
