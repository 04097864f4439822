//! Key tables against a map, and the splitter against the definition of who owns a key.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use millstream_engine::batch::EventBatch;
use millstream_engine::key::hash::{hash_rows, is_hashable};
use millstream_engine::key::key_group::MaxParallelism;
use millstream_engine::key::splitter::KeySplitter;
use millstream_engine::key::table::{KeyIndex, KeyTable};
use millstream_engine::testing::random::{Random, rounds};
use millstream_engine::testing::{Cell, Row, batch_of, lines_of};

#[test]
fn a_key_table_is_a_map_from_keys_to_small_numbers() {
    for seed in rounds(200) {
        let mut random = Random::new(seed);
        let schema = schema(&mut random);
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let mut table = KeyTable::new(types).expect("a table");
        let mut model: HashMap<String, KeyIndex> = HashMap::new();
        let mut greatest = 0;
        for _ in 0..12 {
            match random.below(8) {
                0 => {
                    table.clear();
                    model.clear();
                    greatest = 0;
                }
                1..=3 => remove_some(&mut random, &mut table, &mut model),
                _ => intern_some(&mut random, &schema, &mut table, &mut model, seed),
            }
            greatest = greatest.max(model.len());
            check(&schema, &table, &model, seed);
            assert!(table.capacity_used() <= greatest, "seed {seed}: numbers of removed keys are given out again");
        }
    }
}

fn intern_some(
    random: &mut Random,
    schema: &SchemaRef,
    table: &mut KeyTable,
    model: &mut HashMap<String, KeyIndex>,
    seed: u64,
) {
    let length = random.below(20) + 1;
    let batch = keys(random, schema, length);
    let mut found = Vec::new();
    table.intern(batch.rows.columns(), batch.num_rows(), &mut found).expect("keys");
    for (line, index) in lines_of(&batch).into_iter().zip(&found) {
        if let Some(known) = model.get(&line) {
            assert_eq!(known, index, "seed {seed}: `{line}` keeps its number");
            continue;
        }
        assert!(!model.values().any(|taken| taken == index), "seed {seed}: `{line}` gets a number of its own");
        model.insert(line, *index);
    }
}

fn remove_some(random: &mut Random, table: &mut KeyTable, model: &mut HashMap<String, KeyIndex>) {
    let mut lines: Vec<String> = model.keys().cloned().collect();
    lines.sort();
    for line in lines.into_iter().filter(|_| random.chance(50)).collect::<Vec<_>>() {
        if let Some(index) = model.remove(&line) {
            table.remove(index);
        }
    }
}

fn check(schema: &SchemaRef, table: &KeyTable, model: &HashMap<String, KeyIndex>, seed: u64) {
    assert_eq!(table.len(), model.len(), "seed {seed}: {schema}");
    assert_eq!(table.is_empty(), model.is_empty());
    let mut indices: Vec<KeyIndex> = model.values().copied().collect();
    indices.sort_unstable();
    assert_eq!(table.indices(), indices, "seed {seed}: the numbers in use");
    if schema.fields().is_empty() {
        return;
    }
    let columns = table.columns(&indices).expect("columns");
    let batch = RecordBatch::try_new(Arc::clone(schema), columns).expect("columns of the table's types");
    for (line, index) in lines_of(&EventBatch::inserts(batch)).into_iter().zip(indices) {
        assert_eq!(model.get(&line), Some(&index), "seed {seed}: the key of number {index}");
    }
}

#[test]
fn a_splitter_gives_each_row_to_the_owner_of_its_key() {
    for seed in rounds(200) {
        let mut random = Random::new(seed);
        let schema = schema(&mut random);
        let groups = MaxParallelism::new(u32::try_from(random.within(1..300)).expect("small")).expect("groups");
        let parallelism = u32::try_from(random.within(1..i64::from(groups.get().min(9)) + 1)).expect("small");
        let by: Vec<usize> = (0..schema.fields().len()).collect();
        let mut splitter = KeySplitter::new(by, groups, parallelism);
        for _ in 0..3 {
            let length = random.below(30) + 1;
            let mut batch = keys(&mut random, &schema, length);
            batch.event_time = Some((0..i64::try_from(length).expect("small")).collect());
            let mut hashes = Vec::new();
            hash_rows(batch.rows.columns(), length, &mut hashes).expect("hashes");
            let mut expected: Vec<Vec<String>> = vec![Vec::new(); parallelism as usize];
            for (line, hash) in lines_of(&batch).into_iter().zip(hashes) {
                let group = groups.group_of(hash);
                let owner = groups.owner(group, parallelism);
                assert!(groups.range(owner, parallelism).contains(group));
                expected[owner as usize].push(line);
            }
            let mut found: Vec<Vec<String>> = vec![Vec::new(); parallelism as usize];
            for (target, part) in splitter.split(batch).expect("parts") {
                assert!(part.num_rows() > 0, "no empty part");
                found[target as usize].extend(lines_of(&part));
            }
            assert_eq!(found, expected, "seed {seed}: {schema} at parallelism {parallelism}");
        }
    }
}

#[test]
fn keys_of_floating_point_that_are_equal_are_one_key() {
    let schema: SchemaRef = Arc::new(Schema::new(vec![
        Field::new("double", DataType::Float64, true),
        Field::new("float", DataType::Float32, true),
    ]));
    let mut table = KeyTable::new(vec![DataType::Float64, DataType::Float32]).expect("a table");
    let rows = [(0.0, 0.0), (-0.0, -0.0), (f64::NAN, f64::NAN), (-f64::NAN, -f64::NAN), (1.5, 1.5)];
    let batch = batch_of(&schema, false, &rows.map(Row::from)).rows;
    let mut found = Vec::new();
    table.intern(batch.columns(), rows.len(), &mut found).expect("keys");
    assert_eq!(found, [0, 0, 1, 1, 2]);
}

/// Key columns of random types: none, one, two or three.
fn schema(random: &mut Random) -> SchemaRef {
    let types = [
        DataType::Int64,
        DataType::Int32,
        DataType::UInt8,
        DataType::Boolean,
        DataType::Date32,
        DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Utf8,
        DataType::Utf8,
        DataType::Utf8View,
        DataType::LargeUtf8,
        DataType::Binary,
        DataType::UInt64,
        DataType::Float64,
        DataType::Decimal128(20, 2),
        DataType::Time64(TimeUnit::Microsecond),
    ];
    let width = *random.pick(&[1, 1, 2, 2, 3, 0]);
    let fields = (0..width).map(|at| Field::new(format!("key{at}"), random.pick(&types).clone(), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    assert!(schema.fields().iter().all(|field| is_hashable(field.data_type())));
    schema
}

fn keys(random: &mut Random, schema: &SchemaRef, length: usize) -> EventBatch {
    let spread = random.within(1..15);
    let rows: Vec<Row> = (0..length)
        .map(|_| Row(schema.fields().iter().map(|field| key(random, field.data_type(), spread)).collect()))
        .collect();
    let batch = batch_of(schema, false, &rows);
    let columns: Vec<ArrayRef> = batch.rows.columns().to_vec();
    assert_eq!(columns.len(), schema.fields().len());
    batch
}

fn key(random: &mut Random, of: &DataType, spread: i64) -> Cell {
    let value = random.within(0..spread);
    match of {
        _ if random.chance(10) => Cell::Null,
        DataType::Boolean => Cell::Bool(value % 2 == 0),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Binary => match value {
            0 => Cell::Text(String::new()),
            1 => Cell::Text("a text that is longer than what a view holds in itself".repeat(20)),
            other => Cell::Text(format!("key {other}")),
        },
        DataType::Float64 => Cell::Float(f64::from(i32::try_from(value).expect("small")) - 2.0),
        _ => Cell::Int(value),
    }
}
