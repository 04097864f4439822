//! The TaskManager: slots, the tasks that run in them, and how rows go from task to task.
//!
//! A [`slot`] is a thread. In it run [`task`]s, each one subtask of a chain of the engine's operators. Tasks are joined by
//! the [`exchange`]. The [`task_manager`] gives slots to jobs and runs the tasks that it is sent.

pub mod clock;
pub mod exchange;
pub mod io;
pub mod memory;
pub mod slot;
pub mod task;
pub mod task_manager;
