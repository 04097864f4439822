//! Time zones as Java names them, and the two ways between wall-clock time and points in time.
//!
//! `java.time` and `SimpleDateFormat` agree on a wall-clock time that a change of clocks skips (it is moved forward by
//! the length of the gap) and disagree on one that happens twice: `java.time` takes the first, `SimpleDateFormat` the
//! second. Flink uses both, so the caller says which.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;
use datafusion_common::{Result, plan_err};

/// Which of two points in time a wall-clock time means that happens twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeated {
    /// The first, as `java.time` does: `CAST`, `TO_TIMESTAMP_LTZ`.
    First,
    /// The second, as `SimpleDateFormat` does: `UNIX_TIMESTAMP`, `CONVERT_TZ`.
    Second,
}

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Zone {
    name: String,
    rules: Rules,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rules {
    /// Always this many seconds east of Greenwich.
    Fixed(i64),
    /// The IANA database's.
    Named(Tz),
}

/// Java's three-letter names that the IANA database lacks.
const SHORT_NAMES: [(&str, &str); 25] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// A day, in seconds: no zone changes its clocks twice within two of them.
const DAY: i64 = 86_400;

impl Zone {
    /// Coordinated universal time.
    pub(super) fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: Rules::Fixed(0) }
    }

    /// The zone of this name: an IANA name, one of Java's three-letter names, or an offset such as `GMT+8`,
    /// `UTC-03:30` or `+08:00`. Java takes an unknown name for GMT; here it is an error, because a misspelt zone shifts
    /// every result.
    pub(super) fn parse(name: &str) -> Result<Self> {
        let long = SHORT_NAMES.iter().find(|(short, _)| *short == name).map_or(name, |(_, long)| long);
        let rules = match (name, offset(name), long.parse::<Tz>()) {
            ("UTC" | "GMT" | "Z" | "Etc/UTC", _, _) => Rules::Fixed(0),
            (_, Some(seconds), _) => Rules::Fixed(seconds),
            (_, None, Ok(zone)) => Rules::Named(zone),
            (_, None, Err(_)) => {
                return plan_err!(
                    "unknown time zone '{name}': use a name such as 'Europe/Berlin' or an offset such as 'GMT+08:00'"
                );
            }
        };
        Ok(Self { name: name.to_owned(), rules })
    }

    /// The name that it was given, as Arrow's timestamp types carry it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Seconds that wall-clock time is ahead of UTC at this point in time (seconds since 1970).
    pub(super) fn offset_at(&self, instant: i64) -> i64 {
        match &self.rules {
            Rules::Fixed(seconds) => *seconds,
            Rules::Named(zone) => {
                // Beyond chrono's 262,000 years there is nothing to know: the rules of its first or last day hold.
                let edge =
                    if instant < 0 { DateTime::<chrono::Utc>::MIN_UTC } else { DateTime::<chrono::Utc>::MAX_UTC };
                let utc = DateTime::from_timestamp(instant, 0).unwrap_or(edge).naive_utc();
                i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc())
            }
        }
    }

    /// The point in time of a wall-clock time, both in seconds.
    pub(super) fn instant(&self, local: i64, repeated: Repeated) -> i64 {
        let before = self.offset_at(local.saturating_sub(DAY));
        let after = self.offset_at(local.saturating_add(DAY));
        if before == after {
            return local.saturating_sub(before);
        }
        let first = local.saturating_sub(before);
        let second = local.saturating_sub(after);
        match (self.offset_at(first) == before, self.offset_at(second) == after) {
            (true, true) if repeated == Repeated::Second => second,
            (false, true) => second,
            // Also a skipped time: counting it with the old offset moves it forward by the gap.
            _ => first,
        }
    }

    /// The wall-clock time of a point in time, both in ticks since 1970-01-01 00:00:00 of which `per_second` make a
    /// second.
    pub(super) fn local_ticks(&self, instant: i64, per_second: i64) -> i64 {
        match &self.rules {
            Rules::Fixed(0) => instant,
            _ => instant.saturating_add(self.offset_at(instant.div_euclid(per_second)).saturating_mul(per_second)),
        }
    }

    /// As [`Zone::instant`], for ticks of which `per_second` make a second.
    pub(super) fn instant_ticks(&self, local: i64, per_second: i64, repeated: Repeated) -> i64 {
        let (seconds, rest) = (local.div_euclid(per_second), local.rem_euclid(per_second));
        self.instant(seconds, repeated).saturating_mul(per_second).saturating_add(rest)
    }
}

/// The seconds of `GMT+8`, `GMT+08:00`, `UTC-0330` or `+08:00`.
fn offset(name: &str) -> Option<i64> {
    let digits = ["GMT", "UTC", "UT"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    let (sign, digits) = match digits.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some(parts), _) => parts,
        (None, 1 | 2) => (digits, "0"),
        (None, 3 | 4) => digits.split_at_checked(digits.len() - 2)?,
        (None, _) => return None,
    };
    let two_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_by_iana_names_by_javas_short_names_and_by_offsets() {
        for (name, seconds) in [
            ("UTC", 0),
            ("Europe/Berlin", 3_600),
            ("MET", 3_600),
            ("PST", -28_800),
            ("JST", 32_400),
            ("GMT+8", 28_800),
            ("GMT-08:00", -28_800),
            ("UTC+0530", 19_800),
            ("+01:30", 5_400),
        ] {
            assert_eq!(Zone::parse(name).unwrap().offset_at(0), seconds, "{name}");
        }
        for wrong in ["", "Europa/Berlin", "GMT+", "GMT+25", "GMT+1:77", "+é"] {
            let error = Zone::parse(wrong).unwrap_err().to_string();
            assert!(error.contains(&format!("unknown time zone '{wrong}'")), "{error}");
        }
    }

    #[test]
    fn skipped_times_move_forward_and_repeated_ones_have_two_readings() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let skipped = 1_111_890_600; // 2005-03-27 02:30:00 on the wall.
        assert_eq!(berlin.instant(skipped, Repeated::First), berlin.instant(skipped, Repeated::Second));
        assert_eq!(berlin.local_ticks(berlin.instant(skipped, Repeated::First), 1), skipped + 3_600);
        let repeated = 1_130_639_400; // 2005-10-30 02:30:00 on the wall.
        let (first, second) = (berlin.instant(repeated, Repeated::First), berlin.instant(repeated, Repeated::Second));
        assert_eq!(second - first, 3_600);
        assert_eq!((berlin.local_ticks(first, 1), berlin.local_ticks(second, 1)), (repeated, repeated));
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        let tokyo = Zone::parse("Asia/Tokyo").unwrap();
        for end in [i64::MIN, i64::MAX] {
            let _ = (tokyo.local_ticks(end, 1), tokyo.instant(end, Repeated::First), tokyo.local_ticks(end, 1_000));
        }
    }
}
