//! Java's date patterns (`yyyy-MM-dd HH:mm:ss.SSS`), compiled once and then printed from or parsed with.
//!
//! Flink uses two of Java's classes with nearly the same letters, and so do we ([`Style`]): `DATE_FORMAT` and
//! `TO_TIMESTAMP` use `DateTimeFormatter`, which is strict; `FROM_UNIXTIME`, `UNIX_TIMESTAMP`, `TO_DATE` and
//! `DATE_FORMAT` of a string use `SimpleDateFormat`, which is lenient, counts `S` in milliseconds and knows zones.
//! Names are English and weeks are those of the United States (they begin on Sunday, and January 1st is in week 1):
//! Java's defaults in that locale. Parsing is in `time_parse`.
//!
//! A letter that neither class knows, or that is not supported here (`V`, `O`, `B`, `p`, `c`, `e`), is an error that
//! names it.

use std::fmt::Write;

use thiserror::Error;

use super::calendar::{Civil, iso_weekday};

/// Which of Java's classes reads the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `java.time.format.DateTimeFormatter`.
    Formatter,
    /// `java.text.SimpleDateFormat`.
    Simple,
}

/// Why a pattern does not compile.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum PatternError {
    /// A letter without a meaning.
    #[error(
        "unsupported letter '{letter}' at position {position} of the date pattern '{pattern}': quote it ('{letter}') to \
         mean itself"
    )]
    Letter { letter: char, position: usize, pattern: String },
    /// Too many or too few of a letter.
    #[error("{count} times '{letter}' at position {position} of the date pattern '{pattern}' has no meaning")]
    Count { letter: char, count: usize, position: usize, pattern: String },
    /// A quote that does not end.
    #[error("the quote at position {position} of the date pattern '{pattern}' does not end")]
    Quote { position: usize, pattern: String },
    /// Square brackets that do not match.
    #[error("unmatched square bracket at position {position} of the date pattern '{pattern}'")]
    Bracket { position: usize, pattern: String },
}

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeFormat {
    pub(super) style: Style,
    pub(super) items: Vec<Item>,
}

/// A piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// Text that stands for itself.
    Literal(String),
    /// A part of the time, from `count` equal letters.
    Field { field: Field, count: usize },
    /// `[...]`: may be absent from a parsed text.
    Optional(Vec<Self>),
}

/// What a letter stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `G`: AD or BC.
    Era,
    /// `y`: the year, 1 BC being year 1 of its era.
    YearOfEra,
    /// `u` of a formatter: the year, 1 BC being 0.
    Year,
    /// `Y`: the year that the week belongs to.
    WeekYear,
    /// `Q` or `q`.
    Quarter,
    /// `M` or `L`.
    Month,
    /// `w`.
    WeekOfYear,
    /// `W`.
    WeekOfMonth,
    /// `D`.
    DayOfYear,
    /// `d`.
    DayOfMonth,
    /// `F`: the how-many-eth such weekday of the month.
    WeekdayInMonth,
    /// `E`.
    Weekday,
    /// `u` of a simple format: 1 for Monday.
    WeekdayNumber,
    /// `a`.
    AmPm,
    /// `H`: 0 to 23.
    Hour,
    /// `k`: 1 to 24.
    ClockHour,
    /// `K`: 0 to 11.
    HalfHour,
    /// `h`: 1 to 12.
    HalfClockHour,
    /// `m`.
    Minute,
    /// `s`.
    Second,
    /// `S` of a formatter: digits of the fraction of a second.
    Fraction,
    /// `S` of a simple format: milliseconds as a number.
    Millisecond,
    /// `n`: nanoseconds of the second.
    Nano,
    /// `N`: nanoseconds of the day.
    NanoOfDay,
    /// `A`: milliseconds of the day.
    MilliOfDay,
    /// `X` (`Z` for zero) of a simple format.
    IsoOffset,
    /// `Z` of a simple format: `+0100`.
    RfcOffset,
    /// `z` of a simple format: the name of the zone.
    ZoneName,
}

/// A wall-clock time to print.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wall {
    /// Days since 1970-01-01.
    pub(super) days: i64,
    /// Nanoseconds since midnight.
    pub(super) nanos: i64,
    /// Seconds that this clock is ahead of UTC, for the letters that print it.
    pub(super) offset: i64,
}

impl Wall {
    /// The time that is this many ticks after 1970-01-01 00:00:00 on its own clock.
    pub(super) fn of_ticks(ticks: i64, per_second: i64, offset: i64) -> Self {
        let per_day = 86_400 * per_second;
        Self {
            days: ticks.div_euclid(per_day),
            nanos: ticks.rem_euclid(per_day) * (1_000_000_000 / per_second),
            offset,
        }
    }
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

const DAY_NANOS: i64 = 86_400_000_000_000;
const HOUR_NANOS: i64 = 3_600_000_000_000;

impl TimeFormat {
    /// Compiles a pattern.
    pub(super) fn compile(pattern: &str, style: Style) -> Result<Self, PatternError> {
        let letters: Vec<char> = pattern.chars().collect();
        let mut compiler = Compiler { pattern, letters, at: 0, style };
        let items = compiler.items(None)?;
        Ok(Self { style, items })
    }

    /// Prints a time.
    pub(super) fn print(&self, wall: Wall, out: &mut impl Write) -> std::fmt::Result {
        let date = Civil::of_days(wall.days);
        self.items.iter().try_for_each(|item| self.print_item(item, wall, date, out))
    }

    fn print_item(&self, item: &Item, wall: Wall, date: Civil, out: &mut impl Write) -> std::fmt::Result {
        match item {
            Item::Literal(text) => out.write_str(text),
            Item::Optional(items) => items.iter().try_for_each(|item| self.print_item(item, wall, date, out)),
            Item::Field { field, count } => self.print_field(*field, *count, wall, date, out),
        }
    }

    fn print_field(
        &self,
        field: Field,
        count: usize,
        wall: Wall,
        date: Civil,
        out: &mut impl Write,
    ) -> std::fmt::Result {
        let era = |year: i64| if year > 0 { year } else { 1 - year };
        match field {
            Field::Era => out.write_str(match (date.year > 0, count) {
                (true, 4) => "Anno Domini",
                (false, 4) => "Before Christ",
                (true, _) => "AD",
                (false, _) => "BC",
            }),
            Field::YearOfEra => self.print_year(era(date.year), count, out),
            Field::Year => self.print_year(date.year, count, out),
            Field::WeekYear => self.print_year(week_of_year(wall.days, date).0, count, out),
            Field::Quarter => print_number((date.month + 2) / 3, count, out),
            Field::Month => print_name(&MONTHS, date.month - 1, date.month, count, out),
            Field::WeekOfYear => print_number(week_of_year(wall.days, date).1, count, out),
            Field::WeekOfMonth => {
                let first = wall.days - date.day + 1;
                print_number((date.day - 1 + iso_weekday(first) % 7) / 7 + 1, count, out)
            }
            Field::DayOfYear => print_number(date.day_of_year(), count, out),
            Field::DayOfMonth => print_number(date.day, count, out),
            Field::WeekdayInMonth => print_number((date.day - 1) / 7 + 1, count, out),
            Field::Weekday => {
                let weekday = iso_weekday(wall.days);
                let name = WEEKDAYS[usize::try_from(weekday - 1).unwrap_or(0) % 7];
                out.write_str(if count >= 4 { name } else { &name[..3] })
            }
            Field::WeekdayNumber => print_number(iso_weekday(wall.days), count, out),
            Field::AmPm => out.write_str(if wall.nanos < DAY_NANOS / 2 { "AM" } else { "PM" }),
            Field::Hour => print_number(wall.nanos / HOUR_NANOS, count, out),
            Field::ClockHour => print_number((wall.nanos / HOUR_NANOS + 23) % 24 + 1, count, out),
            Field::HalfHour => print_number(wall.nanos / HOUR_NANOS % 12, count, out),
            Field::HalfClockHour => print_number((wall.nanos / HOUR_NANOS + 11) % 12 + 1, count, out),
            Field::Minute => print_number(wall.nanos / 60_000_000_000 % 60, count, out),
            Field::Second => print_number(wall.nanos / 1_000_000_000 % 60, count, out),
            Field::Fraction => print_fraction(wall.nanos % 1_000_000_000, count, out),
            Field::Millisecond => print_number(wall.nanos / 1_000_000 % 1_000, count, out),
            Field::Nano => print_number(wall.nanos % 1_000_000_000, count, out),
            Field::NanoOfDay => print_number(wall.nanos, count, out),
            Field::MilliOfDay => print_number(wall.nanos / 1_000_000, count, out),
            Field::IsoOffset if wall.offset == 0 => out.write_char('Z'),
            Field::IsoOffset => print_offset(wall.offset, count, out),
            Field::RfcOffset => print_offset(wall.offset, 2, out),
            Field::ZoneName if wall.offset == 0 => out.write_str("UTC"),
            Field::ZoneName => {
                out.write_str("GMT")?;
                print_offset(wall.offset, 3, out)
            }
        }
    }

    /// Two letters print the last two digits; four or more pad with zeros. A formatter marks longer years with a plus.
    fn print_year(&self, year: i64, count: usize, out: &mut impl Write) -> std::fmt::Result {
        match (count, self.style) {
            (2, _) => print_number(year.rem_euclid(100), 2, out),
            (4.., Style::Formatter) if year.unsigned_abs().checked_ilog10().unwrap_or(0) as usize >= count => {
                out.write_str(if year < 0 { "-" } else { "+" })?;
                print_number(year.saturating_abs(), count, out)
            }
            (_, _) => print_number(year, count, out),
        }
    }
}

/// The year and week of the United States: weeks begin on Sunday, and January 1st is in week 1.
fn week_of_year(days: i64, date: Civil) -> (i64, i64) {
    let saturday = days + 6 - iso_weekday(days) % 7;
    let year = Civil::of_days(saturday).year.max(date.year);
    let first = Civil { year, month: 1, day: 1 }.days();
    (year, (days - (first - iso_weekday(first) % 7)) / 7 + 1)
}

fn print_number(value: i64, width: usize, out: &mut impl Write) -> std::fmt::Result {
    // Nearly all fields have two or four digits: worth the shortcut, as this runs several times per row.
    match (value, width) {
        (0..=99, 2) => return out.write_str(pair(value)),
        (0..=9_999, 4) => {
            out.write_str(pair(value / 100))?;
            return out.write_str(pair(value % 100));
        }
        _ => {}
    }
    match value < 0 {
        true => write!(out, "-{:0width$}", value.unsigned_abs()),
        false => write!(out, "{value:0width$}"),
    }
}

/// The two digits of a number below 100.
fn pair(value: i64) -> &'static str {
    const PAIRS: &str = "00010203040506070809101112131415161718192021222324\
        25262728293031323334353637383940414243444546474849\
        50515253545556575859606162636465666768697071727374\
        75767778798081828384858687888990919293949596979899";
    usize::try_from(value).ok().and_then(|value| PAIRS.get(2 * value..2 * value + 2)).unwrap_or("00")
}

fn print_name(names: &[&str], index: i64, number: i64, count: usize, out: &mut impl Write) -> std::fmt::Result {
    let name = names[usize::try_from(index).unwrap_or(0) % names.len()];
    match count {
        0..=2 => print_number(number, count, out),
        3 => out.write_str(&name[..3]),
        4 => out.write_str(name),
        _ => out.write_str(&name[..1]),
    }
}

/// The first `count` digits of a fraction of a second.
fn print_fraction(nanos: i64, count: usize, out: &mut impl Write) -> std::fmt::Result {
    let digits = count.min(9);
    let scale = 10_i64.pow(u32::try_from(9 - digits).unwrap_or(0));
    print_number(nanos / scale, digits, out)?;
    (digits..count).try_for_each(|_| out.write_char('0'))
}

/// `+01`, `+0130` or `+01:30`.
fn print_offset(seconds: i64, count: usize, out: &mut impl Write) -> std::fmt::Result {
    out.write_char(if seconds < 0 { '-' } else { '+' })?;
    let minutes = seconds.abs() / 60;
    print_number(minutes / 60, 2, out)?;
    match count {
        1 => Ok(()),
        2 => print_number(minutes % 60, 2, out),
        _ => {
            out.write_char(':')?;
            print_number(minutes % 60, 2, out)
        }
    }
}

struct Compiler<'a> {
    pattern: &'a str,
    letters: Vec<char>,
    at: usize,
    style: Style,
}

impl Compiler<'_> {
    /// Items up to the end of the pattern, or to the bracket that closes the one at `opened`.
    fn items(&mut self, opened: Option<usize>) -> Result<Vec<Item>, PatternError> {
        let mut items = Vec::new();
        while let Some(&letter) = self.letters.get(self.at) {
            let position = self.at;
            match letter {
                '\'' => push_literal(&mut items, &self.quoted()?),
                'A'..='Z' | 'a'..='z' => {
                    let count = self.letters[position..].iter().take_while(|other| **other == letter).count();
                    self.at += count;
                    let field = self.field(letter, position)?;
                    self.check(field, letter, count, position)?;
                    items.push(Item::Field { field, count });
                }
                '[' if self.style == Style::Formatter => {
                    self.at += 1;
                    items.push(Item::Optional(self.items(Some(position))?));
                }
                ']' if self.style == Style::Formatter => {
                    self.at += 1;
                    return match opened {
                        Some(_) => Ok(items),
                        None => Err(PatternError::Bracket { position: position + 1, pattern: self.pattern.to_owned() }),
                    };
                }
                '{' | '}' | '#' if self.style == Style::Formatter => {
                    return Err(PatternError::Letter {
                        letter,
                        position: position + 1,
                        pattern: self.pattern.to_owned(),
                    });
                }
                other => {
                    self.at += 1;
                    push_literal(&mut items, other.encode_utf8(&mut [0; 4]));
                }
            }
        }
        match opened {
            None => Ok(items),
            Some(position) => Err(PatternError::Bracket { position: position + 1, pattern: self.pattern.to_owned() }),
        }
    }

    /// The text of a quoted piece; two quotes stand for one.
    fn quoted(&mut self) -> Result<String, PatternError> {
        let opened = self.at;
        self.at += 1;
        if self.letters.get(self.at) == Some(&'\'') {
            self.at += 1;
            return Ok("'".to_owned());
        }
        let mut text = String::new();
        while let Some(&letter) = self.letters.get(self.at) {
            self.at += 1;
            match (letter, self.letters.get(self.at)) {
                ('\'', Some('\'')) => {
                    text.push('\'');
                    self.at += 1;
                }
                ('\'', _) => return Ok(text),
                (other, _) => text.push(other),
            }
        }
        Err(PatternError::Quote { position: opened + 1, pattern: self.pattern.to_owned() })
    }

    fn field(&self, letter: char, position: usize) -> Result<Field, PatternError> {
        Ok(match (letter, self.style) {
            ('G', _) => Field::Era,
            ('y', _) => Field::YearOfEra,
            ('u', Style::Formatter) => Field::Year,
            ('u', Style::Simple) => Field::WeekdayNumber,
            ('Y', _) => Field::WeekYear,
            ('Q' | 'q', Style::Formatter) => Field::Quarter,
            ('M' | 'L', _) => Field::Month,
            ('w', _) => Field::WeekOfYear,
            ('W', _) => Field::WeekOfMonth,
            ('D', _) => Field::DayOfYear,
            ('d', _) => Field::DayOfMonth,
            ('F', _) => Field::WeekdayInMonth,
            ('E', _) => Field::Weekday,
            ('a', _) => Field::AmPm,
            ('H', _) => Field::Hour,
            ('k', _) => Field::ClockHour,
            ('K', _) => Field::HalfHour,
            ('h', _) => Field::HalfClockHour,
            ('m', _) => Field::Minute,
            ('s', _) => Field::Second,
            ('S', Style::Formatter) => Field::Fraction,
            ('S', Style::Simple) => Field::Millisecond,
            ('n', Style::Formatter) => Field::Nano,
            ('N', Style::Formatter) => Field::NanoOfDay,
            ('A', Style::Formatter) => Field::MilliOfDay,
            ('X', Style::Simple) => Field::IsoOffset,
            ('Z', Style::Simple) => Field::RfcOffset,
            ('z', Style::Simple) => Field::ZoneName,
            _ => {
                let pattern = self.pattern.to_owned();
                return Err(PatternError::Letter { letter, position: position + 1, pattern });
            }
        })
    }

    /// A formatter refuses numbers of letters without a meaning; a simple format takes any.
    fn check(&self, field: Field, letter: char, count: usize, position: usize) -> Result<(), PatternError> {
        let most = match (self.style, field) {
            (Style::Simple, Field::IsoOffset) => 3,
            (Style::Simple, _) => usize::from(u8::MAX),
            (Style::Formatter, Field::Month | Field::Weekday | Field::Era) => 5,
            (Style::Formatter, Field::Quarter | Field::WeekOfYear) => 2,
            (Style::Formatter, Field::DayOfYear) => 3,
            (Style::Formatter, Field::Fraction) => 9,
            (Style::Formatter, Field::AmPm | Field::WeekOfMonth | Field::WeekdayInMonth) => 1,
            (
                Style::Formatter,
                Field::YearOfEra
                | Field::Year
                | Field::WeekYear
                | Field::Nano
                | Field::NanoOfDay
                | Field::MilliOfDay
                | Field::Millisecond
                | Field::WeekdayNumber
                | Field::IsoOffset
                | Field::RfcOffset
                | Field::ZoneName,
            ) => 19,
            (
                Style::Formatter,
                Field::DayOfMonth
                | Field::Hour
                | Field::ClockHour
                | Field::HalfHour
                | Field::HalfClockHour
                | Field::Minute
                | Field::Second,
            ) => 2,
        };
        match count <= most {
            true => Ok(()),
            false => {
                Err(PatternError::Count { letter, count, position: position + 1, pattern: self.pattern.to_owned() })
            }
        }
    }
}

/// Literals that meet become one.
fn push_literal(items: &mut Vec<Item>, text: &str) {
    match items.last_mut() {
        Some(Item::Literal(last)) => last.push_str(text),
        _ => items.push(Item::Literal(text.to_owned())),
    }
}

#[cfg(test)]
mod tests;
