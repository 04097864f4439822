//! What a batch becomes on its way.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal128Array, DictionaryArray, FixedSizeListArray,
    Float64Array, Int32Array, Int64Array, LargeStringArray, ListArray, MapArray, NullArray, RecordBatchOptions,
    StringViewArray, StructArray, TimestampMillisecondArray, UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use millstream_engine::batch::RowKind;
use millstream_engine::testing::random::rounds;

use super::super::decode::Decoder;
use super::super::encode::Encoder;
use super::super::frame::{HEADER_BYTES, Header};
use super::super::message::EncodedRows;
use super::*;

const LIMIT: usize = 8 * 1024 * 1024;

fn batch(columns: Vec<(&str, ArrayRef)>) -> EventBatch {
    EventBatch::inserts(
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap(),
    )
}

/// Of every type that a program uses, with nulls.
fn wide(rows: i32) -> EventBatch {
    let count = usize::try_from(rows).unwrap();
    let numbers = || 0..rows;
    let some = |number: i32| number % 3 != 1;
    let text = |number: i32| format!("text {number} that is too long for a view's own twelve bytes");
    let lists: ListArray = ListArray::from_iter_primitive::<Int32Type, _, _>(
        numbers().map(|n| some(n).then(|| (0..n % 5).map(|item| some(item).then_some(item)).collect::<Vec<_>>())),
    );
    let item = Arc::new(Field::new("item", DataType::Utf8View, true));
    let views = || -> ArrayRef { Arc::new(StringViewArray::from_iter(numbers().map(|n| some(n).then(|| text(n))))) };
    let view_lists = ListArray::new(item, OffsetBuffer::from_repeated_length(1, count), views(), None);
    let pairs = StructArray::from(vec![
        (Arc::new(Field::new("inner", DataType::Utf8View, true)), views()),
        (Arc::new(Field::new("list", lists.data_type().clone(), true)), Arc::new(lists.clone()) as ArrayRef),
    ]);
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("key", DataType::Int32, false)),
            Arc::new(Int32Array::from_iter_values(numbers())) as ArrayRef,
        ),
        (Arc::new(Field::new("value", DataType::Utf8View, true)), views()),
    ]);
    let map = MapArray::new(
        Arc::new(Field::new("entries", entries.data_type().clone(), false)),
        OffsetBuffer::from_repeated_length(1, count),
        entries,
        None,
        false,
    );
    let fixed = FixedSizeListArray::new(
        Arc::new(Field::new("item", DataType::Int64, true)),
        2,
        Arc::new(Int64Array::from_iter_values((0..i64::from(rows) * 2).map(|n| n * n))),
        Some(NullBuffer::from_iter(numbers().map(some))),
    );
    batch(vec![
        ("long", Arc::new(Int64Array::from_iter(numbers().map(|n| some(n).then_some(i64::from(n) << 33))))),
        ("flag", Arc::new(BooleanArray::from_iter(numbers().map(|n| some(n).then_some(n % 2 == 0))))),
        ("double", Arc::new(Float64Array::from_iter(numbers().map(|n| some(n).then_some(f64::from(n) / 7.0))))),
        ("at", Arc::new(TimestampMillisecondArray::from_iter_values(numbers().map(i64::from)))),
        ("money", Arc::new(Decimal128Array::from_iter_values(numbers().map(|n| i128::from(n) << 70)))),
        ("text", Arc::new(StringArray::from_iter(numbers().map(|n| some(n).then(|| text(n)))))),
        ("large", Arc::new(LargeStringArray::from_iter(numbers().map(|n| some(n).then(|| text(n)))))),
        ("view", views()),
        ("bytes", Arc::new(BinaryViewArray::from_iter(numbers().map(|n| some(n).then(|| text(n).into_bytes()))))),
        ("list", Arc::new(lists)),
        ("views", Arc::new(view_lists)),
        ("pair", Arc::new(pairs)),
        ("map", Arc::new(map)),
        ("fixed", Arc::new(fixed)),
        ("nothing", Arc::new(NullArray::new(count))),
        (
            "word",
            Arc::new(DictionaryArray::<Int32Type>::from_iter(
                numbers().map(|n| some(n).then_some(if n % 2 == 0 { "a" } else { "b" })),
            )),
        ),
    ])
}

fn with_extras(batch: EventBatch) -> EventBatch {
    let rows = batch.num_rows();
    let times = (0..rows as i64).map(|row| if row == 3 { i64::MIN } else { row * 1000 }).collect::<ScalarBuffer<i64>>();
    let kinds = Buffer::from_iter((0..4_u8).cycle().take(rows));
    EventBatch { event_time: Some(times), row_kinds: Some(kinds), ..batch }
}

/// One of each sort.
pub(super) fn all() -> Vec<EventBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(11));
    let no_columns = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    let taken = wide(60).take(&UInt32Array::from(vec![7, 7, 59, 0, 31])).unwrap();
    let noted = wide(4);
    let metadata = [("time".to_owned(), "event".to_owned())].into();
    let schema = noted.rows.schema().as_ref().clone().with_metadata(metadata);
    let noted = EventBatch::inserts(noted.rows.with_schema(Arc::new(schema)).unwrap());
    let times_only = EventBatch { row_kinds: None, ..with_extras(wide(5)) };
    let kinds_only = EventBatch { event_time: None, ..with_extras(wide(5)) };
    vec![
        wide(50),
        wide(50),
        wide(0),
        with_extras(wide(9)),
        with_extras(wide(50)).slice(13, 21),
        wide(50).slice(49, 1),
        times_only,
        kinds_only,
        EventBatch::inserts(no_columns.clone()),
        with_extras(EventBatch::inserts(no_columns)),
        taken,
        noted,
        wide(3),
    ]
}

/// The bytes of the frames of a batch, by a sender that has sent nothing else.
pub(super) fn frames(encoder: &mut Encoder, batch: &EventBatch) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    encoder
        .encode(batch, &mut |frame| {
            frames.push(frame.parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<_>>())
        })
        .unwrap();
    frames
}

fn parsed(frame: &[u8]) -> EncodedRows {
    let header = Header::parse(frame[..HEADER_BYTES].try_into().unwrap(), LIMIT).unwrap();
    assert_eq!(header.length, frame.len() - HEADER_BYTES);
    EncodedRows { payload: frame[HEADER_BYTES..].to_vec().into(), extras: header.extras, checksum: header.checksum }
}

#[test]
fn batches_come_back_whatever_schema_came_before() {
    for seed in rounds(20) {
        let mut random = Random::new(seed);
        let (mut encoder, mut decoder) = (Encoder::new(1, LIMIT), Decoder::default());
        let all = all();
        for _ in 0..30 {
            let sent = random.pick(&all);
            let from = random.below(sent.num_rows() + 1);
            let sent = sent.slice(from, random.below(sent.num_rows() - from + 1));
            let frames = frames(&mut encoder, &sent);
            assert_eq!(frames.len(), 1, "seed {seed}");
            let arrived = decoder.decode(parsed(&frames[0])).unwrap();
            assert_same(&StreamElement::Batch(arrived), &StreamElement::Batch(sent));
        }
    }
}

#[test]
fn a_schema_is_sent_once() {
    let mut encoder = Encoder::new(1, LIMIT);
    let sizes: Vec<usize> = (0..3).map(|_| frames(&mut encoder, &wide(1))[0].len()).collect();
    assert!(sizes[0] > sizes[1] + 1000 && sizes[1] == sizes[2], "{sizes:?}");
}

#[test]
fn a_large_batch_is_sent_in_pieces() {
    let StreamElement::Batch(sent) = numbered(0, 100_000) else { panic!("it is rows") };
    let frames = frames(&mut Encoder::new(1, LIMIT), &sent);
    assert!(frames.iter().all(|frame| frame.len() < 1_200_000) && frames.len() < 20, "{}", frames.len());
    let mut decoder = Decoder::default();
    let pieces: Vec<EventBatch> = frames.iter().map(|frame| decoder.decode(parsed(frame)).unwrap()).collect();
    assert_same(&StreamElement::Batch(EventBatch::concat(&pieces).unwrap()), &StreamElement::Batch(sent));
}

/// Lists and maps are cut as texts are.
#[test]
fn a_large_batch_of_lists_is_sent_in_pieces() {
    let rows = 1000;
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let items = || -> ArrayRef { Arc::new(Int64Array::from_iter_values(0..rows * 500)) };
    let offsets = || OffsetBuffer::from_repeated_length(500, 1000);
    let entries = StructArray::from(vec![
        (Arc::new(Field::new("key", DataType::Int64, false)), items()),
        (Arc::new(Field::new("value", DataType::Int64, true)), items()),
    ]);
    let of = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let sent = batch(vec![
        ("list", Arc::new(ListArray::new(item, offsets(), items(), None))),
        ("map", Arc::new(MapArray::new(of, offsets(), entries, None, false))),
    ]);
    assert!((12_000_000..12_100_000).contains(&sent.memory_bytes()), "{}", sent.memory_bytes());
    let frames = frames(&mut Encoder::new(1, LIMIT), &sent);
    assert!(frames.iter().all(|frame| frame.len() < 1_200_000) && frames.len() < 15, "{}", frames.len());
    let mut decoder = Decoder::default();
    let pieces: Vec<EventBatch> = frames.iter().map(|frame| decoder.decode(parsed(frame)).unwrap()).collect();
    // In memory they count as the whole does, but for an offset more of each list of each piece.
    let counted: usize = pieces.iter().map(EventBatch::memory_bytes).sum();
    assert!(counted < sent.memory_bytes() + pieces.len() * 64, "{counted}");
    assert_same(&StreamElement::Batch(EventBatch::concat(&pieces).unwrap()), &StreamElement::Batch(sent));
}

/// Pieces have as many rows each; where most of a batch is in a few of its rows they are cut further until they fit.
#[test]
fn rows_of_very_different_sizes_fit_into_frames() {
    let large = "x".repeat(LIMIT / 3);
    let texts = (0..4000).map(|row| if (2000..2006).contains(&row) { large.as_str() } else { "small" });
    let sent = batch(vec![("text", Arc::new(StringArray::from_iter_values(texts)))]);
    let frames = frames(&mut Encoder::new(1, LIMIT), &sent);
    assert!(frames.len() < 40, "{}", frames.len());
    let mut decoder = Decoder::default();
    let pieces: Vec<EventBatch> = frames.iter().map(|frame| decoder.decode(parsed(frame)).unwrap()).collect();
    assert_same(&StreamElement::Batch(EventBatch::concat(&pieces).unwrap()), &StreamElement::Batch(sent));
}

#[test]
fn a_row_that_is_too_large_is_named() {
    let StreamElement::Batch(row) = numbered(0, 1) else { panic!("it is rows") };
    let error = Encoder::new(1, 64).encode(&row, &mut |_| panic!("it is too large")).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with("sending rows to another worker: a row takes "), "{error}");
    assert!(error.ends_with(" bytes; a frame has at most 64"), "{error}");
}

/// All rows are split among many, and not all strings are sent to each of them.
#[test]
fn a_part_of_a_batch_does_not_take_the_strings_of_the_others_along() {
    let whole = wide(4000);
    let size = |batch: &EventBatch| -> usize { frames(&mut Encoder::new(1, LIMIT), batch).iter().map(Vec::len).sum() };
    let part = size(&whole.slice(1000, 100));
    assert!(part < size(&whole) / 20, "{part} of {}", size(&whole));
}

/// The columns of a batch lie in the frame that they came in.
#[test]
fn decoding_copies_nothing() {
    let sent = with_extras(wide(2000));
    let rows = parsed(&frames(&mut Encoder::new(1, LIMIT), &sent)[0]);
    let frame = rows.payload.clone();
    let inside = frame.as_ptr() as usize..frame.as_ptr() as usize + frame.len();
    let arrived = Decoder::default().decode(rows).unwrap();
    for name in ["long", "at", "money", "text", "view", "double"] {
        for buffer in arrived.rows.column_by_name(name).unwrap().to_data().buffers() {
            assert!(inside.contains(&(buffer.as_ptr() as usize)), "{name}");
        }
    }
    assert!(inside.contains(&(arrived.event_time.unwrap().inner().as_ptr() as usize)));
}

/// The columns of a batch are what is written to the socket.
#[test]
fn encoding_copies_nothing_large() {
    let sent = wide(2000);
    let column = sent.rows.column_by_name("long").unwrap().as_primitive::<arrow::datatypes::Int64Type>();
    let mut held = false;
    let of = column.values().inner().as_ptr();
    Encoder::new(1, LIMIT)
        .encode(&sent, &mut |frame| held |= frame.parts.iter().any(|part| part.as_ptr() == of))
        .unwrap();
    assert!(held);
}

/// Whatever is in a frame whose checksum is right, it is decoded or refused.
#[test]
fn rows_that_somebody_made_up_do_no_harm() {
    let valid: Vec<EncodedRows> =
        all().iter().map(|batch| parsed(&frames(&mut Encoder::new(1, LIMIT), batch)[0])).collect();
    let (mut refused, mut decoded) = (0, 0);
    for seed in rounds(3000) {
        let mut random = Random::new(seed);
        let rows = random.pick(&valid);
        let mut bytes = rows.payload.to_vec();
        for _ in 0..1 + random.below(4) {
            let at = random.below(bytes.len());
            // Most of what Arrow takes for granted is in the metadata, which comes first.
            let at = if random.chance(50) { at } else { at % 2048 % bytes.len() };
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random_byte(&mut random),
                2 => bytes.truncate(at.max(1)),
                _ => bytes[at..].iter_mut().take(8).for_each(|byte| *byte = 0xff),
            }
        }
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes);
        let rows = EncodedRows { payload: bytes.into(), extras: rows.extras, checksum };
        match Decoder::default().decode(rows) {
            Ok(batch) => {
                decoded += 1;
                // What was let through can be used.
                let all = batch.slice(0, batch.num_rows());
                assert!(format!("{:?}", all.rows).len() > 1, "seed {seed}");
                let kinds = batch.row_kinds.as_deref().unwrap_or(&[]);
                assert!(kinds.iter().all(|kind| *kind <= RowKind::Delete as u8), "seed {seed}");
            }
            Err(_) => refused += 1,
        }
    }
    eprintln!("{refused} refused, {decoded} decoded");
}
