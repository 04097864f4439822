//! The table of options: name, type, default, meaning, and what each sets. Adding one is a line here and a field of
//! [`JobOptions`].

use std::fmt;

use chrono_tz::Tz;
use millstream_connectors::options::parse_duration;
use millstream_crds::check::nearest;

use super::restart::RestartKind;
use super::{JobOptions, OptionError};

/// An option.
#[derive(Debug)]
pub struct OptionDefinition {
    /// Flink's name of it.
    pub name: &'static str,
    /// Other names of the same.
    pub aliases: &'static [&'static str],
    /// The type of its value, and where it goes.
    pub kind: Kind,
    /// The default, as the documentation shows it.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What a user who sets it should be told, after "the option". `None`: it does what it says.
    pub remark: Option<&'static str>,
}

/// The type of an option, and the field that it sets.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Any text that is not empty.
    Text(fn(&mut JobOptions, &str)),
    /// The name of a time zone.
    TimeZone(fn(&mut JobOptions, &str)),
    /// `true` or `false`.
    Boolean(fn(&mut JobOptions, bool)),
    /// A whole number between two.
    Whole(u32, u32, fn(&mut JobOptions, u32)),
    /// A number between two.
    Decimal(f64, f64, fn(&mut JobOptions, f64)),
    /// A duration, in milliseconds.
    Duration(fn(&mut JobOptions, i64)),
    /// A word, whatever its case, and what it stands for.
    Restart(&'static [(&'static str, RestartKind)]),
    /// A word of these, which changes nothing.
    Fixed(&'static [&'static str]),
}

/// All options, in the order of the documentation.
pub static OPTIONS: &[OptionDefinition] = &[
    OptionDefinition::new(
        "pipeline.name",
        Kind::Text(|options, value| options.name = Some(value.to_owned())),
        "the manifest's name",
        "What the job is called where people see it.",
    ),
    OptionDefinition::new(
        "parallelism.default",
        Kind::Whole(1, 32_768, |options, value| options.parallelism = value),
        "1",
        "How many subtasks each operator has. The field `spec.parallelism` wins over it.",
    )
    .also_called(&["table.exec.resource.default-parallelism"]),
    OptionDefinition::new(
        "pipeline.max-parallelism",
        Kind::Whole(1, 32_768, |options, value| options.max_parallelism = value),
        "4096",
        "The number of key groups, which is the greatest parallelism that the job can ever be given. The field \
         `spec.maxParallelism` wins over it.",
    ),
    OptionDefinition::new(
        "pipeline.operator-chaining.enabled",
        Kind::Boolean(|options, value| options.operator_chaining = value),
        "true",
        "Whether operators that need no exchange between them run in one task.",
    )
    .also_called(&["pipeline.operator-chaining"]),
    OptionDefinition::new(
        "table.local-time-zone",
        Kind::TimeZone(|options, value| options.time_zone = value.to_owned()),
        "UTC",
        "The time zone, by its IANA name, in which text without a zone is read and local times are shown. `default` \
         is UTC, not the machine's zone, so that a job gives the same results wherever it runs. The field \
         `spec.timeZone` wins over it.",
    ),
    OptionDefinition::new(
        "table.exec.source.idle-timeout",
        Kind::Duration(|options, value| options.source_idle_timeout_ms = (value > 0).then_some(value)),
        "60 s",
        "After how long without rows a split of a source counts as idle and no longer holds the watermark back. `0` \
         is never, which is Flink's default.",
    ),
    OptionDefinition::new(
        "table.exec.state.ttl",
        Kind::Duration(|options, value| options.state_ttl_ms = (value > 0).then_some(value)),
        "0",
        "How long after its last change the state of a key is kept by aggregations without windows. `0` is for ever. \
         Windows forget by themselves.",
    )
    .with_remark("has no effect yet: state is kept as long as its window"),
    OptionDefinition::new(
        "pipeline.auto-watermark-interval",
        Kind::Duration(|_, _| {}),
        "",
        "How often Flink makes watermarks.",
    )
    .with_remark("has no effect: watermarks follow the rows, not the clock"),
    OptionDefinition::new(
        "execution.runtime-mode",
        Kind::Fixed(&["streaming"]),
        "streaming",
        "Only `streaming` is supported: a job over bounded input ends by itself, with the same results.",
    ),
    OptionDefinition::new(
        "restart-strategy.type",
        Kind::Restart(&[
            ("none", RestartKind::None),
            ("off", RestartKind::None),
            ("disable", RestartKind::None),
            ("fixed-delay", RestartKind::FixedDelay),
            ("fixeddelay", RestartKind::FixedDelay),
            ("exponential-delay", RestartKind::ExponentialDelay),
            ("exponentialdelay", RestartKind::ExponentialDelay),
            ("failure-rate", RestartKind::FailureRate),
            ("failurerate", RestartKind::FailureRate),
        ]),
        "exponential-delay",
        "Whether and when a failed job is started again; `millstream run` does not unless this is set. A failure that would come again, such as a division by zero, ends the \
         job in any case. The field `spec.restartStrategy` wins over this and the following ones.",
    )
    .also_called(&["restart-strategy"]),
    OptionDefinition::new(
        "restart-strategy.fixed-delay.attempts",
        Kind::Whole(0, 2_147_483_647, |options, value| options.restart.fixed_delay.attempts = value),
        "1",
        "How many times the job is started again before it fails for good.",
    ),
    OptionDefinition::new(
        "restart-strategy.fixed-delay.delay",
        Kind::Duration(|options, value| options.restart.fixed_delay.delay_ms = value),
        "1 s",
        "How long to wait before each.",
    ),
    OptionDefinition::new(
        "restart-strategy.exponential-delay.initial-backoff",
        Kind::Duration(|options, value| options.restart.exponential_delay.initial_backoff_ms = value),
        "1 s",
        "The first wait.",
    ),
    OptionDefinition::new(
        "restart-strategy.exponential-delay.max-backoff",
        Kind::Duration(|options, value| options.restart.exponential_delay.max_backoff_ms = value),
        "1 min",
        "The longest wait.",
    ),
    OptionDefinition::new(
        "restart-strategy.exponential-delay.backoff-multiplier",
        Kind::Decimal(1.0, 1e9, |options, value| options.restart.exponential_delay.backoff_multiplier = value),
        "1.5",
        "By how much the wait grows with each failure.",
    ),
    OptionDefinition::new(
        "restart-strategy.exponential-delay.reset-backoff-threshold",
        Kind::Duration(|options, value| options.restart.exponential_delay.reset_backoff_threshold_ms = value),
        "1 h",
        "How long the job must run without a failure for the wait to fall back to the first one.",
    ),
    OptionDefinition::new(
        "restart-strategy.exponential-delay.jitter-factor",
        Kind::Decimal(0.0, 1.0, |options, value| options.restart.exponential_delay.jitter_factor = value),
        "0.1",
        "The share of the wait that is added or taken away at random.",
    ),
    OptionDefinition::new(
        "restart-strategy.exponential-delay.attempts-before-reset-backoff",
        Kind::Whole(0, 2_147_483_647, |options, value| {
            options.restart.exponential_delay.attempts_before_reset_backoff = value;
        }),
        "2147483647",
        "How many times the job is started again without having run well in between, before it fails for good. The \
         greatest number is without limit.",
    ),
    OptionDefinition::new(
        "restart-strategy.failure-rate.max-failures-per-interval",
        Kind::Whole(0, 2_147_483_647, |options, value| {
            options.restart.failure_rate.max_failures_per_interval = value;
        }),
        "1",
        "How many failures in an interval are borne.",
    ),
    OptionDefinition::new(
        "restart-strategy.failure-rate.failure-rate-interval",
        Kind::Duration(|options, value| options.restart.failure_rate.interval_ms = value),
        "1 min",
        "The interval.",
    ),
    OptionDefinition::new(
        "restart-strategy.failure-rate.delay",
        Kind::Duration(|options, value| options.restart.failure_rate.delay_ms = value),
        "1 s",
        "How long to wait before each start.",
    ),
];

/// Beginnings of names that Flink has and that mean nothing here, with the reason. The first that fits is used.
pub static REFUSED: &[(&str, &str)] = &[
    ("execution.checkpointing.", "checkpoints do not exist yet"),
    ("execution.savepoint", "savepoints do not exist yet"),
    ("execution.state-recovery.", "savepoints do not exist yet"),
    ("state.", "there is one state backend, in memory, and checkpoints do not exist yet"),
    ("table.exec.mini-batch.", "rows always travel in batches"),
    ("table.optimizer.", "it tunes Flink's optimizer"),
    ("table.exec.async-", "it tunes Flink's runtime"),
    ("execution.batch", "there is no batch mode"),
    ("sql-client.", "it is about Flink's SQL client"),
    ("taskmanager.", "it is about Flink's processes"),
    ("jobmanager.", "it is about Flink's processes"),
    ("kubernetes.", "it is about Flink's processes"),
    ("high-availability", "it is about Flink's processes"),
    ("rest.", "it is about Flink's processes"),
    ("metrics.", "it is about Flink's processes"),
    ("table.", "nothing here follows from it"),
    ("pipeline.", "nothing here follows from it"),
    ("execution.", "nothing here follows from it"),
    ("restart-strategy.", "there is no such setting of a restart strategy"),
];

impl OptionDefinition {
    const fn new(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self { name, aliases: &[], kind, default, doc, remark: None }
    }

    const fn also_called(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn with_remark(self, remark: &'static str) -> Self {
        Self { remark: Some(remark), ..self }
    }

    /// Parses `value` and sets the field. `key` is the name that the user gave, for the error.
    pub(super) fn set(&self, key: &str, value: &str, options: &mut JobOptions) -> Result<(), OptionError> {
        let text = value.trim();
        self.kind.set(text, options).map_err(|expected| OptionError::Value {
            key: key.to_owned(),
            value: value.to_owned(),
            expected,
        })
    }
}

impl Kind {
    /// `Err`: what the value should be.
    fn set(&self, text: &str, options: &mut JobOptions) -> Result<(), String> {
        match *self {
            Self::Text(set) if !text.is_empty() => set(options, text),
            Self::TimeZone(set) => set(options, time_zone(text)?),
            Self::Boolean(set) => set(options, boolean(text).ok_or_else(|| self.expected())?),
            Self::Whole(least, most, set) => {
                let number = text.parse().ok().filter(|number| (least..=most).contains(number));
                set(options, number.ok_or_else(|| self.expected())?);
            }
            Self::Decimal(least, most, set) => {
                let number = text.parse().ok().filter(|number| (least..=most).contains(number));
                set(options, number.ok_or_else(|| self.expected())?);
            }
            Self::Duration(set) => set(options, milliseconds(text).ok_or_else(|| self.expected())?),
            Self::Restart(words) => {
                let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
                options.restart.kind = Some(found.ok_or_else(|| self.expected())?.1);
            }
            Self::Fixed(words) if words.iter().any(|word| word.eq_ignore_ascii_case(text)) => {}
            Self::Text(_) | Self::Fixed(_) => return Err(self.expected()),
        }
        Ok(())
    }

    fn expected(&self) -> String {
        match self {
            Self::Text(_) => "some text".to_owned(),
            Self::TimeZone(_) => "the IANA name of a time zone such as Europe/Berlin".to_owned(),
            Self::Boolean(_) => "true or false".to_owned(),
            Self::Whole(least, most, _) => format!("a whole number from {least} to {most}"),
            Self::Decimal(least, most, _) if *most >= 1e9 => format!("a number of at least {least}"),
            Self::Decimal(least, most, _) => format!("a number from {least} to {most}"),
            Self::Duration(_) => "a duration such as '5 s', '1 min' or '200 ms'".to_owned(),
            Self::Restart(_) => "none, fixed-delay, exponential-delay or failure-rate".to_owned(),
            Self::Fixed(words) => words.join(" or "),
        }
    }
}

/// The type of an option in the documentation.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("text"),
            Self::TimeZone(_) => f.write_str("time zone"),
            Self::Duration(_) => f.write_str("duration"),
            Self::Boolean(_) | Self::Whole(..) | Self::Decimal(..) | Self::Restart(_) | Self::Fixed(_) => {
                f.write_str(self.expected().trim_start_matches("a "))
            }
        }
    }
}

fn time_zone(text: &str) -> Result<&str, String> {
    if text == "default" {
        return Ok("UTC");
    }
    let zones = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    if text.parse::<Tz>().is_ok() {
        return Ok(text);
    }
    let hint = nearest(text, zones()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
    Err(format!("the IANA name of a time zone such as Europe/Berlin{hint}"))
}

fn boolean(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}

fn milliseconds(text: &str) -> Option<i64> {
    parse_duration(text).and_then(|duration| i64::try_from(duration.as_millis()).ok())
}
