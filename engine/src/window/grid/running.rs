//! The aggregates over the panes of one window, carried on from window to window.
//!
//! Sliding windows overlap, so most panes of a window were in the one before. Aggregates that can take away (COUNT, exact
//! SUM) keep one table: the pane that leaves is taken away, the one that enters is added. For the others (MIN, MAX, FIRST)
//! two stacks do it, each pane being merged twice in its life and not once for every window it is in:
//!
//! ```text
//!   panes          p3   p4   p5 │ p6   p7             middle = start of p6
//!   back                        │ p6 + p7             panes that have entered since the last turn
//!   front          p3 + p4 + p5 │                     and, for each pane of it, what was known of the pane's keys
//!                                                     before the pane was merged into it
//! ```
//!
//! The front is built from its last pane to its first. So what has to be done when the first pane leaves is to put back what
//! was known of its keys; a table for every suffix would take the square of the panes in memory. When no pane is left in
//! front, the *turn* makes a front of the panes of the back. The result of a window is front and back together.

use arrow::array::ArrayRef;

use super::super::groups::{Groups, Layout, Recollection};
use super::super::{TimeWindow, WindowSpec};
use super::panes::Panes;
use crate::aggregate::RowNumbers;
use crate::batch::EventBatch;
use crate::error::Result;
use crate::memory;

/// The aggregates over the panes of a window. Panes belong to it from `start` to `end`.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) start: i64,
    pub(super) end: i64,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// One table that panes are added to and taken away from.
    Table(Box<Groups>),
    /// For aggregates that cannot take away.
    Stacks(Box<Stacks>),
}

#[derive(Debug)]
struct Stacks {
    front: Groups,
    /// What was known of the keys of each pane in front before it was merged, the first pane last.
    known_before: Vec<(i64, Recollection)>,
    /// Bytes of what is in `known_before`.
    known_bytes: usize,
    /// Where the back begins.
    middle: i64,
    back: Groups,
    /// Front and back together, where both have something.
    together: Groups,
    /// Whether a late row has changed a pane in front.
    front_is_stale: bool,
}

impl Running {
    /// Nothing yet.
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let table = Groups::new(layout)?;
        let only_adds = matches!(layout.spec.window, WindowSpec::Cumulating { .. });
        let form = if only_adds || table.is_invertible() {
            Form::Table(Box::new(table))
        } else {
            Form::Stacks(Box::new(Stacks {
                front: table,
                known_before: Vec::new(),
                known_bytes: 0,
                middle: i64::MIN,
                back: Groups::new(layout)?,
                together: Groups::new(layout)?,
                front_is_stale: false,
            }))
        };
        Ok(Self { start: i64::MIN, end: i64::MIN, form })
    }

    /// Whether the pane that starts at `start` is part of it.
    pub(super) fn covers(&self, start: i64) -> bool {
        self.start <= start && start < self.end
    }

    /// The result.
    pub(super) fn groups(&self) -> &Groups {
        match &self.form {
            Form::Table(table) => table,
            Form::Stacks(stacks) => stacks.groups(),
        }
    }

    /// A row has come for a pane that is part of it already.
    pub(super) fn add(
        &mut self,
        pane: TimeWindow,
        layout: &Layout,
        part: &EventBatch,
        numbers: RowNumbers<'_>,
    ) -> Result<()> {
        match &mut self.form {
            Form::Table(table) => table.take_in(layout, part, numbers),
            Form::Stacks(stacks) if pane.start < stacks.middle => {
                stacks.front_is_stale = true;
                Ok(())
            }
            Form::Stacks(stacks) => stacks.back.take_in(layout, part, numbers),
        }
    }

    /// Adds a pane that is no longer kept apart (cumulating windows).
    pub(super) fn merge(&mut self, pane: &Groups) -> Result<()> {
        match &mut self.form {
            Form::Table(table) => table.merge_groups(pane),
            Form::Stacks(stacks) => stacks.back.merge_groups(pane),
        }
    }

    /// Adds groups that were stored: see [`Groups::merge`].
    pub(super) fn merge_states(&mut self, keys: &[ArrayRef], rows: &ArrayRef, states: &[ArrayRef]) -> Result<()> {
        match &mut self.form {
            Form::Table(table) => table.merge(keys, rows, states),
            Form::Stacks(stacks) => stacks.back.merge(keys, rows, states),
        }
    }

    /// The pane that starts at `start` is in no window to come. Two stacks notice when they move on.
    pub(super) fn leave(&mut self, start: i64, pane: &Groups) -> Result<()> {
        match &mut self.form {
            Form::Table(table) if self.start <= start && start < self.end => table.retract_groups(pane),
            Form::Table(_) | Form::Stacks(_) => Ok(()),
        }
    }

    /// Moves on to `window`. Panes that start before it have left.
    pub(super) fn slide_to(&mut self, window: TimeWindow, panes: &Panes) -> Result<()> {
        let entering = TimeWindow { start: self.end.max(window.start), end: window.end };
        match &mut self.form {
            Form::Table(table) => panes.within(entering).try_for_each(|(_, pane)| table.merge_groups(pane))?,
            Form::Stacks(stacks) => {
                stacks.forget_before(window.start, entering.start, panes)?;
                panes.within(entering).try_for_each(|(_, pane)| stacks.back.merge_groups(pane))?;
                stacks.put_together()?;
            }
        }
        (self.start, self.end) = (window.start, window.end);
        Ok(())
    }

    /// Forgets everything, and keeps only memory that is not worth giving back.
    pub(super) fn clear(&mut self, layout: &Layout) -> Result<()> {
        if self.memory_bytes() > memory::KEPT_WHEN_EMPTY {
            *self = Self::new(layout)?;
            return Ok(());
        }
        (self.start, self.end) = (i64::MIN, i64::MIN);
        match &mut self.form {
            Form::Table(table) => table.clear(),
            Form::Stacks(stacks) => {
                stacks.front.clear();
                stacks.forget_known();
                stacks.middle = i64::MIN;
                stacks.back.clear();
                stacks.together.clear();
                stacks.front_is_stale = false;
            }
        }
        Ok(())
    }

    /// Bytes that the tables hold.
    pub(super) fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Table(table) => table.memory_bytes(),
            Form::Stacks(stacks) => stacks.memory_bytes(),
        }
    }
}

impl Stacks {
    fn groups(&self) -> &Groups {
        match (self.front.is_empty(), self.back.is_empty()) {
            (false, false) => &self.together,
            (true, _) => &self.back,
            (false, true) => &self.front,
        }
    }

    /// Forgets the panes that start before `start`; those of the back reach to `end`.
    fn forget_before(&mut self, start: i64, end: i64, panes: &Panes) -> Result<()> {
        if start >= self.middle {
            self.back.clear();
            self.middle = end;
            return self.build_front(TimeWindow { start, end }, panes);
        }
        if self.front_is_stale {
            return self.build_front(TimeWindow { start, end: self.middle }, panes);
        }
        while let Some((_, known_before)) = self.known_before.pop_if(|(pane, _)| *pane < start) {
            self.known_bytes -= known_before.memory_bytes();
            self.front.put_back(known_before)?;
        }
        Ok(())
    }

    fn forget_known(&mut self) {
        self.known_before.clear();
        self.known_bytes = 0;
    }

    fn memory_bytes(&self) -> usize {
        let tables: usize = [&self.front, &self.back, &self.together].into_iter().map(Groups::memory_bytes).sum();
        tables + memory::vec(&self.known_before) + self.known_bytes
    }

    fn build_front(&mut self, of: TimeWindow, panes: &Panes) -> Result<()> {
        self.front_is_stale = false;
        self.front.clear();
        self.forget_known();
        for (start, pane) in panes.within(of).rev() {
            let known = self.front.recall(pane)?;
            self.known_bytes += known.memory_bytes();
            self.known_before.push((start, known));
            self.front.merge_groups(pane)?;
        }
        Ok(())
    }

    fn put_together(&mut self) -> Result<()> {
        self.together.clear();
        if !self.front.is_empty() && !self.back.is_empty() {
            self.together.merge_groups(&self.front)?;
            self.together.merge_groups(&self.back)?;
        }
        Ok(())
    }
}
