//! Every aggregate over every type, updated, merged and taken away in random parts, against the naive computation.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_engine::aggregate::{AccumulatorSet, AggregateFunction, AggregateSpec, RowNumbers};
use millstream_engine::error::Result;
use millstream_engine::testing::random::{Random, rounds};
use millstream_engine::testing::{Cell, Row, aggregate, batch_of};

use super::model::naive;

const ARGUMENT: usize = 0;
const FLAG: usize = 1;

#[test]
fn aggregates_agree_with_the_naive_computation() {
    for seed in rounds(600) {
        let mut random = Random::new(seed);
        let input = input(&mut random);
        let spec = any_aggregate(&mut random, &input);
        let groups = random.below(4) + 1;
        let batch = rows(&mut random, &input, 30);
        let of_row: Vec<u32> = (0..batch.num_rows()).map(|_| index(random.below(groups))).collect();
        let found = accumulate(&mut random, &spec, &input, groups, &batch, &of_row).expect("aggregates");
        for group in 0..groups {
            let own = rows_of(&batch, &of_row, index(group));
            let expected = naive(&spec, &own);
            let value = found.slice(group, 1);
            assert_eq!(
                &expected,
                &value,
                "seed {seed}: {:?} distinct {} filter {:?} over {} in group {group} of {own:?}",
                spec.function,
                spec.distinct,
                spec.filter,
                input.field(ARGUMENT).data_type()
            );
        }
    }
}

/// The values of all groups, by way of parts that are updated, merged and taken away.
fn accumulate(
    random: &mut Random,
    spec: &AggregateSpec,
    input: &SchemaRef,
    groups: usize,
    batch: &RecordBatch,
    of_row: &[u32],
) -> Result<ArrayRef> {
    let all: Vec<u32> = (0..index(groups)).collect();
    let new = || -> Result<AccumulatorSet> {
        let mut set = AccumulatorSet::new(std::slice::from_ref(spec), input)?;
        set.resize(groups);
        Ok(set)
    };
    let mut whole = new()?;
    // What does not belong: it is merged, and taken away at the end.
    let foreign = rows(random, input, 10);
    let foreign_groups: Vec<u32> = (0..foreign.num_rows()).map(|_| index(random.below(groups))).collect();
    let mut other = new()?;
    other.update(&foreign_groups, &foreign, RowNumbers::Consecutive(1000))?;
    if whole.is_invertible() {
        whole.merge(&all, &other.states(&all)?)?;
    } else {
        // Or a group that is made empty again.
        whole.update(&foreign_groups, &foreign, RowNumbers::Consecutive(0))?;
        all.iter().for_each(|&group| whole.reset(group));
    }
    let mut parts: Vec<AccumulatorSet> = Vec::new();
    let mut at = 0;
    while at < batch.num_rows() {
        let length = (random.below(8) + 1).min(batch.num_rows() - at);
        let (part, of_part) = (batch.slice(at, length), &of_row[at..at + length]);
        let first = i64::try_from(at).expect("a small number");
        if random.chance(50) {
            whole.update(of_part, &part, RowNumbers::Consecutive(first))?;
        } else {
            // In another order, with the numbers of arrival.
            let order: Vec<u32> = (0..index(length)).rev().collect();
            let part = take_record_batch(&part, &UInt32Array::from(order.clone()))?;
            let of_part: Vec<u32> = of_part.iter().rev().copied().collect();
            let mut set = new()?;
            set.update(&of_part, &part, RowNumbers::Ordered { first, order: &order })?;
            parts.push(set);
        }
        at += length;
    }
    for part in parts.iter().rev() {
        whole.merge(&all, &part.states(&all)?)?;
    }
    if whole.is_invertible() {
        whole.retract(&all, &other.states(&all)?)?;
    }
    Ok(Arc::clone(&whole.values(&all)?[0]))
}

fn rows_of(batch: &RecordBatch, of_row: &[u32], group: u32) -> RecordBatch {
    let rows: BooleanArray = of_row.iter().map(|of| Some(*of == group)).collect();
    arrow::compute::filter_record_batch(batch, &rows).expect("a filter")
}

fn index(value: usize) -> u32 {
    u32::try_from(value).expect("a small number")
}

fn input(random: &mut Random) -> SchemaRef {
    let types = [
        DataType::Int64,
        DataType::Int64,
        DataType::Float64,
        DataType::Decimal128(12, 3),
        DataType::Int8,
        DataType::UInt64,
        DataType::Float32,
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Time32(TimeUnit::Second),
        DataType::Boolean,
        DataType::Utf8,
        DataType::Utf8View,
        DataType::Binary,
    ];
    Arc::new(Schema::new(vec![
        Field::new("argument", random.pick(&types).clone(), true),
        Field::new("flag", DataType::Boolean, true),
    ]))
}

fn any_aggregate(random: &mut Random, input: &SchemaRef) -> AggregateSpec {
    use AggregateFunction as F;
    let summable =
        matches!(input.field(ARGUMENT).data_type(), DataType::Int64 | DataType::Float64 | DataType::Decimal128(_, _));
    let function = if summable {
        *random.pick(&[F::Count, F::Sum, F::Avg, F::Min, F::Max, F::First, F::Last])
    } else {
        *random.pick(&[F::Count, F::Min, F::Max, F::First, F::Last])
    };
    let argument = (function != F::Count || random.chance(70)).then_some(ARGUMENT);
    let distinct = argument.is_some() && function != F::Last && random.chance(30);
    let filter = random.chance(30).then_some(FLAG);
    AggregateSpec { distinct, filter, ..aggregate(input, function, argument) }
}

fn rows(random: &mut Random, input: &SchemaRef, most: usize) -> RecordBatch {
    let rows: Vec<Row> = (0..=random.below(most)).map(|_| Row(vec![argument(random, input), flag(random)])).collect();
    let batch = batch_of(input, false, &rows).rows;
    // A slice, so that no column begins at the beginning of its buffers.
    let padded = concat_batches(input, [&batch, &batch]).expect("batches of one schema");
    padded.slice(batch.num_rows(), batch.num_rows())
}

fn argument(random: &mut Random, input: &SchemaRef) -> Cell {
    let value = random.within(-6..7);
    match input.field(ARGUMENT).data_type() {
        _ if random.chance(20) => Cell::Null,
        DataType::Float64 | DataType::Float32 => {
            Cell::Float(f64::from(i32::try_from(value).expect("a small number")) * 0.5)
        }
        DataType::Boolean => Cell::Bool(value > 0),
        DataType::Utf8 | DataType::Utf8View => Cell::Text(if value == 3 { String::new() } else { format!("t{value}") }),
        DataType::Binary => Cell::Text(format!("b{value}")),
        DataType::UInt64 | DataType::Time32(_) => Cell::Int(value + 6),
        _ => Cell::Int(value),
    }
}

fn flag(random: &mut Random) -> Cell {
    if random.chance(20) { Cell::Null } else { Cell::Bool(random.chance(60)) }
}

#[test]
fn floating_point_extremes_are_the_same_for_one_group_and_for_many() {
    let values = [f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1.5, -f64::NAN];
    let input: SchemaRef = Arc::new(Schema::new(vec![Field::new("argument", DataType::Float64, true)]));
    for first in values {
        for second in values {
            for function in [AggregateFunction::Min, AggregateFunction::Max] {
                let column: ArrayRef = Arc::new(arrow::array::Float64Array::from(vec![first, second]));
                let batch = RecordBatch::try_new(Arc::clone(&input), vec![column]).expect("a batch");
                let spec = aggregate(&input, function, Some(ARGUMENT));
                let value = |groups: usize| {
                    let mut set = AccumulatorSet::new(std::slice::from_ref(&spec), &input).expect("accumulators");
                    set.resize(groups);
                    set.update(&[0, 0], &batch, RowNumbers::Consecutive(0)).expect("an update");
                    format!("{:?}", set.values(&[0]).expect("values")[0])
                };
                assert_eq!(value(1), value(2), "{function:?} of {first} and {second}");
            }
        }
    }
}

#[test]
fn a_sum_that_does_not_fit_is_an_error_that_says_so() {
    let cases = [
        (DataType::Int64, vec!["9223372036854775807", "1"]),
        (DataType::Int8, vec!["100", "100"]),
        (DataType::Decimal128(38, 0), vec!["99999999999999999999999999999999999999"; 2]),
        (DataType::UInt64, vec!["18446744073709551615", "1"]),
    ];
    for (of, values) in cases {
        let input: SchemaRef = Arc::new(Schema::new(vec![Field::new("argument", of.clone(), true)]));
        let rows: Vec<Row> = values.iter().map(|value| Row::from((*value,))).collect();
        let batch = batch_of(&input, false, &rows).rows;
        let mut set =
            AccumulatorSet::new(&[aggregate(&input, AggregateFunction::Sum, Some(0))], &input).expect("accumulators");
        set.resize(1);
        let sum = set.update(&[0, 0], &batch, RowNumbers::Consecutive(0)).and_then(|()| set.values(&[0]));
        let message = sum.expect_err("a sum that does not fit").to_string();
        assert!(message.contains("SUM or AVG: ") && message.contains("fit"), "{of}: {message}");
    }
}

#[test]
fn sums_up_to_the_greatest_value_are_exact() {
    for (of, values, sum) in [
        (DataType::UInt64, vec!["18446744073709551614", "1"], "18446744073709551615"),
        (
            DataType::Int64,
            vec!["9223372036854775807", "-9223372036854775807", "-9223372036854775808"],
            "-9223372036854775808",
        ),
    ] {
        let input: SchemaRef = Arc::new(Schema::new(vec![Field::new("argument", of, true)]));
        let rows: Vec<Row> = values.iter().map(|value| Row::from((*value,))).collect();
        let batch = batch_of(&input, false, &rows).rows;
        let mut set =
            AccumulatorSet::new(&[aggregate(&input, AggregateFunction::Sum, Some(0))], &input).expect("accumulators");
        set.resize(1);
        set.update(&vec![0; rows.len()], &batch, RowNumbers::Consecutive(0)).expect("an update");
        let values = set.values(&[0]).expect("values that fit");
        let shown = arrow::util::display::array_value_to_string(&values[0], 0).expect("a number");
        assert_eq!(shown, sum);
        assert_eq!(values[0].len(), 1);
    }
}
