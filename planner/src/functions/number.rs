//! Numbers as Java prints, cuts and rounds them.
//!
//! Flink rounds and truncates a `DOUBLE` by its shortest decimal digits (`BigDecimal.valueOf`), not by its binary
//! value: `ROUND(0.285, 2)` is 0.29. Both Java and Rust know these digits, so everything here goes through them.

use std::borrow::Cow;
use std::fmt::Write;

/// Java's `(long) x`: cut towards zero, held at the ends, 0 for NaN.
#[expect(
    clippy::cast_possible_truncation,
    reason = "this is what the cast is for: Rust's `as` saturates as Java's does"
)]
pub(super) fn truncated(value: f64) -> i64 {
    value as i64
}

/// Which way digits are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Towards zero.
    Down,
    /// To the nearest, halves away from zero.
    HalfUp,
}

/// The shortest decimal digits of a finite number: `0.digits × 10^exponent`.
struct Digits {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
}

impl Digits {
    /// From Rust's scientific notation, which has the shortest digits: `-1.2345e-5`.
    fn of(scientific: &str) -> Self {
        let (negative, rest) = match scientific.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, scientific),
        };
        let (mantissa, exponent) = rest.split_once('e').unwrap_or((rest, "0"));
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).map(|byte| byte - b'0').collect();
        Self { negative, digits, exponent: exponent.parse::<i64>().unwrap_or(0) + 1 }
    }

    /// Keeps `places` digits after the point.
    fn cut(&mut self, places: i64, cut: Cut) {
        let kept = self.exponent.saturating_add(places);
        let Ok(at) = usize::try_from(kept) else {
            self.digits.clear();
            return;
        };
        let up = cut == Cut::HalfUp && self.digits.get(at).is_some_and(|digit| *digit >= 5);
        self.digits.truncate(at);
        if !up {
            return;
        }
        while self.digits.len() < at {
            self.digits.push(0);
        }
        for digit in self.digits.iter_mut().rev() {
            *digit += 1;
            if *digit < 10 {
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
        self.exponent += 1;
    }

    fn text(&self) -> String {
        let mut text = String::from(if self.negative { "-0." } else { "0." });
        text.extend(self.digits.iter().map(|digit| char::from(b'0' + digit)));
        let _ = write!(text, "0e{}", self.exponent);
        text
    }
}

/// A double with `places` digits after the point, or zeros before it when negative.
pub(super) fn cut_double(value: f64, places: i64, cut: Cut) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let mut digits = Digits::of(&format!("{value:e}"));
    digits.cut(places, cut);
    digits.text().parse().unwrap_or(value)
}

/// As [`cut_double`], by the digits of a `FLOAT`.
pub(super) fn cut_float(value: f32, places: i64, cut: Cut) -> f32 {
    if !value.is_finite() {
        return value;
    }
    let mut digits = Digits::of(&format!("{value:e}"));
    digits.cut(places, cut);
    digits.text().parse().unwrap_or(value)
}

/// An integer with its last digits set to zero; `places` is how many, when negative.
pub(super) fn cut_integer(value: i128, places: i64, cut: Cut) -> i128 {
    if places >= 0 {
        return value;
    }
    let zeros = u32::try_from(places.unsigned_abs()).unwrap_or(u32::MAX);
    match 10_i128.checked_pow(zeros) {
        Some(unit) => divide(value, unit, cut).saturating_mul(unit),
        None => 0,
    }
}

/// `value / divisor`, cut to a whole number. The divisor is positive.
pub(super) fn divide(value: i128, divisor: i128, cut: Cut) -> i128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    let up = cut == Cut::HalfUp && rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    if up { quotient + rest.signum() } else { quotient }
}

/// Writes a double as Java's `Double.toString` does: `1.0`, `1.0E10`, `1.0E-5`, `NaN`, `Infinity`.
pub(super) fn write_double(value: f64, out: &mut impl Write) -> std::fmt::Result {
    match value.is_finite() {
        true => write_shortest(&Digits::of(&format!("{value:e}")), out),
        false => write_special(value, out),
    }
}

/// Writes a float as Java's `Float.toString` does.
pub(super) fn write_float(value: f32, out: &mut impl Write) -> std::fmt::Result {
    match value.is_finite() {
        true => write_shortest(&Digits::of(&format!("{value:e}")), out),
        false => write_special(f64::from(value), out),
    }
}

fn write_special(value: f64, out: &mut impl Write) -> std::fmt::Result {
    out.write_str(match (value.is_nan(), value > 0.0) {
        (true, _) => "NaN",
        (false, true) => "Infinity",
        (false, false) => "-Infinity",
    })
}

/// Plainly from 0.001 up to 10 million, with an exponent beyond; always with a digit behind the point.
fn write_shortest(digits: &Digits, out: &mut impl Write) -> std::fmt::Result {
    let text: String = digits.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    if digits.negative {
        out.write_char('-')?;
    }
    let or_zero = |text: &str| if text.is_empty() { "0".to_owned() } else { text.to_owned() };
    match digits.exponent {
        _ if text == "0" => out.write_str("0.0"),
        exponent @ -2..=0 => write!(out, "0.{}{text}", "0".repeat(usize::try_from(-exponent).unwrap_or(0))),
        exponent @ 1..=7 => {
            let whole = usize::try_from(exponent).unwrap_or(1);
            let padded = format!("{text:0<whole$}");
            let (whole, fraction) = padded.split_at(whole);
            write!(out, "{whole}.{}", or_zero(fraction))
        }
        exponent => {
            let (first, rest) = text.split_at(1);
            write!(out, "{first}.{}E{}", or_zero(rest), exponent - 1)
        }
    }
}

/// Writes a decimal plainly, with all digits of its scale: `9.870`.
pub(super) fn write_decimal(unscaled: i128, scale: i8, out: &mut impl Write) -> std::fmt::Result {
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        write!(out, "{unscaled}")?;
        return if unscaled == 0 { Ok(()) } else { out.write_str(&"0".repeat(places)) };
    }
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    write!(out, "{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" })
}

/// A number as Java's `Double.valueOf` reads it: blanks around it, an optional sign, `NaN`, `Infinity`, an exponent, a
/// closing `d` or `f`. Hexadecimal numbers are not read.
pub(super) fn parse_double(text: &str) -> Option<f64> {
    floating(text)?.parse().ok()
}

/// As [`parse_double`], rounded once to a `FLOAT`.
pub(super) fn parse_float(text: &str) -> Option<f32> {
    floating(text)?.parse().ok()
}

/// The part of the text that Rust reads as the same number, if Java reads it at all.
fn floating(text: &str) -> Option<&str> {
    let text = text.trim_matches(|letter: char| letter <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    plain.then_some(number)
}

/// A decimal of this precision and scale from text: an optional sign, digits with at most one point, an optional
/// exponent, blanks around it. `None` when it is no number or has too many digits before the point; digits behind the
/// scale are rounded half up.
pub(super) fn parse_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let text = text.trim_matches([' ', '\n', '\t']);
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    // Position of the last kept digit, counted from the first digit of the mantissa.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let digits: Vec<i128> = whole.bytes().chain(fraction.bytes()).map(|byte| i128::from(byte - b'0')).collect();
    let significant = digits.iter().position(|digit| *digit != 0);
    let Some(significant) = significant else { return Some(0) };
    for at in i64::try_from(significant).ok()?..kept {
        let digit = usize::try_from(at).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
        value = value.checked_mul(10)?.checked_add(digit)?;
    }
    let next = usize::try_from(kept).ok().and_then(|at| digits.get(at)).copied().unwrap_or(0);
    let value = value + i128::from(next >= 5);
    let fits = value < 10_i128.checked_pow(u32::from(precision))?;
    fits.then_some(if negative { -value } else { value })
}

/// A number of a JSON text as Java's `BigDecimal` prints it (`1E+5`, `1.50`); a whole number stays as it is.
pub(super) fn big_decimal(text: &str) -> Cow<'_, str> {
    if !text.contains(['.', 'e', 'E']) {
        return Cow::Borrowed(if text == "-0" { "0" } else { text });
    }
    if !text.contains(['e', 'E']) && !text.trim_start_matches('-').starts_with("0.000000") {
        return Cow::Borrowed(text);
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().unwrap_or(0)),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent);
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let adjusted = length.saturating_sub(1).saturating_sub(scale);
    let mut out = String::from(if negative && digits != "0" { "-" } else { "" });
    if scale >= 0 && adjusted >= -6 {
        let padded = format!("{digits:0>width$}", width = usize::try_from(scale).unwrap_or(0) + 1);
        let (whole, fraction) = padded.split_at(padded.len() - usize::try_from(scale).unwrap_or(0));
        out.push_str(whole);
        if !fraction.is_empty() {
            out.push('.');
            out.push_str(fraction);
        }
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        let _ = write!(out, "E{}{adjusted}", if adjusted < 0 { "" } else { "+" });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
