//! Dates of the file as instants, and back.

/// Seconds since 1970, rounded up to the next whole second; the error is a hint.
pub(super) fn seconds(written: &::toml::value::Datetime) -> Result<i64, &'static str> {
    const NO_DATE: &str =
        "write a date, 2026-03-31, or a time with an offset, 2026-03-31T12:00:00Z";
    let date = written.date.ok_or(NO_DATE)?;
    let midnight = days_since_1970(date.year, date.month, date.day) * 86_400;
    let Some(time) = written.time else {
        return Ok(midnight);
    };
    let offset_minutes = match written
        .offset
        .ok_or("say in which zone: append Z for UTC, or an offset like +01:00")?
    {
        ::toml::value::Offset::Z => 0,
        ::toml::value::Offset::Custom { minutes } => i64::from(minutes),
    };
    let of_day = i64::from(time.hour) * 3600
        + i64::from(time.minute) * 60
        + i64::from(time.second.unwrap_or(0));
    let fraction = i64::from(time.nanosecond.unwrap_or(0) > 0);
    Ok(midnight + of_day + fraction - offset_minutes * 60)
}

/// A day if the instant, seconds since 1970, is its midnight, else date and time; UTC. Outside of the years 0 to 9999 the
/// number itself.
pub fn day_or_instant(seconds: i64) -> String {
    let Ok(instant) = jiff::Timestamp::from_second(seconds) else {
        return seconds.to_string();
    };
    let text = instant.to_string();
    match text.strip_suffix("T00:00:00Z") {
        Some(day) => day.to_owned(),
        None => text,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, by counting leap years.
fn days_since_1970(year: u16, month: u8, day: u8) -> i64 {
    let date = jiff::civil::Date::new(year as i16, month as i8, day as i8);
    let epoch = jiff::civil::date(1970, 1, 1);
    date.map_or(0, |date| i64::from((date - epoch).get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_seconds_and_a_bare_date_is_midnight_utc() {
        let check = |text: &str, expected: Result<i64, &str>| {
            let written: ::toml::value::Datetime = text.parse().expect("a TOML date");
            assert_eq!(
                seconds(&written).map_err(|hint| &hint[..3]),
                expected,
                "{text}"
            );
        };
        check("1970-01-02", Ok(86_400));
        check("2026-03-31", Ok(1_774_915_200));
        check("2026-03-31T00:00:00Z", Ok(1_774_915_200));
        check("2026-03-31T01:30:00+01:30", Ok(1_774_915_200));
        check("2026-03-30T23:59:59.5Z", Ok(1_774_915_200));
        check("0000-01-01", Ok(-62_167_219_200));
        check("2026-03-31T00:00:00", Err("say"));
        check("12:00:00", Err("wri"));
    }

    #[test]
    fn midnight_is_shown_as_its_day() {
        assert_eq!(day_or_instant(1_774_915_200), "2026-03-31");
        assert_eq!(day_or_instant(1_774_915_201), "2026-03-31T00:00:01Z");
        assert_eq!(day_or_instant(i64::MAX), i64::MAX.to_string());
    }
}
