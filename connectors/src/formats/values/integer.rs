//! Whole numbers, eight digits at a time.

const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// The number written in all of `text`: an optional sign and digits. `None` if it is anything else or above 64 bits.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => negative(digits),
        [b'+', digits @ ..] => positive(digits),
        digits => positive(digits),
    }
}

/// As [`integer`], of the bytes `start .. end` of `input`. Faster, because it may look at bytes before them: up to eight
/// digits are one load, however many there are.
#[expect(clippy::inline_always, reason = "a call for each number costs as much as reading it")]
#[inline(always)]
pub(crate) fn integer_within(input: &[u8], start: usize, end: usize) -> Option<i64> {
    let negative = input.get(start) == Some(&b'-');
    let length = end.checked_sub(start + usize::from(negative))?;
    if (1..=8).contains(&length)
        && let Some(last) = input.get(..end)?.last_chunk::<8>()
    {
        // The digits stand at the end of the word. What is before them becomes zeros.
        let others = 64 - 8 * length;
        let word = u64::from_le_bytes(*last) >> others << others;
        let zeros = ZEROS & !(u64::MAX << others);
        if let Some(magnitude) = eight_in(word | zeros) {
            let magnitude = magnitude.cast_signed();
            return Some(if negative { -magnitude } else { magnitude });
        }
    }
    longer(input, start, end)
}

#[inline(never)]
fn longer(input: &[u8], start: usize, end: usize) -> Option<i64> {
    integer(input.get(start..end)?)
}

#[inline]
fn positive(digits: &[u8]) -> Option<i64> {
    i64::try_from(magnitude(digits)?).ok()
}

#[inline]
fn negative(digits: &[u8]) -> Option<i64> {
    0_i64.checked_sub_unsigned(magnitude(digits)?)
}

#[inline]
fn magnitude(digits: &[u8]) -> Option<u64> {
    match digits.len() {
        0 => None,
        1..=7 => up_to_seven(digits),
        8 => eight(digits.first_chunk()?),
        9..=16 => {
            // The two words overlap: the first has the leading digits, the second the last eight.
            let (head, tail) = digits.split_at(digits.len() - 8);
            let head = if head.len() == 8 { eight(head.first_chunk()?)? } else { up_to_seven(head)? };
            Some(head * 100_000_000 + eight(tail.first_chunk()?)?)
        }
        _ => one_by_one(digits),
    }
}

/// Up to seven digits: read as two words of four bytes that overlap, so that nothing outside is touched.
#[inline]
fn up_to_seven(digits: &[u8]) -> Option<u64> {
    let length = digits.len();
    let word = if let (Some(first), Some(last)) = (digits.first_chunk::<4>(), digits.last_chunk::<4>()) {
        let (first, last) = (u64::from(u32::from_le_bytes(*first)), u64::from(u32::from_le_bytes(*last)));
        first | last << ((length - 4) * 8)
    } else {
        let middle = length / 2;
        u64::from(digits[0])
            | u64::from(digits[middle]) << (middle * 8)
            | u64::from(digits[length - 1]) << ((length - 1) * 8)
    };
    // The digits move to the end of the word, zeros fill its beginning.
    let missing = (8 - length) * 8;
    eight_in(word << missing | ZEROS >> (length * 8))
}

#[inline]
fn eight(digits: &[u8; 8]) -> Option<u64> {
    eight_in(u64::from_le_bytes(*digits))
}

/// Eight ASCII digits in a word, the first one in its lowest byte.
#[inline]
fn eight_in(word: u64) -> Option<u64> {
    if !all_digits(word) {
        return None;
    }
    let ones = word.wrapping_sub(ZEROS);
    let pairs = (ones.wrapping_mul(10).wrapping_add(ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100).wrapping_add(pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000).wrapping_add(fours >> 32)) & 0xffff_ffff)
}

/// Whether each byte of `word` is an ASCII digit.
#[inline]
pub(crate) fn all_digits(word: u64) -> bool {
    let above = word.wrapping_add(0x4646_4646_4646_4646);
    let below = word.wrapping_sub(ZEROS);
    (above | below) & HIGH_BITS == 0
}

/// How many of the bytes of `word` are ASCII digits before the first that is not, lowest byte first.
#[inline]
pub(crate) fn leading_digits(word: u64) -> usize {
    // A byte is a digit if xor with '0' leaves 0..=9; adding 0x76 then stays below 0x80. Bytes from 0x80 keep their high
    // bit, and no addition carries into the next byte because the high bits are masked off first.
    let low = word ^ ZEROS;
    let not_digit = (((low & !HIGH_BITS) + 0x7676_7676_7676_7676) | low) & HIGH_BITS;
    (not_digit.trailing_zeros() / 8) as usize
}

fn one_by_one(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0_u64, |number, &digit| {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `text` amid other digits, at the front of its input and far from it.
    fn within(text: &[u8]) -> Option<i64> {
        let read = |before: &[u8]| {
            let input = [before, text, b"123"].concat();
            integer_within(&input, before.len(), before.len() + text.len())
        };
        let (front, behind) = (read(b""), read(b"9876543210"));
        assert_eq!(front, behind);
        behind
    }

    #[test]
    fn every_length_of_digits_reads_as_the_standard_library_reads_it() {
        let digits = "12345678901234567890123";
        for length in 1..=digits.len() {
            for sign in ["", "-", "+"] {
                let text = format!("{sign}{}", &digits[..length]);
                assert_eq!(integer(text.as_bytes()), text.parse::<i64>().ok(), "{text}");
                assert_eq!(within(text.as_bytes()), text.parse::<i64>().ok(), "{text}");
            }
        }
        for text in
            ["9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "0", "00012"]
        {
            assert_eq!(integer(text.as_bytes()), text.parse::<i64>().ok(), "{text}");
        }
    }

    #[test]
    fn anything_but_digits_is_refused_wherever_it_stands() {
        for length in 1..=20 {
            for place in 0..length {
                for byte in 0..=255_u8 {
                    let mut text = vec![b'7'; length];
                    text[place] = byte;
                    let expected = std::str::from_utf8(&text).ok().and_then(|text| text.parse::<i64>().ok());
                    assert_eq!(integer(&text), expected, "{text:?}");
                    assert_eq!(within(&text), expected, "{text:?}");
                }
            }
        }
        for text in [b"".as_slice(), b"-", b"+", b"--1", b"-+1"] {
            assert_eq!(integer(text), None, "{text:?}");
            assert_eq!(within(text), None, "{text:?}");
        }
    }

    #[test]
    fn leading_digits_are_counted_up_to_the_first_other_byte() {
        for place in 0..8 {
            for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
                let mut text = *b"90817263";
                text[place] = byte;
                assert_eq!(leading_digits(u64::from_le_bytes(text)), place, "{text:?}");
                assert!(!all_digits(u64::from_le_bytes(text)), "{text:?}");
            }
        }
        assert_eq!(leading_digits(u64::from_le_bytes(*b"01234567")), 8);
        assert!(all_digits(u64::from_le_bytes(*b"01234567")));
    }
}
