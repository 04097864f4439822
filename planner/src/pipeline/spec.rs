//! A pipeline as it is written: sources, transformations and sinks, wired by name.
//!
//! The comments are the reference in `docs/pipeline.md`, and the schema of these types is what a pipeline is checked with
//! before it is read into them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Sources, transformations and sinks.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pipeline {
    /// Where rows come from.
    #[schemars(length(min = 1))]
    pub sources: Vec<Source>,
    /// What is done with them. The order does not matter; `from` says what follows what.
    #[serde(default)]
    pub transformations: Vec<Transformation>,
    /// Where results go.
    #[schemars(length(min = 1))]
    pub sinks: Vec<Sink>,
}

/// A stream of rows from outside.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What `from` calls the rows.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The outside system, as in `WITH ('connector' = …)`.
    pub connector: String,
    /// How its bytes are read, as in `WITH ('format' = …)`.
    #[serde(default)]
    pub format: Option<String>,
    /// The connector's and the format's other options, by their Flink names.
    #[serde(default)]
    pub options: BTreeMap<String, OptionText>,
    /// The columns.
    pub schema: Columns,
    /// Where the time of a row is, and how late rows may be. Without it there is no event time.
    #[serde(default)]
    pub event_time: Option<EventTime>,
    /// After how long without rows a split no longer holds the watermark back; `0s` is never. As the option
    /// `table.exec.source.idle-timeout` says unless set.
    #[serde(default)]
    pub idle_timeout: Option<String>,
    /// What becomes of rows that cannot be decoded or have no event time. `deadLetter` if there is a `deadLetterOutput`, else `fail`.
    #[serde(default)]
    pub bad_rows: Option<BadRows>,
    /// What `from` calls the rows that are bad. Their columns are `split`, `row`, `reason` and `raw`.
    #[serde(default)]
    pub dead_letter_output: Option<String>,
    /// How it runs.
    #[serde(flatten)]
    pub placement: Placement,
}

/// A step between sources and sinks: exactly one of `filter`, `select`, `flatMap`, `assignEventTime` and `aggregate`, or
/// none of them and a list as `from`, which makes one stream of several.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transformation {
    /// What `from` calls the result.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The stream that it reads: a source, another transformation, a late or a dead-letter output. A list of streams of
    /// the same columns is their union.
    pub from: Names,
    /// Keeps the rows for which this condition is true.
    #[serde(default)]
    pub filter: Option<String>,
    /// The columns of the result: `*` for all columns, a column, or an expression `AS` a name.
    #[schemars(length(min = 1))]
    #[serde(default)]
    pub select: Option<Vec<String>>,
    /// A list `AS` a name: each element makes a row with all the columns and the element.
    #[serde(default)]
    pub flat_map: Option<String>,
    /// Takes the time of each row from a column. Its watermark stays that of the source.
    #[serde(default)]
    pub assign_event_time: Option<AssignEventTime>,
    /// What is computed of the rows of each key and window: calls of aggregate functions `AS` names. The columns of the
    /// result are the keys, `window_start` and `window_end` (not for global and count windows), and these.
    #[schemars(length(min = 1))]
    #[serde(default)]
    pub aggregate: Option<Vec<String>>,
    /// With `aggregate`: the columns, or expressions `AS` names, that rows are grouped by. Without it all rows are one group,
    /// and one subtask does the work.
    #[serde(default)]
    pub key_by: Option<Names>,
    /// With `aggregate`: which rows are computed together.
    #[serde(default)]
    pub window: Option<Window>,
    /// With `aggregate`: the wall clock at which a row arrives is its time.
    #[serde(default)]
    pub processing_time: Option<bool>,
    /// With `aggregate`: when a window gives out its result. At its end, unless set; `never` for global windows.
    #[serde(default)]
    pub trigger: Option<Trigger>,
    /// With `aggregate`: which rows of a window are seen, at each firing. All unless set.
    #[serde(default)]
    pub evictor: Option<Evictor>,
    /// With `aggregate`: how long after its end a window takes late rows. Each makes it give out its result again.
    #[serde(default)]
    pub allowed_lateness: Option<String>,
    /// With `aggregate`: what `from` calls the rows that came too late for all their windows. They are counted in any case.
    #[serde(default)]
    pub late_output: Option<String>,
    /// How it runs.
    #[serde(flatten)]
    pub placement: Placement,
}

/// A stream of rows to outside.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sink {
    /// What messages call it.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The stream that it writes: a source, a transformation, a late or a dead-letter output.
    pub from: String,
    /// The outside system, as in `WITH ('connector' = …)`.
    pub connector: String,
    /// How rows are written, as in `WITH ('format' = …)`.
    #[serde(default)]
    pub format: Option<String>,
    /// The connector's and the format's other options, by their Flink names.
    #[serde(default)]
    pub options: BTreeMap<String, OptionText>,
    /// Columns that the output is divided by, as in `PARTITIONED BY`.
    #[serde(default)]
    pub partition_by: Vec<String>,
    /// Columns whose rows of equal values are written by one subtask, in their order. As they come unless set.
    #[serde(default)]
    pub key_by: Option<Names>,
    /// How it runs.
    #[serde(flatten)]
    pub placement: Placement,
}

/// How an operator runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Names the operator's state, so that it is found again when the program changes. It follows from the name, the keys
    /// and the window unless set.
    #[serde(default)]
    pub uid: Option<String>,
    /// How many subtasks it has. The job's parallelism unless set.
    #[schemars(range(min = 1, max = 32768))]
    #[serde(default)]
    pub parallelism: Option<u32>,
    /// Operators of different groups never share a slot. The group of what it reads unless set; `default` for sources.
    #[serde(default)]
    pub slot_sharing_group: Option<String>,
    /// Whether it may run in one task with its neighbours. `always` unless set.
    #[serde(default)]
    pub chaining: Option<Chaining>,
}

/// Whether an operator may share a task with its neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Chaining {
    /// Where rows need not be spread.
    Always,
    /// Not with what it reads.
    Head,
    /// Neither with what it reads nor with what reads it.
    Never,
}

/// What becomes of bad rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BadRows {
    /// The job fails with the first.
    Fail,
    /// They are counted.
    Skip,
    /// They are counted and go to the dead-letter output.
    DeadLetter,
}

/// Where the time of a row is, and what is promised about later ones.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventTime {
    /// A column of type `TIMESTAMP(3)`, `TIMESTAMP_LTZ(3)` or `BIGINT` (milliseconds since 1970).
    pub column: String,
    /// How far behind the greatest time so far a row may be and still be on time. `0s` unless set.
    #[serde(default)]
    pub delay: Option<String>,
    /// Instead of `delay`: an expression over the columns whose greatest value is the watermark, as in SQL.
    #[serde(default)]
    pub watermark: Option<String>,
}

/// Another time for rows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignEventTime {
    /// A column of type `TIMESTAMP(3)`, `TIMESTAMP_LTZ(3)` or `BIGINT` (milliseconds since 1970).
    pub column: String,
}

/// Which rows of a key are computed together.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Window {
    /// Windows of one length, one after the other.
    #[serde(rename_all = "camelCase")]
    Tumbling {
        /// The length.
        size: String,
        /// By how much the windows are shifted, perhaps backwards. `0s` unless set.
        #[serde(default)]
        offset: Option<String>,
    },
    /// Windows of one length that overlap.
    #[serde(rename_all = "camelCase")]
    Sliding {
        /// The length.
        size: String,
        /// How long after one the next begins.
        slide: String,
        /// By how much the windows are shifted, perhaps backwards. `0s` unless set.
        #[serde(default)]
        offset: Option<String>,
    },
    /// Windows that begin together and grow by steps up to a length.
    #[serde(rename_all = "camelCase")]
    Cumulating {
        /// The longest; a multiple of the step.
        max_size: String,
        /// By how much they grow.
        step: String,
        /// By how much the windows are shifted, perhaps backwards. `0s` unless set.
        #[serde(default)]
        offset: Option<String>,
    },
    /// Windows that last as long as rows are no further apart than a gap.
    #[serde(rename_all = "camelCase")]
    Session {
        /// The gap.
        #[serde(default)]
        gap: Option<String>,
        /// Instead of `gap`: a column or expression with the gap of each row, in milliseconds.
        #[serde(default)]
        gap_column: Option<String>,
    },
    /// One window for all rows.
    Global {},
    /// Windows of a number of rows.
    #[serde(rename_all = "camelCase")]
    Count {
        /// How many rows.
        #[schemars(range(min = 1))]
        size: u64,
        /// After how many rows each time. As `size` unless set: then rows are in one window each.
        #[schemars(range(min = 1))]
        #[serde(default)]
        slide: Option<u64>,
    },
}

/// When a window gives out its result.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Trigger {
    /// When the watermark passes the window's end, and for each late row within the allowed lateness.
    EventTime,
    /// When the wall clock passes the window's end.
    ProcessingTime,
    /// At the end of the input; for global windows.
    EndOfStream,
    /// Never.
    Never,
    /// Every so many rows, and not at the window's end.
    Count(#[schemars(range(min = 1))] u64),
    /// At each multiple of this interval after the first row, and at the window's end.
    ContinuousEventTime(String),
    /// The same by the wall clock.
    ContinuousProcessingTime(String),
    /// When a number has moved by more than a threshold since the row that fired last.
    Delta(Delta),
    /// As another trigger, and forgets the window's rows each time.
    Purging(Box<Self>),
    /// As another trigger, or when no row came for a time of the wall clock.
    #[serde(rename_all = "camelCase")]
    ProcessingTimeout {
        /// How long without rows.
        timeout: String,
        /// The other trigger.
        trigger: Box<Self>,
    },
}

/// Which rows of a window are seen; the others are forgotten.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Evictor {
    /// The last so many.
    Count(#[schemars(range(min = 1))] u64),
    /// Those that are no further than this from the latest.
    Time(String),
    /// Those whose number is less than a threshold away from that of the last row.
    Delta(Delta),
}

/// A number of each row, and how far it may move.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delta {
    /// A column or expression with the number.
    pub value: String,
    /// The distance.
    pub threshold: f64,
}

/// Columns, in order as a list, or as a mapping from names to types for formats that find columns by name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Columns {
    /// Each `name TYPE`, as in `CREATE TABLE`.
    List(#[schemars(length(min = 1))] Vec<String>),
    /// Name: type.
    Mapping(BTreeMap<String, String>),
}

/// A name, or a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    /// One.
    One(String),
    /// Several.
    Several(#[schemars(length(min = 1))] Vec<String>),
}

impl Names {
    /// The names in order.
    pub fn iter(&self) -> std::slice::Iter<'_, String> {
        match self {
            Self::One(name) => std::slice::from_ref(name).iter(),
            Self::Several(names) => names.iter(),
        }
    }
}

/// The value of a connector's option: text, or a number or boolean that is taken as the text it was written as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionText(pub String);

impl<'de> Deserialize<'de> for OptionText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            other @ (Value::Number(_) | Value::Bool(_)) => Ok(Self(other.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(serde::de::Error::custom("an option is text, a number or a boolean"))
            }
        }
    }
}

impl JsonSchema for OptionText {
    fn schema_name() -> Cow<'static, str> {
        "OptionText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}
