//! Restart strategies: whether and when a failed job is started again.

/// The options under `restart-strategy`. Settings of strategies that were not chosen are kept and have no effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RestartOptions {
    /// Which strategy; `None` if nothing says so: then it depends on where the job runs.
    pub kind: Option<RestartKind>,
    /// `restart-strategy.fixed-delay`.
    pub fixed_delay: FixedDelay,
    /// `restart-strategy.exponential-delay`.
    pub exponential_delay: ExponentialDelay,
    /// `restart-strategy.failure-rate`.
    pub failure_rate: FailureRate,
}

/// Which restart strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartKind {
    /// The first failure ends the job.
    None,
    /// See [`FixedDelay`].
    FixedDelay,
    /// See [`ExponentialDelay`].
    ExponentialDelay,
    /// See [`FailureRate`].
    FailureRate,
}

/// The strategy that was chosen, with its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RestartStrategy {
    /// The first failure ends the job.
    None,
    /// So many times, each after the same wait.
    FixedDelay(FixedDelay),
    /// After a wait that grows with each failure and falls back once the job has run well.
    ExponentialDelay(ExponentialDelay),
    /// As long as failures are rare.
    FailureRate(FailureRate),
}

/// So many times, each after the same wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedDelay {
    /// How many times before the job fails for good.
    pub attempts: u32,
    /// The wait in milliseconds.
    pub delay_ms: i64,
}

/// After a wait that grows with each failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExponentialDelay {
    /// The first wait in milliseconds.
    pub initial_backoff_ms: i64,
    /// The longest wait in milliseconds.
    pub max_backoff_ms: i64,
    /// By how much the wait grows.
    pub backoff_multiplier: f64,
    /// How many milliseconds without a failure make the wait fall back to the first.
    pub reset_backoff_threshold_ms: i64,
    /// The share of the wait that is added or taken away at random.
    pub jitter_factor: f64,
    /// How many starts without such a time in between, before the job fails for good; [`Self::UNLIMITED`] is no limit.
    pub attempts_before_reset_backoff: u32,
}

/// As long as failures are rare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureRate {
    /// How many failures in an interval are borne.
    pub max_failures_per_interval: u32,
    /// The interval in milliseconds.
    pub interval_ms: i64,
    /// The wait before each start in milliseconds.
    pub delay_ms: i64,
}

impl ExponentialDelay {
    /// Flink's way to say "without limit": the greatest 32-bit integer.
    pub const UNLIMITED: u32 = 2_147_483_647;
}

impl Default for FixedDelay {
    fn default() -> Self {
        Self { attempts: 1, delay_ms: 1_000 }
    }
}

impl Default for ExponentialDelay {
    fn default() -> Self {
        Self {
            initial_backoff_ms: 1_000,
            max_backoff_ms: 60_000,
            backoff_multiplier: 1.5,
            reset_backoff_threshold_ms: 3_600_000,
            jitter_factor: 0.1,
            attempts_before_reset_backoff: Self::UNLIMITED,
        }
    }
}

impl Default for FailureRate {
    fn default() -> Self {
        Self { max_failures_per_interval: 1, interval_ms: 60_000, delay_ms: 1_000 }
    }
}

impl RestartOptions {
    /// The strategy that was chosen, or else `default`.
    pub fn strategy(&self, default: RestartKind) -> RestartStrategy {
        match self.kind.unwrap_or(default) {
            RestartKind::None => RestartStrategy::None,
            RestartKind::FixedDelay => RestartStrategy::FixedDelay(self.fixed_delay),
            RestartKind::ExponentialDelay => RestartStrategy::ExponentialDelay(self.exponential_delay),
            RestartKind::FailureRate => RestartStrategy::FailureRate(self.failure_rate),
        }
    }
}
