//! What is stored comes back, wherever its key groups go; and nothing else does.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};
use millstream_engine::aggregate::AggregateFunction;
use millstream_engine::batch::EventBatch;
use millstream_engine::error::Error;
use millstream_engine::key::key_group::{KeyGroup, MaxParallelism};
use millstream_engine::operators::Operator;
use millstream_engine::state::{OperatorState, decode_numbers, encode_numbers};
use millstream_engine::testing::random::{Random, rounds};
use millstream_engine::testing::{aggregate, aggregation, count_per, lines_of};
use millstream_engine::window::{
    EvictorSpec, GridWindows, SessionGap, SessionWindows, TimeSource, TriggeredWindows, WindowSpec,
};

fn state(random: &mut Random, groups: u16) -> OperatorState {
    let mut state = OperatorState::default();
    for name in ["panes", "timers"] {
        let rows = random.below(12);
        let of: Vec<KeyGroup> =
            (0..rows).map(|_| KeyGroup(u16::try_from(random.within(0..groups.into())).expect("small"))).collect();
        let numbers: ArrayRef =
            Arc::new(Int64Array::from_iter((0..rows).map(|_| random.chance(80).then(|| random.within(-9..9)))));
        let texts: ArrayRef =
            Arc::new(StringArray::from_iter((0..rows).map(|row| random.chance(80).then(|| format!("text {row}")))));
        let columns = vec![
            (Field::new("number", DataType::Int64, true), numbers),
            (Field::new("text", DataType::Utf8, true), texts),
        ];
        state.add_keyed(name, of, columns).expect("columns of one length");
    }
    state.add_value("clock", encode_numbers([random.within(-5..5), 7]));
    state
}

/// Everything in it, as text.
fn show(state: &OperatorState) -> Vec<String> {
    let sections = ["panes", "timers"].map(|name| {
        let rows = state.keyed(name).flat_map(|rows| lines_of(&EventBatch::inserts(rows.clone())));
        rows.map(|line| format!("{name} {line}")).collect::<Vec<_>>()
    });
    let value = state.value("clock").map(|value| format!("clock {value:?}"));
    sections.concat().into_iter().chain(value).collect()
}

#[test]
fn what_is_stored_comes_back() {
    for seed in rounds(100) {
        let state = state(&mut Random::new(seed), 20);
        let bytes = state.encode().expect("bytes");
        assert_eq!(show(&OperatorState::decode("test", &bytes).expect("state")), show(&state), "seed {seed}");
        assert_eq!(bytes, state.encode().expect("bytes"), "seed {seed}: the same state is the same bytes");
    }
}

#[test]
fn a_rescale_gives_each_row_to_one_subtask() {
    for seed in rounds(100) {
        let mut random = Random::new(seed);
        let groups = MaxParallelism::new(20).expect("groups");
        let state = state(&mut random, 20);
        for parallelism in 1..=20 {
            let parts: Vec<OperatorState> =
                (0..parallelism).map(|index| state.restrict(groups.range(index, parallelism))).collect();
            // Ranges are in order and so are rows, so that the parts follow each other.
            for name in ["panes", "timers"] {
                let rows = |state: &OperatorState| {
                    state.keyed(name).flat_map(|rows| lines_of(&EventBatch::inserts(rows.clone()))).collect::<Vec<_>>()
                };
                assert_eq!(
                    parts.iter().flat_map(rows).collect::<Vec<_>>(),
                    rows(&state),
                    "seed {seed} at {parallelism}"
                );
            }
            assert!(parts.iter().all(|part| part.value("clock") == state.value("clock")), "all get the values");
        }
    }
}

#[test]
fn bytes_that_are_cut_off_or_changed_are_refused() {
    let bytes = state(&mut Random::new(3), 20).encode().expect("bytes");
    for length in 0..bytes.len() {
        let error = OperatorState::decode("window", &bytes[..length]).expect_err("a cut");
        assert!(matches!(error, Error::State { .. }), "{length}: {error}");
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let error = OperatorState::decode("window", &changed).expect_err("a change");
        assert!(matches!(error, Error::State { .. }), "{at}: {error}");
    }
    let mut longer = bytes;
    longer.push(0);
    OperatorState::decode("window", &longer).expect_err("a byte too many");
    expect_test::expect!["state of operator `window` cannot be restored: its 10 bytes do not have the hash that was stored with them|state of operator `window` cannot be restored: it does not start with the marker of a Millstream snapshot|state of operator `window` cannot be restored: it is cut off at byte 4"]
        .assert_eq(
            &[b"MSST\0\0\0\0\0\0-------".get(..10).expect("bytes"), b"", b"MSST"]
                .map(|bytes| OperatorState::decode("window", bytes).expect_err("refused").to_string())
                .join("|"),
        );
}

#[test]
fn numbers_of_another_length_are_refused() {
    assert!(matches!(decode_numbers::<2>("window", "clock", Some(&[0; 15])), Err(Error::State { .. })));
    assert!(matches!(decode_numbers::<2>("window", "clock", Some(&[0; 24])), Err(Error::State { .. })));
    assert_eq!(decode_numbers::<2>("window", "clock", Some(&encode_numbers([3, -4]))).expect("numbers"), Some([3, -4]));
    assert_eq!(decode_numbers::<2>("window", "clock", None).expect("no numbers"), None);
}

#[test]
fn state_of_another_program_is_refused_in_words() {
    let groups = MaxParallelism::new(16).expect("groups");
    let windows = [WindowSpec::Tumbling { size: 10, offset: 0 }, WindowSpec::Session { gap: SessionGap::Fixed(10) }];
    for window in windows {
        let counts = count_per(window);
        let texts = aggregate(&counts.input, AggregateFunction::Max, Some(0));
        let maxima = aggregation(&counts.input, &[0], TimeSource::Record, window, vec![texts]);
        let mut evicting = counts.clone();
        evicting.evictor = Some(EvictorSpec::Count(1));
        let make = |spec: &millstream_engine::window::WindowAggregateSpec, general: bool| -> Box<dyn Operator> {
            let spec = Arc::new(spec.clone());
            match window {
                _ if general => Box::new(TriggeredWindows::new(spec, groups).expect("an operator")),
                WindowSpec::Session { .. } => Box::new(SessionWindows::new(spec, groups).expect("an operator")),
                _ => Box::new(GridWindows::new(spec, groups).expect("an operator")),
            }
        };
        for (before, after, general) in [
            (&counts, &maxima, false),
            (&counts, &maxima, true),
            (&counts, &evicting, true),
            (&evicting, &counts, true),
        ] {
            let state = stored(make(before, general));
            let error = make(after, general).restore(vec![state]).expect_err("state that does not fit");
            assert!(matches!(error, Error::State { .. }), "{error}");
        }
    }
}

/// The state of `operator` after a row.
fn stored(mut operator: Box<dyn Operator>) -> OperatorState {
    use millstream_engine::metrics::OperatorMetrics;
    use millstream_engine::operators::{InputId, OperatorContext, Output, ProcessingTime};
    let input = count_per(WindowSpec::Global).input;
    let batch = millstream_engine::testing::batch_of(&input, true, &[("a", 1).into()]);
    let metrics = OperatorMetrics::default();
    let mut out = Output::with_budget(100);
    let mut cx = OperatorContext { now: ProcessingTime(0), out: &mut out, metrics: &metrics };
    operator.process_batch(InputId::FIRST, batch, &mut cx).expect("a row");
    let state = operator.snapshot().expect("state");
    assert!(["panes", "sessions", "windows"].iter().any(|name| state.keyed(name).any(|rows| rows.num_rows() == 1)));
    state
}
