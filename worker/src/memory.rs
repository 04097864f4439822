//! The memory of a slot: a budget that its tasks share.
//!
//! A slot isolates memory, not processors. Each task writes down what it holds, by what holds it; the sum of a slot's tasks is
//! held against the slot's budget, and the task whose growth brings it beyond fails with a message that says what used it. The
//! process and its other slots go on.
//!
//! ```text
//!  task: ─► source ─► [operators: state] ─► [sink] ─►          what is held      category
//!           buffers    │ queues between them  buffers           by a task         in the message
//!  or    ─► channels   ▼                    ─► to other workers    ──────────────────────────────────
//!           exchange  total ─► slot: sum of its tasks ─► more than the budget? the task fails
//! ```
//!
//! What is held is what containers say ([`millstream_engine::memory`]): room counts, used or not. A task is looked at between
//! turns, so a slot may go beyond its budget by what one turn adds: a few batches, or a table that has just doubled.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millstream_engine::error::{Error, Result};
use millstream_engine::memory::Bytes;
use millstream_engine::operators::chain::OperatorChain;
use millstream_graph::{JobGraph, NodeKind};

use crate::exchange::Outputs;
use crate::task::TaskInput;

/// Readers and channels bound what they hold themselves, and to ask them takes longer than to ask for state: they are asked at
/// every sixteenth look only.
const LOOKS_PER_EXCHANGE: u32 = 16;
/// How many holders a message names.
const NAMED_MAX: usize = 8;

/// What memory is held for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Category {
    /// What operators remember, and results on their way out of them.
    State,
    /// What a reader has read and not given out.
    Source,
    /// What a writer has not written.
    Sink,
    /// What waits inside a task.
    Queues,
    /// What waits between tasks, in front of the one that reads it.
    Exchange,
    /// What was made for other workers and is not sent yet.
    Sent,
}

impl std::fmt::Display for Category {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::State => "state of",
            Self::Source => "read buffers of",
            Self::Sink => "write buffers of",
            Self::Queues => "queues of",
            Self::Exchange => "rows that wait for",
            Self::Sent => "rows to be sent by",
        })
    }
}

/// The budget of a slot and what its tasks hold.
#[derive(Debug)]
pub struct SlotMemory {
    budget: Option<usize>,
    used: AtomicUsize,
    peak: AtomicUsize,
    /// The tasks that run in the slot.
    tasks: Mutex<Vec<Arc<TaskUse>>>,
}

impl SlotMemory {
    /// A slot that may use `budget` bytes, or as many as there are.
    pub fn new(budget: Option<u64>) -> Arc<Self> {
        let budget = budget.map(|budget| usize::try_from(budget).unwrap_or(usize::MAX));
        Arc::new(Self { budget, used: AtomicUsize::new(0), peak: AtomicUsize::new(0), tasks: Mutex::default() })
    }

    /// The share of a task: subtask `subtask` of `parallelism`, with these operators in its chain.
    pub fn task(self: &Arc<Self>, subtask: u32, parallelism: u32, operators: Vec<(Category, String)>) -> TaskMemory {
        let task = Arc::new(TaskUse::new(subtask, parallelism, operators));
        self.running().push(Arc::clone(&task));
        TaskMemory { slot: Arc::clone(self), task, looks: 0 }
    }

    /// Bytes that its tasks hold.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most that they have held.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// What each task in it holds.
    pub fn tasks(&self) -> Vec<Arc<TaskUse>> {
        self.running().clone()
    }

    /// A task holds `after` bytes and no longer `before`. Fails if that is too much.
    fn change(&self, before: usize, after: usize) -> Result<()> {
        if before == after {
            return Ok(());
        }
        let change = after.wrapping_sub(before);
        let used = self.used.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        if used > self.peak() {
            self.peak.fetch_max(used, Ordering::Relaxed);
        }
        match self.budget {
            Some(budget) if after > before && used > budget => {
                Err(Error::Memory { budget: Bytes(budget), used: Bytes(used), users: self.users() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What holds the memory, the most first.
    fn users(&self) -> String {
        let tasks = self.running();
        let mut users: Vec<(usize, &TaskUse, &Holder)> = tasks
            .iter()
            .flat_map(|task| task.holders.iter().map(move |holder| (holder.bytes(), task.as_ref(), holder)))
            .filter(|(bytes, ..)| *bytes > 0)
            .collect();
        users.sort_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
        let rest: usize = users.iter().skip(NAMED_MAX).map(|(bytes, ..)| bytes).sum();
        let named = users.iter().take(NAMED_MAX).map(|(bytes, task, Holder { category, name, .. })| {
            format!("{} {category} `{name}` ({}/{})", Bytes(*bytes), task.subtask + 1, task.parallelism)
        });
        let rest = (rest > 0).then(|| format!("{} other", Bytes(rest)));
        named.chain(rest).collect::<Vec<_>>().join(", ")
    }

    /// A panic while the lock was held has failed its task; the list is whole between any two statements.
    fn running(&self) -> MutexGuard<'_, Vec<Arc<TaskUse>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for SlotMemory {
    fn drop(&mut self) {
        tracing::debug!(peak = %Bytes(self.peak()), "a slot is given back");
    }
}

/// The operators of a vertex as holders of memory, in the order of its chain.
pub fn operators_of(graph: &JobGraph, vertex: usize) -> Vec<(Category, String)> {
    let holder = |&node: &usize| {
        let of = &graph.program.nodes[node];
        let category = match &of.kind {
            NodeKind::Source(_) => Category::Source,
            NodeKind::Operator(_) => Category::State,
            NodeKind::Sink(_) => Category::Sink,
        };
        (category, of.name.clone())
    };
    graph.vertices[vertex].nodes.iter().map(holder).collect()
}

/// What a task holds. Written by the thread of its slot, read by whoever shows it.
#[derive(Debug)]
pub struct TaskUse {
    subtask: u32,
    parallelism: u32,
    /// The operators in the order of the chain, then the input, the outputs, and what waits inside the task.
    holders: Vec<Holder>,
    total: AtomicUsize,
}

/// Something that holds memory.
#[derive(Debug)]
struct Holder {
    category: Category,
    name: String,
    bytes: AtomicUsize,
}

impl TaskUse {
    fn new(subtask: u32, parallelism: u32, operators: Vec<(Category, String)>) -> Self {
        let head = operators.first().cloned();
        let (kind, head) = head.unwrap_or((Category::State, String::new()));
        let input = if kind == Category::Source { Category::Source } else { Category::Exchange };
        let around = [(input, head.clone()), (Category::Sent, head.clone()), (Category::Queues, head)];
        let all = operators.into_iter().chain(around);
        let holders = all.map(|(category, name)| Holder { category, name, bytes: AtomicUsize::new(0) }).collect();
        Self { subtask, parallelism, holders, total: AtomicUsize::new(0) }
    }

    /// Bytes that it holds for `category`.
    pub fn bytes(&self, category: Category) -> usize {
        self.holders.iter().filter(|holder| holder.category == category).map(Holder::bytes).sum()
    }

    /// Bytes that it holds.
    pub fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }
}

impl Holder {
    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// A task's share of its slot's memory. Dropping it gives back what the task held.
#[derive(Debug)]
pub struct TaskMemory {
    slot: Arc<SlotMemory>,
    task: Arc<TaskUse>,
    looks: u32,
}

impl TaskMemory {
    /// What is shown of it.
    pub fn shown(&self) -> Arc<TaskUse> {
        Arc::clone(&self.task)
    }

    /// Writes down what the task holds that is made of these, and in which `waiting` bytes wait beside them. Fails if the
    /// slot's budget is used up by that.
    pub(crate) fn look(
        &mut self,
        input: &TaskInput,
        chain: &OperatorChain,
        outputs: &Outputs,
        waiting: usize,
    ) -> Result<()> {
        let asks = self.looks.is_multiple_of(LOOKS_PER_EXCHANGE);
        self.looks = self.looks.wrapping_add(1);
        let input_bytes = asks.then(|| input.source_bytes() + input.exchange_bytes());
        let output_bytes = asks.then(|| outputs.memory_bytes());
        let waiting = waiting + input.waiting_bytes() + chain.waiting_bytes();
        self.write_down(chain.operator_bytes().map(Some).chain([input_bytes, output_bytes, Some(waiting)]))
    }

    /// Writes down what each holder holds; `None`: as much as before.
    fn write_down(&self, bytes: impl Iterator<Item = Option<usize>>) -> Result<()> {
        let mut total = 0;
        for (holder, bytes) in self.task.holders.iter().zip(bytes) {
            if let Some(bytes) = bytes {
                holder.bytes.store(bytes, Ordering::Relaxed);
            }
            total += holder.bytes();
        }
        let before = self.task.total.swap(total, Ordering::Relaxed);
        self.slot.change(before, total)
    }
}

impl Drop for TaskMemory {
    fn drop(&mut self) {
        self.slot.running().retain(|task| !Arc::ptr_eq(task, &self.task));
        let before = self.task.total.swap(0, Ordering::Relaxed);
        // To hold less is never too much.
        let _ = self.slot.change(before, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn windows(slot: &Arc<SlotMemory>, subtask: u32) -> TaskMemory {
        let operators = vec![(Category::State, "window".to_owned()), (Category::Sink, "out".to_owned())];
        slot.task(subtask, 2, operators)
    }

    fn holds(task: &TaskMemory, bytes: [usize; 5]) -> Result<()> {
        task.write_down(bytes.into_iter().map(Some))
    }

    #[test]
    fn a_slot_holds_what_its_tasks_hold() {
        let slot = SlotMemory::new(None);
        let (first, second) = (windows(&slot, 0), windows(&slot, 1));
        holds(&first, [5, 1, 2, 0, 0]).unwrap();
        holds(&second, [7, 0, 0, 0, 3]).unwrap();
        assert_eq!((slot.used(), first.shown().total(), second.shown().bytes(Category::Queues)), (18, 8, 3));
        second.write_down([Some(1), Some(0), None, None, None].into_iter()).unwrap();
        assert_eq!((slot.used(), slot.peak()), (12, 18));
        drop(second);
        assert_eq!(slot.used(), 8);
        drop(first);
        assert_eq!((slot.used(), slot.peak()), (0, 18));
    }

    #[test]
    fn the_task_that_grows_beyond_the_budget_fails_and_says_what_used_it() {
        let slot = SlotMemory::new(Some(64 * MIB as u64));
        let (first, second) = (windows(&slot, 0), windows(&slot, 1));
        let scan = slot.task(0, 1, vec![(Category::Source, "bids".to_owned())]);
        holds(&first, [60 * MIB, 0, MIB, 0, 0]).unwrap();
        holds(&second, [MIB, 0, 0, 0, 0]).unwrap();
        scan.write_down([0, 1536 * 1024, 0, 512 * 1024].into_iter().map(Some)).unwrap();
        let error = holds(&second, [MIB, 100 * 1024, 2 * MIB, 0, 0]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the slot's memory budget of 64 MiB is used up: 66.1 MiB, of which 60 MiB state of `window` (1/2), 2 MiB rows \
             that wait for `window` (2/2), 1.5 MiB read buffers of `bids` (1/1), 1 MiB rows that wait for `window` (1/2), \
             1 MiB state of `window` (2/2), 512 KiB queues of `bids` (1/1), 100 KiB write buffers of `out` (2/2); give \
             slots more memory (--slot-memory), or raise the parallelism, so that each holds less"
        );
        holds(&second, [0; 5]).unwrap();
        assert_eq!(slot.used(), 63 * MIB, "what the task held before it failed is not held twice");
    }

    #[test]
    fn a_message_names_the_largest_only() {
        let slot = SlotMemory::new(Some(0));
        let names = (0..20).map(|number| (Category::State, format!("step {number}"))).collect();
        let error = slot.task(0, 1, names).write_down((1..=20).map(Some)).unwrap_err().to_string();
        assert!(error.contains("20 bytes state of `step 19` (1/1), "), "{error}");
        assert!(error.contains("13 bytes state of `step 12` (1/1), 78 bytes other;"), "{error}");
    }
}
