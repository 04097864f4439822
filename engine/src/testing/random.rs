//! Random numbers for tests: the same for the same seed, everywhere and for ever.
//!
//! A test of random input runs [`rounds`] with a seed each and names the seed where it fails. `MILLSTREAM_TEST_SEED` runs
//! that one alone, `MILLSTREAM_TEST_ROUNDS` more rounds than usual.

use std::env::var;
use std::ops::Range;

/// SplitMix64: small, good enough to vary tests.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number of `range`, which is not empty.
    pub fn within(&mut self, range: Range<i64>) -> i64 {
        let width = range.end.wrapping_sub(range.start).cast_unsigned();
        range.start.wrapping_add((self.number() % width).cast_signed())
    }

    /// Below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        usize::try_from(self.number() % limit).unwrap_or_default()
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.number() % 100 < percent
    }

    /// One of `choices`, which are not none.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}

/// The seeds of the rounds of a test that usually makes `usual` of them: see the [module](self).
pub fn rounds(usual: u64) -> Vec<u64> {
    let number = |name: &str| var(name).ok().and_then(|value| value.parse::<u64>().ok());
    match number("MILLSTREAM_TEST_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("MILLSTREAM_TEST_ROUNDS").unwrap_or(usual)).collect(),
    }
}
