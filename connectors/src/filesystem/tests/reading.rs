//! Files as a table.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use expect_test::expect;
use millstream_engine::io::source::{Boundedness, ReaderContext, Source, SourceEvent, SplitAnswer};
use millstream_engine::operators::ProcessingTime;

use super::table;
use crate::blocking::test_io::{InPlace, Threads, wait};
use crate::conformance::{self, Outcome, read_whole};
use crate::filesystem::{Filesystem, WATERMARK_ROWS};
use crate::{Connector, ScanRequest, TableColumn, TableSource, TableSpec};

fn source_of(table: &TableSpec) -> Arc<dyn TableSource> {
    Filesystem.table_source(table).unwrap()
}

fn scan_columns(table: &TableSpec, columns: &[&str]) -> Arc<dyn Source> {
    let field = |name: &&str| table.columns.iter().find(|column| column.field.name() == name).unwrap().field.clone();
    let rows = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    source_of(table).scan(ScanRequest { rows, watermark: None, time: None, filters: Vec::new() }).unwrap().source
}

fn scan(table: &TableSpec) -> Arc<dyn Source> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.field.name().as_str()).collect();
    scan_columns(table, &names)
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn lines(name: &str, count: usize) -> String {
    (1..=count).map(|n| format!("{name} {n}\n")).collect()
}

/// The rows of the file called `name`.
fn rows_of<'a>(outcome: &'a Outcome, name: &str) -> &'a [String] {
    outcome.rows.iter().find(|(path, _)| path.ends_with(name)).map_or(&[], |(_, rows)| rows)
}

#[test]
fn files_of_every_kind_are_read_the_same_in_every_way() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("sub")).unwrap();
    fs::write(root.join("plain.txt"), lines("plain", 2_500)).unwrap();
    fs::write(root.join("packed.txt.gz"), [gzip(&lines("gz", 1_100)), gzip("second member\n")].concat()).unwrap();
    fs::write(root.join("sub/packed.txt.zst"), zstd::encode_all(lines("zst", 1_030).as_bytes(), 1).unwrap()).unwrap();
    fs::write(root.join("sub/no-end.txt"), "one\ntwo").unwrap();
    fs::write(root.join("sub/empty.txt"), "").unwrap();
    fs::write(root.join("sub/_skipped"), "no\n").unwrap();
    let source = scan(&table(root, &["line"], &[("format", "raw")]));
    assert_eq!(source.boundedness(), Boundedness::Bounded);
    let outcome = conformance::source(source.as_ref());
    assert_eq!(rows_of(&outcome, "plain.txt").len(), 2_500);
    assert_eq!(rows_of(&outcome, "plain.txt")[2_499], "[plain 2500]");
    assert_eq!(rows_of(&outcome, "packed.txt.gz")[1_099..], ["[gz 1100]", "[second member]"]);
    assert_eq!(rows_of(&outcome, "packed.txt.zst").len(), 1_030);
    assert_eq!(rows_of(&outcome, "no-end.txt"), ["[one]", "[two]"]);
    assert_eq!(outcome.rows.len(), 4);
    let ends = outcome.ends.iter().find(|(path, _)| path.ends_with("plain.txt")).unwrap().1;
    assert_eq!(*ends, [WATERMARK_ROWS, 2 * WATERMARK_ROWS, 2_500]);
}

#[test]
fn a_header_is_no_row_wherever_reading_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.csv"), format!("line\n{}", lines("a", 2_100))).unwrap();
    let options = [("format", "csv"), ("csv.header", "true")];
    let outcome = conformance::source(scan(&table(folder.path(), &["line"], &options)).as_ref());
    let rows = rows_of(&outcome, "a.csv");
    assert_eq!((rows.len(), rows[0].as_str(), rows[2_099].as_str()), (2_100, "[a 1]", "[a 2100]"));
}

#[test]
fn records_longer_than_a_chunk_are_read_and_longer_ones_than_allowed_are_bad() {
    let folder = tempfile::tempdir().unwrap();
    let long = "x".repeat(1_500_000);
    let text = format!("first\n{long}\nmiddle\n{long}{long}\nlast\n");
    fs::write(folder.path().join("a.txt"), text).unwrap();
    let options = [("format", "raw"), ("scan.max-record-size", "2mb"), ("scan.bad-rows", "deadLetter")];
    let outcome = conformance::source(scan(&table(folder.path(), &["line"], &options)).as_ref());
    let lengths: Vec<_> = rows_of(&outcome, "a.txt").iter().map(|row| row.len() - 2).collect();
    assert_eq!(lengths, [5, 1_500_000, 6, 4]);
    assert_eq!(outcome.errors, 1);
    let dead: Vec<&String> = outcome.dead_letters.values().flatten().collect();
    assert!(dead.len() == 1 && dead[0].contains(", 4, the record is longer than"), "{dead:?}");
    assert!(dead[0].len() < 3_000, "the raw row is shortened");
}

#[test]
fn a_bad_row_fails_the_job_with_file_row_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), format!("ok\n{}\n", "x".repeat(300))).unwrap();
    let source =
        scan(&table(&folder.path().join("a.txt"), &["line"], &[("format", "raw"), ("scan.max-record-size", "100b")]));
    let error = first_error(source.as_ref(), folder.path());
    assert!(error.starts_with("`ROOT/a.txt`, row 2: the record is longer than "), "{error}");
    assert!(error.contains(&format!("the row is `{}", "x".repeat(100))), "{error}");
}

fn first_error(source: &dyn Source, root: &Path) -> String {
    let mut reader = source.create_reader(ReaderContext { subtask: 0, parallelism: 1, io: Arc::new(Threads) }).unwrap();
    let mut splits = source.create_enumerator().unwrap();
    loop {
        match wait(|cx| reader.poll_next(ProcessingTime(0), cx)) {
            Ok(SourceEvent::NeedSplit) => match splits.next_split(0, 1, ProcessingTime(0)).unwrap() {
                SplitAnswer::Assigned(split) => reader.add_split(split).unwrap(),
                _ => reader.no_more_splits(),
            },
            Ok(SourceEvent::EndOfInput) => return "no error".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string().replace(root.to_str().unwrap(), "ROOT"),
        }
    }
}

#[test]
fn a_gzip_file_that_is_cut_off_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let packed = gzip(&lines("row", 5_000));
    fs::write(folder.path().join("a.gz"), &packed[..packed.len() - 9]).unwrap();
    let source = scan(&table(folder.path(), &["line"], &[("format", "raw")]));
    let error = first_error(source.as_ref(), folder.path());
    assert!(error.starts_with("`ROOT/a.gz`: the gzip data ends in the middle, after "), "{error}");
}

#[test]
fn a_file_that_is_gone_before_it_is_read_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "1\n").unwrap();
    let source = scan(&table(folder.path(), &["line"], &[("format", "raw")]));
    let mut splits = source.create_enumerator().unwrap();
    fs::remove_file(folder.path().join("a")).unwrap();
    let mut reader = source.create_reader(ReaderContext { subtask: 0, parallelism: 1, io: Arc::new(Threads) }).unwrap();
    let SplitAnswer::Assigned(split) = splits.next_split(0, 1, ProcessingTime(0)).unwrap() else { panic!() };
    reader.add_split(split).unwrap();
    let error = wait(|cx| reader.poll_next(ProcessingTime(0), cx)).unwrap_err().to_string();
    let error = error.replace(folder.path().to_str().unwrap(), "ROOT");
    expect!["opening `ROOT/a`: No such file or directory (os error 2)"].assert_eq(&error);
}

#[test]
fn metadata_and_folders_are_columns() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (name, text) in
        [("day=1/kind=a%2Fb/x.txt", "one\ntwo\n"), ("day=2/kind=__HIVE_DEFAULT_PARTITION__/y.txt", "three\n")]
    {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), text).unwrap();
    }
    let mut table = table(root, &["line", "kind"], &[("format", "raw")]);
    let metadata = |name: &str, key: &str, data_type| TableColumn {
        field: Field::new(name, data_type, false),
        metadata: Some(key.to_owned()),
    };
    table.columns.insert(0, TableColumn { field: Field::new("day", DataType::Int32, true), metadata: None });
    table.columns.push(metadata("name", "file.name", DataType::Utf8));
    table.columns.push(metadata("path", "file.path", DataType::Utf8));
    table.columns.push(metadata("bytes", "file.size", DataType::Int32));
    table.columns.push(metadata(
        "at",
        "file.modification-time",
        DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
    ));
    table.partition_keys = vec!["day".to_owned(), "kind".to_owned()];
    let source = scan_columns(&table, &["bytes", "kind", "line", "day", "name"]);
    let outcome = conformance::source(source.as_ref());
    expect![[r#"
        [8, a/b, one, 1, x.txt]
        [8, a/b, two, 1, x.txt]
        [6, null, three, 2, y.txt]"#]]
    .assert_eq(&outcome.all_rows().join("\n"));

    let only_folders = read_whole(scan_columns(&table, &["day"]).as_ref());
    assert_eq!(only_folders.all_rows(), ["[1]", "[1]", "[2]"]);

    let whole = read_whole(scan(&table).as_ref());
    let year = chrono::Datelike::year(&chrono::Utc::now());
    assert!(whole.all_rows()[0].contains(&format!("/day=1/kind=a%2Fb/x.txt, 8, {year}-")), "{:?}", whole.all_rows());
}

#[test]
fn a_file_outside_the_folders_of_a_partitioned_table_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("day=x")).unwrap();
    fs::write(folder.path().join("day=x/a"), "1\n").unwrap();
    fs::write(folder.path().join("b"), "1\n").unwrap();
    let mut table = table(folder.path(), &["line"], &[("format", "raw")]);
    table.columns.push(TableColumn { field: Field::new("day", DataType::Int32, true), metadata: None });
    table.partition_keys = vec!["day".to_owned()];
    let error = |name: &str| {
        let mut table = table.clone();
        table.options.insert("path".to_owned(), folder.path().join(name).to_str().unwrap().to_owned());
        first_error(scan(&table).as_ref(), folder.path())
    };
    expect!["`ROOT/b`: the table is PARTITIONED BY `day`, so it must lie in a folder `day=…`"].assert_eq(&error("b"));
    expect!["`ROOT/day=x/a`: column `day`: Cast error: Cannot cast string 'x' to value of Int32 type"]
        .assert_eq(&error("day=x"));
}

#[test]
fn the_watermark_may_want_other_columns_than_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "1\n2\n").unwrap();
    let mut table = table(folder.path(), &["line"], &[("format", "raw")]);
    table.columns.push(TableColumn {
        field: Field::new("size", DataType::Int64, false),
        metadata: Some("file.size".to_owned()),
    });
    let only = |index: usize| Arc::new(Schema::new(vec![table.columns[index].field.clone()]));
    let request = ScanRequest { rows: only(1), watermark: Some(only(0)), time: None, filters: Vec::new() };
    let outcome = conformance::source(source_of(&table).scan(request).unwrap().source.as_ref());
    assert_eq!(outcome.all_rows(), ["[4]", "[4]"]);
    assert_eq!(outcome.watermark_rows.values().flatten().collect::<Vec<_>>(), ["[1]", "[2]"]);
    let request = ScanRequest { rows: only(0), watermark: Some(only(1)), time: None, filters: Vec::new() };
    let outcome = conformance::source(source_of(&table).scan(request).unwrap().source.as_ref());
    assert_eq!(outcome.watermark_rows.values().flatten().collect::<Vec<_>>(), ["[4]", "[4]"]);
}

#[test]
fn a_watched_folder_gives_its_rows_at_once_and_never_ends() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), lines("a", 9_000)).unwrap();
    let table = table(folder.path(), &["line"], &[("format", "raw"), ("source.monitor-interval", "1 s")]);
    assert_eq!(source_of(&table).boundedness(), Boundedness::Unbounded);
    let source = scan(&table);
    assert_eq!(source.boundedness(), Boundedness::Unbounded);
    let mut reader = source.create_reader(ReaderContext { subtask: 0, parallelism: 1, io: Arc::new(InPlace) }).unwrap();
    let mut splits = source.create_enumerator().unwrap();
    let mut cx = Context::from_waker(Waker::noop());
    let mut log = Vec::new();
    let mut now = ProcessingTime(0);
    while log.len() < 9 {
        match reader.poll_next(now, &mut cx) {
            Poll::Ready(Ok(SourceEvent::Rows(rows))) => log.push(format!("{} rows", rows.rows.num_rows())),
            Poll::Ready(Ok(SourceEvent::SplitFinished(_))) => log.push("finished".to_owned()),
            Poll::Ready(Ok(SourceEvent::NeedSplit)) => loop {
                match splits.next_split(0, 1, now).unwrap() {
                    SplitAnswer::Assigned(split) => break reader.add_split(split).unwrap(),
                    SplitAnswer::AskAgain(time) => {
                        log.push(format!("ask again at {}", time.0));
                        fs::write(folder.path().join(format!("b{}", time.0)), "new\n").unwrap();
                        now = time;
                    }
                    SplitAnswer::NoMore => panic!("a watched folder has always more"),
                }
            },
            other => panic!("{other:?}"),
        }
    }
    expect!["8192 rows, 808 rows, finished, ask again at 1000, 1 rows, finished, ask again at 2000, 1 rows, finished"]
        .assert_eq(&log.join(", "));
}

#[test]
fn missing_input_is_found_before_the_job_starts() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &str, options: &[(&str, &str)]| {
        let options: Vec<_> = options.iter().copied().chain([("format", "raw")]).collect();
        let table = table(&folder.path().join(path), &["line"], &options);
        let source = source_of(&table);
        let found = source.check_inputs().unwrap_err().to_string();
        let later = scan(&table).create_enumerator().err().unwrap().to_string();
        assert_eq!(found, format!("table `files`: {later}"));
        found.replace(folder.path().to_str().unwrap(), "ROOT")
    };
    expect!["table `files`: the option 'path': `ROOT/none.csv` does not exist"].assert_eq(&check("none.csv", &[]));
    expect!["table `files`: the option 'path': no file matches `ROOT/*.csv`"].assert_eq(&check("*.csv", &[]));
    expect!["table `files`: the option 'path': `ROOT/none` does not exist"]
        .assert_eq(&check("none", &[("source.monitor-interval", "1 s")]));
    fs::write(folder.path().join("a.csv"), "1\n").unwrap();
    let table = table(folder.path(), &["line"], &[("format", "raw")]);
    source_of(&table).check_inputs().unwrap();
}

#[test]
fn wrong_declarations_are_refused() {
    let refused = |columns: &[&str], options: &[(&str, &str)]| {
        let options: Vec<_> = options.iter().copied().chain([("format", "raw")]).collect();
        match Filesystem.table_source(&table(Path::new("/x"), columns, &options)) {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string().replace("table `files`: ", ""),
        }
    };
    expect!["the option 'path' = 's3://a/b' cannot be used: 's3://' is not supported; give a path or a file:// URI"]
        .assert_eq(&refused(&["line"], &[("path", "s3://a/b")]));
    expect!["the option 'source.monitor-interval' = 'soon' cannot be used: it should be a duration such as '5 s', '1 min' or '200 ms'"]
        .assert_eq(&refused(&["line"], &[("source.monitor-interval", "soon")]));
    expect!["the option 'source.monitor-interval' = '0' cannot be used: it should be longer than nothing"]
        .assert_eq(&refused(&["line"], &[("source.monitor-interval", "0 s")]));
    expect!["the option 'source.monitor-intervall' is not known here; did you mean 'source.monitor-interval'?"]
        .assert_eq(&refused(&["line"], &[("source.monitor-intervall", "1 s")]));
    let pattern = refused(&["line"], &[("source.path.regex-pattern", "(")]);
    assert!(
        pattern.starts_with("the option 'source.path.regex-pattern' = '(' cannot be used: it is not a regular"),
        "{pattern}"
    );

    let mut unknown_key = table(Path::new("/x"), &["line"], &[("format", "raw")]);
    unknown_key.partition_keys = vec!["day".to_owned()];
    expect!["table `files`: PARTITIONED BY (`day`): there is no such column"]
        .assert_eq(&Filesystem.table_source(&unknown_key).unwrap_err().to_string());
    let mut all_keys = table(Path::new("/x"), &["line"], &[("format", "raw")]);
    all_keys.partition_keys = vec!["line".to_owned()];
    expect!["table `files`: PARTITIONED BY names all columns; at least one must be left for the files"]
        .assert_eq(&Filesystem.table_source(&all_keys).unwrap_err().to_string());
    let mut metadata = table(Path::new("/x"), &["line"], &[("format", "raw")]);
    metadata
        .columns
        .push(TableColumn { field: Field::new("p", DataType::Utf8, true), metadata: Some("path".to_owned()) });
    expect!["table `files`: column `p`: there is no metadata 'path'; there is 'file.path', 'file.name', 'file.size', 'file.modification-time'"]
        .assert_eq(&Filesystem.table_source(&metadata).unwrap_err().to_string());
}

#[test]
fn parquet_files_are_read_like_others() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let names = (0..5_000).map(|n| format!("row {n}")).collect::<Vec<_>>();
    let rows: Vec<Vec<&str>> = names.iter().map(|name| vec!["d1", name.as_str()]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
    let mut table = table(root, &["dt", "line"], &[("format", "parquet")]);
    table.partition_keys = vec!["dt".to_owned()];
    super::writing::write_once(&table, &rows);
    let outcome = conformance::source(scan(&table).as_ref());
    let (path, read) = outcome.rows.iter().next().unwrap();
    assert!(path.ends_with("dt=d1/part-1-0-0.parquet"), "{path}");
    let expected: Vec<_> = names.iter().map(|name| format!("[d1, {name}]")).collect();
    assert_eq!(*read, expected);

    fs::write(root.join("dt=d1/broken"), "no parquet").unwrap();
    let error = first_error(scan(&table).as_ref(), root);
    assert!(error.contains("ROOT/dt=d1/broken") && error.contains("cannot be read as Parquet"), "{error}");
    fs::rename(root.join("dt=d1/broken"), root.join("dt=d1/a.gz")).unwrap();
    let error = first_error(scan(&table).as_ref(), root);
    expect!["the file `ROOT/dt=d1/a.gz` is compressed as a whole, which Parquet cannot be; decompress it"]
        .assert_eq(&error);
}

#[test]
fn bad_rows_are_told_with_their_place_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (1..=1_500)
        .map(|n| if n % 500 == 0 { "{\"n\": \"x\"}\n".into() } else { format!("{{\"n\": {n}}}\n") })
        .collect();
    fs::write(folder.path().join("a.json"), text).unwrap();
    let read = |policy| {
        let mut table = table(folder.path(), &[], &[("format", "json"), ("scan.bad-rows", policy)]);
        table.columns = vec![TableColumn { field: Field::new("n", DataType::Int32, true), metadata: None }];
        scan(&table)
    };
    for policy in ["skip", "deadLetter"] {
        let outcome = conformance::source(read(policy).as_ref());
        assert_eq!((outcome.all_rows().len(), outcome.errors), (1_497, 3));
        let dead =
            outcome.dead_letters.values().flatten().map(|row| row.replace(folder.path().to_str().unwrap(), "ROOT"));
        let places: Vec<String> = dead.map(|row| row.split(", ").take(2).collect::<Vec<_>>().join(", ")).collect();
        let expected: &[&str] =
            if policy == "skip" { &[] } else { &["[ROOT/a.json, 500", "[ROOT/a.json, 1000", "[ROOT/a.json, 1500"] };
        assert_eq!(places, expected);
    }
    let error = first_error(read("fail").as_ref(), folder.path());
    assert!(error.starts_with("`ROOT/a.json`, row 500: ") && error.contains("the row is `{\"n\": \"x\"}`"), "{error}");
}
