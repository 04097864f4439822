//! What `docs/connectors.md` says about options: the tables on that page are made from here.
//!
//! Three tests keep them true. Every option that is read must be described ([`is_described`], which `Options` asks in
//! tests). Every option that is described must be read, and make a difference. And every default must be the default.

use std::fmt::{Debug, Write as _};
use std::path::PathBuf;

use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::datagen::options::DatagenOptions;
use crate::filesystem::options::FilesystemOptions;
use crate::formats::FormatSpec;
use crate::nexmark::options::NexmarkOptions;
use crate::options::Options;
use crate::print::options::PrintOptions;
use crate::socket::options::SocketOptions;
use crate::{TableColumn, TableSpec};

/// An option, as a row of a table.
struct Entry {
    key: &'static str,
    /// What its value is.
    value: &'static str,
    /// As it would be written; `REQUIRED` and `NONE` say that there is none.
    default: &'static str,
    meaning: &'static str,
    /// Settings under which it makes a difference, itself among them.
    example: &'static [(&'static str, &'static str)],
}

const REQUIRED: &str = "required";
const NONE: &str = "–";

const fn row(
    key: &'static str,
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
    example: &'static [(&'static str, &'static str)],
) -> Entry {
    Entry { key, value, default, meaning, example }
}

/// The options of a connector or a format, and how they are read.
struct Section {
    name: &'static str,
    /// What a table has besides what is asked about.
    settings: &'static [(&'static str, &'static str)],
    entries: &'static [Entry],
    read: fn(&TableSpec) -> crate::Result<String>,
}

static SECTIONS: &[Section] = &[
    Section {
        name: "filesystem",
        settings: &[("path", "in"), ("format", "json")],
        entries: FILESYSTEM,
        read: filesystem,
    },
    Section {
        name: "partitions",
        settings: &[("path", "in"), ("format", "json")],
        entries: PARTITIONS,
        read: filesystem,
    },
    Section { name: "socket", settings: &[("hostname", "localhost"), ("port", "9999")], entries: SOCKET, read: socket },
    Section { name: "datagen", settings: &[], entries: DATAGEN, read: datagen },
    Section { name: "nexmark", settings: &[], entries: NEXMARK, read: nexmark },
    Section { name: "print", settings: &[], entries: PRINT, read: print },
    Section { name: "formats", settings: &[("format", "json")], entries: FORMATS, read: format },
    Section { name: "json", settings: &[("format", "json")], entries: JSON, read: format },
    Section { name: "csv", settings: &[("format", "csv")], entries: CSV, read: format },
    Section { name: "raw", settings: &[("format", "raw")], entries: RAW, read: format },
    Section { name: "parquet", settings: &[("format", "parquet")], entries: PARQUET, read: format },
];

static FILESYSTEM: &[Entry] = &[
    row(
        "path",
        "path",
        REQUIRED,
        "Read: a file, a folder with all that is below it, or a glob. Written: a folder. Relative ones begin where the job is run; `file:` URIs will do.",
        &[("path", "other")],
    ),
    row("format", "`json`, `csv`, `raw`, `parquet`", REQUIRED, "How bytes are read and written.", &[("format", "csv")]),
    row(
        "source.path.regex-pattern",
        "regular expression",
        NONE,
        "Only files whose whole absolute path matches are read.",
        &[("source.path.regex-pattern", ".*/2024-.*")],
    ),
    row(
        "source.monitor-interval",
        "duration",
        NONE,
        "How often to look for new files. Without it the source ends when the files that were there at the start are read.",
        &[("source.monitor-interval", "10 s")],
    ),
    row(
        "sink.rolling-policy.file-size",
        "size",
        "128 mb",
        "A part file that has so many bytes is full.",
        &[("sink.rolling-policy.file-size", "1 mb")],
    ),
    row(
        "sink.rolling-policy.rollover-interval",
        "duration",
        "30 min",
        "So is one that has been open for so long,",
        &[("sink.rolling-policy.rollover-interval", "1 min")],
    ),
    row(
        "sink.rolling-policy.inactivity-interval",
        "duration",
        "30 min",
        "or that nothing was written to for so long.",
        &[("sink.rolling-policy.inactivity-interval", "1 min")],
    ),
    row(
        "sink.rolling-policy.check-interval",
        "duration",
        "1 min",
        "How often the two intervals, and partitions, are looked at.",
        &[("sink.rolling-policy.check-interval", "5 s")],
    ),
];

static PARTITIONS: &[Entry] = &[
    row(
        "partition.default-name",
        "text",
        "__HIVE_DEFAULT_PARTITION__",
        "The folder's name that stands for null, and for an empty text.",
        &[("partition.default-name", "none")],
    ),
    row(
        "sink.partition-commit.policy.kind",
        "`success-file`",
        NONE,
        "Puts an empty file into the folder of each partition that is complete. Without it partitions are not looked at.",
        &[("sink.partition-commit.policy.kind", "success-file")],
    ),
    row(
        "sink.partition-commit.success-file.name",
        "file name",
        "_SUCCESS",
        "Its name.",
        &[("sink.partition-commit.policy.kind", "success-file"), ("sink.partition-commit.success-file.name", "done")],
    ),
    row(
        "sink.partition-commit.trigger",
        "`process-time`, `partition-time`",
        "process-time",
        "A partition is complete some time after its first file was opened, or when the watermark has passed the time that its values name. At the end of input all are.",
        &[("sink.partition-commit.policy.kind", "success-file"), ("sink.partition-commit.trigger", "partition-time")],
    ),
    row(
        "sink.partition-commit.delay",
        "duration",
        "0 s",
        "How much later.",
        &[("sink.partition-commit.policy.kind", "success-file"), ("sink.partition-commit.delay", "1 h")],
    ),
    row(
        "sink.partition-commit.watermark-time-zone",
        "time zone",
        "UTC",
        "The zone of the time that the values name.",
        &[
            ("sink.partition-commit.policy.kind", "success-file"),
            ("sink.partition-commit.trigger", "partition-time"),
            ("sink.partition-commit.watermark-time-zone", "Europe/Berlin"),
        ],
    ),
    row("partition.time-extractor.kind", "`default`", "default", "The only one.", &[]),
    row(
        "partition.time-extractor.timestamp-pattern",
        "text with `$column`",
        NONE,
        "How the values make a time, as `$dt $hour:00`. The first partition column unless set.",
        &[
            ("sink.partition-commit.policy.kind", "success-file"),
            ("sink.partition-commit.trigger", "partition-time"),
            ("partition.time-extractor.timestamp-pattern", "$dt 12:00"),
        ],
    ),
    row(
        "partition.time-extractor.timestamp-formatter",
        "date pattern",
        NONE,
        "How that time is written, in the letters `yyyy MM dd HH mm ss SSS`. `2024-02-29`, perhaps with a time of day, unless set.",
        &[
            ("sink.partition-commit.policy.kind", "success-file"),
            ("sink.partition-commit.trigger", "partition-time"),
            ("partition.time-extractor.timestamp-formatter", "yyyyMMdd"),
        ],
    ),
];

static SOCKET: &[Entry] = &[
    row("hostname", "text", REQUIRED, "The server that is connected to,", &[("hostname", "example.org")]),
    row("port", "1 to 65535", REQUIRED, "and its port.", &[("port", "80")]),
    row("format", "`raw`, `json`, `csv`", "raw", "How records are read.", &[("format", "json")]),
    row(
        "byte-delimiter",
        "0 to 127",
        "10",
        "The byte between records, as a number; 10 is the line feed, the only one for `csv`.",
        &[("byte-delimiter", "0")],
    ),
    row(
        "scan.max-retries",
        "whole number",
        "0",
        "How often to connect again, half a second after the server has closed the connection or did not take it. −1 is without end.",
        &[("scan.max-retries", "-1")],
    ),
];

static DATAGEN: &[Entry] = &[
    row("rows-per-second", "whole number", "10000", "How many rows come each second.", &[("rows-per-second", "5")]),
    row(
        "number-of-rows",
        "whole number",
        NONE,
        "The source ends after so many, or where the shortest sequence ends. Without either it does not end.",
        &[("number-of-rows", "5")],
    ),
    row("seed", "whole number", "0", "Another seed gives other values.", &[("seed", "5")]),
    row(
        "fields.#.kind",
        "`random`, `sequence`",
        "random",
        "How the values of the column `#` are made.",
        &[("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "9")],
    ),
    row(
        "fields.#.min",
        "number",
        "the type's least",
        "The least random number; for FLOAT and DOUBLE the least positive one unless set.",
        &[("fields.n.min", "5")],
    ),
    row("fields.#.max", "number", "the type's greatest", "The greatest.", &[("fields.n.max", "5")]),
    row(
        "fields.#.max-past",
        "duration",
        "0 s",
        "How long before its row is due a random timestamp may be.",
        &[("fields.at.max-past", "5 s")],
    ),
    row(
        "fields.#.length",
        "whole number",
        "100",
        "Characters of a random text, bytes of BYTES; elements of an array or entries of a map, 3 unless set.",
        &[("fields.text.length", "5")],
    ),
    row(
        "fields.#.var-len",
        "true or false",
        "false",
        "Texts and bytes have any length from 1 up to that.",
        &[("fields.text.var-len", "true")],
    ),
    row(
        "fields.#.start",
        "whole number",
        "required for `sequence`",
        "The first value of a sequence.",
        &[("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "9")],
    ),
    row(
        "fields.#.end",
        "whole number",
        "required for `sequence`",
        "The last.",
        &[("fields.n.kind", "sequence"), ("fields.n.start", "1"), ("fields.n.end", "9")],
    ),
    row("fields.#.null-rate", "0 to 1", "0", "The share of values that are null.", &[("fields.n.null-rate", "0.5")]),
];

static NEXMARK: &[Entry] = &[
    row("events.num", "whole number", "0", "How many events there are; 0 is without end.", &[("events.num", "5")]),
    row(
        "stop-at",
        "whole number",
        "-1",
        "The same, for programs that say it so. Below 0: nothing.",
        &[("stop-at", "5")],
    ),
    row(
        "keep-alive",
        "true or false",
        "false",
        "Whether the source stays open after its last event.",
        &[("keep-alive", "true")],
    ),
    row("first-event.rate", "whole number", "10000", "Events a second, in event time.", &[("first-event.rate", "5")]),
    row(
        "next-event.rate",
        "whole number",
        "as `first-event.rate`",
        "A rate that changes is not supported: it must be the same.",
        &[],
    ),
    row("rate.shape", "`SINE`, `SQUARE`", NONE, "Has no effect.", &[]),
    row("rate.period", "duration", NONE, "Has no effect.", &[]),
    row(
        "rate.limited",
        "true or false",
        "false with an end, else true",
        "Whether events come at their rate, or as fast as they are read.",
        &[("rate.limited", "false")],
    ),
    row(
        "max-emit-speed",
        "true or false",
        "true with an end, else false",
        "The opposite of `rate.limited`.",
        &[("max-emit-speed", "true")],
    ),
    row("seed", "whole number", "1", "Another seed gives other events.", &[("seed", "5")]),
    row(
        "base-time",
        "time",
        "2015-07-15T00:00:00Z",
        "The event time of the first event, or milliseconds since 1970.",
        &[("base-time", "2024-01-01T00:00:00Z")],
    ),
    row("splits", "1 to 4096", "8", "Into how many splits the stream is dealt.", &[("splits", "5")]),
    row("person.proportion", "whole number", "1", "People among", &[("person.proportion", "5")]),
    row("auction.proportion", "whole number", "3", "auctions", &[("auction.proportion", "5")]),
    row("bid.proportion", "whole number", "46", "and bids.", &[("bid.proportion", "5")]),
    row("person.avg-size", "size", "200", "How large a person is on average,", &[("person.avg-size", "1 kb")]),
    row("auction.avg-size", "size", "500", "an auction,", &[("auction.avg-size", "1 kb")]),
    row("bid.avg-size", "size", "100", "a bid.", &[("bid.avg-size", "1 kb")]),
    row(
        "bid.hot-ratio.auctions",
        "whole number",
        "2",
        "All bids but one in so many are for a hot auction,",
        &[("bid.hot-ratio.auctions", "5")],
    ),
    row("bid.hot-ratio.bidders", "whole number", "4", "come from a hot bidder;", &[("bid.hot-ratio.bidders", "5")]),
    row(
        "auction.hot-ratio.sellers",
        "whole number",
        "4",
        "all auctions but one in so many have a hot seller.",
        &[("auction.hot-ratio.sellers", "5")],
    ),
];

static PRINT: &[Entry] = &[
    row("print-identifier", "text", NONE, "Stands before every row.", &[("print-identifier", "a")]),
    row(
        "standard-error",
        "true or false",
        "false",
        "Whether rows go to stderr instead of stdout.",
        &[("standard-error", "true")],
    ),
];

static FORMATS: &[Entry] = &[
    row(
        "scan.bad-rows",
        "`fail`, `skip`, `deadLetter`",
        "fail",
        "What becomes of a row that cannot be decoded.",
        &[("scan.bad-rows", "skip")],
    ),
    row(
        "scan.max-record-size",
        "size, 1 b to 512 mb",
        "16 mb",
        "A record that is longer is a bad row.",
        &[("scan.max-record-size", "1 mb")],
    ),
];

static JSON: &[Entry] = &[
    row(
        "json.ignore-parse-errors",
        "true or false",
        "false",
        "A value that cannot be read is null, and a record that cannot be read is skipped.",
        &[("json.ignore-parse-errors", "true")],
    ),
    row(
        "json.fail-on-missing-field",
        "true or false",
        "false",
        "A record without one of the columns that are read is a bad row. Else the column is null.",
        &[("json.fail-on-missing-field", "true")],
    ),
    row(
        "json.timestamp-format.standard",
        "`SQL`, `ISO-8601`",
        "SQL",
        "`2024-02-29 12:34:56.789`, or with a `T` for the blank. Text of a TIMESTAMP_LTZ without an offset is local time of the session; it is written in UTC with a `Z`.",
        &[("json.timestamp-format.standard", "ISO-8601")],
    ),
];

static CSV: &[Entry] = &[
    row(
        "csv.header",
        "true or false",
        "false",
        "The first line of a file names its columns, which are then found by name and may be more than those of the table. Written too.",
        &[("csv.header", "true")],
    ),
    row(
        "csv.field-delimiter",
        "character",
        ",",
        "What stands between values. `\\t` and `\\u0001` are understood, here and below.",
        &[("csv.field-delimiter", ";")],
    ),
    row(
        "csv.quote-character",
        "character",
        "\"",
        "What stands around a value that has delimiters or line ends in it.",
        &[("csv.quote-character", "'")],
    ),
    row(
        "csv.disable-quote-character",
        "true or false",
        "false",
        "There is no such character.",
        &[("csv.disable-quote-character", "true")],
    ),
    row(
        "csv.escape-character",
        "character",
        NONE,
        "The character behind it is meant literally.",
        &[("csv.escape-character", "\\")],
    ),
    row(
        "csv.null-literal",
        "text",
        NONE,
        "What stands for null, perhaps nothing. Without it nothing that is read is null: an empty value is an empty text, and in a column of another type it makes a bad row. Written, null is then an empty value.",
        &[("csv.null-literal", "NA")],
    ),
    row(
        "csv.array-element-delimiter",
        "text",
        ";",
        "What stands between the elements of an ARRAY or the fields of a ROW.",
        &[("csv.array-element-delimiter", "|")],
    ),
    row(
        "csv.allow-comments",
        "true or false",
        "false",
        "Lines that begin with `#` are passed over.",
        &[("csv.allow-comments", "true")],
    ),
    row(
        "csv.ignore-parse-errors",
        "true or false",
        "false",
        "A value that cannot be read, or is missing at the line's end, is null; values too many are passed over.",
        &[("csv.ignore-parse-errors", "true")],
    ),
];

static RAW: &[Entry] = &[row("raw.charset", "`UTF-8`", "UTF-8", "The only one.", &[])];

static PARQUET: &[Entry] = &[
    row(
        "parquet.compression",
        "`UNCOMPRESSED`, `SNAPPY`, `GZIP`, `ZSTD`, `LZ4_RAW`",
        "SNAPPY",
        "Of what is written.",
        &[("parquet.compression", "ZSTD")],
    ),
    row(
        "parquet.block.size",
        "size, 1 mb to 1 gb",
        "32 mb",
        "How many bytes a row group that is written has at most. So many are held in memory for each open part.",
        &[("parquet.block.size", "1 mb")],
    ),
];

fn shown(options: crate::Result<impl Debug>) -> crate::Result<String> {
    options.map(|options| format!("{options:?}"))
}

fn filesystem(table: &TableSpec) -> crate::Result<String> {
    shown(FilesystemOptions::read(table))
}

fn socket(table: &TableSpec) -> crate::Result<String> {
    shown(SocketOptions::read(table))
}

fn datagen(table: &TableSpec) -> crate::Result<String> {
    shown(DatagenOptions::read(table))
}

fn nexmark(table: &TableSpec) -> crate::Result<String> {
    shown(NexmarkOptions::read(Options::of(table)))
}

fn print(table: &TableSpec) -> crate::Result<String> {
    shown(PrintOptions::read(table))
}

fn format(table: &TableSpec) -> crate::Result<String> {
    let mut options = Options::of(table);
    let read = FormatSpec::read(&mut options, None)?;
    options.finish().and_then(|()| shown(Ok(read)))
}

/// Whether the page tells of the option `key`. `fields.n.min` is told of as `fields.#.min`.
pub(crate) fn is_described(key: &str) -> bool {
    let general = match (key.strip_prefix("fields."), key.rsplit_once('.')) {
        (Some(_), Some((_, what))) => format!("fields.#.{what}"),
        _ => key.to_owned(),
    };
    SECTIONS.iter().flat_map(|section| section.entries).any(|entry| entry.key == general)
}

/// A table with a column of several kinds and these options; `#` in a key is the column that fits.
fn table(settings: &[(&str, &str)]) -> TableSpec {
    let columns = [
        ("n", DataType::Int32),
        ("text", DataType::Utf8),
        ("at", DataType::Timestamp(TimeUnit::Millisecond, None)),
        ("dt", DataType::Utf8),
    ];
    let column = |(name, kind)| TableColumn { field: Field::new(name, kind, true), metadata: None };
    TableSpec {
        name: "t".to_owned(),
        columns: columns.map(column).to_vec(),
        partition_keys: vec!["dt".to_owned()],
        primary_key: Vec::new(),
        options: settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        time_zone: "UTC".to_owned(),
    }
}

impl Section {
    fn read(&self, settings: &[(&str, &str)]) -> crate::Result<String> {
        (self.read)(&table(&[self.settings, settings].concat()))
    }
}

impl Entry {
    /// The key as it stands in the example.
    fn actual_key(&self) -> &'static str {
        let (before, after) = self.key.split_once('#').unwrap_or((self.key, ""));
        let fits = |key: &&str| key.starts_with(before) && key.ends_with(after);
        self.example.iter().map(|(key, _)| *key).find(fits).unwrap_or(self.key)
    }
}

#[test]
fn every_option_that_is_described_makes_a_difference() {
    for section in SECTIONS {
        for entry in section.entries.iter().filter(|entry| !entry.example.is_empty()) {
            let key = entry.actual_key();
            let with = section.read(entry.example).unwrap_or_else(|error| panic!("{key}: {error}"));
            let without: Vec<_> = entry.example.iter().copied().filter(|(other, _)| *other != key).collect();
            let without = section.read(&without);
            assert!(without.as_ref() != Ok(&with), "{}: '{key}' makes no difference", section.name);
        }
    }
}

#[test]
fn every_default_that_is_described_is_the_default() {
    for section in SECTIONS {
        for entry in section.entries {
            let words = [REQUIRED, NONE].contains(&entry.default) || entry.default.contains(" `");
            if words || entry.default.starts_with("the ") || entry.default.contains(" with an end") {
                continue;
            }
            let key = entry.actual_key();
            let others: Vec<_> = entry.example.iter().copied().filter(|(other, _)| *other != key).collect();
            // A sequence needs its bounds, which nothing else has.
            let others = if entry.key.ends_with(".kind") && section.name == "datagen" { Vec::new() } else { others };
            let with = section.read(&[others.as_slice(), &[(key, entry.default)]].concat());
            assert_eq!(
                with,
                section.read(&others),
                "{}: the default of '{key}' is not {}",
                section.name,
                entry.default
            );
        }
    }
}

#[test]
fn what_is_required_is_required() {
    for section in SECTIONS {
        for entry in section.entries.iter().filter(|entry| entry.default == REQUIRED) {
            let without: Vec<_> = section.settings.iter().copied().filter(|(key, _)| *key != entry.key).collect();
            let error = (section.read)(&table(&without)).unwrap_err().to_string();
            assert!(error.contains(&format!("'{}' is missing", entry.key)), "{}: {error}", section.name);
        }
    }
}

fn page() -> String {
    let mut page = include_str!("reference.md").to_owned();
    for section in SECTIONS {
        let mut rows = "| option | value | default | meaning |\n|---|---|---|---|\n".to_owned();
        for Entry { key, value, default, meaning, .. } in section.entries {
            let is_value = ![REQUIRED, NONE].contains(default) && !default.contains(' ') && !default.contains('`');
            let default = if is_value { format!("`{default}`") } else { (*default).to_owned() };
            let cells = [format!("`{key}`"), (*value).to_owned(), default, (*meaning).to_owned()];
            let _ = writeln!(rows, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
        let place = format!("{{{}}}\n", section.name);
        assert!(page.contains(&place), "reference.md has no place for {place}");
        page = page.replace(&place, &rows);
    }
    page
}

#[test]
fn the_committed_page_is_current() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../docs/connectors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page(), "docs/connectors.md is not current: run the tests once with UPDATE_DOCS=1");
}
