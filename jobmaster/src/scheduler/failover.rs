//! What a failure takes along.
//!
//! Subtasks that exchange rows live and die together: whoever lost rows on their way cannot go on. A *region* is a set of
//! subtasks that are joined by channels; a failure restarts its region and nothing else. A job with a shuffle is one region;
//! one without has a region for each subtask of its chain.

use std::collections::BTreeMap;

use millstream_graph::{JobGraph, Partitioning, SubtaskId};

/// The regions of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailoverRegions {
    regions: Vec<Vec<SubtaskId>>,
    region_of: BTreeMap<SubtaskId, usize>,
}

impl FailoverRegions {
    /// The regions of `graph`, and in each its subtasks in order.
    pub fn of(graph: &JobGraph) -> Self {
        let mut sets = Sets::new(graph);
        for edge in &graph.edges {
            let (from, to) = (graph.vertices[edge.from].parallelism, graph.vertices[edge.to].parallelism);
            match edge.partitioning {
                Partitioning::Forward => (0..from.min(to)).for_each(|at| sets.join((edge.from, at), (edge.to, at))),
                Partitioning::Hash(_) | Partitioning::Rebalance | Partitioning::Broadcast | Partitioning::Global => {
                    (0..from).for_each(|at| sets.join((edge.from, at), (edge.to, 0)));
                    (0..to).for_each(|at| sets.join((edge.from, 0), (edge.to, at)));
                }
            }
        }
        sets.regions()
    }

    /// The subtasks that start again when `failed` fails; none if the job has no such subtask.
    pub fn restarted_with(&self, failed: SubtaskId) -> &[SubtaskId] {
        self.region_of.get(&failed).map_or(&[], |region| &self.regions[*region])
    }

    /// The regions, in the order of their first subtasks.
    pub fn all(&self) -> &[Vec<SubtaskId>] {
        &self.regions
    }
}

/// Disjoint sets of subtasks; each is known by its least member, to which the others lead.
struct Sets {
    /// The number of each vertex's first subtask.
    first: Vec<usize>,
    subtasks: Vec<SubtaskId>,
    leads_to: Vec<usize>,
}

impl Sets {
    fn new(graph: &JobGraph) -> Self {
        let mut first = Vec::with_capacity(graph.vertices.len());
        let mut subtasks = Vec::new();
        for (vertex, of) in graph.vertices.iter().enumerate() {
            first.push(subtasks.len());
            subtasks.extend((0..of.parallelism).map(|subtask| SubtaskId { vertex, subtask }));
        }
        Self { first, leads_to: (0..subtasks.len()).collect(), subtasks }
    }

    fn least(&mut self, mut at: usize) -> usize {
        while self.leads_to[at] != at {
            self.leads_to[at] = self.leads_to[self.leads_to[at]];
            at = self.leads_to[at];
        }
        at
    }

    fn join(&mut self, one: (usize, u32), other: (usize, u32)) {
        let (one, other) = (self.first[one.0] + one.1 as usize, self.first[other.0] + other.1 as usize);
        let (one, other) = (self.least(one), self.least(other));
        self.leads_to[one.max(other)] = one.min(other);
    }

    fn regions(mut self) -> FailoverRegions {
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        let mut regions: Vec<Vec<SubtaskId>> = Vec::new();
        let mut region_of = BTreeMap::new();
        for at in 0..self.subtasks.len() {
            let least = self.least(at);
            let place = *places.entry(least).or_insert(regions.len());
            if place == regions.len() {
                regions.push(Vec::new());
            }
            regions[place].push(self.subtasks[at]);
            region_of.insert(self.subtasks[at], place);
        }
        FailoverRegions { regions, region_of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::testing::job;

    fn regions(name: &str, parallelism: u32) -> Vec<Vec<(usize, u32)>> {
        let regions = FailoverRegions::of(&job(name, parallelism));
        let plain = |region: &Vec<SubtaskId>| region.iter().map(|of| (of.vertex, of.subtask)).collect();
        regions.all().iter().map(plain).collect()
    }

    #[test]
    fn a_shuffle_makes_one_region_of_all() {
        assert_eq!(regions("keyed", 2), [[(0, 0), (0, 1), (1, 0), (1, 1)]]);
    }

    #[test]
    fn slices_without_a_shuffle_fail_alone() {
        assert_eq!(regions("chained", 3), [[(0, 0)], [(0, 1)], [(0, 2)]]);
        assert_eq!(regions("forwarded", 2), [[(0, 0), (1, 0), (2, 0)], [(0, 1), (1, 1), (2, 1)]]);
    }

    #[test]
    fn a_failure_restarts_its_region_and_nothing_else() {
        let regions = FailoverRegions::of(&job("forwarded", 2));
        let failed = SubtaskId { vertex: 1, subtask: 1 };
        assert_eq!(regions.restarted_with(failed), [0, 1, 2].map(|vertex| SubtaskId { vertex, subtask: 1 }));
        assert!(regions.restarted_with(SubtaskId { vertex: 9, subtask: 0 }).is_empty());
    }
}
