//! Keys: how rows that belong together find each other.
//!
//! A key is hashed ([`hash`]), its hash is scaled to a key group ([`key_group`]), and each subtask owns a contiguous range
//! of groups. The hash and the number of groups are part of what is stored, so neither ever changes for a job. Inside a
//! subtask keys become small dense numbers ([`table`]), by which accumulators are addressed.

pub mod hash;
pub mod key_group;
pub(crate) mod lists;
pub mod splitter;
pub mod table;
