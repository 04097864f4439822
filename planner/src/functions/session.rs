//! What a function may know beside its arguments: the session's time zone, a clock that it was given, and caches of
//! compiled patterns.
//!
//! Patterns (regular expressions, date formats, JSON paths) are nearly always literals. Compiling one per batch would
//! be noticeable with small batches and per row would be ruinous, so each sort has a small cache, shared by all slots
//! of a worker: one short read lock per batch.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::Result;

use super::java_regex::JavaRegex;
use super::json_path::JsonPath;
use super::random::JavaRandom;
use super::time_format::TimeFormat;
use super::zone::Zone;

/// Answers the time in milliseconds since 1970-01-01 00:00:00 UTC. Called once per batch and function call.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Shared by all functions of one registry.
pub(super) struct Session {
    /// `table.local-time-zone`.
    pub(super) zone: Zone,
    /// The only source of the current time.
    pub(super) clock: Clock,
    /// Compiled Java regular expressions, by their text.
    pub(super) regexes: Cache<JavaRegex>,
    /// Compiled date patterns, by style and text.
    pub(super) formats: Cache<TimeFormat>,
    /// Compiled JSON paths, by their text.
    pub(super) paths: Cache<JsonPath>,
    /// Time zones that queries name, by their name.
    pub(super) zones: Cache<Zone>,
    /// The generators of `RAND(seed)`, by seed; `None` is the one without a seed.
    pub(super) randoms: Mutex<HashMap<Option<i64>, JavaRandom>>,
}

impl Session {
    /// A session in the zone of this IANA name (or `GMT+08:00` and the like).
    pub(super) fn new(zone: &str, clock: Clock) -> Result<Self> {
        Ok(Self {
            zone: Zone::parse(zone)?,
            clock,
            regexes: Cache::default(),
            formats: Cache::default(),
            paths: Cache::default(),
            zones: Cache::default(),
            randoms: Mutex::new(HashMap::new()),
        })
    }

    /// The Arrow type of `TIMESTAMP_LTZ`: a timestamp in the session's zone.
    pub(super) fn instant_type(&self, unit: TimeUnit) -> DataType {
        DataType::Timestamp(unit, Some(self.zone.name().into()))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("zone", &self.zone).finish_non_exhaustive()
    }
}

/// How many compiled patterns of a sort are kept. A job has a handful; patterns that come from a column would otherwise
/// grow without bound.
const CACHED: usize = 256;

/// A bounded map from the text of a pattern to what it compiles to. When full it is emptied: patterns in use come back
/// at once.
pub(super) struct Cache<V> {
    compiled: RwLock<HashMap<String, Arc<V>>>,
}

impl<V> Default for Cache<V> {
    fn default() -> Self {
        Self { compiled: RwLock::new(HashMap::new()) }
    }
}

impl<V> Cache<V> {
    /// What `key` compiles to. Failures are not kept.
    pub(super) fn get<E>(&self, key: &str, compile: impl FnOnce(&str) -> Result<V, E>) -> Result<Arc<V>, E> {
        if let Some(found) = self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(Arc::clone(found));
        }
        let value = Arc::new(compile(key)?);
        let mut compiled = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= CACHED {
            compiled.clear();
        }
        compiled.insert(key.to_owned(), Arc::clone(&value));
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_compiled_once_and_the_cache_stays_bounded() {
        let cache = Cache::<usize>::default();
        let mut compiled = 0;
        for round in 0..3 {
            for key in 0..10 {
                let value = cache.get(&key.to_string(), |_| {
                    compiled += 1;
                    Ok::<_, ()>(key)
                });
                assert_eq!(value.map(|value| *value), Ok(key), "round {round}");
            }
        }
        assert_eq!(compiled, 10);
        for key in 0..2 * CACHED {
            let _ = cache.get(&format!("more {key}"), |_| Ok::<_, ()>(key));
        }
        assert!(cache.compiled.read().unwrap().len() <= CACHED);
    }
}
