//! Which columns of a source are needed, so that no others are decoded.
//!
//! Walks from the sinks back. A sink wants all columns; a `select` or an aggregation wants those that its expressions name;
//! a union wants all, so that its inputs stay alike; every other step wants what is wanted of its result, and those that its own
//! expressions name.

use std::collections::{BTreeMap, BTreeSet};

use super::spec::Pipeline;
use super::wiring::{Output, Wiring};

/// What a transformation does with the columns that it reads.
#[derive(Debug, Clone)]
pub(super) struct Usage {
    /// Columns that it needs itself.
    pub(super) reads: Wanted,
    /// Whether the other columns are in its result.
    pub(super) passes: bool,
}

/// Columns of a stream that something wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them.
    All,
    /// These; some may not be columns of the stream.
    Some(BTreeSet<String>),
}

impl Wanted {
    fn nothing() -> Self {
        Self::Some(BTreeSet::new())
    }

    /// Whether it has `column` in it.
    pub(super) fn has(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(columns) => columns.contains(column),
        }
    }

    fn add(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Some(columns), Self::Some(more)) => columns.extend(more.iter().cloned()),
        }
    }
}

/// What is wanted of each source that is read, by its place.
pub(super) fn needed(pipeline: &Pipeline, wiring: &Wiring, usages: &BTreeMap<usize, Usage>) -> BTreeMap<usize, Wanted> {
    let mut wanted: BTreeMap<Output, Wanted> = BTreeMap::new();
    for sink in &pipeline.sinks {
        if let Some(output) = wiring.output(&sink.from) {
            wanted.insert(output, Wanted::All);
        }
    }
    for place in wiring.transformations.iter().rev() {
        let Some(usage) = usages.get(place) else { continue };
        let mut of_input = usage.reads.clone();
        if let (true, Some(result)) = (usage.passes, wanted.get(&Output::Transformation(*place))) {
            of_input.add(result);
        }
        if let Some(late) = wanted.get(&Output::Late(*place)) {
            of_input.add(late);
        }
        for input in pipeline.transformations[*place].from.iter().filter_map(|name| wiring.output(name)) {
            wanted.entry(input).or_insert_with(Wanted::nothing).add(&of_input);
        }
    }
    let of = |place: &usize| wanted.get(&Output::Source(*place)).cloned().unwrap_or_else(Wanted::nothing);
    wiring.sources.iter().map(|place| (*place, of(place))).collect()
}
