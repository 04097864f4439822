//! The filling of bids, which is most of their bytes, without a copy.
//!
//! It lies ready as a tape of rows: letters, and offsets that cut them into rows. The stream is cut into *pages* of some
//! 8,900 events; a page's bids take as many rows of the tape one after the other, from an epoch that a random number of the
//! page chooses. So the column of a block, which never crosses a page, is a slice of the tape.
//!
//! The tape is there twice, over the same letters: with a row for each bid, and with a row for each event, empty where it
//! is no bid.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::random::{Sequence, Stream};
use super::tables::{extra_length, letters, never_invalid, place};
use super::{EventKind, GeneratorConfig};

/// Auction, bidder, price and time.
const FIXED_BYTES: u64 = 32;

/// The column `extra` of bids.
#[derive(Debug)]
pub(in crate::nexmark) struct BidExtras {
    bids: StringArray,
    events: StringArray,
    page_extra: Stream,
}

impl BidExtras {
    pub(super) fn new(config: &GeneratorConfig, text: &mut Sequence, lengths: &mut Sequence) -> Self {
        let bid_places = config.places(EventKind::Bid);
        let mut end = 0;
        let (mut bid_ends, mut event_ends) = (vec![0], vec![0]);
        for _ in 0..2 * config.page_epochs {
            for place in 0..config.epoch_events {
                if bid_places.contains(&place) {
                    end += extra_length(lengths.fraction(), FIXED_BYTES, config.settings.bid_size);
                    bid_ends.push(end);
                }
                event_ends.push(end);
            }
        }
        let values = Buffer::from_vec(letters(text, end).into_bytes());
        Self {
            bids: rows(&bid_ends, &values),
            events: rows(&event_ends, &values),
            page_extra: config.streams.page_extra,
        }
    }

    /// The rows of bids only, for the bids among `events` events from `first` on, which lie in one page.
    pub(in crate::nexmark) fn of_bids(&self, config: &GeneratorConfig, first: u64, events: u64) -> ArrayRef {
        let before = |event| {
            self.start(config, first) * u64::from(config.settings.bid_proportion) + bids_in_page(config, first, event)
        };
        let (start, end) = (before(first), before(first + events));
        Arc::new(self.bids.slice(place(start), place(end - start)))
    }

    /// A row for each of `events` events from `first` on, which lie in one page.
    pub(in crate::nexmark) fn of_events(&self, config: &GeneratorConfig, first: u64, events: u64) -> ArrayRef {
        let start = self.start(config, first) * config.epoch_events + first % config.page_events();
        Arc::new(self.events.slice(place(start), place(events)))
    }

    /// The filling of the bid that is event `number`.
    pub(super) fn of_bid(&self, config: &GeneratorConfig, number: u64) -> &str {
        let row = self.start(config, number) * config.epoch_events + number % config.page_events();
        self.events.value(place(row))
    }

    /// The epoch of the tape with which the page of event `number` begins.
    fn start(&self, config: &GeneratorConfig, number: u64) -> u64 {
        self.page_extra.draw(number / config.page_events()).low().below(config.page_epochs + 1)
    }
}

/// Bids between the begin of the page of `first` and `event`.
fn bids_in_page(config: &GeneratorConfig, first: u64, event: u64) -> u64 {
    let page = first / config.page_events() * config.page_events();
    config.count_before(EventKind::Bid, event) - config.count_before(EventKind::Bid, page)
}

fn rows(ends: &[u64], values: &Buffer) -> StringArray {
    let offsets: ScalarBuffer<i32> = ends.iter().map(|&end| i32::try_from(end).unwrap_or(i32::MAX)).collect();
    never_invalid(StringArray::try_new(OffsetBuffer::new(offsets), values.clone(), None))
}
