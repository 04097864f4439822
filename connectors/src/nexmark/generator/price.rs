//! Prices: `round(100 × 10^(6 u))` for a uniform `u`, so that every order of magnitude is as frequent as any other.
//!
//! `pow` costs more than a whole bid may, so it is taken apart: with 32 bits of `u`, the upper ten and the next ten choose
//! a factor each from a table, and for the last twelve, where the exponent is below 0.000014, `e^x` is `1 + x` to within a
//! thousandth of a cent. The tables are made of square roots and products, which every machine rounds alike.

use std::f64::consts::LN_10;
use std::sync::LazyLock;

use super::random::Fraction;
use super::tables::place;

/// A number that is added to one below 2^51 leaves its whole part in the lower bits, rounded to the nearest.
const ROUND: f64 = 4_503_599_627_370_496.0;

/// The factors of a price.
#[derive(Debug)]
pub(in crate::nexmark) struct Prices {
    upper: [f64; 1024],
    middle: [f64; 1024],
}

/// The one table of prices.
pub(in crate::nexmark) static PRICES: LazyLock<Prices> = LazyLock::new(Prices::new);

impl Prices {
    fn new() -> Self {
        // 10^(6 / 2^10) is the 2^9-th root of 1,000, and 10^(6 / 2^20) its 2^19-th.
        Self { upper: powers(100.0, root(1_000.0, 9)), middle: powers(1.0, root(1_000.0, 19)) }
    }

    /// The price for `u`, in 100 to 100,000,000.
    #[inline]
    pub(in crate::nexmark) fn price(&self, u: Fraction) -> i64 {
        const STEP: f64 = 6.0 * LN_10 / 4_294_967_296.0;
        let bits = u.bits();
        let upper = self.upper[place(bits >> 22) & 1023];
        let middle = self.middle[place(bits >> 12) & 1023];
        let rest = f64::from((bits & 0xFFF) as u32);
        let price = upper * middle * (1.0 + rest * STEP);
        ((price + ROUND).to_bits() ^ ROUND.to_bits()).cast_signed()
    }
}

/// `first`, `first × step`, `first × step²`, …
fn powers(first: f64, step: f64) -> [f64; 1024] {
    let mut next = first;
    std::array::from_fn(|_| {
        let power = next;
        next *= step;
        power
    })
}

/// The 2^`times`-th root.
fn root(of: f64, times: u32) -> f64 {
    (0..times).fold(of, |root, _| root.sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::*;

    #[test]
    fn a_price_is_the_power_of_ten_rounded() {
        let stream = Stream::new(7, 0);
        for event in 0..200_000 {
            let u = stream.draw(event).low();
            let exact = 100.0 * 10f64.powf(6.0 * f64::from(u32::try_from(u.bits()).unwrap()) / 4_294_967_296.0);
            let price = PRICES.price(u) as f64;
            assert!((price - exact).abs() < 0.52, "u = {u:?}: {price} is not {exact}");
        }
    }
}
