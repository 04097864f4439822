//! Decimals, digit by digit: no binary fraction is ever in between.

/// The number in `text`, times ten to the `scale`, rounded half up as Java's `BigDecimal` does. `None` if `text` is not a
/// number or has more than `precision` digits at that scale.
pub(crate) fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let number = Number::read(text)?;
    let value = number.scaled(i64::from(scale), true)?;
    let limit = 10_u128.checked_pow(u32::from(precision))?;
    (value.unsigned_abs() < limit).then_some(value)
}

/// The number in `text` with its fraction cut off. `None` if `text` is not a number or above 64 bits.
pub(crate) fn whole_part(text: &[u8]) -> Option<i64> {
    i64::try_from(Number::read(text)?.scaled(0, false)?).ok()
}

/// `12.50e3`: the digits before and after the point, and the exponent.
struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Number<'a> {
    fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = sign(text);
        let (whole, rest) = digits(text);
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest),
            rest => (&[][..], rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Self { negative, whole, fraction, exponent })
    }

    fn scaled(&self, scale: i64, round: bool) -> Option<i128> {
        let digits = self.whole.iter().chain(self.fraction);
        let count = as_i64(self.whole.len()) + as_i64(self.fraction.len());
        // How many of the digits stand before the last one that is kept; zeros follow if there are fewer.
        let kept = as_i64(self.whole.len()) + self.exponent + scale;
        let mut value = 0_i128;
        for &digit in digits.clone().take(usize::try_from(kept).unwrap_or(0)) {
            value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        if value != 0 {
            for _ in count..kept {
                value = value.checked_mul(10)?;
            }
        }
        let first_cut = usize::try_from(kept).ok().and_then(|kept| digits.clone().nth(kept));
        if round && first_cut.is_some_and(|digit| *digit >= b'5') {
            value = value.checked_add(1)?;
        }
        Some(if self.negative { -value } else { value })
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

/// The exponent, held between ± 100,000: beyond that only zero is representable, and zero stays zero.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, text) = sign(text);
    let (number, rest) = digits(text);
    if number.is_empty() || !rest.is_empty() {
        return None;
    }
    let size = number.iter().fold(0_i64, |size, digit| (size * 10 + i64::from(digit - b'0')).min(100_000));
    Some(if negative { -size } else { size })
}

fn as_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_and_round_half_up() {
        for (text, precision, scale, expected) in [
            ("1.25", 10, 2, Some(125)),
            ("1.25", 10, 1, Some(13)),
            ("-1.25", 10, 1, Some(-13)),
            ("1.249999", 10, 1, Some(12)),
            ("0.05", 10, 1, Some(1)),
            ("0.049", 10, 1, Some(0)),
            (".5", 1, 0, Some(1)),
            ("5.", 1, 0, Some(5)),
            ("1e3", 10, 0, Some(1000)),
            ("12.5E-1", 10, 2, Some(125)),
            ("0e999999999999", 10, 2, Some(0)),
            ("1e-999999999999", 10, 2, Some(0)),
            ("1e999999999999", 38, 2, None),
            ("99999999.995", 10, 2, None),
            ("99999999.994", 10, 2, Some(9_999_999_999)),
            ("000000000000000000000000000000000000000000001.5", 10, 1, Some(15)),
            ("12345678901234567890123456789012345678", 38, 0, Some(12_345_678_901_234_567_890_123_456_789_012_345_678)),
            ("123456789012345678901234567890123456789", 38, 0, None),
            ("", 10, 2, None),
            ("-", 10, 2, None),
            (".", 10, 2, None),
            ("1e", 10, 2, None),
            ("1.2.3", 10, 2, None),
            ("1,2", 10, 2, None),
            (" 1", 10, 2, None),
        ] {
            assert_eq!(decimal(text.as_bytes(), precision, scale), expected, "{text} as DECIMAL({precision}, {scale})");
        }
    }

    #[test]
    fn a_fraction_is_cut_off_towards_zero() {
        for (text, expected) in [
            ("1.9", Some(1)),
            ("-1.9", Some(-1)),
            ("9.223372036854775807e18", Some(i64::MAX)),
            ("9.223372036854775808e18", None),
            ("1e-5", Some(0)),
        ] {
            assert_eq!(whole_part(text.as_bytes()), expected, "{text}");
        }
    }
}
