//! Bids: whom they are by, what they are for and what they offer.

use super::channels::channel_index;
use super::price::PRICES;
use super::random::Draw;
use super::{Bid, FIRST_AUCTION_ID, FIRST_PERSON_ID, GeneratorConfig, HOT_GROUP, ID_LEAD};

/// Bids go to auctions that are among the newest so many.
pub(super) const AUCTIONS_IN_FLIGHT: i64 = 100;

/// What all bids of one epoch share.
#[derive(Debug, Clone, Copy)]
pub(in crate::nexmark) struct BidIds {
    auctions: Choice,
    bidders: Choice,
}

/// One hot id, and the cold ones that are taken once in `ratio` times.
#[derive(Debug, Clone, Copy)]
struct Choice {
    ratio: u64,
    hot: i64,
    first: i64,
    count: u64,
}

impl BidIds {
    /// The auction of a bid.
    #[inline]
    pub(in crate::nexmark) const fn auction(&self, draw: Draw) -> i64 {
        let (hot, rest) = draw.low().split(self.auctions.ratio);
        let cold = self.auctions.first + rest.below(self.auctions.count).cast_signed();
        if hot == 0 { cold } else { self.auctions.hot }
    }

    /// The bidder of a bid.
    #[inline]
    pub(in crate::nexmark) const fn bidder(&self, draw: Draw) -> i64 {
        let (hot, rest) = draw.high().split(self.bidders.ratio);
        let cold = self.bidders.first + rest.below(self.bidders.count).cast_signed();
        if hot == 0 { cold } else { self.bidders.hot }
    }
}

impl GeneratorConfig {
    /// What the bids of `epoch` share.
    pub(in crate::nexmark) fn bid_ids(&self, epoch: u64) -> BidIds {
        let newest_auction = (epoch + 1).cast_signed() * i64::from(self.settings.auction_proportion) - 1;
        let first_auction = (newest_auction - AUCTIONS_IN_FLIGHT).max(0);
        let (first_person, people) = self.active_people(epoch);
        BidIds {
            auctions: Choice {
                ratio: u64::from(self.settings.hot_auction_ratio),
                hot: newest_auction / HOT_GROUP * HOT_GROUP + FIRST_AUCTION_ID,
                first: first_auction + FIRST_AUCTION_ID,
                count: (newest_auction - first_auction + 1 + ID_LEAD).unsigned_abs(),
            },
            bidders: Choice {
                ratio: u64::from(self.settings.hot_bidder_ratio),
                // The second of a hundred, so that hot bidders are not hot sellers.
                hot: self.newest_person(epoch) / HOT_GROUP * HOT_GROUP + 1 + FIRST_PERSON_ID,
                first: first_person,
                count: people.unsigned_abs(),
            },
        }
    }

    pub(super) fn bid(&self, number: u64) -> Bid {
        let ids = self.bid_ids(number / self.epoch_events);
        let who = self.streams.bid_ids.draw(number);
        let what = self.streams.bid_price_and_channel.draw(number);
        let tables = self.tables();
        let channel = channel_index(what.high());
        Bid {
            auction: ids.auction(who),
            bidder: ids.bidder(who),
            price: PRICES.price(what.low()),
            channel: tables.channels.text(channel).to_owned(),
            url: tables.urls.text(channel).to_owned(),
            date_time: self.time(number),
            extra: tables.bid_extras.of_bid(self, number).to_owned(),
        }
    }
}
