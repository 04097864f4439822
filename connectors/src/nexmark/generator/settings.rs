//! What of the stream can be set. Each field is an option of the table and has that option's default.

use super::{EPOCH_BYTES, PAGE_EVENTS};

/// The options of the stream; see each for its name in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `seed`: another one, other events.
    pub seed: u64,
    /// `base-time`: the time of the first event in milliseconds since 1970.
    pub base_time: i64,
    /// `first-event.rate`: so many events happen in one second of event time. At least 1.
    pub events_per_second: u32,
    /// `person.proportion`: persons in an epoch.
    pub person_proportion: u32,
    /// `auction.proportion`: auctions in an epoch.
    pub auction_proportion: u32,
    /// `bid.proportion`: bids in an epoch.
    pub bid_proportion: u32,
    /// `person.avg-size`: bytes of a person on average; the column `extra` makes up what is missing.
    pub person_size: u32,
    /// `auction.avg-size`: bytes of an auction on average.
    pub auction_size: u32,
    /// `bid.avg-size`: bytes of a bid on average, its channel and url not counted.
    pub bid_size: u32,
    /// `bid.hot-ratio.auctions`: one bid in so many is not for a hot auction. At least 1.
    pub hot_auction_ratio: u32,
    /// `bid.hot-ratio.bidders`: one bid in so many is not by a hot bidder. At least 1.
    pub hot_bidder_ratio: u32,
    /// `auction.hot-ratio.sellers`: one auction in so many is not by a hot seller. At least 1.
    pub hot_seller_ratio: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            base_time: 1_436_918_400_000, // 2015-07-15T00:00:00Z
            events_per_second: 10_000,
            person_proportion: 1,
            auction_proportion: 3,
            bid_proportion: 46,
            person_size: 200,
            auction_size: 500,
            bid_size: 100,
            hot_auction_ratio: 2,
            hot_bidder_ratio: 4,
            hot_seller_ratio: 4,
        }
    }
}

impl Settings {
    /// How many events an epoch has.
    pub(super) fn epoch_events(&self) -> u64 {
        u64::from(self.person_proportion) + u64::from(self.auction_proportion) + u64::from(self.bid_proportion)
    }

    /// About how many bytes an epoch has.
    pub(super) fn epoch_bytes(&self) -> u64 {
        let bytes = |events: u32, size: u32| u128::from(events) * u128::from(size);
        let sum = bytes(self.person_proportion, self.person_size)
            + bytes(self.auction_proportion, self.auction_size)
            + bytes(self.bid_proportion, self.bid_size);
        u64::try_from(sum).unwrap_or(u64::MAX)
    }

    /// Says what is wrong, naming the option, its value and what it should be.
    pub(super) fn check(&self) -> Result<(), String> {
        for (option, value) in [
            ("first-event.rate", self.events_per_second),
            ("bid.hot-ratio.auctions", self.hot_auction_ratio),
            ("bid.hot-ratio.bidders", self.hot_bidder_ratio),
            ("auction.hot-ratio.sellers", self.hot_seller_ratio),
        ] {
            if value == 0 {
                return Err(format!("the option '{option}' = '0' cannot be used: it should be at least 1"));
            }
        }
        let proportions = "the options 'person.proportion', 'auction.proportion' and 'bid.proportion'";
        match self.epoch_events() {
            0 => return Err(format!("{proportions} are all 0: give one of them a number above 0")),
            events if events > PAGE_EVENTS => {
                return Err(format!(
                    "{proportions} add up to {events}, which is more than {PAGE_EVENTS}: divide them by a common factor"
                ));
            }
            _ => {}
        }
        let bytes = self.epoch_bytes();
        if bytes > EPOCH_BYTES {
            return Err(format!(
                "the options 'person.avg-size', 'auction.avg-size' and 'bid.avg-size' make an epoch of {} events {bytes} \
                 bytes large, which is more than {EPOCH_BYTES}: choose smaller sizes or proportions",
                self.epoch_events()
            ));
        }
        Ok(())
    }
}
