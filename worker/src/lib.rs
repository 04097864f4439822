//! The TaskManager: slots, the tasks that run in them, and how rows go from task to task.
//!
//! A [`slot`] is a thread. In it run [`task`]s, each one subtask of a chain of the engine's operators. Tasks are joined by
//! the [`exchange`]. [`job`] deploys a whole job into the slots of this process and sees it to its end.

pub mod clock;
pub mod exchange;
pub mod io;
pub mod job;
pub mod slot;
pub mod task;
