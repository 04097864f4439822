//! The jobmaster: what runs where, and what happens when something fails.
//!
//! A JobMaster owns one job. From its JobGraph it makes an [`execution_graph`], every subtask and every try at it; the
//! [`scheduler`] says what a failure takes along and when to try again; [`job_master`] knows the states of a job; [`checkpoint`]
//! says when its state is saved and which checkpoints count; [`resource`] gives slots to jobs and says how many workers there
//! should be. All of that is decided by pure functions that are told the time. [`job_manager`] acts on it: one loop for all jobs
//! of a process. Jobs are kept in a [`job_store`], and [`rest`] answers whoever asks.

pub mod checkpoint;
pub mod execution_graph;
pub mod job_manager;
pub mod job_master;
pub mod job_store;
pub mod resource;
pub mod rest;
pub mod scheduler;
