//! What all text formats share: the loop that looks for records, and what it guarantees about their bytes.
//!
//! Input is looked at in windows that fit the nearest caches. A window is first checked to be UTF-8, all at once, and then
//! a [`Scan`] finds the records in it. So no value is checked by itself, and still a record with other bytes in it is bad
//! by itself:
//!
//! ```text
//!   input   ok ok ok ok ok b?d ok ok
//!   window  ─────────────►          everything before the wrong byte
//!   then                   ───►     the record around it is bad, up to the next line end
//!   window                      ──► the rest
//! ```
//!
//! A record that is longer than allowed is passed over without being kept: its beginning becomes a bad row, and the next
//! record starts after the first line end beyond the allowed length.

use std::fmt::Debug;

use memchr::memchr;
use millstream_engine::error::Result;
use millstream_engine::memory;

use super::rows::{Block, Rows};
use super::token::MAX_INPUT_BYTES;
use super::{Decoded, Decoder};

/// How much input is checked and scanned at a time.
const WINDOW_BYTES: usize = 32 << 10;

/// How much of a record that is too long is kept to show.
const SHOWN_BYTES: usize = 1 << 10;

/// Finds records.
pub(crate) trait Scan: Send + Debug {
    /// Takes what stands before the first record, and answers how many bytes that is; `None` if it needs more input.
    fn begin(&mut self, input: &[u8], last: bool) -> Result<Option<usize>>;

    /// Looks for a record in `input` from `at` on. With `last` nothing follows, and then nothing is unfinished. The tokens of
    /// the record are set in `block`.
    fn scan(&mut self, input: &[u8], at: usize, last: bool, block: &mut Block) -> Step;
}

/// What a [`Scan`] found. Positions are those of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A record, whose tokens are set: it stands at `start .. end`, and the next one can start at `next`.
    Record {
        /// Its first byte.
        start: usize,
        /// The byte after its last.
        end: usize,
        /// After the line end that belongs to it.
        next: usize,
    },
    /// A record that cannot be read.
    Bad {
        /// Its first byte.
        start: usize,
        /// The byte after its last.
        end: usize,
        /// After the line end that belongs to it.
        next: usize,
        /// What is wrong.
        reason: String,
    },
    /// No record up to `next`, as with blank lines.
    Nothing {
        /// Where to go on, the end of the input if that was reached.
        next: usize,
    },
    /// The beginning of a record that needs more input.
    Unfinished {
        /// Its first byte.
        start: usize,
    },
}

/// A [`Decoder`] for records that a [`Scan`] finds.
#[derive(Debug)]
pub(crate) struct RecordDecoder<S> {
    scan: S,
    begun: bool,
    rows: Rows,
    block: Block,
    limits: Limits,
    /// The beginning of a record that is too long, while the rest of it is passed over.
    passing: Option<Vec<u8>>,
}

/// What is demanded of records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// No longer than this.
    pub(crate) max_record_bytes: usize,
    /// UTF-8.
    pub(crate) utf8: bool,
}

impl<S: Scan> RecordDecoder<S> {
    /// Decodes what `scan` finds into `rows`; it sets tokens of `lanes` lanes.
    pub(crate) fn new(scan: S, rows: Rows, lanes: usize, limits: Limits) -> Self {
        Self { scan, begun: false, rows, block: Block::new(lanes), limits, passing: None }
    }

    fn take(&mut self, input: &[u8], limit: usize, last: bool) -> Result<usize> {
        let Some(mut at) = self.pass_over(input, last) else { return Ok(input.len()) };
        let mut window_bytes = WINDOW_BYTES;
        while at < input.len() && self.wants_more(limit) {
            let window = Window::check(input, at, window_bytes, last, self.limits.utf8);
            let next = self.take_window(&input[..window.end], at, limit, last && window.end == input.len())?;
            window_bytes = if next == at { window_bytes * 2 } else { WINDOW_BYTES };
            at = next;
            if !self.wants_more(limit) {
                break;
            }
            // The record at `at` was not taken although so much of it is there: only its length can be why.
            let rejected = if window.end - at > self.limits.max_record_bytes {
                self.reject_long(input, at, last)
            } else {
                match window.cut {
                    Cut::Size => continue,
                    Cut::Input => break,
                    Cut::NotUtf8 => self.reject_not_utf8(input, at, window.end, last),
                }
            };
            match rejected {
                Rejected::Whole { next } => at = next,
                Rejected::InPart { taken } => return Ok(taken),
            }
        }
        Ok(at)
    }

    fn wants_more(&self, limit: usize) -> bool {
        self.rows.waiting() < limit && !self.rows.full()
    }

    /// Takes records from `text`, which is all fit to be read, and answers where the first one starts that was not taken.
    fn take_window(&mut self, text: &[u8], mut at: usize, limit: usize, last: bool) -> Result<usize> {
        while at < text.len() && self.wants_more(limit) {
            if self.block.full() {
                self.rows.absorb(&mut self.block, text)?;
            }
            match self.scan.scan(text, at, last, &mut self.block) {
                Step::Record { start, end, next } if end - start <= self.limits.max_record_bytes => {
                    let number = self.rows.count(end - start);
                    self.block.end_record(number, start, end);
                    at = next;
                }
                Step::Bad { start, end, next, reason } if end - start <= self.limits.max_record_bytes => {
                    self.rows.count_bad(reason, &text[start..end]);
                    at = next;
                }
                Step::Nothing { next } => at = next,
                Step::Record { start, .. } | Step::Bad { start, .. } | Step::Unfinished { start } => {
                    at = start;
                    break;
                }
            }
        }
        self.rows.absorb(&mut self.block, text)?;
        Ok(at)
    }

    /// The record that starts at `at` has a byte that is not UTF-8 at `wrong`.
    fn reject_not_utf8(&mut self, input: &[u8], at: usize, wrong: usize, last: bool) -> Rejected {
        let Some((end, next)) = line_end(input, wrong, last) else {
            let long = input.len() - at > self.limits.max_record_bytes;
            return if long { self.reject_long(input, at, last) } else { Rejected::InPart { taken: at } };
        };
        if end - at > self.limits.max_record_bytes {
            return self.reject_long(input, at, last);
        }
        let (byte, position) = (input[wrong], wrong - at);
        self.rows.count_bad(format!("the byte 0x{byte:02x} at position {position} is not UTF-8"), &input[at..end]);
        Rejected::Whole { next }
    }

    /// The record that starts at `at` is too long: it ends at the first line end beyond the allowed length.
    fn reject_long(&mut self, input: &[u8], at: usize, last: bool) -> Rejected {
        let shown = &input[at..at + SHOWN_BYTES.min(self.limits.max_record_bytes)];
        if let Some((_, next)) = line_end(input, at + self.limits.max_record_bytes, last) {
            self.count_long(shown);
            return Rejected::Whole { next };
        }
        if self.rows.waiting() > 0 {
            // What waits must be given out before bytes are taken that no record stands for yet.
            return Rejected::InPart { taken: at };
        }
        self.passing = Some(shown.to_vec());
        Rejected::InPart { taken: input.len() }
    }

    /// Ends a record that is being passed over; answers where to go on, or `None` if it does not end in `input`.
    fn pass_over(&mut self, input: &[u8], last: bool) -> Option<usize> {
        let Some(shown) = self.passing.take() else { return Some(0) };
        if let Some((_, next)) = line_end(input, 0, last) {
            self.count_long(&shown);
            return Some(next);
        }
        self.passing = Some(shown);
        None
    }

    fn count_long(&mut self, shown: &[u8]) {
        let allowed = self.limits.max_record_bytes;
        let reason =
            format!("the record is longer than {allowed} bytes; if it should be, raise 'scan.max-record-size'");
        self.rows.count_bad(reason, shown);
    }
}

impl<S: Scan> Decoder for RecordDecoder<S> {
    fn decode(&mut self, input: &[u8], limit: usize, last: bool) -> Result<usize> {
        let (input, last) = match input.get(..MAX_INPUT_BYTES) {
            Some(front) if input.len() > MAX_INPUT_BYTES => (front, false),
            _ => (input, last),
        };
        let mut begin = 0;
        if !self.begun {
            let Some(taken) = self.scan.begin(input, last)? else { return Ok(0) };
            self.begun = true;
            begin = taken;
        }
        Ok(begin + self.take(&input[begin..], limit, last)?)
    }

    fn waiting(&self) -> usize {
        self.rows.waiting()
    }

    fn flush(&mut self) -> Result<Decoded> {
        self.rows.flush()
    }

    fn memory_bytes(&self) -> usize {
        self.rows.memory_bytes() + self.block.memory_bytes() + self.passing.as_ref().map_or(0, memory::vec)
    }
}

/// What became of a record that cannot be decoded.
enum Rejected {
    /// It is a bad row.
    Whole {
        /// Where the next record can start.
        next: usize,
    },
    /// It does not end in the input.
    InPart {
        /// How much of the input is taken.
        taken: usize,
    },
}

/// A piece of the input that can be scanned.
struct Window {
    end: usize,
    cut: Cut,
}

/// Why a window ends.
enum Cut {
    /// It is large enough.
    Size,
    /// The input ends.
    Input,
    /// A byte that is not UTF-8 follows.
    NotUtf8,
}

impl Window {
    /// The window of `bytes` bytes from `start` on, or less. With `utf8` all in it is UTF-8.
    fn check(input: &[u8], start: usize, bytes: usize, last: bool, utf8: bool) -> Self {
        let whole = input.len() - start <= bytes;
        let end = if whole { input.len() } else { start + bytes };
        let cut = if whole { Cut::Input } else { Cut::Size };
        let text = &input[start..end];
        if !utf8 || text.is_ascii() {
            return Self { end, cut };
        }
        match std::str::from_utf8(text) {
            Ok(_) => Self { end, cut },
            Err(error) => {
                let end = start + error.valid_up_to();
                // A character that is cut off is wrong only if nothing follows.
                let wrong = error.error_len().is_some() || (whole && last);
                Self { end, cut: if wrong { Cut::NotUtf8 } else { cut } }
            }
        }
    }
}

/// The end of the line around `from`, without and with its terminator. `None` if it does not end in `input`.
pub(crate) fn line_end(input: &[u8], from: usize, last: bool) -> Option<(usize, usize)> {
    match memchr(b'\n', input.get(from..)?) {
        Some(found) => {
            let end = from + found;
            let carriage_return = end > from && input[end - 1] == b'\r';
            Some((if carriage_return { end - 1 } else { end }, end + 1))
        }
        None => last.then_some((input.len(), input.len())),
    }
}
