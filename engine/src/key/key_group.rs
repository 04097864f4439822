//! The unit of keyed state that moves when a job is rescaled.

/// One of [`MaxParallelism`] groups that all keys of a job fall into, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyGroup(pub u16);

/// How many key groups a job has: the greatest parallelism it can ever be given. 1 to 32,768.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaxParallelism(u16);

impl MaxParallelism {
    /// What a job gets that does not say.
    pub const DEFAULT: Self = Self(4096);
    /// The greatest number there may be.
    pub const LIMIT: u32 = 32_768;

    /// `None` unless `groups` is from 1 to [`Self::LIMIT`].
    pub fn new(groups: u32) -> Option<Self> {
        match u16::try_from(groups) {
            Ok(groups @ 1..=32_768) => Some(Self(groups)),
            Ok(_) | Err(_) => None,
        }
    }

    /// The number of groups.
    pub fn get(self) -> u32 {
        u32::from(self.0)
    }

    /// The group of a key with this hash: the hash scaled to `[0, groups)` by multiply-high.
    #[inline]
    pub fn group_of(self, hash: u64) -> KeyGroup {
        let scaled = (u128::from(hash) * u128::from(self.0)) >> 64;
        #[expect(clippy::cast_possible_truncation, reason = "the product of a u64 and n, shifted by 64, is below n")]
        KeyGroup(scaled as u16)
    }

    /// Which of `parallelism` subtasks owns `group`.
    #[inline]
    pub fn owner(self, group: KeyGroup, parallelism: u32) -> u32 {
        u32::from(group.0) * parallelism / u32::from(self.0)
    }

    /// The groups that subtask `index` of `parallelism` owns: `ceil(index * n / p) ..= ceil((index + 1) * n / p) - 1`,
    /// which is Flink's cut. Needs `index < parallelism <= n`.
    pub fn range(self, index: u32, parallelism: u32) -> KeyGroupRange {
        debug_assert!(index < parallelism && parallelism <= self.get(), "checked when the job was planned");
        let start = |index: u32| (index * self.get()).div_ceil(parallelism);
        #[expect(clippy::cast_possible_truncation, reason = "both ends are at most the number of groups, a u16")]
        KeyGroupRange { first: KeyGroup(start(index) as u16), last: KeyGroup((start(index + 1) - 1) as u16) }
    }
}

/// The contiguous key groups of a subtask, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGroupRange {
    /// The first group.
    pub first: KeyGroup,
    /// The last group.
    pub last: KeyGroup,
}

impl KeyGroupRange {
    /// Whether `group` is one of them.
    pub fn contains(self, group: KeyGroup) -> bool {
        self.first <= group && group <= self.last
    }
}
