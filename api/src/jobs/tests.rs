//! Jobs as Flink 2.3 wrote them.

use super::*;
use crate::testing::is_written_and_read_as;
use crate::{plan, vertices};

const ID: &str = "9c067a173e760c1c11186670f61795bf";

fn line() -> JobOverview {
    JobOverview {
        jid: ID.to_owned(),
        name: "counts".to_owned(),
        job_type: JobType::Streaming,
        scheduler_type: SchedulerType::Adaptive,
        start_time: 1_795_612_153_984,
        end_time: -1,
        duration: 630_149,
        state: JobState::Running,
        last_modification: 1_795_612_155_785,
        tasks: TaskCounts { total: 4, running: 3, initializing: 1, ..TaskCounts::default() },
        pending_operators: 0,
        detail: None,
        restarts: 0,
    }
}

const LINE: &str = r#"{"jid":"9c067a173e760c1c11186670f61795bf","name":"counts","jobType":"STREAMING",
    "schedulerType":"Adaptive","start-time":1795612153984,"end-time":-1,"duration":630149,"state":"RUNNING",
    "last-modification":1795612155785,"tasks":{"running":3,"canceling":0,"canceled":0,"total":4,"created":0,
    "scheduled":0,"deploying":0,"reconciling":0,"finished":0,"initializing":1,"failed":0},"pending-operators":0}"#;

/// An object with more fields.
fn with(object: &str, fields: &str) -> String {
    format!("{},{fields}}}", object.strip_suffix('}').unwrap())
}

fn details() -> JobDetails {
    JobDetails {
        jid: ID.to_owned(),
        application_id: ID.to_owned(),
        name: "counts".to_owned(),
        is_stoppable: false,
        state: JobState::Running,
        job_type: JobType::Streaming,
        scheduler_type: SchedulerType::Adaptive,
        start_time: 1_795_612_153_984,
        end_time: -1,
        duration: 630_178,
        max_parallelism: -1,
        now: 1_795_612_784_162,
        timestamps: JobTimestamps {
            initializing: 1_795_612_153_984,
            created: 1_795_612_154_901,
            running: 1_795_612_154_988,
            ..JobTimestamps::default()
        },
        vertices: vec![vertices::tests::summary()],
        status_counts: StateCounts { running: 1, ..StateCounts::default() },
        plan: plan::tests::sample(),
        pending_operators: 0,
        detail: None,
        restarts: 0,
    }
}

fn details_text() -> String {
    format!(
        r#"{{"jid":"{ID}","application-id":"{ID}","name":"counts","isStoppable":false,"state":"RUNNING",
        "job-type":"STREAMING","schedulerType":"Adaptive","start-time":1795612153984,"end-time":-1,"duration":630178,
        "maxParallelism":-1,"now":1795612784162,
        "timestamps":{{"INITIALIZING":1795612153984,"SUSPENDED":0,"RESTARTING":0,"FAILED":0,"FAILING":0,"CANCELLING":0,
          "FINISHED":0,"CANCELED":0,"RECONCILING":0,"RUNNING":1795612154988,"CREATED":1795612154901}},
        "vertices":[{}],
        "status-counts":{{"CREATED":0,"SCHEDULED":0,"RUNNING":1,"FINISHED":0,"FAILED":0,"INITIALIZING":0,"DEPLOYING":0,
          "CANCELED":0,"RECONCILING":0,"CANCELING":0}},
        "plan":{},"pending-operators":0}}"#,
        vertices::tests::summary_text(),
        plan::tests::RECORDED
    )
}

#[test]
fn list_has_flinks_shape() {
    let id = |id: &str, status| JobIdWithStatus { id: id.to_owned(), status };
    let body = JobIds { jobs: vec![id("de789b5721357f15", JobState::Failed), id(ID, JobState::Running)] };
    let recorded = r#"{"jobs":[{"id":"de789b5721357f15","status":"FAILED"},
        {"id":"9c067a173e760c1c11186670f61795bf","status":"RUNNING"}]}"#;
    is_written_and_read_as(&body, recorded);
    is_written_and_read_as(&JobStatus { status: JobState::Cancelling }, r#"{"status":"CANCELLING"}"#);
}

#[test]
fn overview_has_flinks_shape() {
    is_written_and_read_as(&JobsOverview::default(), r#"{"jobs":[]}"#);
    let recorded = format!(r#"{{"jobs":[{LINE}]}}"#);
    let body = JobsOverview { jobs: vec![line()] };
    assert_eq!(serde_json::from_str::<JobsOverview>(&recorded).unwrap(), body);
    is_written_and_read_as(&body, &recorded.replace("}]", r#","restarts":0}]"#));
}

#[test]
fn job_has_flinks_shape() {
    assert_eq!(serde_json::from_str::<JobDetails>(&details_text()).unwrap(), details());
    is_written_and_read_as(&details(), &with(&details_text(), r#""restarts":0"#));
}

#[test]
fn what_flink_does_not_have_stands_in_fields_of_its_own() {
    let detail = Some("waits for 2 of 4 slots".to_owned());
    let added = r#""detail":"waits for 2 of 4 slots","restarts":3"#;
    let body = JobOverview { state: JobState::Created, detail: detail.clone(), restarts: 3, ..line() };
    is_written_and_read_as(&body, &with(&LINE.replace("RUNNING", "CREATED"), added));
    let body = JobDetails { detail, restarts: 3, ..details() };
    is_written_and_read_as(&body, &with(&details_text(), added));
}

#[test]
fn states_have_flinks_words() {
    let words: Vec<String> = JobState::ALL.iter().map(|state| serde_json::to_string(state).unwrap()).collect();
    let expected = [
        "INITIALIZING",
        "CREATED",
        "RUNNING",
        "FAILING",
        "FAILED",
        "CANCELLING",
        "CANCELED",
        "FINISHED",
        "RESTARTING",
        "SUSPENDED",
        "RECONCILING",
    ];
    assert_eq!(words, expected.map(|word| format!("{word:?}")));
}

#[test]
fn each_state_has_the_timestamp_of_its_name() {
    for state in JobState::ALL {
        let mut timestamps = JobTimestamps::default();
        *timestamps.time_of(state) = 7;
        let word = serde_json::to_value(state).unwrap();
        let written = serde_json::to_value(timestamps).unwrap();
        assert_eq!(written[word.as_str().unwrap()], 7);
        assert_eq!(written.as_object().unwrap().values().filter(|time| **time != 0).count(), 1);
    }
}

#[test]
fn total_is_the_sum_of_all_states() {
    let counts: StateCounts = vertices::TaskState::ALL.into_iter().collect();
    let written = serde_json::to_value(TaskCounts::from(counts)).unwrap();
    assert_eq!(written["total"], 10);
    assert!(written.as_object().unwrap().iter().all(|(word, count)| word == "total" || *count == 1));
}
