//! Where bidders come from: four channels that half of them use, and 10,000 numbered ones.
//!
//! A channel always has the same url. Nine in ten of the numbered ones name the channel in it, as `&channel_id=` and a
//! number, which is what query 21 looks for; queries 22 cuts the three folders out.

use super::random::{Fraction, Sequence};
use super::tables::special_text;

const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const NUMBERED_CHANNELS: u16 = 10_000;

/// Room for the longest channel, `channel-9999`, with which it is copied in one go.
pub(in crate::nexmark) const CHANNEL_WIDTH: usize = 16;
/// Room for the longest url: 77 bytes.
pub(in crate::nexmark) const URL_WIDTH: usize = 96;
/// The entry of both dictionaries that is empty: what stands in rows of other events.
pub(in crate::nexmark) const NO_CHANNEL: u16 = 4 + NUMBERED_CHANNELS;

/// The channel of a bid, as its place in the dictionaries.
#[inline]
pub(in crate::nexmark) const fn channel_index(fraction: Fraction) -> u16 {
    let (hot, rest) = fraction.split(2);
    let choices = if hot == 1 { 4 } else { NUMBERED_CHANNELS as u64 };
    let first = if hot == 1 { 0 } else { 4 };
    ((first + rest.below(choices)) & 0x3FFF) as u16 // All are below 2^14.
}

/// Texts of at most `WIDTH` bytes by number. Each has `WIDTH` bytes of its own, so that it can be copied without a look at
/// its length: the next one overwrites what was too much.
#[derive(Debug)]
pub(in crate::nexmark) struct Dictionary<const WIDTH: usize> {
    padded: Vec<[u8; WIDTH]>,
    lengths: Vec<u8>,
}

impl<const WIDTH: usize> Dictionary<WIDTH> {
    fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut dictionary = Self { padded: Vec::new(), lengths: Vec::new() };
        for text in texts {
            let mut padded = [0; WIDTH];
            padded[..text.len()].copy_from_slice(text.as_bytes());
            dictionary.padded.push(padded);
            dictionary.lengths.push(u8::try_from(text.len()).expect("a text is shorter than 256 bytes"));
        }
        dictionary
    }

    /// Text number `index`.
    pub(super) fn text(&self, index: u16) -> &str {
        let index = usize::from(index);
        let bytes = &self.padded[index][..usize::from(self.lengths[index])];
        std::str::from_utf8(bytes).expect("it was made of text")
    }

    /// How many bytes of values the texts of `rows` rows need, with the room for the last one's padding.
    pub(in crate::nexmark) const fn values_room(rows: usize) -> usize {
        (rows + 1) * WIDTH
    }

    /// Writes the texts at `indices` one behind the other, and after each where it ends. Answers where the last one ends.
    ///
    /// `ends` has an element for each index, and `values` the room of [`Self::values_room`].
    pub(in crate::nexmark) fn write(&self, indices: &[u16], ends: &mut [i32], values: &mut [u8]) -> usize {
        let mut end = 0;
        for (&index, end_after) in indices.iter().zip(ends) {
            let index = usize::from(index);
            values[end..end + WIDTH].copy_from_slice(&self.padded[index]);
            end += usize::from(self.lengths[index]);
            *end_after = i32::try_from(end).unwrap_or(i32::MAX);
        }
        end
    }
}

/// The names of all channels and their urls, the empty entry last.
pub(super) fn channels_and_urls(sequence: &mut Sequence) -> (Dictionary<CHANNEL_WIDTH>, Dictionary<URL_WIDTH>) {
    let mut channels: Vec<String> = HOT_CHANNELS.iter().map(|&name| name.to_owned()).collect();
    let mut urls: Vec<String> = HOT_CHANNELS.iter().map(|_| base_url(sequence)).collect();
    for number in 0..NUMBERED_CHANNELS {
        channels.push(format!("channel-{number}"));
        let mut url = base_url(sequence);
        if sequence.below(10) > 0 {
            url.push_str(&format!("&channel_id={}", channel_id(number)));
        }
        urls.push(url);
    }
    let empty = || std::iter::once("");
    (
        Dictionary::new(channels.iter().map(String::as_str).chain(empty())),
        Dictionary::new(urls.iter().map(String::as_str).chain(empty())),
    )
}

/// The number's 32 bits in reverse, without the sign.
fn channel_id(number: u16) -> u32 {
    u32::from(number).reverse_bits().cast_signed().unsigned_abs()
}

fn base_url(sequence: &mut Sequence) -> String {
    let mut folder = || {
        let length = 3 + sequence.below(2);
        special_text(sequence, length, '_')
    };
    format!("https://www.nexmark.com/{}/{}/{}/item.htm?query=1", folder(), folder(), folder())
}

#[cfg(test)]
mod tests {
    use super::super::random::{Sequence, Stream};
    use super::*;

    #[test]
    fn a_channel_of_the_four_is_drawn_half_of_the_time_and_every_numbered_one_sometimes() {
        let stream = Stream::new(3, 0);
        let mut seen = vec![0u32; usize::from(NO_CHANNEL)];
        for event in 0..400_000 {
            seen[usize::from(channel_index(stream.draw(event).high()))] += 1;
        }
        for hot in &seen[..4] {
            assert!((49_000..51_000).contains(hot), "a hot channel came {hot} times");
        }
        assert!(seen[4..].iter().all(|&times| (1..60).contains(&times)));
    }

    #[test]
    fn nine_in_ten_urls_of_numbered_channels_name_the_channel() {
        let (channels, urls) = channels_and_urls(&mut Sequence::of(Stream::new(5, 0)));
        let named = (4..NO_CHANNEL).filter(|&index| urls.text(index).contains("&channel_id=")).count();
        assert!((8_900..9_100).contains(&named), "{named}");
        assert!((0..4).all(|index| urls.text(index).ends_with("item.htm?query=1")));
        assert_eq!(channels.text(4 + 4711), "channel-4711");
        assert_eq!(urls.text(7).split('/').count(), 7);
        assert_eq!((channels.text(NO_CHANNEL), urls.text(NO_CHANNEL)), ("", ""));
        assert_eq!(channel_id(3), 1_073_741_824);
    }
}
