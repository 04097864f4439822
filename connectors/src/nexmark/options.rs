//! The options of the table: those of the benchmark's own connector, and `seed`, `splits` and `base-time`.

use chrono::DateTime;

use super::generator::{MAX_EVENTS, Settings};
use super::source::Pace;
use crate::error::Result;
use crate::options::Options;

/// As many splits are allowed.
const MAX_SPLITS: u32 = 4_096;
const DEFAULT_SPLITS: u32 = 8;

/// What the options say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NexmarkOptions {
    /// What the events are.
    pub(super) settings: Settings,
    /// How many events there are. `None`: it goes on until it is stopped.
    pub(super) events: Option<u64>,
    /// How fast they come.
    pub(super) pace: Pace,
    /// Whether the source stays open after its last event.
    pub(super) keep_alive: bool,
    /// Into how many splits they are dealt.
    pub(super) splits: u32,
}

impl NexmarkOptions {
    /// Reads all options and refuses unknown ones.
    pub(crate) fn read(mut options: Options<'_>) -> Result<Self> {
        let settings = settings(&mut options)?;
        refuse_changing_rates(&mut options, settings.events_per_second)?;
        let events = events(&mut options)?;
        let read = Self {
            settings,
            events,
            pace: pace(&mut options, events.is_some())?,
            keep_alive: options.boolean("keep-alive")?.unwrap_or(false),
            splits: number(&mut options, "splits", DEFAULT_SPLITS, 1, MAX_SPLITS)?,
        };
        options.finish()?;
        Ok(read)
    }
}

fn settings(options: &mut Options<'_>) -> Result<Settings> {
    let default = Settings::default();
    Ok(Settings {
        seed: options.parsed("seed", "a whole number from 0 on")?.unwrap_or(default.seed),
        base_time: base_time(options)?.unwrap_or(default.base_time),
        events_per_second: number(options, "first-event.rate", default.events_per_second, 1, u32::MAX)?,
        person_proportion: number(options, "person.proportion", default.person_proportion, 0, u32::MAX)?,
        auction_proportion: number(options, "auction.proportion", default.auction_proportion, 0, u32::MAX)?,
        bid_proportion: number(options, "bid.proportion", default.bid_proportion, 0, u32::MAX)?,
        person_size: size(options, "person.avg-size", default.person_size)?,
        auction_size: size(options, "auction.avg-size", default.auction_size)?,
        bid_size: size(options, "bid.avg-size", default.bid_size)?,
        hot_auction_ratio: number(options, "bid.hot-ratio.auctions", default.hot_auction_ratio, 1, u32::MAX)?,
        hot_bidder_ratio: number(options, "bid.hot-ratio.bidders", default.hot_bidder_ratio, 1, u32::MAX)?,
        hot_seller_ratio: number(options, "auction.hot-ratio.sellers", default.hot_seller_ratio, 1, u32::MAX)?,
    })
}

/// The benchmark's own connector takes a second rate, a shape and a period, and goes by the first rate alone. What would
/// have no effect is refused; what says the same rate twice is not.
fn refuse_changing_rates(options: &mut Options<'_>, rate: u32) -> Result<()> {
    let next = number(options, "next-event.rate", rate, 1, u32::MAX)?;
    if next != rate {
        let why = format!("a rate that changes is not supported: it should be '{rate}', as 'first-event.rate' is");
        return Err(options.refuse("next-event.rate", &next.to_string(), &why));
    }
    if let Some(shape) = options.text("rate.shape")
        && !["SQUARE", "SINE"].contains(&shape.to_uppercase().as_str())
    {
        return Err(options.refuse("rate.shape", shape, "it should be SQUARE or SINE"));
    }
    options.duration("rate.period").map(|_| ())
}

fn events(options: &mut Options<'_>) -> Result<Option<u64>> {
    let number: i64 = options.parsed("events.num", "a whole number")?.unwrap_or(0);
    if !(0..=MAX_EVENTS.cast_signed()).contains(&number) {
        let why = format!("it should be a number up to {MAX_EVENTS}, or 0 for a stream without end");
        return Err(options.refuse("events.num", &number.to_string(), &why));
    }
    let stop: i64 = options.parsed("stop-at", "a whole number; below 0 for none")?.unwrap_or(-1);
    let number = (number > 0).then_some(number.unsigned_abs());
    let stop = (stop >= 0).then_some(stop.unsigned_abs().min(MAX_EVENTS));
    Ok(match (number, stop) {
        (Some(number), Some(stop)) => Some(number.min(stop)),
        (one, other) => one.or(other),
    })
}

/// A stream that ends comes as fast as it is read, one without end at its rate, unless an option says otherwise. The
/// benchmark's own connector has had two options for it.
fn pace(options: &mut Options<'_>, ends: bool) -> Result<Pace> {
    let limited = options.boolean("rate.limited")?;
    let fastest = options.boolean("max-emit-speed")?;
    match (limited, fastest) {
        (Some(limited), Some(fastest)) if limited == fastest => {
            Err(options.error(format!("the options 'rate.limited' = '{limited}' and 'max-emit-speed' = '{fastest}' contradict each other: remove one of them")))
        }
        (limited, fastest) => {
            let limited = limited.or(fastest.map(|fastest| !fastest)).unwrap_or(!ends);
            Ok(if limited { Pace::EventTime } else { Pace::Fastest })
        }
    }
}

fn base_time(options: &mut Options<'_>) -> Result<Option<i64>> {
    let Some(text) = options.text("base-time") else { return Ok(None) };
    let time = match text.parse::<i64>() {
        Ok(milliseconds) => DateTime::from_timestamp_millis(milliseconds),
        Err(_) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
    };
    match time.map(|time| time.timestamp_millis()).filter(|time| (0..=LAST_BASE_TIME).contains(time)) {
        Some(time) => Ok(Some(time)),
        None => Err(options.refuse(
            "base-time",
            text,
            "it should be a time from 1970 to 9999 such as '2015-07-15T00:00:00Z', or its milliseconds since 1970",
        )),
    }
}

/// 9999-12-31T23:59:59.999Z.
const LAST_BASE_TIME: i64 = 253_402_300_799_999;

fn number(options: &mut Options<'_>, key: &'static str, default: u32, least: u32, most: u32) -> Result<u32> {
    let what = format!("a whole number from {least} to {most}");
    let value = options.parsed(key, &what)?.unwrap_or(default);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(options.refuse(key, &value.to_string(), &format!("it should be {what}")))
}

fn size(options: &mut Options<'_>, key: &'static str, default: u32) -> Result<u32> {
    let bytes = options.bytes(key)?.unwrap_or(u64::from(default));
    u32::try_from(bytes).map_err(|_| options.refuse(key, &bytes.to_string(), "it should be less than 4 GB"))
}
