//! Auctions: each field by the event's number.

use super::bids::AUCTIONS_IN_FLIGHT;
use super::price::PRICES;
use super::{Auction, EventKind, FIRST_AUCTION_ID, FIRST_PERSON_ID, GeneratorConfig, HOT_GROUP};

const FIRST_CATEGORY: i64 = 10;
const CATEGORIES: u64 = 5;
/// Id, initial bid, reserve, times, seller and category.
const FIXED_BYTES: u64 = 48;

impl GeneratorConfig {
    pub(in crate::nexmark) fn auction_id(&self, number: u64) -> i64 {
        self.count_before(EventKind::Auction, number).cast_signed() + FIRST_AUCTION_ID
    }

    pub(in crate::nexmark) fn auction_item_name(&self, number: u64) -> &str {
        self.tables().words(self.streams.auction_texts.draw(number).low(), 20)
    }

    pub(in crate::nexmark) fn auction_description(&self, number: u64) -> &str {
        self.tables().words(self.streams.auction_texts.draw(number).high(), 100)
    }

    pub(in crate::nexmark) fn auction_initial_bid(&self, number: u64) -> i64 {
        PRICES.price(self.streams.auction_prices.draw(number).low())
    }

    pub(in crate::nexmark) fn auction_reserve(&self, number: u64) -> i64 {
        self.auction_initial_bid(number) + PRICES.price(self.streams.auction_prices.draw(number).high())
    }

    /// On average when as many auctions have opened as bids may go to.
    pub(in crate::nexmark) fn auction_expires(&self, number: u64) -> i64 {
        let auctions = u64::from(self.settings.auction_proportion).max(1);
        let events = AUCTIONS_IN_FLIGHT.unsigned_abs() * self.epoch_events / auctions;
        let opened = self.time(number);
        let horizon = (self.time(number + events) - opened).unsigned_abs();
        let longest = (2 * horizon).clamp(1, u64::from(u32::MAX));
        opened + 1 + self.streams.auction_length.draw(number).low().below(longest).cast_signed()
    }

    pub(in crate::nexmark) fn auction_seller(&self, number: u64) -> i64 {
        let epoch = number / self.epoch_events;
        let draw = self.streams.auction_seller_and_category.draw(number);
        let (hot, rest) = draw.low().split(u64::from(self.settings.hot_seller_ratio));
        if hot == 0 {
            let (first, people) = self.active_people(epoch);
            first + rest.below(people.unsigned_abs()).cast_signed()
        } else {
            self.newest_person(epoch) / HOT_GROUP * HOT_GROUP + FIRST_PERSON_ID
        }
    }

    pub(in crate::nexmark) fn auction_category(&self, number: u64) -> i64 {
        let draw = self.streams.auction_seller_and_category.draw(number);
        FIRST_CATEGORY + draw.high().below(CATEGORIES).cast_signed()
    }

    pub(in crate::nexmark) fn auction_extra(&self, number: u64) -> &str {
        let size = FIXED_BYTES + (self.auction_item_name(number).len() + self.auction_description(number).len()) as u64;
        let draw = self.streams.auction_extra.draw(number);
        self.tables().extra(draw.low(), draw.high(), size, self.settings.auction_size)
    }

    pub(super) fn auction(&self, number: u64) -> Auction {
        Auction {
            id: self.auction_id(number),
            item_name: self.auction_item_name(number).to_owned(),
            description: self.auction_description(number).to_owned(),
            initial_bid: self.auction_initial_bid(number),
            reserve: self.auction_reserve(number),
            date_time: self.time(number),
            expires: self.auction_expires(number),
            seller: self.auction_seller(number),
            category: self.auction_category(number),
            extra: self.auction_extra(number).to_owned(),
        }
    }
}
