//! Text to single values: numbers, decimals, dates and times.
//!
//! Pure functions over bytes. They answer `None` for text that is not such a value; the caller knows the column and makes
//! the message. [`write`] goes the other way.

pub(crate) mod decimal;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod time;
pub(crate) mod timestamp;
pub(crate) mod write;
pub(crate) mod zone;

/// `text` without the white space around it, as Java's `trim` sees it.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let Some(first) = text.iter().position(|&byte| byte > b' ') else { return &[] };
    let last = text.iter().rposition(|&byte| byte > b' ').unwrap_or(first);
    &text[first..=last]
}

/// A boolean in letters, in any case.
pub(crate) fn boolean(text: &[u8]) -> Option<bool> {
    let text = trim(text);
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if text.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}
