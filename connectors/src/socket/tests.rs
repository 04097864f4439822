//! Real connections on the loopback device.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::task::Poll;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field};
use expect_test::expect;
use millstream_engine::error::Result;
use millstream_engine::io::source::{ReaderContext, SourceEvent, SourceReader, SplitAnswer};
use millstream_engine::operators::ProcessingTime;

use super::Socket;
use crate::blocking::test_io::{Threads, wait};
use crate::{Connector, ScanRequest, TableColumn, TableSpec};

fn table(port: u16, options: &[(&str, &str)]) -> TableSpec {
    let own = [("hostname", "127.0.0.1".to_owned()), ("port", port.to_string())];
    let given = options.iter().map(|&(key, value)| (key, value.to_owned()));
    TableSpec {
        name: "lines".to_owned(),
        columns: vec![TableColumn { field: Field::new("line", DataType::Utf8, true), metadata: None }],
        partition_keys: Vec::new(),
        primary_key: Vec::new(),
        options: own.into_iter().chain(given).map(|(key, value)| (key.to_owned(), value)).collect::<BTreeMap<_, _>>(),
        time_zone: "UTC".to_owned(),
    }
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn reader(table: &TableSpec) -> Box<dyn SourceReader> {
    let source = Socket.table_source(table).unwrap();
    let rows = table.physical_schema();
    let source = source.scan(ScanRequest { rows, watermark: None, time: None, filters: Vec::new() }).unwrap().source;
    let mut splits = source.create_enumerator().unwrap();
    let mut reader = source.create_reader(ReaderContext { subtask: 0, parallelism: 1, io: Arc::new(Threads) }).unwrap();
    let SplitAnswer::Assigned(split) = splits.next_split(0, 1, ProcessingTime(0)).unwrap() else { panic!() };
    reader.add_split(split).unwrap();
    reader.no_more_splits();
    reader
}

/// The next event as text. Time goes on to what the reader waits for.
fn next(reader: &mut dyn SourceReader) -> Result<String> {
    let mut now = ProcessingTime(0);
    let event = wait(|cx| {
        loop {
            match (reader.poll_next(now, cx), reader.next_time()) {
                (Poll::Pending, Some(time)) => now = time,
                (other, _) => break other,
            }
        }
    })?;
    Ok(match event {
        SourceEvent::Rows(rows) => {
            let lines =
                rows.rows.column(0).as_string::<i32>().iter().map(|line| format!("{:?}", line.unwrap_or("null")));
            format!("{} @{}", lines.collect::<Vec<_>>().join(" "), rows.split_rows)
        }
        SourceEvent::SplitFinished(_) => "finished".to_owned(),
        SourceEvent::NeedSplit => "need split".to_owned(),
        SourceEvent::EndOfInput => "end".to_owned(),
    })
}

#[test]
fn lines_come_as_they_are_sent_and_the_source_ends_with_the_connection() {
    let (listener, port) = listen();
    let mut reader = reader(&table(port, &[]));
    let server = std::thread::spawn(move || listener.accept().unwrap().0);
    // The first call connects.
    assert!(
        reader.poll_next(ProcessingTime(0), &mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
    );
    let mut server = server.join().unwrap();
    for (sent, expected) in [("to be\nor not\nto", r#""to be" "or not" @2"#), (" be\n", r#""to be" @3"#)] {
        server.write_all(sent.as_bytes()).unwrap();
        assert_eq!(next(reader.as_mut()).unwrap(), expected);
    }
    server.write_all(b"the end").unwrap();
    drop(server);
    assert_eq!(next(reader.as_mut()).unwrap(), r#""the end" @4"#);
    assert_eq!(next(reader.as_mut()).unwrap(), "finished");
    assert_eq!(next(reader.as_mut()).unwrap(), "end");
    assert!(reader.snapshot().is_empty());
}

/// Serves one connection after the other, each with one of `texts`.
fn serve(listener: TcpListener, texts: &'static [&'static str]) {
    std::thread::spawn(move || {
        for text in texts {
            listener.accept().unwrap().0.write_all(text.as_bytes()).unwrap();
        }
    });
}

fn read_all(reader: &mut dyn SourceReader) -> String {
    let mut events = Vec::new();
    loop {
        match next(reader) {
            Ok(event) if event == "end" => break,
            Ok(event) => events.push(event),
            Err(error) => break events.push(error.to_string()),
        }
    }
    events.join(", ")
}

#[test]
fn a_closed_connection_is_made_again_as_often_as_allowed() {
    let (listener, port) = listen();
    serve(listener, &["1\n", "2\n3", "4\n", "too many\n"]);
    let mut reader = reader(&table(port, &[("scan.max-retries", "2")]));
    // How lines are shared out among batches depends on how they travel.
    let lines: Vec<_> = read_all(reader.as_mut()).split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert_eq!(lines, ["1", "2", "3", "4"]);
}

#[test]
fn a_refused_connection_is_an_error_that_names_the_server() {
    let (listener, port) = listen();
    drop(listener);
    for retries in ["0", "3"] {
        let mut reader = reader(&table(port, &[("scan.max-retries", retries)]));
        let error = read_all(reader.as_mut()).replace(&port.to_string(), "PORT");
        expect!["connecting to `127.0.0.1:PORT`: Connection refused (os error 111)"].assert_eq(&error);
    }
}

#[test]
fn another_delimiter_leaves_line_feeds_alone() {
    let (listener, port) = listen();
    serve(listener, &["one\nline feed;two;\n;"]);
    let mut reader = reader(&table(port, &[("byte-delimiter", "59")]));
    let all = read_all(reader.as_mut());
    assert!(all.contains(r#""one\nline feed""#) && all.contains(r#""two""#) && all.contains(r#""\n""#), "{all}");
}

#[test]
fn dropping_the_reader_hangs_up() {
    let (listener, port) = listen();
    let mut reader = reader(&table(port, &[]));
    let _ = reader.poll_next(ProcessingTime(0), &mut std::task::Context::from_waker(std::task::Waker::noop()));
    let mut server: TcpStream = listener.accept().unwrap().0;
    server.write_all(b"a\n").unwrap();
    assert_eq!(next(reader.as_mut()).unwrap(), r#""a" @1"#);
    drop(reader);
    server.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    assert_eq!(server.read(&mut [0; 10]).unwrap_or(0), 0);
}

#[test]
fn a_restored_reader_goes_on_counting() {
    let (listener, port) = listen();
    serve(listener, &["a\nb\n", "c\n"]);
    let table = table(port, &[]);
    let mut first = reader(&table);
    while !next(first.as_mut()).unwrap().ends_with("@2") {}
    let splits = first.snapshot();
    let mut second = reader(&table);
    splits.into_iter().for_each(|split| second.add_split(split).unwrap());
    drop(first);
    assert_eq!(next(second.as_mut()).unwrap(), r#""c" @3"#);
}

#[test]
fn wrong_options_are_refused() {
    let message = |options: &[(&str, &str)]| {
        let mut table = table(1, options);
        table.options.retain(|_, value| value != "remove");
        Socket.table_source(&table).unwrap_err().to_string()
    };
    expect!["table `lines`: the option 'hostname' is missing"].assert_eq(&message(&[("hostname", "remove")]));
    expect!["table `lines`: the option 'port' = 'x' cannot be used: it should be a number from 1 to 65535"]
        .assert_eq(&message(&[("port", "x")]));
    expect!["table `lines`: the option 'byte-delimiter' = '200' cannot be used: it should be a byte as a number from 0 to 127, which no other character has"]
        .assert_eq(&message(&[("byte-delimiter", "200")]));
    expect![
        "table `lines`: the option 'scan.max-retries' = '-2' cannot be used: it should be -1 (without end), 0 or more"
    ]
    .assert_eq(&message(&[("scan.max-retries", "-2")]));
    expect![
        "table `lines`: the connector 'socket' cannot be written to, it is only a source; use the table after FROM"
    ]
    .assert_eq(&Socket.sink(&table(1, &[])).unwrap_err().to_string());
}
