//! Which subtasks share a slot.
//!
//! A slot holds one subtask of every vertex of its slot-sharing group, so a job needs as many slots as the greatest
//! parallelism of each group, summed. Subtask `i` of each vertex is in slot `i` of its group: what forward edges join then
//! stands in one place.

use std::sync::Arc;

use millstream_graph::JobGraph;

use crate::execution_graph::SubtaskId;

/// A slot that a job needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutionSlot {
    /// The sharing group.
    pub group: Arc<str>,
    /// What it holds, vertex by vertex.
    pub subtasks: Vec<SubtaskId>,
}

/// The slots of a job, group by group in the order in which groups come up.
pub fn execution_slots(graph: &JobGraph) -> Vec<ExecutionSlot> {
    let mut groups: Vec<Vec<ExecutionSlot>> = Vec::new();
    for (vertex, of) in graph.vertices.iter().enumerate() {
        let named = |slots: &Vec<ExecutionSlot>| slots.first().is_some_and(|slot| slot.group == of.slot_sharing_group);
        let place = groups.iter().position(named).unwrap_or_else(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        let slots = &mut groups[place];
        for subtask in 0..of.parallelism {
            if slots.len() == subtask as usize {
                slots.push(ExecutionSlot { group: Arc::clone(&of.slot_sharing_group), subtasks: Vec::new() });
            }
            slots[subtask as usize].subtasks.push(SubtaskId { vertex, subtask });
        }
    }
    groups.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::testing::job;

    fn slots(graph: &JobGraph) -> Vec<(String, Vec<(usize, u32)>)> {
        let plain = |slot: ExecutionSlot| {
            (slot.group.to_string(), slot.subtasks.iter().map(|of| (of.vertex, of.subtask)).collect())
        };
        execution_slots(graph).into_iter().map(plain).collect()
    }

    #[test]
    fn a_slot_holds_one_subtask_of_every_vertex() {
        let graph = job("keyed", 2);
        let shared = |at| ("default".to_owned(), vec![(0, at), (1, at)]);
        assert_eq!(slots(&graph), [shared(0), shared(1)]);
    }

    #[test]
    fn groups_share_nothing_and_the_greatest_parallelism_of_each_counts() {
        let mut graph = job("keyed", 2).as_ref().clone();
        graph.vertices[1].parallelism = 3;
        assert_eq!(execution_slots(&graph).len(), graph.slots_needed() as usize);
        assert_eq!(slots(&graph)[2].1, [(1, 2)]);
        graph.vertices[1].slot_sharing_group = "apart".into();
        assert_eq!(execution_slots(&graph).len(), graph.slots_needed() as usize);
        let apart: Vec<String> = slots(&graph).into_iter().map(|(group, _)| group).collect();
        assert_eq!(apart, ["default", "default", "apart", "apart", "apart"]);
    }
}
