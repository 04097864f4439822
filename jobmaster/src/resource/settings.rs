//! How slots and workers are managed. Names and defaults are Flink's.

/// How a [`super::ResourceManager`] decides. Times are in milliseconds.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether workers can be started and stopped, and with how many slots.
    pub workers: Workers,
    /// `taskmanager.slot.timeout`: how long a requested slot may go without a report that confirms it.
    pub slot_timeout_ms: i64,
    /// `resourcemanager.taskmanager-timeout`: how long a worker may be idle before it is stopped.
    pub idle_timeout_ms: i64,
    /// `resourcemanager.taskmanager-registration.timeout`: how long a started worker may take to register, and one whose
    /// connection was lost to register again.
    pub registration_timeout_ms: i64,
    /// `resourcemanager.start-worker.max-failure-rate`: how many workers may fail to start in a minute.
    pub start_failures_per_minute: usize,
    /// `resourcemanager.start-worker.retry-interval`: how long no worker is started when more have failed.
    pub start_retry_ms: i64,
}

/// Where workers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workers {
    /// They come and go by themselves.
    Standalone,
    /// They are started with so many slots each, and no more than so many at a time.
    Active {
        /// Slots of a worker.
        slots: u32,
        /// The most workers.
        most: usize,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: Workers::Standalone,
            slot_timeout_ms: 10_000,
            idle_timeout_ms: 30_000,
            registration_timeout_ms: 300_000,
            start_failures_per_minute: 10,
            start_retry_ms: 3_000,
        }
    }
}
