//! The Nexmark stream as arithmetic: what event number *n* is, without the events before it.
//!
//! An auction house is simulated: people register, open auctions and bid. The stream is a row of *epochs*: with the usual
//! proportions 1 : 3 : 46, each has one person, three auctions and 46 bids, in that order. So the kind of an event, its id
//! and its time follow from its number, and the rest from random numbers that are counted (`random`):
//!
//! ```text
//! number      0   1   2   3   4 … 49 │ 50  51  52  53  54 … 99 │ 100 …
//! event       P   A   A   A   B … B  │ P   A   A   A   B … B   │ P
//! epoch       0                      │ 1                       │ 2
//! ```
//!
//! Ids, proportions, "hot" auctions, bidders and sellers, prices, texts and sizes are those of the generator that the
//! benchmark's own connector has; the random numbers themselves are others, because its generator cannot be given a seed.
//! Where it differs on purpose: a bidder's id is an id of a person (there, 1,000 is added twice), all readers share one
//! course of time, and texts are letters from `a` to `z`.
//!
//! [`GeneratorConfig::event`] makes one event, simply; the columns next door make thousands at once and must agree.

mod auctions;
mod bids;
mod channels;
mod clock;
mod event;
mod extras;
mod persons;
mod price;
mod random;
mod settings;
mod tables;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

pub use event::{Auction, Bid, Event, EventKind, Person};
pub use settings::Settings;

pub(super) use bids::BidIds;
pub(super) use channels::{Dictionary, NO_CHANNEL, channel_index};
pub(super) use price::{PRICES, Prices};
pub(super) use random::{Draw, Stream};
pub(super) use tables::Tables;

/// A page has at most this many events (and at least one epoch): what a batch holds.
pub const PAGE_EVENTS: u64 = 8_900;
/// The texts of a page take about this many bytes at most, unless one epoch has more.
const PAGE_BYTES: u64 = 8 << 20;
/// The texts of one epoch may take this many bytes.
const EPOCH_BYTES: u64 = 16 << 20;
/// Times of more events than this would not fit 64 bits at one event a second.
pub const MAX_EVENTS: u64 = 1 << 53;

const FIRST_PERSON_ID: i64 = 1_000;
const FIRST_AUCTION_ID: i64 = 1_000;
/// One person or auction in so many can be hot at a time.
const HOT_GROUP: i64 = 100;
/// So many ids that do not exist yet may be named.
const ID_LEAD: i64 = 10;
/// Only the newest people are active.
const ACTIVE_PEOPLE: i64 = 1_000;

/// Settings that were found good, and all that follows from them. Its tables (some 4 MB) are made at first use.
#[derive(Debug, Clone)]
pub struct GeneratorConfig {
    settings: Settings,
    epoch_events: u64,
    page_epochs: u64,
    streams: Streams,
    tables: OnceLock<Arc<Tables>>,
}

/// The random numbers, by what they are for. Numbers of purposes never change: they are part of what a seed means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Streams {
    pub(super) bid_ids: Stream,
    pub(super) bid_price_and_channel: Stream,
    auction_seller_and_category: Stream,
    auction_prices: Stream,
    auction_texts: Stream,
    auction_length: Stream,
    auction_extra: Stream,
    person_name_and_place: Stream,
    person_email: Stream,
    person_card: Stream,
    person_extra: Stream,
    page_extra: Stream,
    tables: Stream,
}

impl Streams {
    const fn new(seed: u64) -> Self {
        Self {
            bid_ids: Stream::new(seed, 0),
            bid_price_and_channel: Stream::new(seed, 1),
            auction_seller_and_category: Stream::new(seed, 2),
            auction_prices: Stream::new(seed, 3),
            auction_texts: Stream::new(seed, 4),
            auction_length: Stream::new(seed, 5),
            auction_extra: Stream::new(seed, 6),
            person_name_and_place: Stream::new(seed, 7),
            person_email: Stream::new(seed, 8),
            person_card: Stream::new(seed, 9),
            person_extra: Stream::new(seed, 10),
            page_extra: Stream::new(seed, 11),
            tables: Stream::new(seed, 12),
        }
    }
}

impl GeneratorConfig {
    /// Checks `settings`. The error says which option is wrong and what it should be.
    pub fn new(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let epoch_events = settings.epoch_events();
        let page_epochs = (PAGE_EVENTS / epoch_events).min(PAGE_BYTES / settings.epoch_bytes().max(1)).max(1);
        let streams = Streams::new(settings.seed);
        Ok(Self { settings, epoch_events, page_epochs, streams, tables: OnceLock::new() })
    }

    /// Event number `number`, from 0 to below [`MAX_EVENTS`].
    pub fn event(&self, number: u64) -> Event {
        match self.kind(number) {
            EventKind::Person => Event::Person(self.person(number)),
            EventKind::Auction => Event::Auction(self.auction(number)),
            EventKind::Bid => Event::Bid(self.bid(number)),
        }
    }

    /// What it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many events an epoch has.
    pub fn epoch_events(&self) -> u64 {
        self.epoch_events
    }

    /// How many epochs a page has. A page is what a block may not cross; see `extras`.
    pub fn page_epochs(&self) -> u64 {
        self.page_epochs
    }

    /// How many events a page has.
    pub fn page_events(&self) -> u64 {
        self.page_epochs * self.epoch_events
    }

    /// What kind of event that is.
    pub fn kind(&self, number: u64) -> EventKind {
        let place = number % self.epoch_events;
        if place < self.places(EventKind::Person).end {
            EventKind::Person
        } else if place < self.places(EventKind::Auction).end {
            EventKind::Auction
        } else {
            EventKind::Bid
        }
    }

    /// The places in an epoch that events of `kind` have.
    pub fn places(&self, kind: EventKind) -> Range<u64> {
        let persons = u64::from(self.settings.person_proportion);
        let auctions = u64::from(self.settings.auction_proportion);
        match kind {
            EventKind::Person => 0..persons,
            EventKind::Auction => persons..persons + auctions,
            EventKind::Bid => persons + auctions..self.epoch_events,
        }
    }

    /// How many events of `kind` come before event `number`.
    pub fn count_before(&self, kind: EventKind, number: u64) -> u64 {
        let places = self.places(kind);
        let place = (number % self.epoch_events).clamp(places.start, places.end);
        number / self.epoch_events * (places.end - places.start) + place - places.start
    }

    /// The time of an event in milliseconds since 1970: the base time and one step for each event, rounded down.
    pub fn time(&self, number: u64) -> i64 {
        let since = number * 1_000 / u64::from(self.settings.events_per_second);
        self.settings.base_time + since.cast_signed()
    }

    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(super) fn tables(&self) -> &Tables {
        self.tables.get_or_init(|| Arc::new(Tables::new(self)))
    }

    /// The newest person (counted from 0) when an event of `epoch` that is no person is made; -1 without any.
    fn newest_person(&self, epoch: u64) -> i64 {
        (epoch + 1).cast_signed() * i64::from(self.settings.person_proportion) - 1
    }

    /// People that may be named in `epoch`: the first one's id and their number.
    fn active_people(&self, epoch: u64) -> (i64, i64) {
        let people = self.newest_person(epoch) + 1;
        let active = people.min(ACTIVE_PEOPLE);
        (people - active + FIRST_PERSON_ID, active + ID_LEAD)
    }
}
