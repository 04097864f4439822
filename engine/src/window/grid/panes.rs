//! The panes that are kept, each with its groups.

use std::collections::BTreeMap;

use super::super::TimeWindow;
use super::super::groups::Groups;
use crate::error::Result;
use crate::memory;

/// Panes by end and start, so that the first is the next to be done with. There may be thousands, so what their tables hold
/// and how many groups they have is kept as a sum.
#[derive(Debug, Default)]
pub(super) struct Panes {
    by_end: BTreeMap<(i64, i64), Groups>,
    table_bytes: usize,
    groups: usize,
}

impl Panes {
    /// Changes the groups of `pane`, which `make` makes if there are none.
    pub(super) fn change(
        &mut self,
        pane: TimeWindow,
        make: impl FnOnce() -> Result<Groups>,
        change: impl FnOnce(&mut Groups) -> Result<()>,
    ) -> Result<()> {
        let mut fresh = None;
        let groups = match self.by_end.get_mut(&(pane.end, pane.start)) {
            Some(groups) => {
                self.table_bytes -= groups.memory_bytes();
                self.groups -= groups.len();
                groups
            }
            None => fresh.insert(make()?),
        };
        let changed = change(groups);
        self.table_bytes += groups.memory_bytes();
        self.groups += groups.len();
        if let Some(fresh) = fresh {
            self.by_end.insert((pane.end, pane.start), fresh);
        }
        changed
    }

    /// Takes a pane out.
    pub(super) fn remove(&mut self, pane: TimeWindow) -> Option<Groups> {
        let groups = self.by_end.remove(&(pane.end, pane.start))?;
        self.table_bytes -= groups.memory_bytes();
        self.groups -= groups.len();
        Some(groups)
    }

    /// The pane that ends first.
    pub(super) fn first(&self) -> Option<TimeWindow> {
        self.by_end.first_key_value().map(|(&(end, start), _)| TimeWindow { start, end })
    }

    /// All panes, the first to end first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TimeWindow, &Groups)> {
        self.by_end.iter().map(|(&(end, start), groups)| (TimeWindow { start, end }, groups))
    }

    /// The panes that lie in `interval`, in order: each with its start.
    pub(super) fn within(&self, interval: TimeWindow) -> impl DoubleEndedIterator<Item = (i64, &Groups)> {
        let from = (interval.start.saturating_add(1), i64::MIN);
        let to = (interval.end.max(from.0), i64::MAX);
        let lies_within = move |end: i64, start: i64| interval.start <= start && end <= interval.end;
        self.by_end
            .range(from..=to)
            .filter(move |((end, start), _)| lies_within(*end, *start))
            .map(|((_, start), of)| (*start, of))
    }

    /// How many groups all panes have together.
    pub(super) fn num_groups(&self) -> usize {
        self.groups
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        memory::tree::<(i64, i64), Groups>(self.by_end.len()) + self.table_bytes
    }
}
