//! Tells the person at the terminal how far a job has come: one line that is written over on a terminal, a line every few
//! seconds elsewhere, and a last one at the end. On stderr; results have stdout for themselves.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use millstream_jobmaster::job_manager::{JobOutcome, Progress};
use millstream_jobmaster::job_master::JobStatus;

use crate::embedded::JobControl;
use crate::manifest::now_ms;

const ON_TERMINAL: Duration = Duration::from_millis(500);
const ELSEWHERE: Duration = Duration::from_secs(5);

/// Shows progress until it is dropped.
pub(crate) async fn follow(job: JobControl) {
    let on_terminal = std::io::stderr().is_terminal();
    let interval = if on_terminal { ON_TERMINAL } else { ELSEWHERE };
    let mut before = (Instant::now(), 0);
    loop {
        tokio::time::sleep(interval).await;
        let Some(progress) = job.progress().await else { return };
        let now = Instant::now();
        let rate = rate(progress.rows_in.saturating_sub(before.1), now - before.0);
        before = (now, progress.rows_in);
        // The cursor stays at the line's start, so that results on the same terminal write over it.
        say(&line(&progress, rate), on_terminal, if on_terminal { "\r" } else { "\n" });
    }
}

/// Says how the job has ended, after `ran`.
pub(crate) fn say_end(outcome: &JobOutcome, progress: &Progress, ran: Duration) {
    let how = match outcome.status {
        JobStatus::Finished if outcome.stopped => "stopped",
        JobStatus::Finished => "finished",
        JobStatus::Canceled => "cancelled",
        JobStatus::Failed
        | JobStatus::Initializing
        | JobStatus::Created
        | JobStatus::Running
        | JobStatus::Restarting
        | JobStatus::Failing
        | JobStatus::Cancelling => "failed",
    };
    let seconds = ran.as_secs_f64();
    let last = format!(
        "{how}: {} rows in, {} rows out, {} late, {} bad, {seconds:.1} s",
        grouped(progress.rows_in),
        grouped(progress.rows_out),
        grouped(progress.late),
        grouped(progress.errors),
    );
    say(&last, std::io::stderr().is_terminal(), "\n");
}

fn line(progress: &Progress, rate: u64) -> String {
    let (watermark, lag) = match progress.watermark {
        None => ("none".to_owned(), "unknown".to_owned()),
        Some(i64::MAX) => ("end".to_owned(), "none".to_owned()),
        Some(ms) => (instant(ms), duration(now_ms().saturating_sub(ms))),
    };
    format!(
        "rows in {}, {} rows/s, watermark {watermark}, late {}, lag {lag}",
        grouped(progress.rows_in),
        grouped(rate),
        grouped(progress.late),
    )
}

fn say(text: &str, on_terminal: bool, end: &str) {
    let clear = if on_terminal { "\r\x1b[K" } else { "" };
    // Who closed stderr does not want to know.
    let _ = std::io::stderr().write_all(format!("{clear}{text}{end}").as_bytes());
}

fn rate(rows: u64, elapsed: Duration) -> u64 {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    rows.saturating_mul(1000) / milliseconds
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds since 1970 as a time in UTC, to the second.
pub(crate) fn instant(ms: i64) -> String {
    match chrono::DateTime::from_timestamp_millis(ms) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => format!("{ms} ms"),
    }
}

/// Milliseconds in the largest unit that leaves a number of at least 1.
fn duration(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    match UNITS.iter().find(|(unit, _)| ms >= *unit) {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format!("{} ms", ms.max(0)),
    }
}
