//! Ids of what runs; those of operators and jobs outlive a plan.

use std::fmt;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

/// Names an operator for as long as its state lives.
///
/// It is derived before optimisation, from what the user named and asked for (sink or view name, kind, keys, window), never
/// from position, chain or parallelism; a `uid` replaces the derivation. Shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperatorId(u128);

impl OperatorId {
    /// The id that a user's `uid` gives.
    pub fn from_uid(uid: &str) -> Self {
        Self(xxh3_128(format!("uid\0{uid}").as_bytes()))
    }

    /// The id that follows from the parts of a description, in order. The hash is XXH3-128 over the parts, each behind its
    /// length, so that no two lists of parts meet.
    pub fn derived(parts: &[&str]) -> Self {
        let mut bytes = b"derived\0".to_vec();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Self(xxh3_128(&bytes))
    }
}

impl fmt::Display for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for OperatorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Names a job: 128 bits, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u128);

impl JobId {
    /// The job of these bits, which are random or come from outside.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Its bits.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// The id that `text` shows: 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| u128::from_str_radix(text, 16).ok().map(Self))?
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A subtask of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubtaskId {
    /// Its vertex, by the place in the JobGraph.
    pub vertex: usize,
    /// Which of the vertex's subtasks, from 0.
    pub subtask: u32,
}

impl fmt::Display for SubtaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "subtask {} of vertex {}", self.subtask, self.vertex)
    }
}

/// A try at a subtask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId {
    /// At which subtask.
    pub of: SubtaskId,
    /// Which try, from 0.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "try {} at {}", self.number, self.of)
    }
}

/// Names a worker, from before it is started to its end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId(Arc<str>);

impl WorkerId {
    /// The worker of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a slot's stay with a job, so that a message about an earlier stay is not taken for one about the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId {
    /// Of the ResourceManager that made it.
    pub epoch: u64,
    /// Counted by it.
    pub number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_id_reads_back_as_it_was_written() {
        for bits in [0, 1, 0xa5 << 120, u128::MAX] {
            let id = JobId::from_bits(bits);
            assert_eq!(JobId::parse(&id.to_string()), Some(id));
        }
        for text in [
            "",
            "0",
            "+0000000000000000000000000000000",
            "000000000000000000000000000000000",
            "g0000000000000000000000000000000",
        ] {
            assert_eq!(JobId::parse(text), None, "{text}");
        }
    }
}
