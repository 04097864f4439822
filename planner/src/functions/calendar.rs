//! Calendar arithmetic on plain integers: days since 1970-01-01 in the proleptic Gregorian calendar.
//!
//! Own code and not chrono's because it runs per row and because no input may make it fail: every 64-bit number of
//! milliseconds is a valid timestamp here, as it is in Flink.

use datafusion_common::{Result, exec_err};

/// Milliseconds in a day.
pub(super) const DAY_MILLIS: i64 = 86_400_000;

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Civil {
    /// Astronomical year: 0 is 1 BC.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

impl Civil {
    /// The day that is `days` after 1970-01-01 (Hinnant's algorithm over eras of 400 years).
    pub(super) fn of_days(days: i64) -> Self {
        let shifted = days.saturating_add(719_468);
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        }
    }

    /// Days since 1970-01-01. The month may be any number: month 13 is January of the next year, as a lenient
    /// Java calendar has it; so may the day.
    pub(super) fn days(self) -> i64 {
        let month = self.month.saturating_sub(1);
        let year = self.year.saturating_add(month.div_euclid(12));
        let month = month.rem_euclid(12) + 1;
        let year = if month <= 2 { year.saturating_sub(1) } else { year };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era.saturating_mul(146_097).saturating_add(day_of_era - 719_468).saturating_add(self.day.saturating_sub(1))
    }

    /// Day of the year from 1.
    pub(super) fn day_of_year(self) -> i64 {
        self.days() - Self { month: 1, day: 1, ..self }.days() + 1
    }

    fn quarter(self) -> i64 {
        (self.month + 2) / 3
    }
}

/// How many days the month has.
pub(super) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// 1 for Monday to 7 for Sunday.
pub(super) fn iso_weekday(days: i64) -> i64 {
    (days.rem_euclid(7) + 3) % 7 + 1
}

/// Year and week by ISO 8601: weeks begin on Monday, and week 1 is the one with January 4th.
pub(super) fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days.saturating_add(4 - iso_weekday(days));
    let year = Civil::of_days(thursday).year;
    (year, (thursday - Civil { year, month: 1, day: 1 }.days()) / 7 + 1)
}

/// Days later by some months; a day that the month lacks becomes its last one.
pub(super) fn add_months(days: i64, months: i64) -> i64 {
    let date = Civil::of_days(days);
    let month = date.month.saturating_sub(1).saturating_add(months);
    let (year, month) = (date.year.saturating_add(month.div_euclid(12)), month.rem_euclid(12) + 1);
    Civil { year, month, day: date.day.min(days_in_month(year, month)) }.days()
}

/// Whole months from `start` to `end`, both in ticks of which `per_day` make a day; negative when `end` is earlier.
pub(super) fn months_between(start: i64, end: i64, per_day: i64) -> i64 {
    if end < start {
        return -months_between(end, start, per_day);
    }
    let (from, to) = (start.div_euclid(per_day), end.div_euclid(per_day));
    let (first, last) = (Civil::of_days(from), Civil::of_days(to));
    let mut months = (last.year - first.year) * 12 + last.month - first.month;
    let reached = |months: i64| {
        let day = add_months(from, months);
        day < to || (day == to && start.rem_euclid(per_day) <= end.rem_euclid(per_day))
    };
    while months > 0 && !reached(months) {
        months -= 1;
    }
    months
}

/// A part of a date or time, as `EXTRACT`, `FLOOR`, `TIMESTAMPADD` and `TIMESTAMPDIFF` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(super) enum Unit {
    /// 1,000 years.
    Millennium,
    /// 100 years.
    Century,
    /// 10 years.
    Decade,
    /// A year.
    Year,
    /// The year that the ISO week belongs to.
    IsoYear,
    /// Three months.
    Quarter,
    /// A month.
    Month,
    /// Seven days.
    Week,
    /// A day.
    Day,
    /// Day of the week, 1 for Sunday.
    DayOfWeek,
    /// Day of the week, 1 for Monday.
    IsoDayOfWeek,
    /// Day of the year.
    DayOfYear,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
    /// A second.
    Second,
    /// A thousandth of a second.
    Millisecond,
    /// A millionth of a second.
    Microsecond,
    /// A billionth of a second.
    Nanosecond,
    /// Seconds since 1970.
    Epoch,
}

impl Unit {
    /// The unit of this name, in any case; `SQL_TSI_HOUR` means `HOUR`.
    pub(super) fn parse(name: &str) -> Result<Self> {
        let upper = name.to_ascii_uppercase();
        Ok(match upper.strip_prefix("SQL_TSI_").unwrap_or(&upper) {
            "MILLENNIUM" => Self::Millennium,
            "CENTURY" => Self::Century,
            "DECADE" => Self::Decade,
            "YEAR" => Self::Year,
            "ISOYEAR" => Self::IsoYear,
            "QUARTER" => Self::Quarter,
            "MONTH" => Self::Month,
            "WEEK" => Self::Week,
            "DAY" => Self::Day,
            "DOW" => Self::DayOfWeek,
            "ISODOW" => Self::IsoDayOfWeek,
            "DOY" => Self::DayOfYear,
            "HOUR" => Self::Hour,
            "MINUTE" => Self::Minute,
            "SECOND" => Self::Second,
            "MILLISECOND" => Self::Millisecond,
            "MICROSECOND" => Self::Microsecond,
            "NANOSECOND" => Self::Nanosecond,
            "EPOCH" => Self::Epoch,
            _ => {
                return exec_err!(
                    "unknown time unit '{name}': use YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND"
                );
            }
        })
    }

    /// Seconds in the unit when it has a fixed length of whole seconds.
    pub(super) fn seconds(self) -> Option<i64> {
        match self {
            Self::Week => Some(604_800),
            Self::Day => Some(86_400),
            Self::Hour => Some(3_600),
            Self::Minute => Some(60),
            Self::Second => Some(1),
            _ => None,
        }
    }

    /// Months in the unit when it is made of them.
    pub(super) fn months(self) -> Option<i64> {
        match self {
            Self::Millennium => Some(12_000),
            Self::Century => Some(1_200),
            Self::Decade => Some(120),
            Self::Year => Some(12),
            Self::Quarter => Some(3),
            Self::Month => Some(1),
            _ => None,
        }
    }

    /// How many of the unit a second has, for units shorter than one.
    pub(super) fn per_second(self) -> Option<i64> {
        match self {
            Self::Millisecond => Some(1_000),
            Self::Microsecond => Some(1_000_000),
            Self::Nanosecond => Some(1_000_000_000),
            _ => None,
        }
    }

    /// This part of a wall-clock time in ticks. Counted from the floor, so that 23:00 of 1969-12-31 has hour 23 (Flink
    /// answers -1 there).
    pub(super) fn of_ticks(self, ticks: i64, per_second: i64) -> i64 {
        let seconds = ticks.div_euclid(per_second);
        match self {
            Self::Hour => seconds.rem_euclid(86_400) / 3_600,
            Self::Minute => seconds.rem_euclid(3_600) / 60,
            Self::Second => seconds.rem_euclid(60),
            Self::Epoch => seconds,
            Self::Millisecond => fraction(ticks, per_second, 1_000),
            Self::Microsecond => fraction(ticks, per_second, 1_000_000),
            Self::Nanosecond => fraction(ticks, per_second, 1_000_000_000),
            _ => self.of_day(seconds.div_euclid(86_400)),
        }
    }

    /// This part of a day; 0 for parts of a day that a date does not have.
    pub(super) fn of_day(self, days: i64) -> i64 {
        match self {
            Self::Week => return iso_week(days).1,
            Self::IsoYear => return iso_week(days).0,
            Self::IsoDayOfWeek => return iso_weekday(days),
            Self::DayOfWeek => return iso_weekday(days) % 7 + 1,
            Self::Epoch => return days.saturating_mul(86_400),
            _ => {}
        }
        let date = Civil::of_days(days);
        match self {
            Self::Millennium => era(date.year, 1_000),
            Self::Century => era(date.year, 100),
            Self::Decade => date.year.div_euclid(10),
            Self::Year => date.year,
            Self::Quarter => date.quarter(),
            Self::Month => date.month,
            Self::Day => date.day,
            Self::DayOfYear => date.day_of_year(),
            _ => 0,
        }
    }

    /// The first day of the unit that the day is in, for units of a day or more. Weeks begin on Sunday here, as in
    /// Flink.
    pub(super) fn floor_day(self, days: i64) -> i64 {
        let date = Civil::of_days(days);
        let january = |year| Civil { year, month: 1, day: 1 }.days();
        match self {
            Self::Millennium => january(1_000 * era(date.year, 1_000) - 999),
            Self::Century => january(100 * era(date.year, 100) - 99),
            Self::Decade => january(10 * date.year.div_euclid(10)),
            Self::Year => january(date.year),
            Self::Quarter => Civil { month: date.quarter() * 3 - 2, day: 1, ..date }.days(),
            Self::Month => Civil { day: 1, ..date }.days(),
            Self::Week => days - iso_weekday(days) % 7,
            _ => days,
        }
    }

    /// The first day of the next unit, for units of a day or more; a day that begins a year, quarter, month or week is
    /// its own ceiling. Decades, centuries and millennia always round to the next one, as in Flink.
    pub(super) fn ceil_day(self, days: i64) -> i64 {
        let date = Civil::of_days(days);
        let january = |year| Civil { year, month: 1, day: 1 }.days();
        let floor = self.floor_day(days);
        match self {
            Self::Millennium => january(1_000 * era(date.year, 1_000) + 1),
            Self::Century => january(100 * era(date.year, 100) + 1),
            Self::Decade => january(10 * (date.year.div_euclid(10) + 1)),
            _ if floor == days => days,
            Self::Year => january(date.year + 1),
            Self::Quarter => add_months(floor, 3),
            Self::Month => add_months(floor, 1),
            Self::Week => floor + 7,
            _ => days,
        }
    }
}

/// Years 1 to 100 are century 1; year 0 and before count from -1 downwards.
fn era(year: i64, length: i64) -> i64 {
    if year > 0 { (year + length - 1) / length } else { (year - length + 1) / length }
}

/// The part of the second, counted in units of which `wanted` make one.
fn fraction(ticks: i64, per_second: i64, wanted: i64) -> i64 {
    let fraction = i128::from(ticks.rem_euclid(per_second)) * i128::from(wanted) / i128::from(per_second);
    i64::try_from(fraction).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_convert_both_ways_over_many_centuries() {
        for days in (-2_000_000..2_000_000).step_by(37).chain([0, -1, 59, 60, 10_957, 11_016]) {
            let date = Civil::of_days(days);
            assert_eq!(date.days(), days, "{date:?}");
            assert!((1..=days_in_month(date.year, date.month)).contains(&date.day), "{date:?}");
            let expected = chrono::DateTime::from_timestamp(days * 86_400, 0).unwrap().date_naive();
            let actual = format!("{:+05}-{:02}-{:02}", date.year, date.month, date.day);
            assert_eq!(actual.trim_start_matches('+'), expected.format("%Y-%m-%d").to_string(), "{days}");
            use chrono::Datelike;
            let week = expected.iso_week();
            assert_eq!(iso_week(days), (i64::from(week.year()), i64::from(week.week())), "{expected}");
            assert_eq!(date.day_of_year(), i64::from(expected.ordinal()), "{expected}");
        }
    }

    #[test]
    fn a_lenient_date_rolls_over() {
        let days = |year, month, day| Civil { year, month, day }.days();
        assert_eq!(days(2021, 13, 1), days(2022, 1, 1));
        assert_eq!(days(2021, 0, 1), days(2020, 12, 1));
        assert_eq!(days(2021, 2, 31), days(2021, 3, 3));
        assert_eq!(days(2021, -11, 0), days(2019, 12, 31));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        for days in [i64::MIN, i64::MIN / 86_400_000, i64::MAX / 86_400_000, i64::MAX] {
            let _ = (Civil::of_days(days).days(), add_months(days, 7), add_months(days, i64::MAX), iso_week(days / 2));
        }
    }
}
