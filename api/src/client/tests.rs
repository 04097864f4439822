//! The client against servers that answer, refuse, are silent, write too much or nonsense.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::{Expect, expect};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::metrics::Aggregation;
use crate::openapi::ENDPOINTS;
use crate::{JobState, Savepoint};

/// A request as a server saw it.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    request: String,
    content_type: String,
    body: String,
}

/// What servers have seen, in order.
type Log = Arc<Mutex<Vec<Seen>>>;

/// Answers every request with the same status and text, and writes down what was asked.
async fn server(status: u16, answer: &str) -> (Client, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&listener.local_addr().unwrap().to_string()).unwrap();
    let log = Log::default();
    let (answer, seen) = (Bytes::copy_from_slice(answer.as_bytes()), Arc::clone(&log));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (answer, seen) = (answer.clone(), Arc::clone(&seen));
            let service = service_fn(move |request| respond(request, status, answer.clone(), Arc::clone(&seen)));
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (client, log)
}

async fn respond(
    request: Request<Incoming>,
    status: u16,
    answer: Bytes,
    seen: Log,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let line = format!("{} {}", request.method(), request.uri());
    let content_type = request.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    seen.lock().unwrap().push(Seen { request: line, content_type: content_type.unwrap_or_default(), body });
    Ok(Response::builder().status(status).body(Full::new(answer)).unwrap())
}

/// Lets `talk` have the first connection, once a request has come on it.
async fn raw_server<F>(options: ClientOptions, talk: impl FnOnce(TcpStream) -> F + Send + 'static) -> Client
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::with_options(&listener.local_addr().unwrap().to_string(), options).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1000];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        talk(stream).await;
    });
    client
}

/// Compares what an error says, without the port.
#[track_caller]
fn says(client: &Client, error: &ClientError, expected: &Expect) {
    expected.assert_eq(&error.to_string().replace(client.address(), "host:port"));
}

#[tokio::test]
async fn every_endpoint_is_asked_for_as_the_table_says() {
    let (client, log) = server(404, r#"{"errors": ["no"]}"#).await;
    let metrics = MetricsQuery::default();
    let refused = [
        client.overview().await.is_err(),
        client.dashboard_config().await.is_err(),
        client.jobmanager_config().await.is_err(),
        client.jobs().await.is_err(),
        client.submit("kind: StreamJob\n").await.is_err(),
        client.jobs_overview().await.is_err(),
        client.job("{jobid}").await.is_err(),
        client.cancel("{jobid}").await.is_err(),
        client.job_status("{jobid}").await.is_err(),
        client.job_plan("{jobid}").await.is_err(),
        client.job_config("{jobid}").await.is_err(),
        client.job_exceptions("{jobid}", &ExceptionsQuery::default()).await.is_err(),
        client.job_metrics("{jobid}", &metrics).await.is_err(),
        client.stop("{jobid}", &StopRequest::default()).await.is_err(),
        client.savepoint("{jobid}", "{triggerid}").await.is_err(),
        client.vertex("{jobid}", "{vertexid}").await.is_err(),
        client.vertex_backpressure("{jobid}", "{vertexid}").await.is_err(),
        client.vertex_watermarks("{jobid}", "{vertexid}").await.is_err(),
        client.vertex_metrics("{jobid}", "{vertexid}", &metrics).await.is_err(),
        client.subtask_metrics("{jobid}", "{vertexid}", &SubtaskMetricsQuery::default()).await.is_err(),
        client.subtask("{jobid}", "{vertexid}", 0).await.is_err(),
        client.taskmanagers().await.is_err(),
        client.taskmanager("{taskmanagerid}").await.is_err(),
    ];
    assert!(refused.iter().all(|refused| *refused));
    let plain = |seen: &Seen| seen.request.replace("%7B", "{").replace("%7D", "}").replace("?mode=cancel", "");
    let asked: Vec<String> = log.lock().unwrap().iter().map(plain).collect();
    let in_table = |endpoint: &crate::openapi::Endpoint| format!("{} {}", endpoint.method.word(), endpoint.path);
    let table: Vec<String> =
        ENDPOINTS.iter().map(|endpoint| in_table(endpoint).replace("{subtaskindex}", "0")).collect();
    assert_eq!(asked, table);
}

#[tokio::test]
async fn queries_and_bodies_are_sent() {
    let (client, log) = server(404, "{}").await;
    let names = vec!["busyTimeMsPerSecond".to_owned()];
    let query = SubtaskMetricsQuery { get: names.clone(), agg: vec![Aggregation::Max, Aggregation::Sum] };
    client.subtask_metrics("j", "v", &query).await.unwrap_err();
    client.job_metrics("j", &MetricsQuery { get: names }).await.unwrap_err();
    client.job_exceptions("j", &ExceptionsQuery { max_exceptions: Some(5) }).await.unwrap_err();
    client.cancel("j").await.unwrap_err();
    client.submit("kind: StreamJob\n").await.unwrap_err();
    let request = StopRequest { target_directory: Some("s3://b/sp".to_owned()), drain: true };
    client.stop("j", &request).await.unwrap_err();
    let seen = |request: &str, content_type: &str, body: &str| Seen {
        request: request.to_owned(),
        content_type: content_type.to_owned(),
        body: body.to_owned(),
    };
    let expected = [
        seen("GET /jobs/j/vertices/v/subtasks/metrics?get=busyTimeMsPerSecond&agg=max,sum", "", ""),
        seen("GET /jobs/j/metrics?get=busyTimeMsPerSecond", "", ""),
        seen("GET /jobs/j/exceptions?maxExceptions=5", "", ""),
        seen("PATCH /jobs/j?mode=cancel", "", ""),
        seen("POST /jobs", "application/yaml", "kind: StreamJob\n"),
        seen("POST /jobs/j/stop", "application/json", r#"{"targetDirectory":"s3://b/sp","drain":true}"#),
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn answers_are_read() {
    let (client, _) = server(200, r#"{"jobs":[{"id":"9c06","status":"RUNNING"}]}"#).await;
    let jobs = client.jobs().await.unwrap().jobs;
    assert_eq!((jobs.len(), jobs[0].id.as_str(), jobs[0].status), (1, "9c06", JobState::Running));

    let (client, _) = server(202, r#"{"jobUrl":"/jobs/9c06","jid":"9c06","warnings":["w"]}"#).await;
    assert_eq!(client.submit("").await.unwrap(), SubmitResponse::of("9c06", vec!["w".to_owned()]));

    let (client, _) = server(202, "{}").await;
    assert_eq!(client.cancel("9c06").await.unwrap(), Empty {});

    let (client, _) = server(200, r#"{"status":{"id":"COMPLETED"},"operation":{"location":"file:/sp"}}"#).await;
    let written = Savepoint::Written { location: "file:/sp".to_owned() };
    assert_eq!(client.savepoint("9c06", "t").await.unwrap(), SavepointStatus::completed(written));

    let (client, _) = server(200, r#"[{"id":"numRecordsIn","max":3.0}]"#).await;
    let metrics = client.subtask_metrics("j", "v", &SubtaskMetricsQuery::default()).await.unwrap();
    assert_eq!((metrics.len(), metrics[0].max, metrics[0].min), (1, Some(3.0), None));
}

#[tokio::test]
async fn refused_connection_says_where_nobody_answers_and_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = client.overview().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }));
    says(
        &client,
        &error,
        &expect![
            "no JobMaster answers at host:port: connection refused; is `millstream jobmaster` running there? --rest names another address"
        ],
    );
}

#[tokio::test]
async fn host_that_nobody_knows_is_unreachable() {
    let client = Client::new("nobody.invalid:1").unwrap();
    let error = client.overview().await.unwrap_err();
    let ClientError::Unreachable { address, .. } = &error else { panic!("{error:?}") };
    assert_eq!(address, "nobody.invalid:1");
}

#[tokio::test]
async fn what_the_jobmaster_says_is_what_the_error_says() {
    let (client, _) = server(404, r#"{"errors":["no job has the id 9c06","there are 2 jobs"]}"#).await;
    let error = client.job("9c06").await.unwrap_err();
    let ClientError::Refused { status, errors } = &error else { panic!("{error:?}") };
    assert_eq!((*status, errors.len()), (404, 2));
    assert_eq!(error.to_string(), "no job has the id 9c06\nthere are 2 jobs");
}

#[tokio::test]
async fn refusal_of_something_else_is_shown_as_it_is() {
    let (client, _) = server(502, "<html>Bad Gateway</html>\n").await;
    assert_eq!(client.jobs().await.unwrap_err().to_string(), "<html>Bad Gateway</html>");
    let (client, _) = server(503, "").await;
    let error = client.jobs().await.unwrap_err();
    says(&client, &error, &expect!["the JobMaster answers with status 503 and does not say why"]);
}

#[tokio::test]
async fn silence_is_not_waited_for_for_ever() {
    let options = ClientOptions { request_timeout: Duration::from_millis(50), ..ClientOptions::default() };
    let (hold, held) = tokio::sync::oneshot::channel::<()>();
    let client = raw_server(options, async |stream| {
        let _ = held.await;
        drop(stream);
    })
    .await;
    let error = client.jobs().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }));
    says(
        &client,
        &error,
        &expect!["the JobMaster at host:port has not answered GET /jobs within 50ms; it may be overloaded or stuck"],
    );
    drop(hold);
}

#[tokio::test]
async fn silence_in_the_middle_of_an_answer_counts_too() {
    let options = ClientOptions { request_timeout: Duration::from_millis(50), ..ClientOptions::default() };
    let (hold, held) = tokio::sync::oneshot::channel::<()>();
    let client = raw_server(options, async |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"jobs\":").await.unwrap();
        let _ = held.await;
    })
    .await;
    assert!(matches!(client.jobs().await.unwrap_err(), ClientError::Timeout { .. }));
    drop(hold);
}

#[tokio::test]
async fn answer_that_is_too_long_is_not_read_to_its_end() {
    let options = ClientOptions { answer_bytes_max: 1000, ..ClientOptions::default() };
    // It never ends: without the limit the client would wait until its time is up.
    let client = raw_server(options, async |mut stream| {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        while stream.write_all(b"10\r\n                \r\n").await.is_ok() {}
    })
    .await;
    let error = client.jobs().await.unwrap_err();
    assert!(matches!(error, ClientError::TooLong { .. }), "{error:?}");
    says(&client, &error, &expect!["the answer of host:port to GET /jobs has more than 1000 bytes"]);
}

#[tokio::test]
async fn answer_that_is_not_json_is_shown() {
    let (client, _) = server(200, "<html>Welcome</html>").await;
    let error = client.jobs().await.unwrap_err();
    assert!(matches!(error, ClientError::NotUnderstood { .. }));
    says(
        &client,
        &error,
        &expect![
            "the answer of host:port to GET /jobs is not understood: expected value at line 1 column 1 in `<html>Welcome</html>`; another program or another version of Millstream may listen there"
        ],
    );
}

#[tokio::test]
async fn answer_of_another_shape_says_which_field() {
    let (client, _) = server(200, r#"{"jobs":[{"id":"9c06","status":"SLEEPING"}]}"#).await;
    says(
        &client,
        &client.jobs().await.unwrap_err(),
        &expect![[
            r#"the answer of host:port to GET /jobs is not understood: unknown variant `SLEEPING`, expected one of `INITIALIZING`, `CREATED`, `RUNNING`, `FAILING`, `FAILED`, `CANCELLING`, `CANCELED`, `FINISHED`, `RESTARTING`, `SUSPENDED`, `RECONCILING` at line 1 column 41 in `{"jobs":[{"id":"9c06","status":"SLEEPING"}]}`; another program or another version of Millstream may listen there"#
        ]],
    );
}

#[tokio::test]
async fn connection_that_ends_early_is_not_called_unreachable() {
    let client = raw_server(ClientOptions::default(), async |mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await.unwrap();
    })
    .await;
    let error = client.jobs().await.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error:?}");
    says(
        &client,
        &error,
        &expect![
            "the JobMaster at host:port ended the connection before it had answered GET /jobs: end of file before message length reached; it may have stopped, and may have done what it was asked before that"
        ],
    );
}

#[test]
fn limits_are_those_that_are_documented() {
    let limits = ClientOptions::default();
    assert_eq!((limits.connect_timeout.as_secs(), limits.request_timeout.as_secs()), (5, 30));
    assert_eq!(limits.answer_bytes_max, 64 * 1024 * 1024);
}
