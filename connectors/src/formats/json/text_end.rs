//! Finds where a text ends, with vector instructions.

use wide::u8x32;

/// The first byte of `input` from `at` on that cannot stand in a text as it is: a quote, a backslash or a control character.
/// `None` if there is none, or if it is so near the end of the input that whole vectors do not reach it.
#[inline]
pub(super) fn text_end(input: &[u8], mut at: usize) -> Option<usize> {
    // Most texts are short: the first step is a small one.
    let found = ends(input.get(at..)?.first_chunk()?);
    if found != 0 {
        return Some(at + found.trailing_zeros() as usize);
    }
    at += 32;
    loop {
        let (first, second) = input.get(at..)?.first_chunk::<64>()?.split_at(32);
        let found = u64::from(ends(first.first_chunk()?)) | u64::from(ends(second.first_chunk()?)) << 32;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += 64;
    }
}

/// A bit for each byte, the first in the lowest: whether a text ends there or needs a closer look.
#[inline]
fn ends(bytes: &[u8; 32]) -> u32 {
    let bytes = u8x32::new(*bytes);
    let control = bytes.min(u8x32::splat(b' ' - 1)).simd_eq(bytes);
    let quote = bytes.simd_eq(u8x32::splat(b'"'));
    let backslash = bytes.simd_eq(u8x32::splat(b'\\'));
    (control | quote | backslash).to_bitmask()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beyond this from the end of the input everything is found.
    const REACH: usize = 96;

    #[test]
    fn the_first_end_is_found_wherever_it_stands_and_nothing_else() {
        for place in 0..200 {
            for byte in 0..=255_u8 {
                let mut input = vec![b'x'; 200 + REACH];
                input[place] = byte;
                input[place + 1] = b'"';
                let expected = if byte == b'"' || byte == b'\\' || byte < b' ' { place } else { place + 1 };
                for at in [0, place / 2, place] {
                    assert_eq!(text_end(&input, at), Some(expected), "byte {byte} at {place}, from {at}");
                }
            }
        }
    }

    #[test]
    fn what_vectors_do_not_reach_is_not_found() {
        for length in 0..REACH {
            let input = vec![b'x'; length];
            assert_eq!(text_end(&input, 0), None);
            assert_eq!(text_end(&input, length), None);
            assert_eq!(text_end(&input, length + 1), None);
        }
    }
}
