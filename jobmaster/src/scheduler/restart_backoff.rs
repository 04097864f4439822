//! Whether and when a failed job is tried again: the restart strategies with Flink's meaning.
//!
//! It is told of failures and given the time and a random number; it has no clock of its own.

use std::collections::VecDeque;

use millstream_planner::options::RestartStrategy;
use millstream_planner::options::restart::{ExponentialDelay, FailureRate, FixedDelay};

/// The answer to a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restart {
    /// Try again after so many milliseconds.
    After(i64),
    /// Do not: the job has failed. The reason says which limit was reached.
    Never(String),
}

/// Decides about a job's restarts.
#[derive(Debug, Clone)]
pub struct RestartBackoff {
    strategy: RestartStrategy,
    /// How often it was tried again; of `exponential-delay`, since the wait last fell back.
    attempts: u32,
    /// `exponential-delay`: the next wait without jitter.
    backoff_ms: f64,
    /// `exponential-delay`: until when the job should have started again after the last failure.
    waits_until: Option<i64>,
    /// `failure-rate`: the last failures, no more than one above the limit.
    failures: VecDeque<i64>,
}

impl RestartBackoff {
    /// For a job that has not failed yet.
    pub fn new(strategy: RestartStrategy) -> Self {
        let backoff_ms = match strategy {
            RestartStrategy::ExponentialDelay(delay) => milliseconds(delay.initial_backoff_ms),
            RestartStrategy::None | RestartStrategy::FixedDelay(_) | RestartStrategy::FailureRate(_) => 0.0,
        };
        Self { strategy, attempts: 0, backoff_ms, waits_until: None, failures: VecDeque::new() }
    }

    /// The job has failed at `now_ms`. `random` is from 0 to 1, for the jitter.
    pub fn on_failure(&mut self, now_ms: i64, random: f64) -> Restart {
        match self.strategy {
            RestartStrategy::None => Restart::Never("no restart strategy is set ('restart-strategy.type')".to_owned()),
            RestartStrategy::FixedDelay(delay) => self.fixed(delay),
            RestartStrategy::ExponentialDelay(delay) => self.exponential(delay, now_ms, random),
            RestartStrategy::FailureRate(rate) => self.rate(rate, now_ms),
        }
    }

    fn fixed(&mut self, FixedDelay { attempts, delay_ms }: FixedDelay) -> Restart {
        if self.attempts >= attempts {
            let limit = "'restart-strategy.fixed-delay.attempts'";
            return Restart::Never(format!("it was tried again {attempts} times, which is the limit of {limit}"));
        }
        self.attempts += 1;
        Restart::After(delay_ms)
    }

    fn exponential(&mut self, delay: ExponentialDelay, now_ms: i64, random: f64) -> Restart {
        let ran_well = |until: i64| now_ms.saturating_sub(until) >= delay.reset_backoff_threshold_ms;
        if self.waits_until.is_some_and(ran_well) {
            self.attempts = 0;
            self.backoff_ms = milliseconds(delay.initial_backoff_ms);
        }
        let limit = delay.attempts_before_reset_backoff;
        if limit != ExponentialDelay::UNLIMITED && self.attempts >= limit {
            let option = "'restart-strategy.exponential-delay.attempts-before-reset-backoff'";
            return Restart::Never(format!("it was tried again {limit} times, which is the limit of {option}"));
        }
        self.attempts += 1;
        let jitter = self.backoff_ms * delay.jitter_factor * (2.0 * random - 1.0);
        let most = milliseconds(delay.max_backoff_ms);
        let wait = whole((self.backoff_ms + jitter).clamp(0.0, most));
        self.backoff_ms = (self.backoff_ms * delay.backoff_multiplier).min(most);
        self.waits_until = Some(now_ms.saturating_add(wait));
        Restart::After(wait)
    }

    fn rate(&mut self, rate: FailureRate, now_ms: i64) -> Restart {
        self.failures.push_back(now_ms);
        let limit = rate.max_failures_per_interval;
        while self.failures.len() > limit as usize + 1 {
            self.failures.pop_front();
        }
        let too_many = self.failures.len() > limit as usize;
        match self.failures.front() {
            Some(first) if too_many && now_ms.saturating_sub(*first) <= rate.interval_ms => Restart::Never(format!(
                "it failed {} times within {} ms, and {limit} is the limit of \
                 'restart-strategy.failure-rate.max-failures-per-interval'",
                self.failures.len(),
                rate.interval_ms
            )),
            Some(_) | None => Restart::After(rate.delay_ms),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a wait of 2^53 ms is 285,000 years")]
fn milliseconds(whole: i64) -> f64 {
    whole as f64
}

#[expect(clippy::cast_possible_truncation, reason = "it is within the greatest wait, which was a whole number")]
fn whole(milliseconds: f64) -> i64 {
    milliseconds.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The waits after failures at these times, -1 for the end.
    fn waits(strategy: RestartStrategy, failures: &[i64], random: f64) -> Vec<i64> {
        let mut backoff = RestartBackoff::new(strategy);
        failures
            .iter()
            .map(|now| match backoff.on_failure(*now, random) {
                Restart::After(wait) => wait,
                Restart::Never(_) => -1,
            })
            .collect()
    }

    #[test]
    fn without_a_strategy_the_first_failure_is_the_last() {
        assert_eq!(waits(RestartStrategy::None, &[0], 0.5), [-1]);
    }

    #[test]
    fn fixed_delay_tries_so_often_and_no_more() {
        let strategy = |attempts| RestartStrategy::FixedDelay(FixedDelay { attempts, delay_ms: 500 });
        assert_eq!(waits(strategy(2), &[0, 1_000_000, 2_000_000_000], 0.5), [500, 500, -1]);
        assert_eq!(waits(strategy(0), &[0], 0.5), [-1]);
        let reason = RestartBackoff::new(strategy(0)).on_failure(0, 0.5);
        let expected = "it was tried again 0 times, which is the limit of 'restart-strategy.fixed-delay.attempts'";
        assert_eq!(reason, Restart::Never(expected.to_owned()));
    }

    #[test]
    fn exponential_delay_grows_up_to_the_greatest_and_falls_back_when_all_is_well() {
        let delay = ExponentialDelay { reset_backoff_threshold_ms: 100_000, ..ExponentialDelay::default() };
        let strategy = RestartStrategy::ExponentialDelay(delay);
        let failures = [0, 1_000, 2_500, 5_000, 8_000, 14_000, 21_000, 33_000, 50_000, 76_000, 110_000, 160_000];
        let expected = [1_000, 1_500, 2_250, 3_375, 5_063, 7_594, 11_391, 17_086, 25_629, 38_443, 57_665, 60_000];
        assert_eq!(waits(strategy, &failures, 0.5), expected);
        // The job ran well only from the end of the wait on.
        let mut backoff = RestartBackoff::new(strategy);
        assert_eq!(backoff.on_failure(0, 0.5), Restart::After(1_000));
        assert_eq!(backoff.on_failure(100_999, 0.5), Restart::After(1_500), "1 ms too early");
        assert_eq!(backoff.on_failure(100_999 + 1_500 + 100_000, 0.5), Restart::After(1_000));
    }

    #[test]
    fn jitter_spreads_waits_on_both_sides_and_never_beyond_the_greatest() {
        let strategy = RestartStrategy::ExponentialDelay(ExponentialDelay::default());
        assert_eq!(waits(strategy, &[0], 0.0), [900]);
        assert_eq!(waits(strategy, &[0], 1.0), [1_100]);
        let long = ExponentialDelay { initial_backoff_ms: 60_000, ..ExponentialDelay::default() };
        assert_eq!(waits(RestartStrategy::ExponentialDelay(long), &[0], 1.0), [60_000]);
    }

    #[test]
    fn exponential_delay_gives_up_after_so_many_tries_without_rest() {
        let delay = ExponentialDelay {
            attempts_before_reset_backoff: 2,
            reset_backoff_threshold_ms: 1_000,
            ..ExponentialDelay::default()
        };
        let strategy = RestartStrategy::ExponentialDelay(delay);
        assert_eq!(waits(strategy, &[0, 1, 2], 0.5), [1_000, 1_500, -1]);
        assert_eq!(waits(strategy, &[0, 1, 5_000], 0.5), [1_000, 1_500, 1_000]);
    }

    #[test]
    fn failure_rate_bears_so_many_failures_in_an_interval() {
        let rate = FailureRate { max_failures_per_interval: 2, interval_ms: 100, delay_ms: 7 };
        let strategy = RestartStrategy::FailureRate(rate);
        assert_eq!(waits(strategy, &[0, 50, 100], 0.5), [7, 7, -1]);
        assert_eq!(waits(strategy, &[0, 50, 101, 151, 152], 0.5), [7, 7, 7, 7, -1]);
        let once = FailureRate { max_failures_per_interval: 1, interval_ms: 60_000, delay_ms: 1_000 };
        assert_eq!(waits(RestartStrategy::FailureRate(once), &[0, 60_000], 0.5), [1_000, -1]);
    }
}
