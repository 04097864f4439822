//! `millstream bench words --from FILE`: counts words in lines of text.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::measure::{Case, literal, measure};

/// Words counted in lines of text: split, shuffled by word and counted until the text ends.
#[derive(Debug, Args)]
pub(crate) struct Words {
    /// Text, a line a row.
    #[arg(long)]
    from: PathBuf,
    /// Subtasks of each operator.
    #[arg(long, default_value_t = 1)]
    parallelism: u32,
}

impl Words {
    pub(crate) fn run(&self) -> ExitCode {
        let sql = format!(
            "CREATE TABLE lines (line STRING, at AS TO_TIMESTAMP('2026-01-01 00:00:00'), WATERMARK FOR at AS at) \
             WITH ('connector' = 'filesystem', 'path' = '{}', 'format' = 'raw');\n\
             CREATE VIEW words AS SELECT word, at FROM lines CROSS JOIN UNNEST(SPLIT(line, ' ')) AS t (word);\n\
             CREATE TABLE counts (word STRING, n BIGINT) WITH ('connector' = 'blackhole');\n\
             INSERT INTO counts SELECT word, COUNT(*) FROM TABLE(TUMBLE(TABLE words, DESCRIPTOR(at), INTERVAL '1' HOUR)) \
             GROUP BY word, window_start, window_end;",
            literal(&self.from)
        );
        measure(&Case { name: "words", sql, parallelism: self.parallelism, events: None })
    }
}
