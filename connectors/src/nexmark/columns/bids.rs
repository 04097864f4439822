//! The columns of bids: 46 of 50 events, so every loop here works on a run at a time and has no branch in it.
//!
//! Up to 64 random numbers are drawn at once and stay in the first-level cache while the columns are made of them.

use std::ops::Range;

use arrow::array::ArrayRef;
use millstream_engine::memory;

use super::buffers::Buffers;
use super::kind::{KindMaker, strings};
use super::projection::BidField;
use super::runs::{Block, Run, Selection};
use crate::nexmark::generator::{
    BidIds, Dictionary, Draw, GeneratorConfig, NO_CHANNEL, PRICES, Prices, Stream, channel_index,
};

const LANES: usize = 64;

/// What is kept from block to block besides buffers.
#[derive(Debug, Default)]
pub(super) struct BidScratch {
    /// For each row, which channel.
    channels: Vec<u16>,
}

/// The columns that are made of random numbers, where they are asked for.
#[derive(Debug)]
struct Numbers<'a> {
    auctions: Option<Vec<i64>>,
    bidders: Option<Vec<i64>>,
    prices: Option<Vec<i64>>,
    channels: Option<&'a mut [u16]>,
}

/// These fields of all bids of the block.
pub(super) fn columns(maker: &mut KindMaker<'_>, fields: &[BidField], scratch: &mut BidScratch) -> Vec<ArrayRef> {
    let rows = maker.block.rows();
    let wants = |field| fields.contains(&field);
    let mut column = |field| wants(field).then(|| maker.buffers.longs.take(rows));
    let mut numbers = Numbers {
        auctions: column(BidField::Auction),
        bidders: column(BidField::Bidder),
        prices: column(BidField::Price),
        channels: (wants(BidField::Channel) || wants(BidField::Url)).then(|| scratch.all_empty(rows)),
    };
    numbers.fill(maker.config, maker.runs());
    let Numbers { auctions, bidders, prices, channels: _ } = numbers;
    let (mut auctions, mut bidders, mut prices) = (auctions, bidders, prices);
    let config = maker.config;
    let column = |field: &BidField| match field {
        BidField::Auction => maker.numbers(auctions.take().unwrap_or_default()),
        BidField::Bidder => maker.numbers(bidders.take().unwrap_or_default()),
        BidField::Price => maker.numbers(prices.take().unwrap_or_default()),
        BidField::Channel => from_dictionary(&config.tables().channels, &scratch.channels, maker.buffers),
        BidField::Url => from_dictionary(&config.tables().urls, &scratch.channels, maker.buffers),
        BidField::DateTime => maker.times(),
        BidField::Extra => extras(maker.config, maker.block),
    };
    fields.iter().map(column).collect()
}

impl BidScratch {
    pub(super) fn memory_bytes(&self) -> usize {
        memory::vec(&self.channels)
    }

    fn all_empty(&mut self, rows: usize) -> &mut [u16] {
        self.channels.clear();
        self.channels.resize(rows, NO_CHANNEL);
        &mut self.channels
    }
}

impl Numbers<'_> {
    fn fill(&mut self, config: &GeneratorConfig, runs: impl Iterator<Item = Run>) {
        let streams = config.streams();
        let mut draws = [Draw::default(); LANES];
        for run in runs {
            let ids = config.bid_ids(run.epoch);
            for start in (0..run.events).step_by(LANES) {
                let events = LANES.min(run.events - start);
                let first = run.first + start as u64;
                let rows = run.row + start..run.row + start + events;
                let draws = &mut draws[..events];
                if self.auctions.is_some() || self.bidders.is_some() {
                    draw(streams.bid_ids, first, draws);
                    self.fill_ids(&ids, rows.clone(), draws);
                }
                if self.prices.is_some() || self.channels.is_some() {
                    draw(streams.bid_price_and_channel, first, draws);
                    self.fill_prices_and_channels(rows, draws);
                }
            }
        }
    }

    fn fill_ids(&mut self, ids: &BidIds, rows: Range<usize>, draws: &[Draw]) {
        if let Some(auctions) = &mut self.auctions {
            for (auction, &draw) in auctions[rows.clone()].iter_mut().zip(draws) {
                *auction = ids.auction(draw);
            }
        }
        if let Some(bidders) = &mut self.bidders {
            for (bidder, &draw) in bidders[rows].iter_mut().zip(draws) {
                *bidder = ids.bidder(draw);
            }
        }
    }

    fn fill_prices_and_channels(&mut self, rows: Range<usize>, draws: &[Draw]) {
        if let Some(prices) = &mut self.prices {
            let table: &Prices = &PRICES;
            for (price, draw) in prices[rows.clone()].iter_mut().zip(draws) {
                *price = table.price(draw.low());
            }
        }
        if let Some(channels) = &mut self.channels {
            for (channel, draw) in channels[rows].iter_mut().zip(draws) {
                *channel = channel_index(draw.high());
            }
        }
    }
}

fn draw(stream: Stream, first: u64, draws: &mut [Draw]) {
    for (event, draw) in (first..).zip(draws) {
        *draw = stream.draw(event);
    }
}

fn from_dictionary<const WIDTH: usize>(
    dictionary: &Dictionary<WIDTH>,
    indices: &[u16],
    buffers: &mut Buffers,
) -> ArrayRef {
    let mut offsets = buffers.offsets.take(indices.len() + 1);
    let mut texts = buffers.entries.take(Dictionary::<WIDTH>::values_room(indices.len()));
    offsets[0] = 0;
    let end = dictionary.write(indices, &mut offsets[1..], &mut texts);
    strings(buffers.offsets.lend(offsets), buffers.entries.lend(texts).slice_with_length(0, end))
}

fn extras(config: &GeneratorConfig, block: &Block) -> ArrayRef {
    let extras = &config.tables().bid_extras;
    match block.selection() {
        Selection::All => extras.of_events(config, block.first(), block.events()),
        Selection::Only(_) | Selection::Nothing => extras.of_bids(config, block.first(), block.events()),
    }
}
