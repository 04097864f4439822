//! Where the panes and windows of a grid begin and end.
//!
//! A *pane* is the longest interval that no window cuts: a whole tumbling window, the greatest common divisor of size and
//! slide, a step of a cumulating window. Which windows a row falls into follows from its pane alone.

use super::super::assigner::{grid_point_from, window_start};
use super::super::{TimeWindow, WindowSpec};

/// The arithmetic of a window specification.
#[derive(Debug, Clone, Copy)]
pub(super) enum Grid {
    /// A window is one pane.
    Tumbling { size: i64, offset: i64 },
    /// A window is one pane, and the row has it in these columns.
    Attached { start: usize, end: usize },
    /// Windows share panes.
    Sliding { size: i64, slide: i64, offset: i64, pane: i64 },
    /// Windows grow by a pane at a time.
    Cumulating { max_size: i64, step: i64, offset: i64 },
}

/// How long the rows of a pane are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needed {
    /// Until the clock passes this end, which is that of the last window that has the pane in it.
    Until(i64),
    /// The pane lies between two windows and in none.
    InNoWindow,
    /// One of its windows would reach beyond the times there are.
    Beyond,
}

impl Grid {
    /// `None` for windows that are not on a grid.
    pub(super) fn new(spec: WindowSpec) -> Option<Self> {
        match spec {
            WindowSpec::Tumbling { size, offset } | WindowSpec::Staggered { size, offset, .. } => {
                Some(Self::Tumbling { size, offset })
            }
            WindowSpec::Sliding { size, slide, offset } => {
                Some(Self::Sliding { size, slide, offset, pane: spec.pane_size()? })
            }
            WindowSpec::Cumulating { max_size, step, offset } => Some(Self::Cumulating { max_size, step, offset }),
            WindowSpec::Attached { start, end } => Some(Self::Attached { start, end }),
            WindowSpec::Session { .. } | WindowSpec::Global => None,
        }
    }

    /// The pane that `time` falls into; `None` if it or one of its windows reaches beyond the times there are.
    pub(super) fn pane_of(self, time: i64) -> Option<TimeWindow> {
        let (size, offset) = match self {
            Self::Tumbling { size, offset } => (size, offset),
            Self::Sliding { offset, pane, .. } => (pane, offset),
            Self::Cumulating { step, offset, .. } => (step, offset),
            Self::Attached { .. } => return None,
        };
        let start = window_start(time, offset, size)?;
        let end = match (self, start.checked_add(size)) {
            (_, Some(end)) => end,
            // Between two windows a pane may reach beyond the times there are: no window does.
            (Self::Sliding { .. }, None) => i64::MAX,
            (Self::Tumbling { .. } | Self::Cumulating { .. } | Self::Attached { .. }, None) => return None,
        };
        let pane = TimeWindow { start, end };
        (self.needed(pane) != Needed::Beyond).then_some(pane)
    }

    /// How long the rows of `pane` are needed.
    pub(super) fn needed(self, pane: TimeWindow) -> Needed {
        match self {
            Self::Tumbling { .. } | Self::Attached { .. } => Needed::Until(pane.end),
            Self::Sliding { size, slide, offset, .. } => needed_by_sliding(pane, size, slide, offset),
            Self::Cumulating { max_size, offset, .. } => {
                let end = window_start(pane.start, offset, max_size).and_then(|start| start.checked_add(max_size));
                end.map_or(Needed::Beyond, Needed::Until)
            }
        }
    }

    /// The end of the first window of a sliding grid that ends at or after `time`.
    pub(super) fn sliding_end_from(time: i64, size: i64, slide: i64, offset: i64) -> Option<i64> {
        grid_point_from(time, i128::from(offset) + i128::from(size), slide)
    }
}

fn needed_by_sliding(pane: TimeWindow, size: i64, slide: i64, offset: i64) -> Needed {
    // The last window that starts at or before the pane, and the first that ends at or after it.
    let Some(last_start) = window_start(pane.start, offset, slide) else { return Needed::Beyond };
    let Some(last_end) = last_start.checked_add(size) else { return Needed::Beyond };
    // A window has the whole pane in it or nothing of it.
    if last_end <= pane.start {
        return Needed::InNoWindow;
    }
    let first_start = Grid::sliding_end_from(pane.end, size, slide, offset).and_then(|end| end.checked_sub(size));
    first_start.map_or(Needed::Beyond, |_| Needed::Until(last_end))
}
