//! What stands behind the `?` of a request: read by the server, written by the client.
//!
//! Lists are separated by commas, as in Flink: `?get=numRecordsIn,numRecordsOut&agg=max,sum`.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::metrics::Aggregation;
use crate::paths::encoded;

/// Of `GET /jobs/{jobid}/metrics` and `GET /jobs/{jobid}/vertices/{vertexid}/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct MetricsQuery {
    /// The metrics whose values are wanted. If none is named, the answer is the names of all.
    #[serde(default, deserialize_with = "list")]
    pub get: Vec<String>,
}

impl MetricsQuery {
    /// As it stands in a URI: empty, or with a `?` before it.
    pub fn to_query(&self) -> String {
        query(&[("get", joined(&self.get))])
    }
}

/// Of `GET /jobs/{jobid}/vertices/{vertexid}/subtasks/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SubtaskMetricsQuery {
    /// The metrics that are wanted. If none is named, the answer is the names of all.
    #[serde(default, deserialize_with = "list")]
    pub get: Vec<String>,
    /// The numbers that are wanted of each. If none is named, all.
    #[serde(default, deserialize_with = "aggregations")]
    pub agg: Vec<Aggregation>,
}

impl SubtaskMetricsQuery {
    /// As it stands in a URI: empty, or with a `?` before it.
    pub fn to_query(&self) -> String {
        let words: Vec<&str> = self.agg.iter().map(|aggregation| aggregation.word()).collect();
        query(&[("get", joined(&self.get)), ("agg", joined(&words))])
    }

    /// The numbers that are wanted of each metric: all if none is named.
    pub fn aggregations(&self) -> &[Aggregation] {
        if self.agg.is_empty() { &Aggregation::ALL } else { &self.agg }
    }
}

/// Of `GET /jobs/{jobid}/exceptions`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionsQuery {
    /// How many failures are wanted; all that are remembered unless set.
    #[serde(default)]
    pub max_exceptions: Option<u32>,
}

impl ExceptionsQuery {
    /// As it stands in a URI: empty, or with a `?` before it.
    pub fn to_query(&self) -> String {
        query(&[("maxExceptions", self.max_exceptions.map(|most| most.to_string()).unwrap_or_default())])
    }
}

/// Of `PATCH /jobs/{jobid}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct CancelQuery {
    /// How the job is to end.
    #[serde(default)]
    pub mode: TerminationMode,
}

impl CancelQuery {
    /// As it stands in a URI, with a `?` before it.
    pub fn to_query(&self) -> String {
        match self.mode {
            TerminationMode::Cancel => query(&[("mode", "cancel".to_owned())]),
        }
    }
}

/// How a job is to end. (Flink's `stop` is `POST /jobs/{jobid}/stop` since long.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TerminationMode {
    /// At once and without a savepoint.
    #[default]
    Cancel,
}

/// The texts between commas; an empty text has none.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(text.split(',').filter(|item| !item.is_empty()).map(str::to_owned).collect())
}

fn aggregations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Aggregation>, D::Error> {
    list(deserializer)?.iter().map(|word| aggregation(word).map_err(D::Error::custom)).collect()
}

fn aggregation(word: &str) -> Result<Aggregation, String> {
    let named = Aggregation::ALL.into_iter().find(|aggregation| aggregation.word().eq_ignore_ascii_case(word));
    named.ok_or_else(|| format!("unknown aggregation `{word}`: there are min, max, avg, sum and skew"))
}

/// What is not empty, as `?name=value&name=value`. Values are encoded already.
fn query(parameters: &[(&str, String)]) -> String {
    let set = parameters.iter().filter(|(_, value)| !value.is_empty());
    let pairs: Vec<String> = set.map(|(name, value)| format!("{name}={value}")).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

fn joined(items: &[impl AsRef<str>]) -> String {
    items.iter().map(|item| encoded(item.as_ref())).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn queries_are_written_as_flink_reads_them() {
        assert_eq!(MetricsQuery::default().to_query(), "");
        assert_eq!(
            MetricsQuery { get: names(&["0.Calc[7].numBytesIn", "b"]) }.to_query(),
            "?get=0.Calc%5B7%5D.numBytesIn,b"
        );
        let query = SubtaskMetricsQuery { get: names(&["a"]), agg: vec![Aggregation::Max, Aggregation::Sum] };
        assert_eq!(query.to_query(), "?get=a&agg=max,sum");
        assert_eq!(ExceptionsQuery { max_exceptions: Some(5) }.to_query(), "?maxExceptions=5");
        assert_eq!(ExceptionsQuery::default().to_query(), "");
        assert_eq!(CancelQuery::default().to_query(), "?mode=cancel");
    }

    #[test]
    fn lists_are_read() {
        let query: SubtaskMetricsQuery = serde_json::from_value(json!({"get": "a,b", "agg": "MAX,sum"})).unwrap();
        assert_eq!(query.get, names(&["a", "b"]));
        assert_eq!(query.agg, [Aggregation::Max, Aggregation::Sum]);
        let empty: SubtaskMetricsQuery = serde_json::from_value(json!({"get": ""})).unwrap();
        assert_eq!(empty, SubtaskMetricsQuery::default());
        assert_eq!(empty.aggregations(), Aggregation::ALL);
    }

    #[test]
    fn unknown_words_are_named() {
        let error = serde_json::from_value::<SubtaskMetricsQuery>(json!({"agg": "max,median"})).unwrap_err();
        assert_eq!(error.to_string(), "unknown aggregation `median`: there are min, max, avg, sum and skew");
        let error = serde_json::from_value::<CancelQuery>(json!({"mode": "stop"})).unwrap_err();
        assert_eq!(error.to_string(), "unknown variant `stop`, expected `cancel`");
    }
}
