//! `GET /jobs/{jobid}/plan`, and the plan inside `GET /jobs/{jobid}`: vertices and what flows between them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::jobs::JobType;

/// The answer that has only the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobPlan {
    /// The plan.
    pub plan: Plan,
}

/// A job as a graph. What pages draw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The job's id.
    pub jid: String,
    /// The job's name.
    pub name: String,
    /// Whether its input ends.
    #[serde(rename = "type")]
    pub job_type: JobType,
    /// Its vertices, each after those that it reads from.
    pub nodes: Vec<PlanNode>,
}

/// A vertex: operators that run in one task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlanNode {
    /// The vertex's id.
    pub id: String,
    /// Empty in Flink 2; there for pages that read it.
    #[serde(default)]
    pub operator: String,
    /// How many subtasks it has.
    pub parallelism: u32,
    /// Empty in Flink 2; there for pages that read it.
    #[serde(default)]
    pub operator_strategy: String,
    /// What it does; lines are separated by `<br/>`.
    pub description: String,
    /// Empty in Flink 2; there for pages that read it.
    #[serde(default)]
    pub optimizer_properties: Map<String, Value>,
    /// What it reads from; absent at a source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PlanInput>,
}

/// An edge, as seen from the vertex that reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanInput {
    /// The vertex that writes.
    pub id: String,
    /// Which of the reader's inputs this is, from 0.
    pub num: u32,
    /// How rows are handed over; `pipelined_bounded` when they flow while both run.
    pub exchange: String,
    /// How rows are spread over the reader's subtasks: `FORWARD`, `HASH`, `REBALANCE`, `BROADCAST` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ship_strategy: Option<String>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::testing::is_written_and_read_as;

    /// The plan of [`RECORDED`].
    pub(crate) fn sample() -> Plan {
        let source = "cbc357ccb763df2852fee8c4fc7d55f2";
        let input = PlanInput {
            id: source.to_owned(),
            num: 0,
            exchange: "pipelined_bounded".to_owned(),
            ship_strategy: Some("HASH".to_owned()),
        };
        let node = |id: &str, description: &str| PlanNode {
            id: id.to_owned(),
            parallelism: 2,
            description: description.to_owned(),
            ..PlanNode::default()
        };
        let window = PlanNode {
            inputs: vec![input],
            ..node("f6dc7f4d2283f4605b127b9364e21148", "[6]:GlobalWindowAggregate<br/>+- o[8]: Writer<br/>")
        };
        Plan {
            jid: "9c067a173e760c1c11186670f61795bf".to_owned(),
            name: "counts".to_owned(),
            job_type: JobType::Streaming,
            nodes: vec![node(source, "[1]:TableSourceScan<br/>"), window],
        }
    }

    /// A plan as Flink writes it, with shorter descriptions.
    pub(crate) const RECORDED: &str = r#"{"jid":"9c067a173e760c1c11186670f61795bf","name":"counts","type":"STREAMING",
        "nodes":[
          {"id":"cbc357ccb763df2852fee8c4fc7d55f2","operator":"","parallelism":2,"operator_strategy":"",
           "description":"[1]:TableSourceScan<br/>","optimizer_properties":{}},
          {"id":"f6dc7f4d2283f4605b127b9364e21148","operator":"","parallelism":2,"operator_strategy":"",
           "description":"[6]:GlobalWindowAggregate<br/>+- o[8]: Writer<br/>","optimizer_properties":{},
           "inputs":[{"id":"cbc357ccb763df2852fee8c4fc7d55f2","num":0,"exchange":"pipelined_bounded",
                      "ship_strategy":"HASH"}]}]}"#;

    #[test]
    fn plan_has_flinks_shape() {
        is_written_and_read_as(&JobPlan { plan: sample() }, &format!(r#"{{"plan":{RECORDED}}}"#));
    }
}
