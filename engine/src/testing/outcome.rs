//! What came out of an operator, as lines of text.

use std::fmt;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMillisecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::batch::EventBatch;

/// What each step of a test has caused.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// One for each step.
    pub steps: Vec<StepOutcome>,
}

/// What one step has caused. Lines are sorted: the order within a step means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepOutcome {
    /// The step, as `watermark 11`.
    pub step: String,
    /// A line for each row: results as they are, others with `late` or `dead letter` before them.
    pub lines: Vec<String>,
    /// How many rows were counted as late.
    pub late: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| write!(f, "{step}"))
    }
}

impl fmt::Display for StepOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{}: {line}", self.step)?;
        }
        let shown = self.lines.iter().filter(|line| line.starts_with("late ")).count();
        if usize::try_from(self.late).is_ok_and(|late| late != shown) {
            writeln!(f, "{}: late counter + {}", self.step, self.late)?;
        }
        Ok(())
    }
}

/// A line for each row: its cells, a window as `[start,end)`, and its event time as `@time`.
pub fn lines_of(batch: &EventBatch) -> Vec<String> {
    let columns = columns_of(&batch.rows);
    (0..batch.num_rows())
        .map(|row| {
            let kind = batch.row_kinds.as_ref().map(|kinds| ["+I", "-U", "+U", "-D"][kinds[row] as usize].to_owned());
            let time = batch.event_time.as_ref().map(|times| format!("@{}", time(times[row])));
            let cells = columns.iter().map(|column| column(row));
            kind.into_iter().chain(cells).chain(time).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// A time in milliseconds; the ends of time by name.
fn time(time: i64) -> String {
    match time {
        i64::MIN => "MIN".to_owned(),
        i64::MAX => "MAX".to_owned(),
        time => time.to_string(),
    }
}

type ShownColumn<'a> = Box<dyn Fn(usize) -> String + 'a>;

fn columns_of(rows: &RecordBatch) -> Vec<ShownColumn<'_>> {
    let schema = rows.schema_ref();
    let window_end = schema.index_of("window_end").ok();
    let mut columns: Vec<ShownColumn<'_>> = Vec::new();
    for (at, field) in schema.fields().iter().enumerate() {
        match (field.name().as_str(), window_end) {
            ("window_start", Some(end)) => {
                let (start, end) = (cells(rows.column(at)), cells(rows.column(end)));
                columns.push(Box::new(move |row| format!("[{},{})", start(row), end(row))));
            }
            ("window_end", Some(_)) => {}
            _ => columns.push(cells(rows.column(at))),
        }
    }
    columns
}

fn cells(column: &ArrayRef) -> ShownColumn<'_> {
    if column.data_type() == &DataType::Timestamp(TimeUnit::Millisecond, None) {
        let times = column.as_primitive::<TimestampMillisecondType>();
        return Box::new(|row| if times.is_null(row) { "null".to_owned() } else { time(times.value(row)) });
    }
    let options = FormatOptions::default().with_null("null");
    let formatter = ArrayFormatter::try_new(column, &options).expect("a type that can be shown");
    // The formatter borrows the options, which live as long as this call; so every cell is made at once.
    let shown: Vec<String> = (0..column.len()).map(|row| formatter.value(row).to_string()).collect();
    Box::new(move |row| shown[row].clone())
}
