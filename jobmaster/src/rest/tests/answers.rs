//! Every path has an answer of the body that it is said to have, and what has no answer says why.

use std::collections::BTreeSet;
use std::sync::Arc;

use millstream_api::openapi::{ENDPOINTS, Method};
use millstream_api::{
    Aggregation, Client, ClientError, ExceptionsQuery, JobState, MetricsQuery, OperationState, StopRequest,
    SubtaskMetricsQuery, paths,
};

use super::cluster::{Cluster, ROWS, manifest};
use super::http::Server;
use crate::job_manager::{self, now_ms};
use crate::job_store::JobStore;
use crate::resource::driver::Standalone;
use crate::rest::Limits;
use millstream_storage::Storage;

fn client(server: &Server) -> Client {
    Client::new(&server.address.to_string()).unwrap()
}

fn refused(answer: Result<impl std::fmt::Debug, ClientError>) -> (u16, Vec<String>) {
    match answer.unwrap_err() {
        ClientError::Refused { status, errors } => (status, errors),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn every_endpoint_answers_with_its_body() {
    let mut cluster = Cluster::start();
    cluster.worker("w", 4).await;
    let server = Server::start(&cluster, Limits::default()).await;
    let client = client(&server);
    let mut asked = BTreeSet::new();
    macro_rules! ask {
        ($method:ident($($argument:expr),*)) => {{
            asked.insert(stringify!($method));
            client.$method($($argument),*).await.unwrap_or_else(|error| panic!("{}: {error}", stringify!($method)))
        }};
    }

    let submitted = ask!(submit(&manifest("counts", 2, "", ROWS)));
    let job = submitted.jid.as_str();
    assert_eq!(submitted.job_url, format!("/jobs/{job}"));
    cluster.until(|manager| manager.jobs().all(|job| job.master().slots_missing() == 0)).await;
    assert_eq!(ask!(overview()).taskmanagers, 1);
    assert_eq!(ask!(dashboard_config()).refresh_interval, 3000);
    assert!(!ask!(jobmanager_config()).is_empty());
    assert_eq!(ask!(jobs()).jobs[0].id, job);
    assert_eq!(ask!(jobs_overview()).jobs[0].name, "counts");
    let details = ask!(job(job));
    let vertex = details.vertices[1].id.as_str();
    assert_eq!(vertex.len(), 32);
    assert_eq!(ask!(job_status(job)).status, JobState::Running);
    assert_eq!(ask!(job_plan(job)).plan, details.plan);
    assert_eq!(ask!(job_config(job)).jid, job);
    assert!(ask!(job_exceptions(job, &ExceptionsQuery::default())).exception_history.entries.is_empty());
    assert!(ask!(job_metrics(job, &MetricsQuery::default())).iter().any(|metric| metric.id == "numRestarts"));
    assert_eq!(ask!(vertex(job, vertex)).subtasks.len(), 2);
    ask!(vertex_backpressure(job, vertex));
    ask!(vertex_watermarks(job, vertex));
    ask!(vertex_metrics(job, vertex, &MetricsQuery { get: vec!["0.numRecordsIn".to_owned()] }));
    let query = SubtaskMetricsQuery { get: vec!["numRecordsIn".to_owned()], agg: vec![Aggregation::Sum] };
    assert_eq!(ask!(subtask_metrics(job, vertex, &query))[0].max, None);
    assert_eq!(ask!(subtask(job, vertex, 1)).latest.subtask, 1);
    assert_eq!(ask!(taskmanagers()).taskmanagers.len(), 1);
    assert_eq!(ask!(taskmanager("w")).allocated_slots.len(), 2);
    let stop = ask!(stop(job, &StopRequest::default()));
    assert_eq!(ask!(savepoint(job, &stop.request_id)).status.id, OperationState::InProgress);
    ask!(cancel(job));

    let all: BTreeSet<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.name).collect();
    assert_eq!(asked, all);
}

#[tokio::test]
async fn every_path_is_there_below_v1_too() {
    let mut cluster = Cluster::start();
    cluster.worker("w", 1).await;
    let job = cluster.run("counts", 1).await;
    let vertex = cluster.read(move |manager| crate::rest::known::vertex_id(manager.job(job).unwrap().graph(), 0)).await;
    let server = Server::start(&cluster, Limits::default()).await;
    for template in paths::ALL {
        let path = template.replace("{jobid}", &job.to_string()).replace("{vertexid}", &vertex);
        let path = path.replace("{subtaskindex}", "0").replace("{taskmanagerid}", "w").replace("{triggerid}", "0");
        let answers = ENDPOINTS.iter().any(|endpoint| endpoint.path == *template && endpoint.method == Method::Get);
        let expected = match *template {
            paths::JOB_SAVEPOINT => 404,
            _ if answers => 200,
            _ => 405,
        };
        for prefix in ["", paths::VERSION_1] {
            let answer = server.ask("GET", &format!("{prefix}{path}")).await;
            assert_eq!(answer.status(), expected, "{prefix}{path}: {answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
            assert!(!answer.body().contains("Not found:"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn the_document_and_the_metrics_are_there() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    assert_eq!(server.ask("GET", "/openapi.json").await.body(), millstream_api::openapi::text());
    let metrics = server.ask("GET", "/metrics").await;
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4"));
    assert!(metrics.body().contains("\nflink_jobmanager_numRunningJobs 0\n"), "{metrics:?}");
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let unknown = server.ask("GET", "/x?y=1").await;
    assert_eq!((unknown.status(), unknown.errors()), (404, vec!["Not found: /x".to_owned()]));
    let below = server.ask("GET", "/v1/x/y").await;
    assert_eq!((below.status(), below.errors()), (404, vec!["Not found: /v1/x/y".to_owned()]));
    let id = "0123456789abcdef0123456789abcdef";
    let job = server.ask("GET", &format!("/jobs/{id}")).await;
    assert_eq!((job.status(), job.errors()), (404, vec![format!("job {id} is not known")]));
    let malformed = server.ask("GET", "/jobs/flights").await;
    let words = "Invalid URL: `flights` is not the id of a job, which has 32 hexadecimal digits";
    assert_eq!((malformed.status(), malformed.errors()), (400, vec![words.to_owned()]));
    let query = server.ask("GET", &format!("/jobs/{id}/exceptions?maxExceptions=many")).await;
    assert_eq!((query.status(), query.errors().len()), (400, 1));
}

#[tokio::test]
async fn methods_are_those_of_the_table() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let wrong = server.ask("DELETE", "/jobs").await;
    assert_eq!((wrong.status(), wrong.header("allow")), (405, Some("GET,HEAD,POST")));
    assert!(wrong.errors()[0].starts_with("DELETE is not possible at /jobs"), "{wrong:?}");
    let options = server.ask("OPTIONS", "/v1/overview").await;
    assert_eq!((options.status(), options.header("allow")), (405, Some("GET,HEAD")));
    let (head, get) = (server.ask("HEAD", "/config").await, server.ask("GET", "/config").await);
    assert_eq!((head.status(), head.body()), (200, ""));
    assert_eq!(head.header("content-length"), get.header("content-length"));
}

#[tokio::test]
async fn a_manifest_that_cannot_be_used_says_all_that_is_wrong() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let client = client(&server);
    let (status, errors) = refused(client.submit("kind: Nothing\nspec: 7\n").await);
    assert!(status == 400 && errors.len() > 1, "{status} {errors:?}");
    let binary = server
        .exchange(b"POST /jobs HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n\xff\xfe")
        .await;
    assert_eq!((binary.status(), binary.errors()), (400, vec!["the manifest is not UTF-8 text".to_owned()]));
    let first = cluster.submit("counts", 1, ROWS).await;
    let (status, errors) = refused(client.submit(&manifest("counts", 1, "", ROWS)).await);
    assert_eq!((status, errors.len()), (409, 1));
    assert!(errors[0].contains(&first.to_string()), "{errors:?}");
}

#[tokio::test]
async fn jobs_that_have_ended_are_not_ended_again() {
    let mut cluster = Cluster::start();
    cluster.worker("w", 1).await;
    let failed = cluster.fail("failed").await.to_string();
    let waiting = cluster.run("canceled", 1).await;
    cluster.cancel(waiting).await;
    let server = Server::start(&cluster, Limits::default()).await;
    let of_this = client(&server);
    let gone = format!("job {failed} is FAILED: it has ended");
    assert_eq!(refused(of_this.cancel(&failed).await), (409, vec![gone.clone()]));
    assert_eq!(refused(of_this.stop(&failed, &StopRequest::default()).await), (409, vec![gone.clone()]));
    of_this.cancel(&waiting.to_string()).await.unwrap();
    server.end().await.unwrap();
    let again = cluster.started_again().await;
    let server = Server::start(&again, Limits::default()).await;
    let of_next = client(&server);
    assert_eq!(refused(of_next.cancel(&failed).await), (409, vec![gone.clone()]));
    assert_eq!(refused(of_next.stop(&failed, &StopRequest::default()).await), (409, vec![gone]));
    let vertex = refused(of_next.vertex(&failed, "0").await);
    assert_eq!(vertex, (404, vec![format!("job {failed} has no vertex 0")]));
}

#[tokio::test]
async fn a_stop_that_cannot_be_is_refused() {
    let mut cluster = Cluster::start();
    cluster.worker("w", 1).await;
    let job = cluster.run("counts", 1).await.to_string();
    let server = Server::start(&cluster, Limits::default()).await;
    let client = client(&server);
    let with_savepoint = StopRequest { target_directory: Some("file:///s".to_owned()), drain: false };
    let (status, errors) = refused(client.stop(&job, &with_savepoint).await);
    assert_eq!(status, 400);
    assert!(errors[0].contains("there are no savepoints yet"), "{errors:?}");
    assert_eq!(refused(client.savepoint(&job, "nothing").await).0, 404);
    let unreadable = server.post(&paths::job_stop(&job), "", "[").await;
    assert_eq!(unreadable.status(), 400);
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let answer = server.post("/jobs", "origin: https://evil.example\r\n", &manifest("counts", 1, "", ROWS)).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.errors()[0].contains("https://evil.example"), "{answer:?}");
    assert_eq!(cluster.read(|manager| manager.jobs().count()).await, 0);
}

#[tokio::test]
async fn a_jobmaster_that_has_ended_says_so() {
    let settings = job_manager::Settings::new(JobStore::new(Storage::in_memory()), Arc::new(now_ms));
    let (handle, jobmaster) = job_manager::start(settings, Box::new(Standalone));
    drop(jobmaster);
    let server = Server::over(handle, Limits::default()).await;
    for (method, path) in [("GET", "/overview"), ("POST", "/jobs/0123456789abcdef0123456789abcdef/stop")] {
        let answer = server.ask(method, path).await;
        assert_eq!((answer.status(), answer.errors()), (503, vec!["the jobmaster is ending".to_owned()]));
    }
}
