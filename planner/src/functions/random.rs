//! `RAND`, `RAND_INTEGER`: `java.util.Random`, so that a seed gives the numbers that it gives in Flink. Also `UUID`.
//!
//! A literal seed has one sequence per registry: it goes on from batch to batch, and calls with the same seed draw from
//! it in turn. A seed that varies from row to row starts a new sequence each time, of which the first number is taken.
//! Without a seed the sequence starts anywhere. These functions are the only ones whose results differ when a job is
//! replayed.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::PoisonError;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int32Type};
use datafusion_common::{Result, exec_err};

use super::arguments::Integers;
use super::definition::{Call, Definition, Kind, optional};

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("rand", optional(0, &[Kind::Integer]), DataType::Float64, rand).volatile(),
        Definition::new("rand_integer", optional(1, &[Kind::Integer, Kind::Integer]), DataType::Int32, rand_integer)
            .volatile(),
    ]
}

/// The linear congruential generator that `java.util.Random` documents.
#[derive(Debug, Clone, Copy)]
pub(super) struct JavaRandom {
    state: i64,
}

const MULTIPLIER: i64 = 0x5_DEEC_E66D;
const MASK: i64 = (1 << 48) - 1;

impl JavaRandom {
    fn new(seed: i64) -> Self {
        Self { state: (seed ^ MULTIPLIER) & MASK }
    }

    /// Starts anywhere.
    fn unseeded() -> Self {
        Self::new(RandomState::new().build_hasher().finish().cast_signed())
    }

    fn next(&mut self, bits: u32) -> i32 {
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        low_half(self.state >> (48 - bits))
    }

    /// From 0 to below 1.
    fn next_double(&mut self) -> f64 {
        let high = i64::from(self.next(26)) << 27;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let value = (high + i64::from(self.next(27))) as f64;
        value / 9_007_199_254_740_992.0
    }

    /// From 0 to below `bound`, which is positive.
    fn next_int(&mut self, bound: i32) -> i32 {
        let mut bits = self.next(31);
        if bound & (bound - 1) == 0 {
            return low_half((i64::from(bound) * i64::from(bits)) >> 31);
        }
        loop {
            let value = bits % bound;
            if bits.wrapping_sub(value).wrapping_add(bound - 1) >= 0 {
                return value;
            }
            bits = self.next(31);
        }
    }
}

/// Java's `(int)` of a long.
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn low_half(value: i64) -> i32 {
    value as i32
}

/// Runs `draw` for every row with the generator that the row's seed stands for; a null seed gives null.
fn with_generator<T>(
    call: &Call<'_>,
    seeds: Option<&Integers>,
    mut draw: impl FnMut(usize, &mut JavaRandom) -> Result<Option<T>>,
) -> Result<Vec<Option<T>>> {
    if let Some(seeds) = seeds.filter(|seeds| !seeds.is_literal()) {
        return (0..call.rows)
            .map(|row| seeds.get(row).map_or(Ok(None), |seed| draw(row, &mut JavaRandom::new(int_seed(seed)))))
            .collect();
    }
    let seed = match seeds.map(|seeds| seeds.get(0)) {
        Some(None) => return Ok((0..call.rows).map(|_| None).collect()),
        Some(seed) => seed.map(int_seed),
        None => None,
    };
    let mut generators = call.session.randoms.lock().unwrap_or_else(PoisonError::into_inner);
    let start = || seed.map_or_else(JavaRandom::unseeded, JavaRandom::new);
    let generator = generators.entry(seed).or_insert_with(start);
    (0..call.rows).map(|row| draw(row, generator)).collect()
}

/// Flink's seeds are INTs.
fn int_seed(seed: i64) -> i64 {
    i64::from(low_half(seed))
}

/// `RAND([seed])`: from 0 to below 1.
fn rand(call: &Call<'_>) -> Result<ArrayRef> {
    let seeds = call.optional_integer(0)?;
    let values = with_generator(call, seeds.as_ref(), |_, random| Ok(Some(random.next_double())))?;
    call.numbers::<Float64Type>(|row| Ok(values[row]))
}

/// `RAND_INTEGER([seed, ]bound)`: from 0 to below the bound.
fn rand_integer(call: &Call<'_>) -> Result<ArrayRef> {
    let seeds = (call.given() == 2).then(|| call.integer(0)).transpose()?;
    let bounds = call.integer(call.given() - 1)?;
    let values = with_generator(call, seeds.as_ref(), |row, random| {
        let Some(bound) = bounds.get(row) else { return Ok(None) };
        match i32::try_from(bound) {
            Ok(bound @ 1..) => Ok(Some(random.next_int(bound))),
            _ => exec_err!("the bound {bound} of rand_integer must be from 1 to {}", i32::MAX),
        }
    })?;
    call.numbers::<Int32Type>(|row| Ok(values[row]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_are_javas() {
        // Known first values of new java.util.Random(42) and (1).
        let mut random = JavaRandom::new(42);
        assert_eq!((0..3).map(|_| random.next_int(10)).collect::<Vec<_>>(), [0, 3, 8]);
        assert_eq!(JavaRandom::new(1).next_double().to_string(), "0.7308781907032909");
        assert_eq!(JavaRandom::new(1).next_int(10), 5);
        assert_eq!(JavaRandom::new(42).next_int(16), 11);
    }
}
