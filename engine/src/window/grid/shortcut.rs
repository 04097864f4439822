//! The way past a local table that does not pay.
//!
//! A local table is worth its look-ups only if many rows share a key. Where they do not, each row is sent on as a partial
//! result of its own, which asks for no key at all. Now and then a table is tried again.

use std::sync::Arc;

use arrow::array::Int64Array;

use crate::aggregate::{AccumulatorSet, GroupIndex, RowNumbers};
use crate::batch::EventBatch;
use crate::error::Result;
use crate::memory;
use crate::window::groups::Layout;
use crate::window::{TimeWindow, emission};

/// A table that makes less than one group of so many rows does not pay.
const ROWS_PER_GROUP: usize = 2;
/// A table of fewer rows says nothing.
const TELLING_ROWS: usize = 4_096;
/// After so many rows a table is tried again.
const TRIED_AGAIN_AFTER: usize = 1 << 20;

/// Whether rows go past the table, and what makes partial results of them.
#[derive(Debug)]
pub(super) struct Shortcut {
    states: AccumulatorSet,
    groups: Vec<GroupIndex>,
    /// How many rows still go past the table.
    open_for: usize,
}

impl Shortcut {
    /// A closed one.
    pub(super) fn new(layout: &Layout) -> Result<Self> {
        let states = AccumulatorSet::new(&layout.spec.aggregates, &layout.spec.input)?;
        Ok(Self { states, groups: Vec::new(), open_for: 0 })
    }

    /// Whether rows go past the table.
    pub(super) fn is_open(&self) -> bool {
        self.open_for > 0
    }

    /// A table has made `groups` groups of `rows` rows.
    pub(super) fn learn(&mut self, rows: usize, groups: usize) {
        if rows >= TELLING_ROWS && rows < groups.saturating_mul(ROWS_PER_GROUP) {
            self.open_for = TRIED_AGAIN_AFTER;
        }
    }

    /// Bytes of memory held.
    pub(super) fn memory_bytes(&self) -> usize {
        self.states.memory_bytes() + memory::vec(&self.groups)
    }

    /// The rows of `part`, each as a partial result.
    pub(super) fn partials(
        &mut self,
        layout: &Layout,
        pane: TimeWindow,
        part: &EventBatch,
        numbers: RowNumbers<'_>,
    ) -> Result<EventBatch> {
        let rows = part.num_rows();
        self.open_for = self.open_for.saturating_sub(rows);
        self.groups.clear();
        self.groups.extend((0..).take(rows));
        self.states.clear();
        self.states.resize(rows);
        self.states.update(&self.groups, &part.rows, numbers)?;
        let counts = Arc::new(Int64Array::from(vec![1; rows]));
        let states = self.states.states(&self.groups)?;
        emission::partial_rows(layout, layout.key_columns(&part.rows), pane, counts, states)
    }
}
