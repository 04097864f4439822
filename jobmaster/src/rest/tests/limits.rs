//! Clients that are slow, many or wrong do no harm to the others.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cluster::{Cluster, ROWS, SOON, manifest};
use super::http::{Server, read_to_end};
use crate::rest::Limits;

/// Short enough for a test, long enough for a busy machine to send a head.
const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_slow_head_ends_its_connection_and_no_other() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits { head_timeout: SHORT, ..Limits::default() }).await;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /overview HTTP/1.1\r\nho").await.unwrap();
        slow.push(stream);
    }
    assert_eq!(server.ask("GET", "/overview").await.status(), 200);
    for mut stream in slow {
        assert_eq!(read_to_end(&mut stream).await.status(), 0, "nothing is answered to half a head");
    }
}

#[tokio::test]
async fn a_connection_that_is_idle_is_closed() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits { head_timeout: SHORT, ..Limits::default() }).await;
    let mut idle = server.connect().await;
    assert_eq!(read_to_end(&mut idle).await.status(), 0);
    let mut kept = server.connect().await;
    kept.write_all(b"GET /overview HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert_eq!(read_to_end(&mut kept).await.status(), 200);
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits { body_timeout: SHORT, ..Limits::default() }).await;
    let answer = server.exchange(b"POST /jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf").await;
    assert_eq!((answer.status(), answer.errors()), (408, vec!["the manifest did not arrive within 300ms".to_owned()]));
}

#[tokio::test]
async fn a_manifest_for_which_there_is_no_place_is_told_to_come_later() {
    let cluster = Cluster::start();
    let limits = Limits { submissions_max: 0, body_timeout: SHORT, ..Limits::default() };
    let answer = Server::start(&cluster, limits).await.post("/jobs", "", "x").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.errors()[0].ends_with("try again later"), "{answer:?}");
}

#[tokio::test]
async fn a_body_that_is_announced_too_long_is_refused_before_it_is_sent() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n").await.unwrap();
    let answer = read_to_end(&mut stream).await;
    let words = "the manifest has more than 2097152 bytes, and that is the most that is taken";
    assert_eq!((answer.status(), answer.errors()), (413, vec![words.to_owned()]));
}

/// Sends 100 MB and looks at the answer only then.
async fn sent_blindly(server: &Server, head: &str, piece: &[u8]) -> u16 {
    let mut stream = server.connect().await;
    stream.write_all(format!("POST /jobs HTTP/1.1\r\nhost: x\r\n{head}\r\n").as_bytes()).await.unwrap();
    for _ in 0..1600 {
        if stream.write_all(piece).await.is_err() {
            break;
        }
    }
    read_to_end(&mut stream).await.status()
}

#[tokio::test]
async fn whoever_sends_a_hundred_megabytes_reads_why_they_are_not_wanted() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let piece = vec![b'#'; 62_500];
    assert_eq!(sent_blindly(&server, "content-length: 100000000\r\n", &piece).await, 413);
    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
    assert_eq!(sent_blindly(&server, "transfer-encoding: chunked\r\n", &chunk).await, 413);
    assert_eq!(server.ask("GET", "/overview").await.status(), 200);
}

#[tokio::test]
async fn nothing_is_taken_before_the_limit_was_looked_at() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let head = "POST /jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\nexpect: 100-continue\r\n\r\n";
    let answer = server.exchange(head.as_bytes()).await;
    assert_eq!(answer.status(), 413, "and not 100");
}

#[tokio::test]
async fn further_connections_wait_for_a_place() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let mut all = Vec::new();
    for _ in 0..300 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /config HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        all.push(stream);
    }
    let waiting = all.split_off(256);
    for stream in &mut all {
        first_byte(stream).await;
    }
    let none = waiting.iter().all(|stream| stream.try_read(&mut [0; 1]).is_err());
    assert!(none, "more than 256 were served at a time");
    drop(all);
    for mut stream in waiting {
        first_byte(&mut stream).await;
    }
}

async fn first_byte(stream: &mut TcpStream) {
    let byte = tokio::time::timeout(SOON, stream.read_u8()).await.expect("no answer in time").unwrap();
    assert_eq!(byte, b'H');
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_forgotten() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello over TLS\r\n\r\n"[..], b"hello\r\n\r\n", b"\0\0\0\0"]
    {
        assert_eq!(server.exchange(garbage).await.status(), 400, "{garbage:?}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(200_000));
    assert!([414, 431].contains(&server.exchange(long.as_bytes()).await.status()));
    let many = format!("GET /config HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(100));
    assert_eq!(server.exchange(many.as_bytes()).await.status(), 431);
    assert_eq!(server.ask("GET", "/config").await.status(), 200);
}

#[tokio::test]
async fn whoever_does_not_read_is_cut_off() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits { connection_age_max: SHORT, ..Limits::default() }).await;
    let mut deaf = server.connect().await;
    let asking = async {
        while deaf.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, asking).await.expect("the server still listens to a client that never reads");
}

#[tokio::test]
async fn a_request_that_has_begun_is_answered_when_the_server_ends() {
    let cluster = Cluster::start();
    let server = Server::start(&cluster, Limits::default()).await;
    let manifest = manifest("counts", 1, "", ROWS);
    let (mut idle, mut begun) = (server.connect().await, server.connect().await);
    idle.write_all(b"GET /config HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    first_byte(&mut idle).await;
    let head =
        format!("POST /jobs HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n", manifest.len());
    begun.write_all(head.as_bytes()).await.unwrap();
    // The body is asked for: the request is being handled.
    let mut go_on = [0; 25];
    begun.read_exact(&mut go_on).await.unwrap();
    let ended = server.end();
    begun.write_all(manifest.as_bytes()).await.unwrap();
    assert_eq!(read_to_end(&mut begun).await.status(), 202);
    // Neither has the client closed the connections, nor does the server wait for that.
    tokio::time::timeout(Limits::default().end_timeout, ended).await.expect("the server did not end").unwrap();
}
