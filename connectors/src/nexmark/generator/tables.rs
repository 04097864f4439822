//! Texts that are made once per seed, so that none is put together from letters for a row.

use arrow::error::ArrowError;

use super::channels::{CHANNEL_WIDTH, Dictionary, URL_WIDTH, channels_and_urls};
use super::extras::BidExtras;
use super::random::{Fraction, Sequence, Stream};
use super::{GeneratorConfig, Settings};

/// A text begins anywhere in the first so many bytes of its pool.
const STARTS: u64 = 1 << 16;
/// The longest text that is cut from `words`.
const LONGEST_WORDS: u64 = 100;
/// The shortest text that is cut from `words`.
const SHORTEST_WORDS: u64 = 3;

/// The tables of one seed.
#[derive(Debug)]
pub(in crate::nexmark) struct Tables {
    /// Letters, and a blank for one in thirteen.
    words: String,
    /// Letters.
    letters: String,
    /// Names of channels.
    pub(in crate::nexmark) channels: Dictionary<CHANNEL_WIDTH>,
    /// The url of each channel.
    pub(in crate::nexmark) urls: Dictionary<URL_WIDTH>,
    /// The column `extra` of bids.
    pub(in crate::nexmark) bid_extras: BidExtras,
}

impl Tables {
    pub(super) fn new(config: &GeneratorConfig) -> Self {
        let Settings { seed, person_size, auction_size, .. } = *config.settings();
        let root = config.streams.tables;
        let sequence = |table: u64| Sequence::of(Stream::new(seed ^ root.draw(table).low().bits(), 100 + table));
        let longest_extra = u64::from(person_size.max(auction_size)) * 6 / 5 + 1;
        let (channels, urls) = channels_and_urls(&mut sequence(2));
        Self {
            words: special_text(&mut sequence(0), STARTS + LONGEST_WORDS, ' '),
            letters: letters(&mut sequence(1), STARTS + longest_extra),
            channels,
            urls,
            bid_extras: BidExtras::new(config, &mut sequence(3), &mut sequence(4)),
        }
    }

    /// A text of at least three and fewer than `most` letters and blanks, less the blanks at its ends.
    pub(super) fn words(&self, which: Fraction, most: u64) -> &str {
        debug_assert!(most <= LONGEST_WORDS, "the pool has no room behind its last start for {most} bytes");
        let (length, rest) = which.split(most - SHORTEST_WORDS);
        piece(&self.words, rest.below(STARTS), SHORTEST_WORDS + length).trim_matches(' ')
    }

    /// Letters that bring `size` bytes to `average` on average: the fifth part more or less. None if it is larger already.
    pub(super) fn extra(&self, length: Fraction, start: Fraction, size: u64, average: u32) -> &str {
        match extra_length(length, size, average) {
            0 => "",
            length => piece(&self.letters, start.below(STARTS), length),
        }
    }
}

/// See [`Tables::extra`].
pub(super) fn extra_length(fraction: Fraction, size: u64, average: u32) -> u64 {
    let missing = u64::from(average).saturating_sub(size);
    let spread = (2 * missing + 5) / 10;
    missing - spread + fraction.below(2 * spread)
}

/// `length` letters.
pub(super) fn letters(sequence: &mut Sequence, length: u64) -> String {
    (0..length).map(|_| letter(sequence)).collect()
}

/// `length` letters, one in thirteen replaced by `special`.
pub(super) fn special_text(sequence: &mut Sequence, length: u64, special: char) -> String {
    (0..length).map(|_| if sequence.below(13) == 0 { special } else { letter(sequence) }).collect()
}

/// What a text column cannot be: all its text is made here and is ASCII.
pub(super) fn never_invalid<T>(array: Result<T, ArrowError>) -> T {
    array.expect("letters are UTF-8 and their offsets rise")
}

fn letter(sequence: &mut Sequence) -> char {
    const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
    char::from(LETTERS[place(sequence.below(26))])
}

fn piece(pool: &str, start: u64, length: u64) -> &str {
    &pool[place(start)..place(start + length)]
}

/// A place in a table that is in memory.
#[expect(clippy::cast_possible_truncation, reason = "tables are far smaller than any address space")]
pub(in crate::nexmark) const fn place(number: u64) -> usize {
    number as usize
}
