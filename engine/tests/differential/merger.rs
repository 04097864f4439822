//! What must hold of merged watermarks whatever channels do.

use millstream_engine::element::{Watermark, WatermarkStatus};
use millstream_engine::testing::random::{Random, rounds};
use millstream_engine::time::merger::{Passed, WatermarkMerger};

/// What the test knows of a channel.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "four things that are true of a channel or not, each by itself")]
struct Channel {
    watermark: i64,
    idle: bool,
    was_idle: bool,
    promised_the_end: bool,
    ended: bool,
}

const NEW: Channel =
    Channel { watermark: i64::MIN, idle: false, was_idle: false, promised_the_end: false, ended: false };

#[test]
fn a_merged_clock_is_monotone_and_never_ahead_of_a_channel_that_counts() {
    for seed in rounds(2000) {
        let mut random = Random::new(seed);
        let mut channels = vec![NEW; random.below(4) + 1];
        let mut merger = WatermarkMerger::new(channels.len());
        let mut merged = i64::MIN;
        let mut status = WatermarkStatus::Active;
        for _ in 0..40 {
            let at = random.below(channels.len());
            let passed = happen(&mut random, &mut merger, &mut channels, at);
            if let Some(watermark) = passed.watermark {
                assert!(watermark.0 > merged, "seed {seed}: {watermark} after {merged}");
                merged = watermark.0;
            }
            if let Some(changed) = passed.status {
                assert_ne!(changed, status, "seed {seed}: a status is passed on when it changes");
                status = changed;
            }
            check(seed, &channels, merged, status, passed);
            assert_eq!(merger.watermark(), Watermark(merged));
            if passed.end {
                break;
            }
        }
    }
}

fn happen(random: &mut Random, merger: &mut WatermarkMerger, channels: &mut [Channel], at: usize) -> Passed {
    let channel = &mut channels[at];
    match random.below(20) {
        0 => {
            channel.ended = true;
            merger.on_end(at)
        }
        1 => {
            if !channel.ended {
                channel.promised_the_end = true;
                channel.watermark = i64::MAX;
            }
            merger.on_watermark(at, Watermark::MAX)
        }
        2..=4 => {
            (channel.idle, channel.was_idle) = (true, true);
            merger.on_status(at, WatermarkStatus::Idle)
        }
        5..=7 => {
            channel.idle = false;
            merger.on_status(at, WatermarkStatus::Active)
        }
        _ => {
            let watermark = random.within(0..100);
            if !channel.idle && !channel.ended {
                channel.watermark = channel.watermark.max(watermark);
            }
            merger.on_watermark(at, Watermark(watermark))
        }
    }
}

fn check(seed: u64, channels: &[Channel], merged: i64, status: WatermarkStatus, passed: Passed) {
    // Channels that have never been idle hold the clock back for as long as they live.
    let lives = |channel: &&Channel| !channel.ended && !channel.promised_the_end;
    for channel in channels.iter().filter(lives).filter(|channel| !channel.was_idle) {
        assert!(merged <= channel.watermark, "seed {seed}: {merged} is ahead of {channel:?}");
    }
    if merged == i64::MAX {
        assert!(
            channels.iter().all(|channel| channel.promised_the_end),
            "seed {seed}: an early end of time {channels:?}"
        );
    }
    let all_promised = channels.iter().all(|channel| channel.promised_the_end);
    assert!(!all_promised || merged == i64::MAX, "seed {seed}: the end of time is kept back {channels:?}");
    assert_eq!(passed.end, channels.iter().all(|channel| channel.ended), "seed {seed}: {channels:?}");
    let living: Vec<&Channel> = channels.iter().filter(lives).collect();
    if !living.is_empty() {
        let idle = living.iter().all(|channel| channel.idle);
        assert_eq!(status == WatermarkStatus::Idle, idle, "seed {seed}: {channels:?}");
        // Without a channel that fell silent the clock is the minimum exactly.
        if channels.iter().all(|channel| !channel.was_idle && !channel.ended) {
            let least = channels.iter().map(|channel| channel.watermark).min();
            assert_eq!(least, Some(merged), "seed {seed}: {channels:?}");
        }
    }
}

#[test]
fn a_source_that_waits_for_splits_is_idle_and_active_again_with_the_next() {
    let mut merger = WatermarkMerger::new(0);
    let status = |status| Passed { status: Some(status), ..Passed::default() };
    assert_eq!(merger.wait_for_channels(), status(WatermarkStatus::Idle));
    assert_eq!(merger.wait_for_channels(), Passed::default());
    assert_eq!(merger.add_channel(), (0, status(WatermarkStatus::Active)));
    assert_eq!(merger.wait_for_channels(), Passed::default(), "a channel is there");
    assert_eq!(merger.on_watermark(0, Watermark(5)).watermark, Some(Watermark(5)));
    assert!(merger.on_end(0).end);
    assert_eq!(merger.wait_for_channels(), status(WatermarkStatus::Idle));
    // It takes the place of the one that has ended, and holds the clock where it is.
    assert_eq!(merger.add_channel(), (0, status(WatermarkStatus::Active)));
    assert_eq!(merger.on_watermark(0, Watermark(3)).watermark, None);
    assert_eq!(merger.on_watermark(0, Watermark(8)).watermark, Some(Watermark(8)));
}

#[test]
fn a_channel_that_ends_while_it_is_idle_still_ends_time() {
    let mut merger = WatermarkMerger::new(1);
    merger.on_watermark(0, Watermark(5));
    merger.on_status(0, WatermarkStatus::Idle);
    assert_eq!(merger.on_watermark(0, Watermark::MAX).watermark, Some(Watermark::MAX));
    assert!(merger.on_end(0).end);
}

#[test]
fn nothing_is_passed_on_again_after_a_restore() {
    let mut merger = WatermarkMerger::new(2);
    merger.restore(Watermark(10));
    assert_eq!(merger.on_watermark(0, Watermark(8)), Passed::default());
    assert_eq!(merger.on_watermark(1, Watermark(9)), Passed::default());
    assert_eq!(merger.on_watermark(0, Watermark(20)), Passed::default());
    assert_eq!(merger.on_watermark(1, Watermark(12)).watermark, Some(Watermark(12)));
}
