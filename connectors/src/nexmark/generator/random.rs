//! Random numbers that are counted, not drawn one after another.
//!
//! A number depends on the seed, on what it is for and on the event it is for, and on nothing else. So any event can be
//! made alone, by any reader, and again after a restart; and a loop over events has no chain from one to the next that
//! would keep a processor from working on several at once. The mixing is the finaliser of splitmix64.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const LOW: u64 = 0xFFFF_FFFF;

/// The random numbers of one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nexmark) struct Stream(u64);

impl Stream {
    /// The numbers that `seed` gives for `purpose`; purposes are numbered from 0.
    pub(in crate::nexmark) const fn new(seed: u64, purpose: u64) -> Self {
        Self(mix(mix(seed).wrapping_add(purpose)))
    }

    /// The number of event `event`: two halves of 32 bits that are independent of each other.
    pub(in crate::nexmark) const fn draw(self, event: u64) -> Draw {
        Draw(mix(self.0.wrapping_add(event.wrapping_mul(GOLDEN))))
    }
}

/// 64 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::nexmark) struct Draw(u64);

impl Draw {
    /// The lower half.
    pub(in crate::nexmark) const fn low(self) -> Fraction {
        Fraction(self.0 & LOW)
    }

    /// The upper half.
    pub(in crate::nexmark) const fn high(self) -> Fraction {
        Fraction(self.0 >> 32)
    }
}

/// A random fraction in [0, 1), in steps of 2^-32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nexmark) struct Fraction(u64);

impl Fraction {
    /// A whole number in `0 .. n`, where `n` is below 2^32, and what is left of the fraction: another that is as good as
    /// independent for small `n`.
    pub(in crate::nexmark) const fn split(self, n: u64) -> (u64, Self) {
        let scaled = self.0 * n;
        (scaled >> 32, Self(scaled & LOW))
    }

    /// A whole number in `0 .. n`, where `n` is below 2^32.
    pub(in crate::nexmark) const fn below(self, n: u64) -> u64 {
        self.split(n).0
    }

    /// The 32 bits.
    pub(in crate::nexmark) const fn bits(self) -> u64 {
        self.0
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Random numbers one after another, for tables that are made once.
#[derive(Debug)]
pub(in crate::nexmark) struct Sequence {
    stream: Stream,
    next: u64,
}

impl Sequence {
    /// The numbers of `stream` in order.
    pub(in crate::nexmark) const fn of(stream: Stream) -> Self {
        Self { stream, next: 0 }
    }

    /// A whole number in `0 .. n`, where `n` is below 2^32.
    pub(in crate::nexmark) const fn below(&mut self, n: u64) -> u64 {
        self.fraction().below(n)
    }

    /// A fraction.
    pub(in crate::nexmark) const fn fraction(&mut self) -> Fraction {
        let fraction = self.stream.draw(self.next).high();
        self.next += 1;
        fraction
    }
}
