//! Ids that outlive a plan.

use std::fmt;

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
