//! Hours and days of UTC, and the names of their folders.

use jiff::civil::Date;

const HOUR_SECS: u32 = 3600;
const HOURS_PER_DAY: u32 = 24;

/// An hour of UTC: what a lake commits together. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hour(u32);

/// A day of UTC: what findings are told by. Ordered by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Day(u32);

impl Hour {
    /// The hour that contains a second since 1970.
    pub const fn of(second: u32) -> Hour {
        Hour(second / HOUR_SECS)
    }

    /// Its first second since 1970.
    pub const fn start(self) -> u32 {
        self.0 * HOUR_SECS
    }

    /// The day it belongs to.
    pub const fn day(self) -> Day {
        Day(self.0 / HOURS_PER_DAY)
    }

    /// Its folder below a table's: `date=2026-02-25/hour=06`.
    pub fn folder(self) -> String {
        format!("{}/hour={:02}", self.day().folder(), self.0 % HOURS_PER_DAY)
    }

    /// The hour whose folder this is.
    pub fn from_folder(folder: &str) -> Option<Hour> {
        let (day, hour) = folder.split_once("/hour=")?;
        let day = Day::from_folder(day)?;
        let within: u32 = hour.parse().ok().filter(|hour| *hour < HOURS_PER_DAY)?;
        let hour = Hour(day.0 * HOURS_PER_DAY + within);
        (hour.folder() == folder).then_some(hour)
    }
}

impl Day {
    /// The day that contains a second since 1970.
    pub const fn of(second: u32) -> Day {
        Hour::of(second).day()
    }

    /// Its first second since 1970.
    pub const fn start(self) -> u32 {
        self.0 * HOURS_PER_DAY * HOUR_SECS
    }

    /// Its first hour.
    pub const fn first_hour(self) -> Hour {
        Hour(self.0 * HOURS_PER_DAY)
    }

    /// Its last hour.
    pub const fn last_hour(self) -> Hour {
        Hour(self.0 * HOURS_PER_DAY + HOURS_PER_DAY - 1)
    }

    /// Its 24 hours.
    pub fn hours(self) -> impl Iterator<Item = Hour> {
        (0..HOURS_PER_DAY).map(move |hour| Hour(self.0 * HOURS_PER_DAY + hour))
    }

    /// The days from this one until another, which is included.
    pub fn until(self, last: Day) -> impl Iterator<Item = Day> {
        (self.0..=last.0).map(Day)
    }

    /// Its folder below a table's: `date=2026-02-25`.
    pub fn folder(self) -> String {
        format!("date={self}")
    }

    /// The day whose folder this is.
    pub fn from_folder(folder: &str) -> Option<Day> {
        let date: Date = folder.strip_prefix("date=")?.parse().ok()?;
        let seconds = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .ok()?
            .timestamp()
            .as_second();
        let day = Day::of(u32::try_from(seconds).ok()?);
        (day.folder() == folder).then_some(day)
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time = jiff::Timestamp::from_second(i64::from(self.start()))
            .expect("32 bits of seconds are in range");
        write!(f, "{}", time.to_zoned(jiff::tz::TimeZone::UTC).date())
    }
}

impl std::fmt::Display for Hour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}T{:02}", self.day(), self.0 % HOURS_PER_DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_and_its_folder_name_each_other() {
        fn check(second: u32, folder: &str) {
            let hour = Hour::of(second);
            assert_eq!(hour.folder(), folder);
            assert_eq!(Hour::from_folder(folder), Some(hour));
            assert_eq!(Day::from_folder(&hour.day().folder()), Some(hour.day()));
        }
        check(0, "date=1970-01-01/hour=00");
        check(1_772_002_799, "date=2026-02-25/hour=06");
        check(1_772_002_800, "date=2026-02-25/hour=07");
        check(4_102_444_799, "date=2099-12-31/hour=23");
    }

    #[test]
    fn other_folders_name_no_hour() {
        for folder in [
            "",
            "date=2026-02-25",
            "date=2026-02-25/hour=24",
            "date=2026-02-25/hour=6",
            "date=2026-02-30/hour=06",
            "date=1969-12-31/hour=00",
            "date=2026-02-25/hour=06/x",
        ] {
            assert_eq!(Hour::from_folder(folder), None, "{folder}");
        }
    }

    #[test]
    fn a_day_has_its_own_24_hours() {
        let day = Day::of(1_772_002_799);
        let hours: Vec<Hour> = day.hours().collect();
        assert_eq!(
            (hours.len(), hours[0].start(), hours[23].start()),
            (24, day.start(), day.start() + 23 * 3600)
        );
        assert!(hours.iter().all(|hour| hour.day() == day));
    }
}
