//! Which windows a time falls into: arithmetic, and what settings it can work with.

use super::{SessionGap, TimeWindow, WindowSpec};
use crate::error::{Error, Result};

/// The start of the window of length `size` that `time` falls into, on a grid shifted by `offset`.
///
/// `None` if it lies before the first millisecond there is. (Flink's arithmetic overflows there.)
#[inline]
pub fn window_start(time: i64, offset: i64, size: i64) -> Option<i64> {
    if let Some(shifted) = time.checked_sub(offset) {
        return time.checked_sub(shifted.rem_euclid(size));
    }
    // The offset reaches beyond the times there are and the start may still lie before that.
    let shifted = i128::from(time) - i128::from(offset);
    i64::try_from(i128::from(time) - shifted.rem_euclid(i128::from(size))).ok()
}

/// Where a grid of distance `slide` has its first point at or after `time`; `phase` is one of its points.
///
/// `None` if it lies beyond the last millisecond there is.
pub(super) fn grid_point_from(time: i64, phase: i128, slide: i64) -> Option<i64> {
    let behind = (phase - i128::from(time)).rem_euclid(i128::from(slide));
    i64::try_from(i128::from(time) + behind).ok()
}

impl WindowSpec {
    /// Refuses settings that no window can have, in Flink's words.
    pub fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::Invalid(message));
        match *self {
            Self::Tumbling { size, offset } | Self::Staggered { size, offset, .. }
                if size <= 0 || offset.unsigned_abs() >= size.unsigned_abs() =>
            {
                refuse(format!(
                    "a tumbling window must satisfy size > 0 and abs(offset) < size; its size is {size} ms and its offset {offset} ms"
                ))
            }
            Self::Sliding { size, slide, offset }
                if size <= 0 || slide <= 0 || offset.unsigned_abs() >= slide.unsigned_abs() =>
            {
                refuse(format!(
                    "a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is {size} ms, its slide {slide} ms and its offset {offset} ms"
                ))
            }
            Self::Cumulating { max_size, step, offset }
                if max_size <= 0
                    || step <= 0
                    || max_size % step != 0
                    || offset.unsigned_abs() >= max_size.unsigned_abs() =>
            {
                refuse(format!(
                    "a cumulating window must satisfy step > 0, max size a multiple of step and abs(offset) < max size; its max size is {max_size} ms, its step {step} ms and its offset {offset} ms"
                ))
            }
            Self::Session { gap: SessionGap::Fixed(gap) } if gap <= 0 => {
                refuse(format!("a session window must satisfy 0 < size; its gap is {gap} ms"))
            }
            Self::Tumbling { .. }
            | Self::Staggered { .. }
            | Self::Sliding { .. }
            | Self::Cumulating { .. }
            | Self::Session { .. }
            | Self::Global
            | Self::Attached { .. } => Ok(()),
        }
    }

    /// Whether windows of a key merge.
    pub fn merges(&self) -> bool {
        matches!(self, Self::Session { .. })
    }

    /// Appends the windows that `time` falls into, earliest start first. A session window is the one of this row alone,
    /// with `gap` as its gap. `false` if a window would reach beyond the times there are.
    pub fn assign(&self, time: i64, gap: i64, windows: &mut Vec<TimeWindow>) -> bool {
        match *self {
            Self::Tumbling { size, offset } => push(window_start(time, offset, size), size, windows),
            Self::Sliding { size, slide, offset } => {
                let Some(last) = window_start(time, offset, slide) else { return false };
                let first = windows.len();
                let mut start = i128::from(last);
                // All starts greater than `time - size`, walking back.
                while start > i128::from(time) - i128::from(size) {
                    if !push(i64::try_from(start).ok(), size, windows) {
                        return false;
                    }
                    start -= i128::from(slide);
                }
                windows[first..].reverse();
                true
            }
            Self::Cumulating { max_size, step, offset } => {
                let Some(start) = window_start(time, offset, max_size) else { return false };
                let first = window_start(time, offset, step).and_then(|at| at.checked_add(step));
                let (Some(first), Some(last)) = (first, start.checked_add(max_size)) else { return false };
                let steps = (last - first) / step;
                windows.extend((0..=steps).map(|at| TimeWindow { start, end: first + at * step }));
                true
            }
            Self::Session { .. } => push(Some(time), gap, windows),
            Self::Global => {
                windows.push(TimeWindow::GLOBAL);
                true
            }
            // The window is in the row's columns, or follows from the first row that came; not from the time alone.
            Self::Attached { .. } | Self::Staggered { .. } => false,
        }
    }

    /// The widest step at whose multiples every window starts and ends: windows are made of whole panes of this length.
    /// `None` for windows that are not on a grid.
    pub fn pane_size(&self) -> Option<i64> {
        match *self {
            Self::Tumbling { size, .. } | Self::Staggered { size, .. } => Some(size),
            Self::Sliding { size, slide, .. } => Some(gcd(size, slide)),
            Self::Cumulating { step, .. } => Some(step),
            Self::Session { .. } | Self::Global | Self::Attached { .. } => None,
        }
    }

    /// The shift of the grid.
    pub fn offset(&self) -> i64 {
        match *self {
            Self::Tumbling { offset, .. }
            | Self::Staggered { offset, .. }
            | Self::Sliding { offset, .. }
            | Self::Cumulating { offset, .. } => offset,
            Self::Session { .. } | Self::Global | Self::Attached { .. } => 0,
        }
    }
}

fn push(start: Option<i64>, size: i64, windows: &mut Vec<TimeWindow>) -> bool {
    match start.and_then(|start| Some(TimeWindow { start, end: start.checked_add(size)? })) {
        Some(window) => {
            windows.push(window);
            true
        }
        None => false,
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
