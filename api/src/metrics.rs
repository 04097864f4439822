//! `GET …/metrics`, `GET …/subtasks/metrics` and `GET …/watermarks`: measurements by name; and those that stand in
//! other bodies.
//!
//! Without `?get=` a list of metrics names what there is, with it the values of what was named. Names that are not
//! there are left out of the answer.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A measurement. A list of them is the answer of a job, a vertex (`0.numRecordsIn`: of its subtask 0) and of
/// `…/watermarks` (`0.currentInputWatermark`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// Its name.
    pub id: String,
    /// Its value as text; absent where the names were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl Metric {
    /// A metric that has a value.
    pub fn of(id: impl Into<String>, value: impl ToString) -> Self {
        Self { id: id.into(), value: Some(value.to_string()) }
    }

    /// A metric's name alone.
    pub fn named(id: impl Into<String>) -> Self {
        Self { id: id.into(), value: None }
    }
}

/// A measurement of all subtasks of a vertex in a few numbers: those that were asked for, and none where the names
/// were asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AggregatedMetric {
    /// The metric's name.
    pub id: String,
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The greatest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg: Option<f64>,
    /// The sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// How unevenly the values are spread: 0 when all are the same, up to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<f64>,
}

/// A number that sums up the values of a metric: what `?agg=` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Aggregation {
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// The mean.
    Avg,
    /// The sum.
    Sum,
    /// How unevenly the values are spread.
    Skew,
}

impl Aggregation {
    /// All of them: what is answered when none is asked for.
    pub const ALL: [Self; 5] = [Self::Min, Self::Max, Self::Avg, Self::Sum, Self::Skew];

    /// The word in a query and the field in the answer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Avg => "avg",
            Self::Sum => "sum",
            Self::Skew => "skew",
        }
    }
}

/// What has gone through a vertex or a subtask, as it stands in their bodies. Over several subtasks these are sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "the shape is Flink's")]
pub struct IoMetrics {
    /// Bytes that came from other vertices.
    pub read_bytes: u64,
    /// Whether every subtask has told how many.
    pub read_bytes_complete: bool,
    /// Bytes that went to other vertices.
    pub write_bytes: u64,
    /// Whether every subtask has told how many.
    pub write_bytes_complete: bool,
    /// Rows that came from other vertices.
    pub read_records: u64,
    /// Whether every subtask has told how many.
    pub read_records_complete: bool,
    /// Rows that went to other vertices.
    pub write_records: u64,
    /// Whether every subtask has told how many.
    pub write_records_complete: bool,
    /// Milliseconds spent waiting for those that read from it.
    pub accumulated_backpressured_time: i64,
    /// Milliseconds spent waiting for rows.
    pub accumulated_idle_time: i64,
    /// Milliseconds spent working; the text `NaN` where that is not measured.
    #[serde(with = "not_a_number")]
    #[schemars(with = "NumberOrNan")]
    pub accumulated_busy_time: Option<f64>,
}

/// A number, or the text `NaN` for one that is not known: how Flink writes it.
mod not_a_number {
    use super::{Deserialize, Deserializer, NumberOrNan, Serialize, Serializer};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number.filter(|number| number.is_finite()) {
            Some(number) => number.serialize(serializer),
            None => "NaN".serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        match NumberOrNan::deserialize(deserializer)? {
            NumberOrNan::Number(number) => Ok(Some(number)),
            NumberOrNan::Nan(Nan::Nan) => Ok(None),
        }
    }

    use super::Nan;
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrNan {
    Number(f64),
    Nan(Nan),
}

#[derive(Deserialize)]
enum Nan {
    #[serde(rename = "NaN")]
    Nan,
}

impl JsonSchema for NumberOrNan {
    fn schema_name() -> Cow<'static, str> {
        "NumberOrNaN".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "const": "NaN" }] })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    /// What [`RECORDED`] says.
    pub(crate) fn sample() -> IoMetrics {
        IoMetrics {
            read_bytes: 262_036,
            read_bytes_complete: true,
            write_bytes: 0,
            write_bytes_complete: true,
            read_records: 5006,
            read_records_complete: true,
            write_records: 0,
            write_records_complete: true,
            accumulated_backpressured_time: 0,
            accumulated_idle_time: 1_253_894,
            accumulated_busy_time: Some(1746.0),
        }
    }

    /// The `metrics` of a vertex as Flink writes them.
    pub(crate) const RECORDED: &str = r#"{"read-bytes":262036,"read-bytes-complete":true,"write-bytes":0,
        "write-bytes-complete":true,"read-records":5006,"read-records-complete":true,"write-records":0,
        "write-records-complete":true,"accumulated-backpressured-time":0,"accumulated-idle-time":1253894,
        "accumulated-busy-time":1746.0}"#;

    #[test]
    fn io_metrics_have_flinks_shape() {
        is_written_and_read_as(&sample(), RECORDED);
    }

    #[test]
    fn busy_time_that_is_not_measured_is_written_as_flink_does() {
        let unmeasured = IoMetrics { accumulated_busy_time: None, ..sample() };
        is_written_and_read_as(&unmeasured, &RECORDED.replace("1746.0", r#""NaN""#));
        let infinite = IoMetrics { accumulated_busy_time: Some(f64::NAN), ..sample() };
        assert_eq!(serde_json::to_value(infinite).unwrap(), serde_json::to_value(unmeasured).unwrap());
        assert!(serde_json::from_str::<IoMetrics>(&RECORDED.replace("1746.0", r#""much""#)).is_err());
    }

    #[test]
    fn lists_of_metrics_have_flinks_shape() {
        let watermarks = vec![Metric::of("0.currentInputWatermark", 15_599)];
        is_written_and_read_as(&watermarks, r#"[{"id":"0.currentInputWatermark","value":"15599"}]"#);
        let names = vec![Metric::named("numRestarts"), Metric::named("runningTime")];
        is_written_and_read_as(&names, r#"[{"id":"numRestarts"},{"id":"runningTime"}]"#);
    }

    #[test]
    fn aggregated_metrics_have_flinks_shape() {
        let id = "busyTimeMsPerSecond".to_owned();
        let two = AggregatedMetric { id, max: Some(2.0), sum: Some(4.0), ..AggregatedMetric::default() };
        is_written_and_read_as(&vec![two], r#"[{"id":"busyTimeMsPerSecond","max":2.0,"sum":4.0}]"#);
        let all = AggregatedMetric {
            id: "numRecordsIn".to_owned(),
            min: Some(2067.0),
            max: Some(3098.0),
            avg: Some(2582.5),
            sum: Some(5165.0),
            skew: Some(19.961_277_831_558_565),
        };
        let recorded = r#"{"id":"numRecordsIn","min":2067.0,"max":3098.0,"avg":2582.5,"sum":5165.0,
            "skew":19.961277831558565}"#;
        is_written_and_read_as(&all, recorded);
    }

    #[test]
    fn words_of_aggregations_are_the_fields_of_the_answer() {
        let all = AggregatedMetric {
            id: "x".to_owned(),
            min: Some(0.0),
            max: Some(0.0),
            avg: Some(0.0),
            sum: Some(0.0),
            skew: Some(0.0),
        };
        let written = serde_json::to_value(all).unwrap();
        assert_eq!(written.as_object().unwrap().len(), 1 + Aggregation::ALL.len());
        assert!(Aggregation::ALL.iter().all(|aggregation| written.get(aggregation.word()).is_some()));
    }
}
