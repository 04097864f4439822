//! Vertices and subtasks as Flink 2.3 wrote them.

use super::*;
use crate::metrics;
use crate::testing::is_written_and_read_as;

const ID: &str = "f6dc7f4d2283f4605b127b9364e21148";
const NAME: &str = "GlobalWindowAggregate[6] -> Calc[7] -> o[8]: Writer";

/// What [`summary_text`] says.
pub(crate) fn summary() -> VertexSummary {
    VertexSummary {
        id: ID.to_owned(),
        slot_sharing_group_id: "84a6e75de4f604e9f3548ca57609c01e".to_owned(),
        name: NAME.to_owned(),
        max_parallelism: 128,
        parallelism: 2,
        status: TaskState::Running,
        start_time: 1_795_612_154_991,
        end_time: -1,
        duration: 629_171,
        tasks: StateCounts { running: 2, ..StateCounts::default() },
        metrics: metrics::tests::sample(),
    }
}

/// A vertex as it stands in the answer about a job.
pub(crate) fn summary_text() -> String {
    format!(
        r#"{{"id":"{ID}","slotSharingGroupId":"84a6e75de4f604e9f3548ca57609c01e","name":"{NAME}",
        "maxParallelism":128,"parallelism":2,"status":"RUNNING","start-time":1795612154991,"end-time":-1,
        "duration":629171,"tasks":{{"CREATED":0,"SCHEDULED":0,"RUNNING":2,"FINISHED":0,"FAILED":0,"INITIALIZING":0,
        "DEPLOYING":0,"CANCELED":0,"RECONCILING":0,"CANCELING":0}},"metrics":{}}}"#,
        metrics::tests::RECORDED
    )
}

fn subtask() -> Subtask {
    Subtask {
        subtask: 0,
        status: TaskState::Running,
        attempt: 1,
        endpoint: "localhost:45285".to_owned(),
        start_time: 1_795_612_154_991,
        end_time: -1,
        duration: 629_441,
        metrics: metrics::tests::sample(),
        taskmanager_id: "127.0.0.1:44625-31901e".to_owned(),
        status_duration: StatusDuration {
            created: 46,
            scheduled: 12,
            running: 628_662,
            initializing: 464,
            deploying: 316,
        },
    }
}

fn subtask_text() -> String {
    format!(
        r#"{{"subtask":0,"status":"RUNNING","attempt":1,"endpoint":"localhost:45285","start-time":1795612154991,
        "end-time":-1,"duration":629441,"metrics":{},"taskmanager-id":"127.0.0.1:44625-31901e",
        "status-duration":{{"CREATED":46,"SCHEDULED":12,"RUNNING":628662,"INITIALIZING":464,"DEPLOYING":316}}}}"#,
        metrics::tests::RECORDED
    )
}

#[test]
fn vertex_of_a_job_has_flinks_shape() {
    is_written_and_read_as(&summary(), &summary_text());
}

#[test]
fn vertex_has_flinks_shape() {
    let body = VertexDetails {
        id: ID.to_owned(),
        name: NAME.to_owned(),
        parallelism: 2,
        max_parallelism: 128,
        now: 1_795_612_784_432,
        subtasks: vec![subtask()],
    };
    let recorded = format!(
        r#"{{"id":"{ID}","name":"{NAME}","parallelism":2,"maxParallelism":128,"now":1795612784432,"subtasks":[{}]}}"#,
        subtask_text()
    );
    is_written_and_read_as(&body, &recorded);
}

#[test]
fn subtask_has_flinks_shape_and_its_earlier_tries() {
    let mut body = SubtaskDetails { latest: subtask(), earlier_attempts: Vec::new() };
    is_written_and_read_as(&body, &subtask_text());
    body.earlier_attempts.push(Subtask {
        status: TaskState::Failed,
        attempt: 0,
        endpoint: Subtask::UNASSIGNED.to_owned(),
        taskmanager_id: Subtask::UNASSIGNED.to_owned(),
        status_duration: StatusDuration::default(),
        ..subtask()
    });
    let earlier = subtask_text()
        .replace(r#""status":"RUNNING","attempt":1"#, r#""status":"FAILED","attempt":0"#)
        .replace(r#""endpoint":"localhost:45285""#, r#""endpoint":"(unassigned)""#)
        .replace("127.0.0.1:44625-31901e", "(unassigned)")
        .replace(
            r#""CREATED":46,"SCHEDULED":12,"RUNNING":628662,"INITIALIZING":464,"DEPLOYING":316"#,
            r#""CREATED":-1,"SCHEDULED":-1,"RUNNING":-1,"INITIALIZING":-1,"DEPLOYING":-1"#,
        );
    let latest = subtask_text();
    let latest = latest.strip_suffix('}').unwrap();
    is_written_and_read_as(&body, &format!(r#"{latest},"earlier-attempts":[{earlier}]}}"#));
}

#[test]
fn backpressure_has_flinks_shape() {
    let body = VertexBackpressure::of(
        1_795_612_802_249,
        vec![SubtaskBackpressure::of(0, 0.0, 0.998, 0.002), SubtaskBackpressure::of(1, 0.75, 0.0, 0.25)],
    );
    let recorded = r#"{"status":"ok","backpressureLevel":"high","end-timestamp":1795612802249,"subtasks":[
        {"subtask":0,"backpressureLevel":"ok","ratio":0.0,"idleRatio":0.998,"busyRatio":0.002},
        {"subtask":1,"backpressureLevel":"high","ratio":0.75,"idleRatio":0.0,"busyRatio":0.25}]}"#;
    is_written_and_read_as(&body, recorded);
    is_written_and_read_as(&VertexBackpressure::of(0, Vec::new()), r#"{"status":"deprecated"}"#);
}

#[test]
fn levels_have_flinks_bounds() {
    let bounds = [(0.0, "ok"), (0.1, "ok"), (0.11, "low"), (0.5, "low"), (0.51, "high"), (1.0, "high")];
    for (ratio, word) in bounds {
        assert_eq!(serde_json::to_value(BackpressureLevel::of(ratio)).unwrap(), word, "{ratio}");
    }
}

#[test]
fn each_state_is_counted_in_the_field_of_its_name() {
    for state in TaskState::ALL {
        let counts: StateCounts = [state, state].into_iter().collect();
        let word = serde_json::to_value(state).unwrap();
        let written = serde_json::to_value(counts).unwrap();
        assert_eq!(written[word.as_str().unwrap()], 2);
        let all: u64 = written.as_object().unwrap().values().filter_map(serde_json::Value::as_u64).sum();
        assert_eq!(all, 2);
    }
}
