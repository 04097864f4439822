//! What is stored comes back, wherever its key groups go; and bytes that are not what was written are refused.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Int64Array, Int64Builder, ListBuilder, RecordBatch, StringArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, UInt16Type};

use super::index::trailer;
use super::*;
use crate::error::Result;
use crate::key::key_group::{KeyGroup, KeyGroupRange, MaxParallelism};
use crate::state::OperatorState;
use crate::testing::random::{Random, rounds};

const ALL: KeyGroupRange = KeyGroupRange { first: KeyGroup(0), last: KeyGroup(u16::MAX) };
const WINDOW: u128 = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
const SINK: u128 = 7;

/// Keyed rows of several types, with the key groups `of`.
fn add_rows(state: &mut OperatorState, name: &str, random: &mut Random, of: Vec<KeyGroup>) {
    let rows = of.len();
    let mut lists = ListBuilder::new(Int64Builder::new());
    for _ in 0..rows {
        let items = random.chance(80).then(|| (0..random.below(4)).map(|_| Some(random.within(-9..9))));
        lists.append_option(items.map(Iterator::collect::<Vec<_>>));
    }
    let numbers: Int64Array = (0..rows).map(|_| random.chance(80).then(|| random.within(-9..9))).collect();
    let texts: StringArray = (0..rows).map(|row| random.chance(80).then(|| "text ".repeat(row % 7))).collect();
    let sums: Decimal128Array = (0..rows).map(|_| Some(i128::from(random.within(-9..9)) << 70)).collect();
    let flags: BooleanArray = (0..rows).map(|_| random.chance(90).then(|| random.chance(50))).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("number", Arc::new(numbers)),
        ("text", Arc::new(texts)),
        ("sum", Arc::new(sums)),
        ("flag", Arc::new(flags)),
        ("list", Arc::new(lists.finish())),
    ];
    let columns = columns.map(|(name, column)| (Field::new(name, column.data_type().clone(), true), column));
    state.add_keyed(name, of, columns.into()).expect("columns of one length");
}

/// Some sections and values, each of which may be empty.
fn any_state(random: &mut Random, groups: u32) -> OperatorState {
    let mut state = OperatorState::default();
    for at in 0..random.below(4) {
        let rows = *random.pick(&[0, 1, 3, 40]);
        let group = |random: &mut Random| u16::try_from(random.within(0..groups.into())).expect("a key group");
        let of = (0..rows).map(|_| KeyGroup(group(random))).collect();
        add_rows(&mut state, &format!("section {at}"), random, of);
    }
    for at in 0..random.below(3) {
        let length = *random.pick(&[0, 1, 8, 3000]);
        state.add_value(&format!("value {at}"), (0..length).map(|_| random.number().to_le_bytes()[0]).collect());
    }
    state
}

fn file_of(block_bytes: usize, states: &[(u128, &OperatorState)]) -> Vec<u8> {
    let mut writer = StateFileWriter::with_block_bytes(block_bytes);
    states.iter().for_each(|(id, state)| writer.add(*id, state).expect("added"));
    writer.finish().expect("a file").concat()
}

fn index_of(file: &[u8]) -> Result<Index> {
    let last = &file[file.len().saturating_sub(TRAILER_BYTES)..];
    let trailer = Trailer::parse("chk-1/0", last, file.len() as u64)?;
    Index::parse("chk-1/0", part(file, trailer.index_range()), &trailer)
}

fn part(file: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let at = |offset: u64| usize::try_from(offset).expect("of a file in memory");
    &file[at(range.start)..at(range.end)]
}

/// Reads the operators `ids` by ranges, all of them together.
fn restore(file: &[u8], ids: &[u128], range: KeyGroupRange) -> Result<Vec<OperatorState>> {
    let index = index_of(file)?;
    let mut assemblies =
        ids.iter().map(|id| Ok((*id, Assembly::new(&index, *id, "window", range)?))).collect::<Result<Vec<_>>>()?;
    let blocks = ids.iter().flat_map(|id| index.blocks(*id, range)).collect();
    for read in reads(blocks) {
        let bytes = part(file, read.range.clone());
        for block in &read.blocks {
            let mut of = assemblies.iter_mut().filter(|(id, _)| *id == block.operator());
            of.try_for_each(|(_, assembly)| assembly.add(block, read.part(block, bytes)))?;
        }
    }
    assemblies.into_iter().map(|(_, assembly)| assembly.finish()).collect()
}

type Sections = Vec<(String, RecordBatch)>;
type Values = Vec<(String, Vec<u8>)>;

/// The sections in their order, each with its rows in one batch, and the values.
fn normal(state: &OperatorState) -> (Sections, Values) {
    let sections = state.keyed.chunk_by(|(name, _), (next, _)| name == next).map(|batches| {
        let schema = batches[0].1.schema();
        let rows = concat_batches(&schema, batches.iter().map(|(_, rows)| rows)).expect("of one schema");
        (batches[0].0.clone(), rows)
    });
    (sections.collect(), state.values.clone())
}

fn message(error: &Error) -> String {
    match error {
        Error::State { .. } => error.to_string(),
        other => panic!("not an error of state: {other}"),
    }
}

#[test]
fn what_is_stored_comes_back_whole() {
    for seed in rounds(200) {
        let mut random = Random::new(seed);
        let states: Vec<OperatorState> = (0..random.below(4)).map(|_| any_state(&mut random, 20)).collect();
        let with_ids: Vec<(u128, &OperatorState)> = (5..).zip(&states).collect();
        let block_bytes = *random.pick(&[1, 100, 1000, BLOCK_BYTES]);
        let file = file_of(block_bytes, &with_ids);
        assert_eq!(file, file_of(block_bytes, &with_ids), "seed {seed}: the same states are the same bytes");
        let ids: Vec<u128> = index_of(&file).expect("an index").operators().collect();
        assert_eq!(ids, with_ids.iter().map(|(id, _)| *id).collect::<Vec<_>>(), "seed {seed}");
        let found = restore(&file, &ids, ALL).expect("states");
        assert_eq!(
            found.iter().map(normal).collect::<Vec<_>>(),
            states.iter().map(normal).collect::<Vec<_>>(),
            "{seed}"
        );
    }
}

#[test]
fn each_key_group_goes_to_one_subtask_at_any_parallelism() {
    let groups = MaxParallelism::new(13).expect("in range");
    for seed in rounds(15) {
        let mut random = Random::new(seed);
        let whole = any_state(&mut random, 13);
        let block_bytes = *random.pick(&[100, 1000, BLOCK_BYTES]);
        for before in 1..=4 {
            let parts: Vec<OperatorState> =
                (0..before).map(|subtask| whole.restrict(groups.range(subtask, before))).collect();
            let files: Vec<Vec<u8>> = parts.iter().map(|part| file_of(block_bytes, &[(WINDOW, part)])).collect();
            for after in 1..=5 {
                let mut rows = vec![0; whole.keyed.len()];
                for subtask in 0..after {
                    let range = groups.range(subtask, after);
                    for (file, part) in files.iter().zip(&parts) {
                        let found = restore(file, &[WINDOW], range).expect("a state").remove(0);
                        let found = normal(&found);
                        assert_eq!(found, normal(&part.restrict(range)), "seed {seed}, {before} to {after}");
                        rows.iter_mut().zip(&found.0).for_each(|(sum, (_, rows))| *sum += rows.num_rows());
                    }
                }
                let wanted: Vec<usize> = whole.keyed.iter().map(|(_, rows)| rows.num_rows()).collect();
                assert_eq!(rows, wanted, "seed {seed}, {before} to {after}: every row once");
            }
        }
    }
}

#[test]
fn a_restore_reads_nothing_but_trailer_index_and_its_own_blocks() {
    for seed in rounds(50) {
        let mut random = Random::new(seed);
        let (state, other) = (any_state(&mut random, 13), any_state(&mut random, 13));
        let file = file_of(300, &[(SINK, &other), (WINDOW, &state)]);
        let range = MaxParallelism::new(13).expect("in range").range(1, 3);
        let index = index_of(&file).expect("an index");
        let trailer = Trailer::parse("", &file[file.len() - TRAILER_BYTES..], file.len() as u64).expect("a trailer");
        let mut poisoned = vec![0xAA; file.len()];
        let blocks = index.blocks(WINDOW, range);
        let end = trailer.index_range().start..file.len() as u64;
        for range in blocks.iter().map(BlockRef::range).chain([end]) {
            let at = usize::try_from(range.start).expect("small");
            let bytes = part(&file, range);
            poisoned[at..at + bytes.len()].copy_from_slice(bytes);
        }
        let found = restore(&poisoned, &[WINDOW], range).expect("a state");
        assert_eq!(normal(&found[0]), normal(&state.restrict(range)), "seed {seed}");
        for block in blocks {
            let section = &index.sections(WINDOW).expect("sections")[block.section];
            let entry = section.blocks[block.block];
            let touches = entry.first <= range.last && range.first <= entry.last;
            assert!(touches || matches!(section.content, index::Content::Value), "seed {seed}: a block too many");
        }
    }
}

#[test]
fn a_large_key_group_takes_several_blocks_and_a_small_one_is_not_parted() {
    let mut random = Random::new(1);
    // Group 3 has some 6 MiB, the others 40 rows each.
    let mut of = vec![KeyGroup(3); 100_000];
    of.extend((0..13).filter(|group| *group != 3).flat_map(|group| [KeyGroup(group); 40]));
    let mut state = OperatorState::default();
    add_rows(&mut state, "rows", &mut random, of);
    state.add_value("large", vec![9; 2 * BLOCK_BYTES + 1]);
    let file = file_of(BLOCK_BYTES, &[(WINDOW, &state)]);
    let index = index_of(&file).expect("an index");
    let sections = index.sections(WINDOW).expect("sections");
    let groups = |section: &index::Section| -> Vec<(u16, u16)> {
        section.blocks.iter().map(|block| (block.first.0, block.last.0)).collect()
    };
    let found = groups(&sections[0]);
    assert_eq!((found[0], found[1], *found.last().expect("blocks")), ((0, 2), (3, 3), (3, 12)));
    assert!(found.len() > 4 && found[1..found.len() - 1].iter().all(|of| *of == (3, 3)), "{found:?}");
    assert_eq!(groups(&sections[1]), [(0, 0); 3]);
    for block in sections.iter().flat_map(|section| &section.blocks) {
        assert!(block.length <= BLOCK_BYTES as u64 + 4096, "{block:?}");
    }
    for range in [ALL, KeyGroupRange { first: KeyGroup(3), last: KeyGroup(4) }] {
        let found = restore(&file, &[WINDOW], range).expect("a state");
        assert_eq!(normal(&found[0]), normal(&state.restrict(range)));
    }
    // Small groups are whole in their blocks.
    let mut small = OperatorState::default();
    add_rows(&mut small, "rows", &mut random, (0..50).flat_map(|group| [KeyGroup(group); 9]).collect());
    let file = file_of(2000, &[(WINDOW, &small)]);
    let index = index_of(&file).expect("an index");
    let blocks = &index.sections(WINDOW).expect("sections")[0].blocks;
    assert!(blocks.len() > 5 && blocks.windows(2).all(|pair| pair[0].last < pair[1].first), "{blocks:?}");
}

#[test]
fn an_empty_state_is_not_a_missing_one() {
    let file = file_of(BLOCK_BYTES, &[(SINK, &OperatorState::default())]);
    assert!(restore(&file, &[SINK], ALL).expect("a state")[0].is_empty());
    let error = restore(&file, &[WINDOW], ALL).map(|_| ()).expect_err("no state");
    assert!(message(&error).contains("`chk-1/0` has no state of an operator 0123456789abcdef"), "{error}");
    let nothing = file_of(BLOCK_BYTES, &[]);
    assert_eq!(index_of(&nothing).expect("an index").operators().count(), 0);
    let mut writer = StateFileWriter::new();
    writer.add(SINK, &OperatorState::default()).expect("added");
    writer.add(SINK, &OperatorState::default()).expect_err("twice");
}

#[test]
fn neighbouring_blocks_are_read_together() {
    let block = |at: u64, length: u64| BlockRef { operator: 1, section: 0, block: 0, offset: at, length };
    let far = 100 + READ_GAP_BYTES;
    let found = reads(vec![block(far + 1, 5), block(8, 42), block(60, 40), block(far + 6, READ_BYTES)]);
    let ranges: Vec<_> = found.iter().map(|read| read.range.clone()).collect();
    assert_eq!(ranges, [8..100, far + 1..far + 6, far + 6..far + 6 + READ_BYTES]);
    assert_eq!(found[0].blocks, [block(8, 42), block(60, 40)]);
    let bytes: Vec<u8> = (8..100).collect();
    assert_eq!(found[0].part(&block(60, 40), &bytes), (60..100).collect::<Vec<u8>>());
    assert_eq!(found[0].part(&block(60, 40), &bytes[..50]).len(), 0, "too few bytes were read");
    assert_eq!(reads(vec![block(8, 1), block(9 + READ_GAP_BYTES, 1)]).len(), 1, "a gap of the limit");
    assert_eq!(reads(Vec::new()), []);
}

/// A small file with everything in it that the format has.
fn small_states() -> (OperatorState, OperatorState) {
    let mut state = OperatorState::default();
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("d")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![4, -1, i64::MAX, 0]));
    let columns =
        vec![(Field::new("key", DataType::Utf8, true), texts), (Field::new("sum", DataType::Int64, false), numbers)];
    let groups = [9, 2, 2, 4095].map(KeyGroup).to_vec();
    state.add_keyed("panes", groups, columns).expect("columns of one length");
    let none: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
    state.add_keyed("timers", Vec::new(), vec![(Field::new("time", DataType::Int64, false), none)]).expect("no rows");
    state.add_value("clock", vec![1, 2, 3, 4, 5, 6, 7, 8]);
    state.add_value("nothing", Vec::new());
    let mut sink = OperatorState::default();
    sink.add_value("committables", b"one\ntwo".to_vec());
    (state, sink)
}

/// Blocks of so few bytes that each row of the small file has its own.
const SMALL: usize = 40;

fn small_file() -> Vec<u8> {
    let (state, sink) = small_states();
    file_of(SMALL, &[(WINDOW, &state), (SINK, &sink)])
}

/// The fixture is what [`small_file`] gave when the format was made.
#[test]
fn the_first_format_is_read_and_written_for_ever() {
    let file = include_bytes!("../../../tests/fixtures/state_file_v1.bin").as_slice();
    let found = restore(file, &[WINDOW, SINK], ALL).expect("states of format 1");
    let (state, sink) = small_states();
    assert_eq!(found.iter().map(normal).collect::<Vec<_>>(), [normal(&state), normal(&sink)]);
    let panes = concat_batches(&found[0].keyed[0].1.schema(), found[0].keyed("panes")).expect("rows");
    assert_eq!(panes.column(0).as_primitive::<UInt16Type>().values(), &[2, 2, 9, 4095]);
    assert_eq!(panes.column(2).as_primitive::<Int64Type>().values(), &[-1, i64::MAX, 4, 0]);
    // If another version of Arrow pads its streams differently, this alone may go.
    assert!(file == small_file(), "what is written now has other bytes than the fixture");
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let file = small_file();
    for length in 0..file.len() {
        let error = restore(&file[..length], &[WINDOW, SINK], ALL).map(|_| ()).expect_err("a cut");
        assert!(message(&error).contains("`chk-1/0`, byte "), "at {length}: {error}");
        // The caller thinks that the file is as long as it was, and gets less.
        let last = &file[file.len() - TRAILER_BYTES..];
        let trailer = Trailer::parse("chk-1/0", last, file.len() as u64).expect("the trailer");
        let index = Index::parse("chk-1/0", part(&file, trailer.index_range()), &trailer).expect("the index");
        let mut assembly = Assembly::new(&index, WINDOW, "window", ALL).expect("known");
        for read in reads(index.blocks(WINDOW, ALL)) {
            let bytes = part(&file, read.range.clone());
            let there = &bytes[..bytes.len().min(length)];
            let complete = there.len() == bytes.len();
            let added = read.blocks.iter().try_for_each(|block| assembly.add(block, read.part(block, there)));
            assert_eq!(added.is_ok(), complete, "{length} bytes");
        }
    }
}

#[test]
fn a_changed_bit_is_noticed_or_harmless() {
    let file = small_file();
    let wanted: Vec<_> = restore(&file, &[WINDOW, SINK], ALL).expect("states").iter().map(normal).collect();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            match restore(&changed, &[WINDOW, SINK], ALL) {
                // The header is for people.
                Ok(found) => {
                    assert!((at as u64) < HEADER_BYTES, "byte {at}, bit {bit} went unnoticed");
                    assert_eq!(found.iter().map(normal).collect::<Vec<_>>(), wanted);
                }
                Err(error) => assert!(message(&error).contains("`chk-1/0`, byte "), "{error}"),
            }
        }
    }
}

/// A file of these blocks and this index, whose checksums are right.
fn sealed(blocks: &[u8], index: &[u8]) -> Vec<u8> {
    let header = [MAGIC, FORMAT.to_le_bytes()].concat();
    let trailer = trailer((header.len() + blocks.len()) as u64, index);
    [&header, blocks, index, &trailer].concat()
}

/// An index of one operator with one value section named `v`, whose kind, role and entries these are.
fn value_index(kind: u8, role: u8, blocks: u32, entries: &[[u64; 4]]) -> Vec<u8> {
    let mut index = 1_u32.to_le_bytes().to_vec();
    index.extend_from_slice(&SINK.to_le_bytes());
    index.extend_from_slice(&1_u32.to_le_bytes());
    index.extend_from_slice(&1_u32.to_le_bytes());
    index.extend_from_slice(&[b'v', kind, role]);
    index.extend_from_slice(&0_u32.to_le_bytes());
    index.extend_from_slice(&blocks.to_le_bytes());
    index.extend(entries.iter().flatten().flat_map(|number| number.to_le_bytes()));
    index
}

#[test]
fn an_index_that_lies_is_refused() {
    let block = [5_u8; 10];
    let sum = xxhash_rust::xxh3::xxh3_64(&block);
    let good = value_index(1, 0, 1, &[[8, 10, 0, sum]]);
    let state = restore(&sealed(&block, &good), &[SINK], ALL).expect("a state").remove(0);
    assert_eq!(state.value("v"), Some(&block[..]));

    let twice = [&2_u32.to_le_bytes(), &good[4..], &value_index(1, 0, 0, &[])[4..]].concat();
    let mut not_utf8 = good.clone();
    not_utf8[28] = 0xFF;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", vec![]),
        ("many operators", u32::MAX.to_le_bytes().to_vec()),
        ("a million blocks", value_index(1, 0, 1_000_000, &[[8, 10, 0, sum]])),
        ("a block behind the file", value_index(1, 0, 1, &[[9000, 10, 0, sum]])),
        ("a block too long", value_index(1, 0, 1, &[[8, 11, 0, sum]])),
        ("a block without end", value_index(1, 0, 1, &[[8, u64::MAX, 0, sum]])),
        ("an empty block", value_index(1, 0, 2, &[[8, 10, 0, sum], [18, 0, 0, sum]])),
        ("overlapping blocks", value_index(1, 0, 2, &[[8, 10, 0, sum], [10, 8, 0, sum]])),
        ("a gap", value_index(1, 0, 1, &[[9, 9, 0, sum]])),
        ("bytes of no block", value_index(1, 0, 1, &[[8, 9, 0, sum]])),
        ("a value with key groups", value_index(1, 0, 1, &[[8, 10, 7, sum]])),
        ("upserts", value_index(1, 1, 1, &[[8, 10, 0, sum]])),
        ("deletes", value_index(1, 2, 1, &[[8, 10, 0, sum]])),
        ("a role to come", value_index(1, 3, 1, &[[8, 10, 0, sum]])),
        ("an unknown kind", value_index(2, 0, 1, &[[8, 10, 0, sum]])),
        ("keyed without a schema", value_index(0, 0, 1, &[[8, 10, 0, sum]])),
        ("bytes at the end", [&good[..], &[0]].concat()),
        ("an operator twice", twice),
        ("a name that is no text", not_utf8),
        ("a name without end", [&good[..24], &u32::MAX.to_le_bytes(), &good[28..]].concat()),
    ];
    let lines = cases.iter().map(|(name, index)| {
        let error = restore(&sealed(&block, index), &[SINK], ALL).map(|_| ()).expect_err(name);
        let message = message(&error);
        format!("{name}: {}", message.replace("state of operator `state file` cannot be restored: `chk-1/0`, ", ""))
    });
    expect_test::expect![[r#"
        nothing: byte 18: the number of operators has 4 bytes, and 0 are left
        many operators: byte 22: an operator's id has 16 bytes, and 0 are left
        a million blocks: byte 57: section `v` has 1000000 blocks, and 32 bytes are left
        a block behind the file: byte 57: section `v`, block 0: it starts at byte 9000, and the one before ends at byte 8
        a block too long: byte 57: section `v`, block 0: its 11 bytes from byte 8 do not lie before the index at byte 18
        a block without end: byte 57: section `v`, block 0: its 18446744073709551615 bytes from byte 8 do not lie before the index at byte 18
        an empty block: byte 89: section `v`, block 1: its 0 bytes from byte 18 do not lie before the index at byte 18
        overlapping blocks: byte 89: section `v`, block 1: it starts at byte 10, and the one before ends at byte 18
        a gap: byte 57: section `v`, block 0: it starts at byte 9, and the one before ends at byte 8
        bytes of no block: byte 17: its blocks end here, and the index starts at byte 18
        a value with key groups: byte 57: section `v`, block 0: it is of a value and has key groups
        upserts: byte 47: section `v` holds upserts (role 1), and this build reads format 1 with whole sections only; restore it with the version of Millstream that wrote it
        deletes: byte 47: section `v` holds deletes (role 2), and this build reads format 1 with whole sections only; restore it with the version of Millstream that wrote it
        a role to come: byte 47: section `v` holds something unknown (role 3), and this build reads format 1 with whole sections only; restore it with the version of Millstream that wrote it
        an unknown kind: byte 47: section `v` is of the unknown kind 2
        keyed without a schema: byte 47: section `v` has no schema
        bytes at the end: byte 89: 1 bytes follow the last operator
        an operator twice: byte 124: operator 00000000000000000000000000000007 is there twice
        a name that is no text: byte 46: a section's name is not UTF-8: invalid utf-8 sequence of 1 bytes from index 0
        a name without end: byte 46: a section's name has 4294967295 bytes, and 43 are left"#]].assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_trailer_that_lies_is_refused() {
    let file = small_file();
    let change = |at: usize, bytes: &[u8]| {
        let mut file = file.clone();
        let from = file.len() - TRAILER_BYTES + at;
        file[from..from + bytes.len()].copy_from_slice(bytes);
        file
    };
    let large = u64::MAX.to_le_bytes();
    let cases = [
        change(0, &large),
        change(0, &[0; 8]),
        change(8, &large),
        change(16, &large),
        change(24, &[2]),
        change(28, b"X"),
    ];
    let lines = cases.iter().map(|file| message(&index_of(file).map(|_| ()).expect_err("a lie")));
    expect_test::expect![[r#"
        state of operator `state file` cannot be restored: `chk-1/0`, byte 2636: its index, 869 bytes from byte 18446744073709551615, does not end where the trailer starts
        state of operator `state file` cannot be restored: `chk-1/0`, byte 2636: its index, 869 bytes from byte 0, does not end where the trailer starts
        state of operator `state file` cannot be restored: `chk-1/0`, byte 2636: its index, 18446744073709551615 bytes from byte 1767, does not end where the trailer starts
        state of operator `state file` cannot be restored: `chk-1/0`, byte 1767: the 869 bytes of its index do not have the checksum that was stored with them
        state of operator `state file` cannot be restored: `chk-1/0`, byte 2660: its format is 2, this build reads format 1
        state of operator `state file` cannot be restored: `chk-1/0`, byte 2664: it does not end with the marker of a Millstream state file"#]].assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    // An index of more than is ever read, which lies where it should.
    let length = MAX_INDEX_BYTES + 1;
    let mut last = trailer(8, &[]);
    last[8..16].copy_from_slice(&length.to_le_bytes());
    let error = Trailer::parse("large", &last, 8 + length + TRAILER_BYTES as u64).expect_err("too large");
    assert!(message(&error).contains("at most 67108864 are read"), "{error}");
}

#[test]
fn any_bytes_as_an_index_are_an_error_or_an_index() {
    let good = small_file();
    let trailer = Trailer::parse("", &good[good.len() - TRAILER_BYTES..], good.len() as u64).expect("a trailer");
    let start = usize::try_from(trailer.index_range().start).expect("small");
    let (blocks, index) = (&good[8..start], part(&good, trailer.index_range()));
    // Each byte, and whether it may change: Arrow panics at types that it does not know, so schemas stay what they are.
    let mut bytes: Vec<(u8, bool)> = index.iter().map(|byte| (*byte, true)).collect();
    for (_, rows) in small_states().0.keyed {
        let schema = index::encode_schema(rows.schema_ref()).expect("a schema");
        let at = index.windows(schema.len()).position(|window| window == schema).expect("in the index");
        bytes[at..at + schema.len()].iter_mut().for_each(|(_, free)| *free = false);
    }
    let mut restored = 0;
    for seed in rounds(3000) {
        let mut random = Random::new(seed);
        let mut bytes = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            let byte = random.number().to_le_bytes()[0];
            match (bytes[at].1, random.below(4)) {
                (false, _) => {}
                (true, 0) => bytes.truncate(at.max(1)),
                (true, 1) => bytes.insert(at, (byte, true)),
                (true, 2) if bytes.len() > 1 => drop(bytes.remove(at)),
                (true, _) => bytes[at].0 = byte,
            }
        }
        let index: Vec<u8> = bytes.into_iter().map(|(byte, _)| byte).collect();
        for range in [ALL, KeyGroupRange { first: KeyGroup(2), last: KeyGroup(2) }] {
            match restore(&sealed(blocks, &index), &[WINDOW, SINK], range) {
                Ok(states) => restored += states.len(),
                Err(error) => drop(message(&error)),
            }
        }
    }
    // Names and ids may be anything, so some are still an index.
    assert!(restored > 0 || rounds(3000).len() < 3000);
}

#[test]
fn a_block_whose_checksum_is_right_must_be_what_the_index_says() {
    let (state, _) = small_states();
    let schema = state.keyed[0].1.schema();
    let good = file_of(BLOCK_BYTES, &[(WINDOW, &state)]);
    let block = index_of(&good).expect("an index").sections(WINDOW).expect("sections")[0].blocks[0];
    let stream = part(&good, 8..8 + block.length).to_vec();
    let other = file_of(
        BLOCK_BYTES,
        &[(WINDOW, &{
            let mut other = OperatorState::default();
            add_rows(&mut other, "panes", &mut Random::new(1), vec![KeyGroup(2); 4]);
            other
        })],
    );
    let other = part(&other, 8..8 + index_of(&other).expect("an index").blocks(WINDOW, ALL)[0].length).to_vec();
    let named = |bytes: &[u8], first: u16, rows: u32| {
        let entry = index::Block {
            offset: 8,
            length: bytes.len() as u64,
            first: KeyGroup(first),
            last: KeyGroup(4095),
            rows,
            checksum: xxhash_rust::xxh3::xxh3_64(bytes),
        };
        let content = index::Content::Keyed(Arc::clone(&schema));
        let section = index::Section { name: "panes".to_owned(), content, blocks: vec![entry] };
        let index = Index::encode(&[index::OperatorIndex { id: WINDOW, sections: vec![section] }]).expect("an index");
        restore(&sealed(bytes, &index), &[WINDOW], ALL)
    };
    assert_eq!(normal(&named(&stream, 2, 4).expect("a state")[0]).0[0], normal(&state).0[0]);
    let cases = [
        named(&stream, 1, 4),
        named(&stream, 2, 5),
        named(&other, 2, 4),
        named(&[&stream[..], &stream].concat(), 2, 4),
        named(&stream[..stream.len() - 100], 2, 4),
        named(b"\xff\xff\xff\xff\xff\xff\xff\x7f", 2, 4),
        named(b"text", 2, 4),
    ];
    let lines = cases.into_iter().map(|found| message(&found.map(|_| ()).expect_err("a lie")));
    expect_test::expect![[r#"
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows do not have the number or the key groups that the index names
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows do not have the number or the key groups that the index names
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows do not have the columns that the index names
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows cannot be read: Ipc error: Unexpected EOS
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows cannot be read: Ipc error: Unexpected End of Stream
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows cannot be read: Ipc error: Unexpected End of Stream
        state of operator `window` cannot be restored: `chk-1/0`, byte 8: section `panes`, block 0: its rows cannot be read: Ipc error: Unexpected End of Stream"#]].assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}
