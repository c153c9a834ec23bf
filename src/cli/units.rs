//! Small words of the command line with a unit or a shape: times, sizes, counts, accounts.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::app::settings::MIN_MEMORY;

/// A time as typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum When {
    /// Seconds since 1970.
    At(u32),
    /// Seconds before now.
    Ago(u32),
}

impl When {
    /// The instant, seconds since 1970. An age longer than time itself is 1970.
    pub(super) fn resolve(self, now: u32) -> u32 {
        match self {
            When::At(at) => at,
            When::Ago(age) => now.saturating_sub(age),
        }
    }
}

/// Seconds since 1970. The program's only look at the clock; everything behind it is told.
pub(super) fn now() -> u32 {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Reads RFC 3339, a date (00:00 UTC) or an age (`90m`, `24h`, `7d`, `2w`).
pub(super) fn when(text: &str) -> Result<When, String> {
    if let Some(age) = age(text) {
        return Ok(When::Ago(age));
    }
    // A date's parser also takes a time without offset and forgets it.
    let is_date = text.len() == "2026-02-25".len();
    let date = text.parse::<Date>().ok().filter(|_| is_date);
    let start_of_day = date
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .map(|start| start.timestamp());
    let instant = text.parse::<Timestamp>().ok().or(start_of_day);
    let Some(instant) = instant else {
        return Err(
            "expected RFC 3339 (2026-02-25T06:00:00Z), a date (2026-02-25) or an age (24h, 7d)"
                .to_owned(),
        );
    };
    u32::try_from(instant.as_second())
        .map(When::At)
        .map_err(|_| "expected a time from 1970 to 2106".to_owned())
}

/// Reads a duration (`30s`, `15m`, `6h`, `7d`, `2w`), in seconds.
pub(super) fn duration(text: &str) -> Result<u32, String> {
    let seconds = text.strip_suffix('s');
    let seconds = seconds.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = seconds.and_then(|digits| digits.parse().ok());
    seconds
        .or_else(|| age(text))
        .ok_or_else(|| "expected a duration such as 30s, 15m or 6h".to_owned())
}

/// Seconds in the largest whole unit that fits, rounded down: `45s`, `6m`, `3h`, `2d`.
pub(super) fn in_words(seconds: u32) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn age(text: &str) -> Option<u32> {
    let unit = match text.as_bytes().last()? {
        b'm' => 60,
        b'h' => 3600,
        b'd' => 86_400,
        b'w' => 7 * 86_400,
        _ => return None,
    };
    let count = &text[..text.len() - 1];
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    count.parse::<u32>().ok()?.checked_mul(unit)
}

/// Reads a size: a number with K, M, G, T (powers of 1000 before `B`, of 1024 before `iB` or alone); none is bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size such as 1GiB, 512MB or 2G".to_owned();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024f64.powi(2),
        "g" | "gib" => 1024f64.powi(3),
        "t" | "tib" => 1024f64.powi(4),
        _ => return Err(wrong()),
    };
    Ok((number * factor) as u64)
}

/// Reads the bound on memory.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    match size(text)? {
        bytes if bytes < MIN_MEMORY => Err(format!("expected at least {} MiB", MIN_MEMORY >> 20)),
        bytes => Ok(bytes),
    }
}

/// Reads a count; `_` and `,` may group its digits.
pub(super) fn count(text: &str) -> Result<u64, String> {
    let digits: String = text.chars().filter(|c| !matches!(c, '_' | ',')).collect();
    match digits.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1, such as 50000 or 4_000_000".to_owned()),
        Ok(count) => Ok(count),
    }
}

/// Reads how many findings to show; `all` is as many as there are.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    if text == "all" {
        return Ok(usize::MAX);
    }
    text.parse()
        .map_err(|_| "expected a number or `all`".to_owned())
}

/// Reads an account id.
pub(super) fn account(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("expected an account id of 12 digits".to_owned())
}

/// Reads a region's name; which regions exist is AWS's business.
pub(super) fn region(text: &str) -> Result<String, String> {
    let shaped = text.contains('-')
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if shaped {
        Ok(text.to_owned())
    } else {
        Err("expected a region such as us-east-2".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_instants_dates_or_ages() {
        fn check(text: &str, expected: Option<When>) {
            assert_eq!(when(text).ok(), expected, "{text}");
        }
        check("2026-02-25T06:00:00Z", Some(When::At(1771999200)));
        check("2026-02-25T08:00:00+02:00", Some(When::At(1771999200)));
        check("2026-02-25", Some(When::At(1771977600)));
        check("24h", Some(When::Ago(86_400)));
        check("7d", Some(When::Ago(604_800)));
        check("90m", Some(When::Ago(5_400)));
        check("2w", Some(When::Ago(1_209_600)));
        check("d", None);
        check("-1d", None);
        check("2026-02-25T06:00:00", None);
        check("2026-02-30", None);
        check("1969-12-31", None);
        check("2200-01-01", None);
        check("99999999w", None);
        assert_eq!(When::Ago(100).resolve(40), 0);
    }

    #[test]
    fn sizes_have_decimal_and_binary_units() {
        fn check(text: &str, expected: Option<u64>) {
            assert_eq!(size(text).ok(), expected, "{text}");
        }
        check("1GiB", Some(1 << 30));
        check("512MB", Some(512_000_000));
        check("512 mib", Some(512 << 20));
        check("1.5G", Some(3 << 29));
        check("4096", Some(4096));
        check("1TB", Some(1_000_000_000_000));
        check("", None);
        check("GiB", None);
        check("1.2.3G", None);
        check("1 horse", None);
        assert!(memory("10MiB").is_err());
    }

    #[test]
    fn counts_may_be_grouped() {
        assert_eq!(count("4_000_000"), Ok(4_000_000));
        assert_eq!(count("50,000"), Ok(50_000));
        assert!(count("0").is_err());
        assert_eq!(limit("all"), Ok(usize::MAX));
        assert_eq!(limit("3"), Ok(3));
    }

    #[test]
    fn accounts_and_regions_have_their_shape() {
        assert!(account("012345678901").is_ok());
        assert!(account("12345678901x").is_err());
        assert!(region("us-gov-west-1").is_ok());
        assert!(region("US East").is_err());
    }
}
