//! Jobs to schedule, planned from SQL.

use std::sync::Arc;

use millstream_graph::{JobGraph, chaining};
use millstream_planner::sql::plan_sql;
use millstream_planner::{Session, on_planning_thread};

/// A job of this parallelism: `keyed` has a shuffle, `chained` is one chain, `forwarded` is that chain cut in two.
pub(crate) fn job(name: &str, parallelism: u32) -> Arc<JobGraph> {
    let query = match name {
        "keyed" => {
            "SELECT k, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' SECOND)) \
                    GROUP BY k, window_start, window_end"
        }
        _ => "SELECT k, n FROM t WHERE n > 1",
    };
    let chaining = name != "forwarded";
    let sql = format!(
        "SET 'parallelism.default' = '{parallelism}';\n\
         SET 'pipeline.operator-chaining.enabled' = '{chaining}';\n\
         CREATE TABLE t (k BIGINT, n BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) \
         WITH ('connector' = 'datagen', 'number-of-rows' = '10');\n\
         CREATE TABLE o (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole');\n\
         INSERT INTO o {query};"
    );
    let plan = || plan_sql("job", &sql, Session::default(), &millstream_connectors::connector);
    let planned = on_planning_thread(plan).unwrap_or_else(|error| panic!("{error}"));
    Arc::new(chaining::job_graph(planned.graph))
}
