//! Times of many events at once.
//!
//! An event's time is a division of its number, and processors have no vector division of whole numbers. But floating-point
//! numbers do this one exactly: in a block, a dividend is below 2^32 and a whole number, and half of one is added, so that
//! the quotient is never nearer to a whole number than half of the divisor's inverse, which is far more than what rounding
//! can do.

use super::GeneratorConfig;

/// A number that is added to a whole one below 2^51 leaves it in the lower bits.
const WHOLE: f64 = 4_503_599_627_370_496.0;

/// Tells the times of events that follow each other: at most [`super::PAGE_EVENTS`] of them.
#[derive(Debug, Clone, Copy)]
pub(in crate::nexmark) struct Clock {
    /// Time of the first event, less the part of a millisecond that is in `rest`.
    start: i64,
    /// The remainder of the first event's division, and a half.
    rest: f64,
    /// A second's event, inverted.
    inverse: f64,
}

impl GeneratorConfig {
    /// A clock for events from number `first` on.
    pub(in crate::nexmark) fn clock(&self, first: u64) -> Clock {
        let rest = u32::try_from(first * 1_000 % u64::from(self.settings.events_per_second)).unwrap_or(u32::MAX);
        let inverse = 1.0 / f64::from(self.settings.events_per_second);
        Clock { start: self.time(first), rest: f64::from(rest) + 0.5, inverse }
    }
}

impl Clock {
    /// Writes the times of events from the one that comes `offset` after the clock's first.
    #[inline]
    pub(in crate::nexmark) fn fill(&self, offset: i32, times: &mut [i64]) {
        for (event, time) in (offset..).zip(times) {
            let quotient = ((f64::from(event) * 1_000.0 + self.rest) * self.inverse).floor();
            *time = self.start + ((quotient + WHOLE).to_bits() ^ WHOLE.to_bits()).cast_signed();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GeneratorConfig, PAGE_EVENTS, Settings};

    #[test]
    fn a_clock_tells_the_time_of_each_event_at_any_rate() {
        for rate in [1, 2, 3, 7, 999, 1_000, 1_001, 10_000, 99_991, 10_000_000, 123_456_789, u32::MAX] {
            let config = GeneratorConfig::new(Settings { events_per_second: rate, ..Settings::default() }).unwrap();
            for first in [0, 1, 8_900, 1_000_000_007, (1 << 53) - PAGE_EVENTS] {
                let mut times = vec![0; usize::try_from(PAGE_EVENTS).unwrap()];
                config.clock(first).fill(0, &mut times);
                for (number, &time) in (first..).zip(&times) {
                    assert_eq!(time, config.time(number), "event {number} at {rate} a second");
                }
            }
        }
    }
}
