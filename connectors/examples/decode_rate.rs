//! How fast JSON rows become columns: prints rows per second for the bids of the Nexmark benchmark, all seven columns and
//! three of them, and with a filter.
//!
//! Run it with `cargo run --release -p millstream-connectors --example decode_rate [ROWS]`. The rows are made beforehand,
//! and what is measured is one core from bytes in memory to batches of 8,192 rows. It is a figure, not a test: nothing
//! else should run beside it.

use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_connectors::formats::{Decoder, Format, FormatSpec};
use millstream_connectors::{ColumnFilter, FilterValue};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_ROWS: usize = 8_192;
/// How much a reader hands over at a time.
const CHUNK_BYTES: usize = 1 << 20;
const REPEATS: usize = 5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let rows = std::env::args().nth(1).map_or(Ok(500_000), |rows| rows.parse())?;
    let input = bids(rows);
    let report = |what: &str, columns: &[&str], filters: &[ColumnFilter]| {
        let (rate, found) = best_rate(&input, rows, columns, filters)?;
        print(&format!("{what:<24} {:>6.2} M rows/s {:>6.0} ns/row {found:>9} rows found", rate / 1e6, 1e9 / rate))
    };
    print(&format!("{rows} rows of {} bytes", input.len() / rows))?;
    report("7 columns", &["auction", "bidder", "price", "channel", "url", "dateTime", "extra"], &[])?;
    report("3 columns", &["auction", "bidder", "price"], &[])?;
    let filter = ColumnFilter { column: "auction".to_owned(), value: FilterValue::Integer(1_007) };
    report("3 columns and filter", &["auction", "bidder", "price"], &[filter])?;
    report("bidder and dateTime", &["bidder", "dateTime"], &[])
}

fn print(line: &str) -> Result<(), Failure> {
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// Rows per second in the best of some runs, and how many rows came out.
fn best_rate(input: &[u8], rows: usize, columns: &[&str], filters: &[ColumnFilter]) -> Result<(f64, usize), Failure> {
    let mut best = (0.0_f64, 0);
    for _ in 0..REPEATS {
        let mut decoder = decoder(columns, filters)?;
        let start = Instant::now();
        let found = decode(decoder.as_mut(), input)?;
        let rate = rows as f64 / start.elapsed().as_secs_f64();
        best = (best.0.max(rate), found);
    }
    Ok(best)
}

fn decoder(columns: &[&str], filters: &[ColumnFilter]) -> Result<Box<dyn Decoder>, Failure> {
    let table = table();
    let picked = columns.iter().map(|name| table.field_with_name(name).cloned()).collect::<Result<Vec<_>, _>>()?;
    let spec = FormatSpec {
        format: Format::Json(millstream_connectors::formats::json::JsonOptions::default()),
        bad_rows: millstream_connectors::formats::BadRowPolicy::Fail,
        max_record_bytes: 16 << 20,
        time: millstream_connectors::formats::TimeColumn::None,
    };
    Ok(spec.decoder(&Arc::new(Schema::new(picked)), &table, None, filters, "UTC")?)
}

fn table() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("auction", DataType::Int64),
        field("bidder", DataType::Int64),
        field("price", DataType::Int64),
        field("channel", DataType::Utf8),
        field("url", DataType::Utf8),
        field("dateTime", DataType::Timestamp(TimeUnit::Millisecond, None)),
        field("extra", DataType::Utf8),
    ]))
}

/// Decodes all of `input` as a reader does, dropping each batch before the next one is made.
fn decode(decoder: &mut dyn Decoder, input: &[u8]) -> Result<usize, Failure> {
    let (mut start, mut end, mut found) = (0, input.len().min(CHUNK_BYTES), 0);
    loop {
        let last = end == input.len();
        start += decoder.decode(&input[start..end], BATCH_ROWS, last)?;
        if decoder.waiting() >= BATCH_ROWS || (last && start == end) {
            let decoded = decoder.flush()?;
            found += decoded.rows.num_rows();
            if last && start == end {
                return Ok(found);
            }
        } else {
            end = input.len().min(end + CHUNK_BYTES);
        }
    }
}

/// Bids as the Nexmark generator writes them, a line for each, of about 227 bytes.
fn bids(rows: usize) -> Vec<u8> {
    const CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let mut input = Vec::with_capacity(rows * 230);
    for row in 0..rows {
        let (auction, bidder) = (1_000 + next(100_000), 1_000 + next(50_000));
        let magnitude = 7 + next(20);
        let price = 100 + next(1 << magnitude);
        let channel = CHANNELS[usize::try_from(next(4)).unwrap_or(0)];
        let (second, millisecond) = (row / 100_000 % 60, row / 100 % 1_000);
        let url = format!(
            "https://www.nexmark.com/{:05x}/{:05x}/{:05x}/item.htm?query=1",
            next(1 << 20),
            next(1 << 20),
            next(1 << 20)
        );
        let extra = format!("{:016x}{:016x}{:015x}", next(u64::MAX), next(u64::MAX), next(1 << 60));
        let line = format!(
            "{{\"auction\":{auction},\"bidder\":{bidder},\"price\":{price},\"channel\":\"{channel}\",\"url\":\"{url}\",\
             \"dateTime\":\"2020-01-01 00:00:{second:02}.{millisecond:03}\",\"extra\":\"{extra}\"}}\n"
        );
        input.extend_from_slice(line.as_bytes());
    }
    input
}
