//! Which subtasks share a slot.
//!
//! A slot holds one subtask of every vertex of its slot-sharing group, so a job needs as many slots as the greatest
//! parallelism of each group, summed. Subtask `i` of each vertex is in slot `i` of its group: what forward edges join then
//! stands in one place.

use std::sync::Arc;

use crate::ids::SubtaskId;
use crate::job_graph::JobGraph;

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
    use millstream_engine::key::key_group::MaxParallelism;

    use super::*;
    use crate::job_graph::JobVertex;
    use crate::stream_graph::StreamGraph;

    /// A job of vertices with these parallelisms and groups.
    fn job(vertices: &[(u32, &str)]) -> JobGraph {
        let vertex = |&(parallelism, group): &(u32, &str)| JobVertex {
            nodes: Vec::new(),
            parallelism,
            slot_sharing_group: group.into(),
        };
        let program =
            StreamGraph { name: "job".to_owned(), nodes: Vec::new(), max_parallelism: MaxParallelism::DEFAULT };
        JobGraph { program, vertices: vertices.iter().map(vertex).collect(), edges: Vec::new() }
    }

    fn slots(graph: &JobGraph) -> Vec<(String, Vec<(usize, u32)>)> {
        let plain = |slot: ExecutionSlot| {
            (slot.group.to_string(), slot.subtasks.iter().map(|of| (of.vertex, of.subtask)).collect())
        };
        execution_slots(graph).into_iter().map(plain).collect()
    }

    #[test]
    fn a_slot_holds_one_subtask_of_every_vertex() {
        let shared = |subtasks: &[(usize, u32)]| ("default".to_owned(), subtasks.to_vec());
        let graph = job(&[(2, "default"), (3, "default")]);
        assert_eq!(slots(&graph), [shared(&[(0, 0), (1, 0)]), shared(&[(0, 1), (1, 1)]), shared(&[(1, 2)])]);
        assert_eq!(graph.slots_needed(), 3);
    }

    #[test]
    fn groups_share_nothing_and_the_greatest_parallelism_of_each_counts() {
        let graph = job(&[(2, "default"), (3, "apart"), (1, "default")]);
        let groups: Vec<String> = slots(&graph).into_iter().map(|(group, _)| group).collect();
        assert_eq!(groups, ["default", "default", "apart", "apart", "apart"]);
        assert_eq!(slots(&graph)[0].1, [(0, 0), (2, 0)]);
        assert_eq!(graph.slots_needed(), 5);
    }
}
