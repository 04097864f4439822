//! Event time: how a stream's own clock is made, merged and used.
//!
//! [`generator`] makes watermarks where rows are read, [`merger`] merges those of several channels into one clock, and
//! [`timers`] keeps what is to happen when the clock has advanced.

pub mod generator;
pub mod merger;
pub mod timers;
