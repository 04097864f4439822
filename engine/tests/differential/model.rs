//! Window aggregation as one would explain it: all rows are kept, and everything is computed from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, TimestampMillisecondArray};
use arrow::compute::{concat, filter};
use arrow::datatypes::DataType;
use millstream_engine::aggregate::{AggregateFunction, AggregateSpec};
use millstream_engine::batch::EventBatch;
use millstream_engine::testing::{Cell, Row, batch_of, lines_of};
use millstream_engine::window::{SessionGap, TimeSource, TimeWindow, WindowAggregateSpec, WindowSpec};

/// A row, its time and its place among all rows.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) row: Row,
    pub(super) time: i64,
    pub(super) number: usize,
}

/// What comes of a step.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) lines: Vec<String>,
    pub(super) late: u64,
}

/// Windows with the usual trigger and no allowed lateness.
pub(super) struct Model<'a> {
    spec: &'a WindowAggregateSpec,
    /// By key as text: the open windows and their rows.
    open: BTreeMap<String, Vec<(TimeWindow, Vec<Seen>)>>,
    watermark: i64,
}

impl<'a> Model<'a> {
    pub(super) fn new(spec: &'a WindowAggregateSpec) -> Self {
        Self { spec, open: BTreeMap::new(), watermark: i64::MIN }
    }

    pub(super) fn rows(&mut self, rows: &[Seen]) -> Expected {
        let mut expected = Expected::default();
        for seen in rows {
            if self.is_late(seen) {
                expected.late += 1;
                if self.spec.late_output {
                    expected.lines.push(format!("late {}", line_of_row(self.spec, seen)));
                }
            }
        }
        expected.lines.sort();
        expected
    }

    /// Adds the row to its windows; whether it is late.
    fn is_late(&mut self, seen: &Seen) -> bool {
        let key = format!("{:?}", self.spec.keys.iter().map(|&at| &seen.row.0[at]).collect::<Vec<_>>());
        let open = self.open.entry(key).or_default();
        let by_wall_clock = self.spec.time == TimeSource::Processing;
        if let WindowSpec::Session { gap } = self.spec.window {
            let gap = match gap {
                SessionGap::Fixed(gap) => gap,
                SessionGap::Column(at) => as_int(&seen.row.0[at]),
            };
            let own = TimeWindow { start: seen.time, end: seen.time + gap };
            let (met, apart): (Vec<_>, Vec<_>) =
                std::mem::take(open).into_iter().partition(|(other, _)| other.intersects(own));
            *open = apart;
            let window = met.iter().fold(own, |all, (other, _)| all.cover(*other));
            if !by_wall_clock && window.end - 1 <= self.watermark {
                return seen.time <= self.watermark;
            }
            let mut rows: Vec<Seen> = met.into_iter().flat_map(|(_, rows)| rows).collect();
            rows.push(seen.clone());
            rows.sort_by_key(|row| row.number);
            open.push((window, rows));
            return false;
        }
        let mut taken = false;
        for window in windows_of(self.spec.window, seen.time) {
            if !by_wall_clock && window.end - 1 <= self.watermark {
                continue;
            }
            taken = true;
            match open.iter_mut().find(|(of, _)| *of == window) {
                Some((_, rows)) => rows.push(seen.clone()),
                None => open.push((window, vec![seen.clone()])),
            }
        }
        !by_wall_clock && !taken && seen.time <= self.watermark
    }

    /// The clock advances: the last millisecond that is over.
    pub(super) fn advance(&mut self, watermark: i64) -> Expected {
        self.watermark = watermark;
        let mut lines = Vec::new();
        for open in self.open.values_mut() {
            let (over, left): (Vec<_>, Vec<_>) =
                std::mem::take(open).into_iter().partition(|(window, _)| window.end - 1 <= watermark);
            *open = left;
            lines.extend(over.iter().map(|(window, rows)| line_of_result(self.spec, *window, rows)));
        }
        lines.sort();
        Expected { lines, late: 0 }
    }
}

/// By counting: every window of the grid that could have `time` in it.
fn windows_of(spec: WindowSpec, time: i64) -> Vec<TimeWindow> {
    let (size, slide, offset) = match spec {
        WindowSpec::Tumbling { size, offset } => (size, size, offset),
        WindowSpec::Sliding { size, slide, offset } => (size, slide, offset),
        WindowSpec::Cumulating { max_size, step, offset } => {
            let whole = windows_of(WindowSpec::Tumbling { size: max_size, offset }, time);
            let start = whole[0].start;
            let steps = (1..=max_size / step).map(|at| TimeWindow { start, end: start + at * step });
            return steps.filter(|window| time < window.end).collect();
        }
        other => panic!("{other:?} is not on a grid"),
    };
    let first = (time - offset - size) / slide - 2;
    let starts = (first..).map(|at| at * slide + offset).take_while(|start| *start <= time);
    starts.map(|start| TimeWindow { start, end: start + size }).filter(|window| time < window.end).collect()
}

fn line_of_row(spec: &WindowAggregateSpec, seen: &Seen) -> String {
    let record_time = spec.time == TimeSource::Record;
    let mut row = seen.row.clone();
    if record_time {
        row.0.push(Cell::Int(seen.time));
    }
    lines_of(&batch_of(&spec.input, record_time, &[row])).remove(0)
}

fn line_of_result(spec: &WindowAggregateSpec, window: TimeWindow, rows: &[Seen]) -> String {
    let batch = batch_of(&spec.input, false, &rows.iter().map(|seen| seen.row.clone()).collect::<Vec<_>>()).rows;
    let times = |time: i64| Arc::new(TimestampMillisecondArray::from_value(time, 1)) as ArrayRef;
    let mut columns: Vec<ArrayRef> = spec.keys.iter().map(|&key| batch.column(key).slice(0, 1)).collect();
    columns.extend([times(window.start), times(window.end)]);
    columns.extend(spec.aggregates.iter().map(|of| naive(of, &batch)));
    let rows = RecordBatch::try_new(Arc::clone(&spec.output), columns).expect("columns of the output");
    let event_time = (!matches!(spec.time, TimeSource::Column(_))).then(|| vec![window.end - 1].into());
    lines_of(&EventBatch { rows, event_time, row_kinds: None }).remove(0)
}

/// The aggregate over all rows of `batch`, which stand in the order of their arrival.
pub(super) fn naive(spec: &AggregateSpec, batch: &RecordBatch) -> ArrayRef {
    let rows = batch.num_rows();
    let seen: BooleanArray = match spec.filter {
        None => vec![true; rows].into(),
        Some(at) => {
            let of = batch.column(at).as_any().downcast_ref::<BooleanArray>().expect("a column of truth values");
            of.iter().map(|value| Some(value == Some(true))).collect()
        }
    };
    let Some(argument) = spec.argument else {
        return integers(spec, [Some(i128::try_from(seen.true_count()).expect("few rows"))]);
    };
    let column = filter(batch.column(argument), &seen).expect("a filter");
    let present: BooleanArray = (0..column.len()).map(|row| Some(column.is_valid(row))).collect();
    let mut values: Vec<ArrayRef> = {
        let column = filter(&column, &present).expect("a filter");
        (0..column.len()).map(|row| column.slice(row, 1)).collect()
    };
    if spec.distinct {
        let mut distinct: Vec<ArrayRef> = Vec::new();
        values.retain(|value| {
            let is_new = distinct.iter().all(|other| other.to_data() != value.to_data());
            if is_new {
                distinct.push(Arc::clone(value));
            }
            is_new
        });
    }
    let none = || arrow::array::new_null_array(spec.output.data_type(), 1);
    match spec.function {
        AggregateFunction::Count => integers(spec, [Some(i128::try_from(values.len()).expect("few values"))]),
        AggregateFunction::First => values.first().map_or_else(none, Arc::clone),
        AggregateFunction::Last => values.last().map_or_else(none, Arc::clone),
        AggregateFunction::Min => least(values, false).unwrap_or_else(none),
        AggregateFunction::Max => least(values, true).unwrap_or_else(none),
        AggregateFunction::Sum | AggregateFunction::Avg if values.is_empty() => none(),
        AggregateFunction::Sum | AggregateFunction::Avg => total(spec, &values),
    }
}

fn least(mut values: Vec<ArrayRef>, greatest: bool) -> Option<ArrayRef> {
    use arrow::array::make_comparator;
    use arrow::compute::SortOptions;
    values.sort_by(|a, b| make_comparator(a, b, SortOptions::default()).expect("an order")(0, 0));
    if greatest { values.pop() } else { (!values.is_empty()).then(|| values.remove(0)) }
}

fn total(spec: &AggregateSpec, values: &[ArrayRef]) -> ArrayRef {
    use arrow::array::cast::AsArray;
    use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
    let all = concat(&values.iter().map(AsRef::as_ref).collect::<Vec<_>>()).expect("values of one type");
    let count = values.len();
    let mean = spec.function == AggregateFunction::Avg;
    match all.data_type() {
        DataType::Float64 => {
            let sum: f64 = all.as_primitive::<Float64Type>().values().iter().sum();
            #[expect(clippy::cast_precision_loss, reason = "a test has few values")]
            let value = if mean { sum / count as f64 } else { sum };
            Arc::new(arrow::array::Float64Array::from(vec![value]))
        }
        DataType::Int64 => {
            let sum: i128 = all.as_primitive::<Int64Type>().values().iter().map(|&value| i128::from(value)).sum();
            integers(spec, [Some(if mean { sum / count as i128 } else { sum })])
        }
        DataType::Decimal128(_, from) => {
            let sum: i128 = all.as_primitive::<Decimal128Type>().values().iter().sum();
            let DataType::Decimal128(_, to) = spec.output.data_type() else { panic!("decimals add up to decimals") };
            let scaled = sum * 10_i128.pow(u32::try_from(to - from).expect("a scale that does not shrink"));
            let count = count as i128;
            // Half away from zero.
            let value = if mean { (2 * scaled.abs() + count) / (2 * count) * scaled.signum() } else { scaled };
            integers(spec, [Some(value)])
        }
        other => panic!("the model does not sum up {other}"),
    }
}

/// An integer or an unscaled decimal in the type of the result.
fn integers(spec: &AggregateSpec, values: [Option<i128>; 1]) -> ArrayRef {
    use arrow::array::{Decimal128Array, Int64Array};
    match spec.output.data_type() {
        DataType::Decimal128(precision, scale) => {
            let array = Decimal128Array::from(values.to_vec()).with_precision_and_scale(*precision, *scale);
            Arc::new(array.expect("a decimal"))
        }
        DataType::Int64 => {
            Arc::new(Int64Array::from_iter(values.map(|value| value.map(|value| i64::try_from(value).expect("small")))))
        }
        other => panic!("the model does not make {other}"),
    }
}

fn as_int(cell: &Cell) -> i64 {
    match cell {
        Cell::Int(value) => *value,
        other => panic!("{other:?} is no integer"),
    }
}
