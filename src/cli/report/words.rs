//! Numbers, times and names as people read them.

use jiff::Timestamp;

use crate::net::{Addr, protocol, services};

/// A count with its digits in groups of three: `12,304`.
pub(in crate::cli) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun: `1 object`, `2,000 objects`.
pub(in crate::cli) fn counted(number: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}

/// A size: `3.4 MiB`.
pub(in crate::cli) fn bytes(size: u64) -> String {
    let mut value = size as f64;
    let mut units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
    let mut unit = units.next().unwrap_or_default();
    for larger in units {
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    if unit == "B" {
        format!("{size} B")
    } else {
        format!("{value:.1} {unit}")
    }
}

/// A duration: `12 s`, `3 min`, `1 h 20 min`.
pub(super) fn duration(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min", whole.div_ceil(60)),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A share in percent: `61%`, and `<1%` for what is little but not nothing.
pub(in crate::cli) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0%".to_owned();
    }
    match (part as f64 * 100.0 / whole as f64).round() as u64 {
        0 => "<1%".to_owned(),
        100 if part < whole => ">99%".to_owned(),
        share => format!("{share}%"),
    }
}

/// An interval for people, UTC: the day once if both ends share it.
pub(in crate::cli) fn interval(first: u32, last: u32) -> String {
    let end = if first / 86_400 == last / 86_400 {
        "%H:%M:%S"
    } else {
        "%Y-%m-%d %H:%M:%S"
    };
    format!(
        "{} to {} UTC",
        timestamp(first).strftime("%Y-%m-%d %H:%M:%S"),
        timestamp(last).strftime(end)
    )
}

/// An end: `10.0.32.5:443`, `[2001:db8::1]:443`, or the bare address without a port.
pub(in crate::cli) fn end(addr: Addr, port: Option<u16>) -> String {
    match port {
        Some(port) => std::net::SocketAddr::new(addr.to_ip(), port).to_string(),
        None => addr.to_string(),
    }
}

/// An instant, seconds since 1970, as RFC 3339, UTC; outside of the years 0 to 9999 the number itself.
pub(in crate::cli) fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |at| at.to_string())
}

fn timestamp(seconds: u32) -> Timestamp {
    Timestamp::from_second(i64::from(seconds)).expect("32 bits of seconds are within 1970 to 2106")
}

/// Port, protocol, and the name of the service that usually listens there: `5432/tcp (postgresql)`; nothing where it is
/// about no protocol.
pub(in crate::cli) fn service(number: Option<u8>, port: Option<u16>) -> String {
    let Some(number) = number else {
        return String::new();
    };
    let protocol =
        protocol::name(number).map_or_else(|| format!("protocol {number}"), str::to_owned);
    let Some(port) = port else { return protocol };
    match services::service_name(number, port) {
        Some(name) => format!("{port}/{protocol} ({name})"),
        None => format!("{port}/{protocol}"),
    }
}

/// Text from outside as it may stand on a terminal: control characters, which could move the cursor or colour what
/// follows, become `�`.
pub(in crate::cli) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || is_bidi(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Characters that turn the direction of text, with which a name could pose as another.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Breaks text at spaces into lines of at most `width` characters; a longer word stands alone.
pub(in crate::cli) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += word_length;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rounded() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(12_304), "12,304");
        assert_eq!(count(1_000_000), "1,000,000");
        assert_eq!(counted(1, "object"), "1 object");
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(3_565_158), "3.4 MiB");
        assert_eq!(duration(0.2), "1 s");
        assert_eq!(duration(130.0), "3 min");
        assert_eq!(duration(8000.0), "2 h 13 min");
        assert_eq!(percent(0, 10), "0%");
        assert_eq!(percent(1, 1000), "<1%");
        assert_eq!(percent(999, 1000), ">99%");
        assert_eq!(percent(5, 5), "100%");
    }

    #[test]
    fn intervals_name_a_shared_day_once() {
        assert_eq!(
            interval(1_771_999_200, 1_772_002_799),
            "2026-02-25 06:00:00 to 06:59:59 UTC"
        );
        assert_eq!(
            interval(1_771_999_200, 1_772_085_599),
            "2026-02-25 06:00:00 to 2026-02-26 05:59:59 UTC"
        );
    }

    #[test]
    fn services_are_port_protocol_and_name() {
        assert_eq!(service(Some(6), Some(5432)), "5432/tcp (postgresql)");
        assert_eq!(service(Some(17), Some(40000)), "40000/udp");
        assert_eq!(service(Some(1), None), "icmp");
        assert_eq!(service(Some(250), None), "protocol 250");
    }

    #[test]
    fn text_from_outside_cannot_steer_a_terminal() {
        assert_eq!(
            clean("a\u{1b}[31mb\r\u{202e}c"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c"
        );
    }

    #[test]
    fn wrapping_keeps_every_word() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("extraordinarily long", 5), ["extraordinarily", "long"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
