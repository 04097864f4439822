//! Pipelines as their authors write them: what they become, and every word that is said about mistakes.

use std::path::PathBuf;
use std::sync::Arc;

use expect_test::{Expect, expect};
use millstream_crds::read_manifest;
use millstream_engine::operators::PortId;
use millstream_engine::spec::OperatorSpec;
use millstream_graph::{NodeKind, Partitioning, StreamNode};

use crate::resolved::{Plan, plan, resolve};

const FLIGHTS: &str = "\
sources:
  - name: flights
    connector: filesystem
    format: csv
    options: {path: /flights, source.monitor-interval: 10 s}
    schema: [carrier STRING, origin STRING, dep_delay DOUBLE, tailnum STRING, seats INT, ts TIMESTAMP(3)]
    eventTime: {column: ts, delay: 2h}
";

/// A manifest whose pipeline is `pipeline`.
fn manifest(pipeline: &str) -> String {
    let head = "apiVersion: millstream.dev/v1alpha1\nkind: StreamJob\nmetadata: {name: job}\nspec:\n  parallelism: 2\n  program:\n    pipeline:\n";
    head.to_owned() + &pipeline.lines().map(|line| format!("      {line}\n")).collect::<String>()
}

fn planned(pipeline: &str) -> Result<Plan, String> {
    let manifest = read_manifest(&manifest(pipeline)).unwrap();
    let report = |problems: crate::Problems| {
        problems.iter().map(|problem| format!("{}\n", problem.in_manifest(&manifest))).collect::<String>()
    };
    let program = resolve(&manifest.job, 0).map_err(report)?;
    plan(&program, Arc::new(|| 0)).map_err(report)
}

/// The flights with `steps` after them, and a sink of `result`.
fn flights(steps: &str, result: &str) -> String {
    let steps: String = steps.lines().map(|line| format!("  {line}\n")).collect();
    format!("{FLIGHTS}transformations:\n{steps}sinks:\n  - {{name: out, from: {result}, connector: print}}\n")
}

#[track_caller]
fn becomes(pipeline: &str, expected: &Expect) {
    expected.assert_eq(&match planned(pipeline) {
        Ok(plan) => described(&plan),
        Err(report) => report,
    });
}

/// What is said about a transformation that does `what` with the flights.
#[track_caller]
fn refused(what: &[&str], expected: &Expect) {
    let mut report = String::new();
    for what in what {
        let pipeline = flights(&format!("- {{name: x, from: flights, {what}}}"), "x");
        match planned(&pipeline) {
            Ok(plan) => report += &format!("accepted: {}", described(&plan)),
            Err(problems) => report += &problems,
        }
    }
    expected.assert_eq(&report);
}

fn described(plan: &Plan) -> String {
    let nodes = &plan.graph.program.nodes;
    let mut text: String = nodes.iter().map(|node| describe_node(node, nodes)).collect();
    for vertex in 0..plan.graph.vertices.len() {
        text += &format!("task {} x{}\n", plan.graph.vertex_name(vertex), plan.graph.vertices[vertex].parallelism);
    }
    text + &plan.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect::<String>()
}

fn describe_node(node: &StreamNode, nodes: &[StreamNode]) -> String {
    let columns: Vec<&str> = node.schema.fields().iter().map(|field| field.name().as_str()).collect();
    let inputs: Vec<String> = node
        .inputs
        .iter()
        .map(|input| {
            let port = match input.port {
                PortId::LATE => " late",
                PortId::DEAD_LETTERS => " dead letters",
                _ => "",
            };
            let spread = match &input.partitioning {
                Partitioning::Forward => String::new(),
                other => format!(" {other:?}"),
            };
            format!(" <- {}{port}{spread}", nodes[input.node].name)
        })
        .collect();
    let more = match &node.kind {
        NodeKind::Source(source) => format!(
            " time {:?} {:?}",
            source.event_time,
            source.watermark.as_ref().map(|it| (it.strategy, it.idle_timeout_ms))
        ),
        NodeKind::Operator(OperatorSpec::WindowAggregate(spec)) => {
            let aggregates: Vec<String> =
                spec.aggregates.iter().map(|it| format!("{:?}({:?})", it.function, it.argument)).collect();
            format!(
                " keys {:?} {:?} {:?} {:?} evictor {:?} lateness {} late {} [{}]",
                spec.keys,
                spec.time,
                spec.window,
                spec.trigger,
                spec.evictor,
                spec.allowed_lateness_ms,
                spec.late_output,
                aggregates.join(", ")
            )
        }
        NodeKind::Operator(_) | NodeKind::Sink(_) => String::new(),
    };
    format!("{}{} [{}] x{}{more}\n", node.name, inputs.concat(), columns.join(", "), node.parallelism)
}

#[test]
fn the_worked_example_becomes_this_graph() {
    becomes(
        &flights(
            "- name: perCarrier\n  from: flights\n  keyBy: [carrier, \"upper(origin) AS origin\"]\n  \
             window: {sliding: {size: 1h, slide: 10m}}\n  allowedLateness: 2h\n  lateOutput: lateFlights\n  \
             aggregate: [\"count(*) AS flights\", \"avg(dep_delay) AS delay\", \"max(dep_delay) FILTER (WHERE dep_delay > 0) AS worst\"]\n\
             - {name: late, from: lateFlights, select: [carrier, ts]}\n\
             - {name: all, from: perCarrier, filter: flights > 3}",
            "all",
        ).replace("sinks:\n", "sinks:\n  - {name: lates, from: late, connector: blackhole}\n"),
        &expect![[r#"
            Source: flights [carrier, origin, dep_delay, ts] x2 time Some(3) Some((BoundedOutOfOrderness(7200000), Some(60000)))
            Project(perCarrier columns) <- Source: flights [carrier, origin, dep_delay, ts, $computed4, $computed5] x2
            WindowAggregate(perCarrier) <- Project(perCarrier columns) Hash([0, 4]) [carrier, origin, window_start, window_end, flights, delay, worst] x2 keys [0, 4] Record Sliding { size: 3600000, slide: 600000, offset: 0 } EventTime evictor None lateness 7200000 late true [Count(None), Avg(Some(2)), Max(Some(2))]
            Project(perCarrier late) <- WindowAggregate(perCarrier) late [carrier, origin, dep_delay, ts] x2
            Select(late) <- Project(perCarrier late) [carrier, ts] x2
            Filter(all) <- WindowAggregate(perCarrier) [carrier, origin, window_start, window_end, flights, delay, worst] x2
            Sink: lates <- Select(late) [carrier, ts] x2
            Sink: out <- Filter(all) [carrier, origin, window_start, window_end, flights, delay, worst] x2
            task Source: flights -> Project(perCarrier columns) x2
            task WindowAggregate(perCarrier) -> Project(perCarrier late) -> Select(late) -> Filter(all) -> Sink: lates -> Sink: out x2
        "#]],
    );
}

#[test]
fn each_window_becomes_the_engines() {
    let windows = [
        "window: {tumbling: {size: 1h, offset: -10 min}}",
        "window: {sliding: {size: 1h, slide: 600000ms, offset: 1 min}}",
        "window: {cumulating: {maxSize: 1 day, step: 1h}}",
        "window: {session: {gap: 6h}}",
        "window: {session: {gapColumn: seats * 1000}}",
        "window: {global: {}}",
        "window: {global: {}}, trigger: endOfStream",
        "window: {count: {size: 4}}",
        "window: {count: {size: 4, slide: 2}}",
        "window: {tumbling: {size: 3s}}, processingTime: true",
        "window: {tumbling: {size: 3s}}, trigger: {purging: {count: 2}}, evictor: {time: 500ms}",
        "window: {tumbling: {size: 3s}}, trigger: {continuousEventTime: 1s}, evictor: {count: 2}",
        "window: {global: {}}, trigger: {delta: {value: dep_delay, threshold: 10}}, evictor: {delta: {value: seats, threshold: 1.5}}",
        "window: {global: {}}, trigger: {processingTimeout: {timeout: 1s, trigger: {continuousProcessingTime: 2s}}}",
    ];
    let mut report = String::new();
    for window in windows {
        let pipeline = flights(
            &format!("- {{name: x, from: flights, keyBy: carrier, {window}, aggregate: [count(*) AS n]}}"),
            "x",
        );
        let plan = planned(&pipeline).unwrap();
        let nodes = &plan.graph.program.nodes;
        let of_window = nodes.iter().rev().find(|node| node.name.starts_with("WindowAggregate")).unwrap();
        report += &describe_node(of_window, nodes);
    }
    expect![[r#"
        WindowAggregate(x) <- LocalWindowAggregate(x) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Record Tumbling { size: 3600000, offset: -600000 } EventTime evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- LocalWindowAggregate(x) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Record Sliding { size: 3600000, slide: 600000, offset: 60000 } EventTime evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- LocalWindowAggregate(x) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Record Cumulating { max_size: 86400000, step: 3600000, offset: 0 } EventTime evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Record Session { gap: Fixed(21600000) } EventTime evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([1]) [carrier, window_start, window_end, n] x2 keys [1] Record Session { gap: Column(0) } EventTime evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, n] x2 keys [0] Record Global Never evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, n] x2 keys [0] Record Global EndOfStream evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, n] x2 keys [0] Record Global Purging(Count(4)) evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, n] x2 keys [0] Record Global Count(2) evictor Some(Count(4)) lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Processing Tumbling { size: 3000, offset: 0 } ProcessingTime evictor None lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Record Tumbling { size: 3000, offset: 0 } Purging(Count(2)) evictor Some(Time(500)) lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, window_start, window_end, n] x2 keys [0] Record Tumbling { size: 3000, offset: 0 } ContinuousEventTime(1000) evictor Some(Count(2)) lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([2]) [carrier, n] x2 keys [2] Record Global Delta { column: 0, threshold: 10.0 } evictor Some(Delta { column: 1, threshold: 1.5 }) lateness 0 late false [Count(None)]
        WindowAggregate(x) <- Project(x columns) Hash([0]) [carrier, n] x2 keys [0] Record Global ProcessingTimeout { inner: ContinuousProcessingTime(2000), timeout_ms: 1000 } evictor None lateness 0 late false [Count(None)]
    "#]].assert_eq(&report);
}

#[test]
fn only_columns_that_something_needs_are_read() {
    becomes(
        &flights("- {name: a, from: flights, filter: seats > 10}\n- {name: b, from: a, select: [carrier]}", "b"),
        &expect![[r#"
            Source: flights [carrier, seats, ts] x2 time Some(2) Some((BoundedOutOfOrderness(7200000), Some(60000)))
            Filter(a) <- Source: flights [carrier, seats, ts] x2
            Select(b) <- Filter(a) [carrier] x2
            Sink: out <- Select(b) [carrier] x2
            task Source: flights -> Filter(a) -> Select(b) -> Sink: out x2
        "#]],
    );
    becomes(
        &flights("- {name: x, from: flights, window: {tumbling: {size: 1h}}, aggregate: [count(*) AS n]}", "x"),
        &expect![[r#"
            Source: flights [ts] x2 time Some(0) Some((BoundedOutOfOrderness(7200000), Some(60000)))
            Project(x columns) <- Source: flights [] x2
            LocalWindowAggregate(x) <- Project(x columns) [window_start, window_end, rows, aggregate_0_0] x2 keys [] Record Tumbling { size: 3600000, offset: 0 } EventTime evictor None lateness 0 late false [Count(None)]
            WindowAggregate(x) <- LocalWindowAggregate(x) Global [window_start, window_end, n] x1 keys [] Record Tumbling { size: 3600000, offset: 0 } EventTime evictor None lateness 0 late false [Count(None)]
            Sink: out <- WindowAggregate(x) [window_start, window_end, n] x2
            task Source: flights -> Project(x columns) -> LocalWindowAggregate(x) x2
            task WindowAggregate(x) x1
            task Sink: out x2
        "#]],
    );
}

#[test]
fn lists_are_taken_apart_and_streams_put_together() {
    let pipeline = "\
sources:
  - name: lines
    connector: socket
    format: json
    options: {hostname: localhost, port: 9999}
    schema: {line: STRING, words: ARRAY<STRING>}
  - name: more
    connector: filesystem
    format: json
    options: {path: /more}
    schema: {line: STRING NOT NULL, words: ARRAY<STRING>}
    deadLetterOutput: bad
transformations:
  - {name: both, from: [lines, more]}
  - {name: words, from: both, flatMap: words AS word}
  - {name: counts, from: words, keyBy: word, window: {count: {size: 2}}, aggregate: [count(*) AS n]}
sinks:
  - {name: out, from: counts, connector: print}
  - {name: badRows, from: bad, connector: print}
";
    becomes(
        pipeline,
        &expect![[r#"
            Source: lines [line, words] x2 time None None
            Source: more [line, words] x2 time None None
            Union(both) <- Source: lines <- Source: more [line, words] x2
            FlatMap(words) <- Union(both) [word] x2
            Project(counts columns) <- FlatMap(words) [word] x2
            WindowAggregate(counts) <- Project(counts columns) Hash([0]) [word, n] x2 keys [0] Record Global Purging(Count(2)) evictor None lateness 0 late false [Count(None)]
            Sink: out <- WindowAggregate(counts) [word, n] x2
            Sink: badRows <- Source: more dead letters [split, row, reason, raw] x2
            task Source: lines x2
            task Source: more -> Sink: badRows x2
            task Union(both) -> FlatMap(words) -> Project(counts columns) x2
            task WindowAggregate(counts) -> Sink: out x2
        "#]],
    );
}

#[test]
fn placement_is_carried_out() {
    let pipeline = "\
sources:
  - {name: a, connector: socket, format: raw, options: {hostname: localhost, port: 9999}, schema: [line STRING], parallelism: 1}
transformations:
  - {name: b, from: a, filter: line <> '', parallelism: 1, slotSharingGroup: heavy}
  - {name: c, from: b, select: ['*', upper(line) AS loud], chaining: never, parallelism: 1}
  - {name: d, from: c, select: [loud], parallelism: 1}
  - {name: unread, from: d, select: [loud]}
  - {name: alsoUnread, from: unread, select: [loud]}
sinks:
  - {name: out, from: d, connector: print, uid: sink-1}
";
    becomes(
        pipeline,
        &expect![[r#"
        Source: a [line] x1 time None None
        Filter(b) <- Source: a [line] x1
        Select(c) <- Filter(b) [line, loud] x1
        Select(d) <- Select(c) [loud] x1
        Sink: out <- Select(d) [loud] x2
        task Source: a x1
        task Filter(b) x1
        task Select(c) x1
        task Select(d) x1
        task Sink: out x2
        warning: no sink needs the transformation `unread`: it is not run
        warning: no sink needs the transformation `alsoUnread`: it is not run
    "#]],
    );
}

#[test]
fn names_that_do_not_fit_are_found_before_anything_is_planned() {
    becomes(
        &flights("- {name: a, from: flihgts, filter: bad(}\n- {name: flights, from: out, select: [x]}", "b"),
        &expect![[r#"
            line 17, column 18: spec.program.pipeline.transformations[1].name: the name `flights` is taken already, at sources[0].name
            line 16, column 27: spec.program.pipeline.transformations[0].from: there is no stream called `flihgts`; did you mean `flights`?
            line 17, column 33: spec.program.pipeline.transformations[1].from: `out` is a sink, and nothing can be read from a sink
            line 19, column 29: spec.program.pipeline.sinks[0].from: there is no stream called `b`; did you mean `a`?
        "#]],
    );
    becomes(
        &flights(
            "- {name: a, from: c, filter: 'true'}\n- {name: b, from: a, filter: 'true'}\n- {name: c, from: [b, flights]}",
            "c",
        ),
        &expect![[r#"
            line 17, column 27: spec.program.pipeline.transformations[1].from: a stream cannot be its own input: `a` reads `c` reads `b` reads `a`
        "#]],
    );
    becomes(
        &flights("- {name: a, from: a, filter: 'true'}", "a"),
        &expect![[r#"
        line 16, column 27: spec.program.pipeline.transformations[0].from: a stream cannot be its own input: `a` reads `a`
    "#]],
    );
}

#[test]
fn unknown_fields_and_wrong_types_are_named_with_their_lines() {
    let pipeline = flights(
        "- {name: a, from: flights, windw: {tumbling: {size: 1h}}, agregate: [x]}\n\
         - {name: b, from: flights, window: {tumbling: {sise: 10}}, aggregate: count(*) AS n}\n\
         - {name: '', from: 3, window: tumbling, trigger: evenTime, evictor: {cuont: 3}}\n\
         - {name: d, from: flights, window: {tumbling: {size: 1h}, global: {}}, trigger: {count: 0}, parallelism: 0}",
        "a",
    );
    becomes(
        &pipeline,
        &expect![[r#"
        line 16, column 67: spec.program.pipeline.transformations[0].agregate: unknown field; did you mean `aggregate`?
        line 16, column 36: spec.program.pipeline.transformations[0].windw: unknown field; did you mean `window`?
        line 17, column 79: spec.program.pipeline.transformations[1].aggregate: expected a list, found the text "count(*) AS n"
        line 17, column 56: spec.program.pipeline.transformations[1].window.tumbling.sise: unknown field; did you mean `size`?
        line 17, column 55: spec.program.pipeline.transformations[1].window.tumbling: the field `size` is missing
        line 18, column 78: spec.program.pipeline.transformations[2].evictor.cuont: unknown field, expected one of `count`, `time` or `delta`; did you mean `count`?
        line 18, column 28: spec.program.pipeline.transformations[2].from: expected text or a list, found the number 3
        line 18, column 18: spec.program.pipeline.transformations[2].name: expected text that is not empty
        line 18, column 58: spec.program.pipeline.transformations[2].trigger: expected one of `eventTime`, `processingTime`, `endOfStream`, `never`, `count`, `continuousEventTime`, `continuousProcessingTime`, `delta`, `purging` or `processingTimeout`, found `evenTime`; did you mean `eventTime`?
        line 18, column 39: spec.program.pipeline.transformations[2].window: `tumbling` needs settings: write `tumbling: …` inside a mapping
        line 19, column 114: spec.program.pipeline.transformations[3].parallelism: expected a whole number from 1 to 32768, found the number 0
        line 19, column 97: spec.program.pipeline.transformations[3].trigger.count: expected a whole number of at least 1, found the number 0
        line 19, column 44: spec.program.pipeline.transformations[3].window: expected exactly one of `tumbling`, `sliding`, `cumulating`, `session`, `global` and `count`, found `global` and `tumbling`
    "#]],
    );
    becomes(
        "sources: []\nsinks: []\ntransformation: []",
        &expect![[r#"
        line 9, column 14: spec.program.pipeline.sinks: expected at least 1 element
        line 8, column 16: spec.program.pipeline.sources: expected at least 1 element
        line 10, column 7: spec.program.pipeline.transformation: unknown field; did you mean `transformations`?
    "#]],
    );
}

#[test]
fn a_transformation_does_one_thing() {
    refused(
        &[
            "uid: nothing",
            "filter: 'true', select: ['*']",
            "filter: 'true', keyBy: carrier, lateOutput: late",
            "aggregate: [count(*) AS n]",
        ],
        &expect![[r#"
            line 16, column 11: spec.program.pipeline.transformations[0]: it does nothing: give it one of `filter`, `select`, `flatMap`, `assignEventTime` or `aggregate`, or a list as `from` for a union
            line 16, column 11: spec.program.pipeline.transformations[0]: a transformation does one thing, and this one has filter, select
            line 16, column 52: spec.program.pipeline.transformations[0].keyBy: it has a meaning only with `aggregate`
            line 16, column 68: spec.program.pipeline.transformations[0].lateOutput: it has a meaning only with `aggregate`
            line 16, column 11: spec.program.pipeline.transformations[0]: an aggregation over an endless stream needs a `window`, such as `window: {tumbling: {size: 1h}}`
        "#]],
    );
}

#[test]
fn expressions_are_refused_in_place() {
    refused(
        &[
            "filter: dep_dely > 3",
            "filter: dep_delay + 1",
            "select: [carrier, dep_delay * 2]",
            "select: ['*', origin AS carrier]",
            "select: [nosuch(carrier) AS x]",
            "flatMap: carrier AS x",
            "flatMap: 'ARRAY[carrier, origin] AS origin'",
            "flatMap: 'ARRAY[carrier, origin]'",
            "assignEventTime: {column: tss}",
            "assignEventTime: {column: carrier}",
            "window: {tumbling: {size: 1h}}, aggregate: [count(*)]",
            "window: {tumbling: {size: 1h}}, aggregate: [carrier AS c]",
            "window: {tumbling: {size: 1h}}, aggregate: [sum(carrier) AS c]",
            "window: {tumbling: {size: 1h}}, keyBy: [carrier, upper(origin)], aggregate: [count(*) AS n]",
            "window: {tumbling: {size: 1h}}, keyBy: carrier, aggregate: [count(*) AS carrier]",
            "window: {tumbling: {size: 1h}}, aggregate: [count(*) AS window_end]",
        ],
        &expect![[r#"
            line 16, column 44: spec.program.pipeline.transformations[0].filter: unknown column `dep_dely`; did you mean `dep_delay`?
            line 16, column 44: spec.program.pipeline.transformations[0].filter: a filter is a condition, and `dep_delay + 1` is DOUBLE
            line 16, column 54: spec.program.pipeline.transformations[0].select[1]: give it a name: `dep_delay * 2 AS name`
            line 16, column 50: spec.program.pipeline.transformations[0].select[1]: there are two columns called `carrier`; name one with AS
            line 16, column 45: spec.program.pipeline.transformations[0].select[0]: unknown function `nosuch`
            line 16, column 45: spec.program.pipeline.transformations[0].flatMap: flatMap takes a list apart, and `carrier AS x` is STRING
            line 16, column 45: spec.program.pipeline.transformations[0].flatMap: there is a column called `origin` already; give the element another name with AS
            line 16, column 45: spec.program.pipeline.transformations[0].flatMap: give it a name: `ARRAY[carrier, origin] AS name`
            line 16, column 62: spec.program.pipeline.transformations[0].assignEventTime.column: there is no column called `tss`; did you mean `ts`?
            line 16, column 62: spec.program.pipeline.transformations[0].assignEventTime.column: the column `carrier` is STRING, and a time must be TIMESTAMP(3), TIMESTAMP_LTZ(3) or BIGINT in milliseconds
            line 16, column 80: spec.program.pipeline.transformations[0].aggregate[0]: give it a name: `count(*) AS name`
            line 16, column 80: spec.program.pipeline.transformations[0].aggregate[0]: `carrier` is not a call of an aggregate function such as SUM(x)
            line 16, column 80: spec.program.pipeline.transformations[0].aggregate[0]: SUM cannot be computed over STRING
            line 16, column 85: spec.program.pipeline.transformations[0].keyBy[1]: give it a name: `upper(origin) AS name`
            line 16, column 11: spec.program.pipeline.transformations[0]: the result would have two columns called `carrier`; name one with AS
            line 16, column 11: spec.program.pipeline.transformations[0]: the result would have two columns called `window_end`; name one with AS
        "#]],
    );
}

#[test]
fn settings_that_cannot_work_together_are_refused() {
    let window = |settings: &str| format!("keyBy: carrier, aggregate: [count(*) AS n], {settings}");
    let cases = [
        "window: {tumbling: {size: 0s}}",
        "window: {tumbling: {size: 10 s, offset: -11 s}}",
        "window: {tumbling: {size: 10}}",
        "window: {tumbling: {size: '10'}}",
        "window: {tumbling: {size: an hour}}",
        "window: {tumbling: {size: -1s}}",
        "window: {sliding: {size: 20 s, slide: 0 s}}",
        "window: {sliding: {size: 20 s, slide: 10 s, offset: 11s}}",
        "window: {cumulating: {maxSize: 1h, step: 7 min}}",
        "window: {session: {gap: 0 s}}",
        "window: {session: {}}",
        "window: {session: {gap: 1s, gapColumn: seats}}",
        "window: {session: {gapColumn: carrier}}",
        "window: {count: {size: 0}}",
        "window: {count: {size: 3}}, trigger: never",
        "window: {count: {size: 3}}, evictor: {count: 1}",
        "window: {global: {}}, allowedLateness: 1h",
        "window: {global: {}}, lateOutput: late",
        "window: {tumbling: {size: 1h}}, processingTime: true, lateOutput: late",
        "window: {tumbling: {size: 1h}}, processingTime: true, trigger: eventTime",
        "window: {tumbling: {size: 1h}}, trigger: endOfStream",
        "window: {tumbling: {size: 1h}}, trigger: {purging: {purging: never}}",
        "window: {tumbling: {size: 1h}}, trigger: {continuousEventTime: 0s}",
        "window: {session: {gap: 1h}}, trigger: {delta: {value: seats, threshold: 1}}",
        "window: {global: {}}, trigger: {delta: {value: carrier, threshold: 1}}",
        "window: {tumbling: {size: 1h}}, parallelism: 5000",
    ];
    let cases: Vec<String> = cases.iter().map(|case| window(case)).collect();
    let mut cases: Vec<&str> = cases.iter().map(String::as_str).collect();
    cases.push("window: {tumbling: {size: 1h}}, aggregate: [count(*) AS n], parallelism: 2");
    refused(
        &cases,
        &expect![[r#"
        line 16, column 88: spec.program.pipeline.transformations[0].window: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 0 ms and its offset 0 ms
        line 16, column 88: spec.program.pipeline.transformations[0].window: a tumbling window must satisfy size > 0 and abs(offset) < size; its size is 10000 ms and its offset -11000 ms
        line 16, column 106: spec.program.pipeline.transformations[0].window.tumbling.size: expected text, found the number 10; put it in quotes
        line 16, column 106: spec.program.pipeline.transformations[0].window.tumbling.size: `10` is not a duration such as 500ms, 10 min, 1h or 2 days
        line 16, column 106: spec.program.pipeline.transformations[0].window.tumbling.size: `an hour` is not a duration such as 500ms, 10 min, 1h or 2 days
        line 16, column 106: spec.program.pipeline.transformations[0].window.tumbling.size: `-1s` is not a duration such as 500ms, 10 min, 1h or 2 days
        line 16, column 88: spec.program.pipeline.transformations[0].window: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 20000 ms, its slide 0 ms and its offset 0 ms
        line 16, column 88: spec.program.pipeline.transformations[0].window: a sliding window must satisfy slide > 0, abs(offset) < slide and size > 0; its size is 20000 ms, its slide 10000 ms and its offset 11000 ms
        line 16, column 88: spec.program.pipeline.transformations[0].window: a cumulating window must satisfy step > 0, max size a multiple of step and abs(offset) < max size; its max size is 3600000 ms, its step 420000 ms and its offset 0 ms
        line 16, column 88: spec.program.pipeline.transformations[0].window: a session window must satisfy 0 < size; its gap is 0 ms
        line 16, column 98: spec.program.pipeline.transformations[0].window.session: a session needs exactly one of `gap` and `gapColumn`
        line 16, column 98: spec.program.pipeline.transformations[0].window.session: a session needs exactly one of `gap` and `gapColumn`
        line 16, column 110: spec.program.pipeline.transformations[0].window.session.gapColumn: the gap of a session is a whole number of milliseconds, and `carrier` is STRING
        line 16, column 103: spec.program.pipeline.transformations[0].window.count.size: expected a whole number of at least 1, found the number 0
        line 16, column 117: spec.program.pipeline.transformations[0].trigger: a count window has its own trigger; use `window: {global: {}}` to choose one
        line 16, column 117: spec.program.pipeline.transformations[0].evictor: a count window has its own evictor; use `window: {global: {}}` to choose one
        line 16, column 102: spec.program.pipeline.transformations[0].allowedLateness: no row is late for a global or count window, which has no end
        line 16, column 102: spec.program.pipeline.transformations[0].lateOutput: no row is late for a global or count window, which has no end
        line 16, column 134: spec.program.pipeline.transformations[0].lateOutput: no row is late by the wall clock
        line 16, column 143: spec.program.pipeline.transformations[0].trigger: this trigger follows event time, which there is none of here
        line 16, column 121: spec.program.pipeline.transformations[0].trigger: the trigger `endOfStream` is for global windows, which have no other end
        line 16, column 131: spec.program.pipeline.transformations[0].trigger.purging: a trigger needs to purge only once
        line 16, column 121: spec.program.pipeline.transformations[0].trigger: a continuous trigger needs an interval of at least 1 ms
        line 16, column 119: spec.program.pipeline.transformations[0].trigger: a delta trigger cannot be used with session windows, which merge
        line 16, column 127: spec.program.pipeline.transformations[0].trigger.delta.value: a delta is taken of numbers, and `carrier` is STRING
        line 16, column 125: spec.program.pipeline.transformations[0].parallelism: the parallelism 5000 must be from 1 to the job's maxParallelism, 4096
        line 16, column 109: spec.program.pipeline.transformations[0].parallelism: without `keyBy` all rows meet in one subtask, and it cannot have 2
    "#]],
    );
}

#[test]
fn sources_and_sinks_are_checked() {
    let with = |source: &str, sink: &str| {
        format!("sources:\n  - {{name: a, {source}}}\nsinks:\n  - {{name: out, from: a, {sink}}}\n")
    };
    let socket = "connector: socket, format: raw, options: {hostname: h, port: 1}";
    let sources = [
        "connector: sokcet, schema: [line STRING]".to_owned(),
        format!("{socket}, schema: [line STRNG, line STRING, x]"),
        format!("{socket}, schema: []"),
        format!("{socket}, schema: {{a: STRING, b: STRING}}"),
        format!("{socket}, schema: [line STRING], eventTime: {{column: lin}}"),
        format!("{socket}, schema: [line STRING], eventTime: {{column: line}}"),
        format!("{socket}, schema: [line STRING], idleTimeout: 3s"),
        format!("{socket}, schema: [line STRING], badRows: deadLetter"),
        format!("{socket}, schema: [line STRING], badRows: skip, deadLetterOutput: x"),
        "connector: socket, format: raw, options: {hostname: h, port: 1, prot: 2}, schema: [line STRING]".to_owned(),
        "connector: socket, options: {format: raw, hostname: h, port: 1}, schema: [line STRING]".to_owned(),
        "connector: socket, format: raw, options: {scan.bad-rows: skip, hostname: h, port: 1}, schema: [line STRING]".to_owned(),
        "connector: filesystem, format: json, options: {path: /x}, schema: [ts BIGINT, x TIMESTAMP(6)], eventTime: {column: ts, delay: 1h, watermark: ts - 3}".to_owned(),
        "connector: filesystem, format: json, options: {path: /x}, schema: [ts BIGINT, x TIMESTAMP(6)], eventTime: {column: ts, watermark: tss - 3}".to_owned(),
        "connector: filesystem, format: json, options: {path: /x}, schema: [ts BIGINT, x TIMESTAMP(6)], eventTime: {column: x}".to_owned(),
    ];
    let mut report = String::new();
    for source in &sources {
        report += &planned(&with(source, "connector: print")).map_or_else(|report| report, |plan| described(&plan));
    }
    let source = format!("{socket}, schema: [line STRING]");
    for sink in [
        "connector: prnt",
        "connector: print, partitionBy: [lin]",
        "connector: print, keyBy: line",
        "connector: print, keyBy: [line, lin]",
        "connector: filesystem, options: {path: /x}",
        "connector: print, options: {x: [1]}",
    ] {
        report += &planned(&with(&source, sink)).map_or_else(|report| report, |plan| described(&plan));
    }
    expect![[r#"
        line 9, column 32: spec.program.pipeline.sources[0].connector: there is no connector called `sokcet`; did you mean `socket`? (there are blackhole, datagen, filesystem, nexmark, print, socket)
        line 9, column 100: spec.program.pipeline.sources[0].schema[0]: the type STRNG is not known; did you mean `STRING`?
        line 9, column 121: spec.program.pipeline.sources[0].schema[2]: expected a data type name, found the end of the text
        line 9, column 94: spec.program.pipeline.sources[0].schema: expected at least 1 element
        line 9, column 94: spec.program.pipeline.sources[0].schema: the format raw finds columns by their place: write a list such as `- name STRING`
        line 9, column 129: spec.program.pipeline.sources[0].eventTime.column: there is no column called `lin`; did you mean `line`?
        line 9, column 129: spec.program.pipeline.sources[0].eventTime.column: the column `line` is STRING, and a time must be TIMESTAMP(3), TIMESTAMP_LTZ(3) or BIGINT in milliseconds
        line 9, column 122: spec.program.pipeline.sources[0].idleTimeout: an idle timeout is about watermarks, and a source without `eventTime` makes none
        line 9, column 118: spec.program.pipeline.sources[0].badRows: bad rows as dead letters need a `deadLetterOutput`, a name to read them by
        line 9, column 142: spec.program.pipeline.sources[0].deadLetterOutput: nothing would come out here: only `badRows: deadLetter` has a dead-letter output
        line 9, column 11: spec.program.pipeline.sources[0]: the option 'prot' is not known here; did you mean 'port'?
        line 9, column 58: spec.program.pipeline.sources[0].options.format: the format is the field `format` beside `options`
        line 9, column 78: spec.program.pipeline.sources[0].options['scan.bad-rows']: the option 'scan.bad-rows' is the field `badRows` here
        line 9, column 162: spec.program.pipeline.sources[0].eventTime.watermark: either `delay` or `watermark` can be given, not both
        line 9, column 151: spec.program.pipeline.sources[0].eventTime.watermark: unknown column `tss`; did you mean `ts`?
        line 9, column 136: spec.program.pipeline.sources[0].eventTime.column: the column `x` is TIMESTAMP(6), and a time must be TIMESTAMP(3), TIMESTAMP_LTZ(3) or BIGINT in milliseconds
        line 11, column 43: spec.program.pipeline.sinks[0].connector: there is no connector called `prnt`; did you mean `print`? (there are blackhole, datagen, filesystem, nexmark, print, socket)
        line 11, column 64: spec.program.pipeline.sinks[0].partitionBy[0]: there is no column called `lin`; did you mean `line`?
        Source: a [line] x2 time None None
        Sink: out <- Source: a Hash([0]) [line] x2
        task Source: a x2
        task Sink: out x2
        line 11, column 64: spec.program.pipeline.sinks[0].keyBy[1]: there is no column called `lin`; did you mean `line`?
        line 11, column 11: spec.program.pipeline.sinks[0]: the option 'format' is missing: json, csv, raw or parquet
        line 11, column 63: spec.program.pipeline.sinks[0].options.x: expected text or a number or true or false, found a list
    "#]].assert_eq(&report);
}

#[test]
fn a_window_in_event_time_needs_event_time() {
    let pipeline = "\
sources:
  - {name: a, connector: socket, format: raw, options: {hostname: localhost, port: 9999}, schema: [line STRING]}
transformations:
  - {name: b, from: a, window: {tumbling: {size: 1s}}, aggregate: [count(*) AS n]}
  - {name: c, from: a, keyBy: line, window: {count: {size: 3}}, aggregate: [count(*) AS n]}
  - {name: d, from: a, assignEventTime: {column: line}}
  - {name: e, from: a, window: {global: {}}, trigger: {count: 2}, evictor: {time: 1s}, aggregate: [count(*) AS n]}
  - {name: f, from: a, window: {global: {}}, trigger: {continuousEventTime: 1s}, aggregate: [count(*) AS n]}
sinks:
  - {name: ob, from: b, connector: print}
  - {name: oc, from: c, connector: print}
  - {name: od, from: d, connector: print}
  - {name: oe, from: e, connector: print}
  - {name: of, from: f, connector: print}
";
    becomes(
        pipeline,
        &expect![[r#"
        line 11, column 38: spec.program.pipeline.transformations[0].window: this window follows event time, and the rows that it reads have none: give the source an `eventTime`, or set `processingTime: true`
        line 13, column 47: spec.program.pipeline.transformations[2].assignEventTime: what it reads has no watermarks, without which event time does not pass: give the source an `eventTime`
        line 14, column 82: spec.program.pipeline.transformations[3].evictor: an evictor by time needs rows with a time, and these have none
        line 15, column 61: spec.program.pipeline.transformations[4].trigger: this trigger follows event time, which there is none of here
    "#]],
    );
}

#[test]
fn ids_follow_names_keys_and_windows_and_nothing_else() {
    let ids = |pipeline: &str| {
        let plan = planned(pipeline).unwrap();
        let mut ids: Vec<String> =
            plan.graph.program.nodes.iter().map(|node| format!("{} {}", node.id, node.name)).collect();
        ids.sort();
        ids
    };
    let first = "- {name: f, from: flights, filter: seats > 10}";
    let second =
        "- {name: w, from: f, keyBy: carrier, window: {tumbling: {size: 1h}}, aggregate: [sum(seats) AS seats]}";
    let base = ids(&flights(&format!("{first}\n{second}"), "w"));
    expect![[r#"
        433e51fac57f6f65216b0bfcaeeb6616 Sink: out
        7e31d63f78ebccb825a9835608dde1ec Filter(f)
        8ce3d00d0e9b6cc4ce7fd26d96eb1556 Project(w columns)
        b178cce964d449c715e7394259b10737 LocalWindowAggregate(w)
        ebbe0837f3cbf1265f9e70d41e920e55 WindowAggregate(w)
        f0404ee9ce2fd0489017bb94e8eb6ed0 Source: flights"#]]
    .assert_eq(&base.join("\n"));
    let other_order = ids(&flights(&format!("{second}\n{first}"), "w"));
    assert_eq!(base, other_order);
    let other_parallelism = second.replace("aggregate", "parallelism: 7, chaining: head, aggregate");
    assert_eq!(base, ids(&flights(&format!("{first}\n{other_parallelism}"), "w")));
    let other_filter = first.replace("10", "11");
    assert_eq!(base, ids(&flights(&format!("{other_filter}\n{second}"), "w")));

    let window_id = |step: &str| {
        let ids = ids(&flights(&format!("{first}\n{step}"), "w"));
        ids.into_iter().find(|id| id.ends_with(" WindowAggregate(w)")).unwrap()
    };
    let mut different = vec![
        window_id(second),
        window_id(&second.replace("carrier", "origin")),
        window_id(&second.replace("1h", "2h")),
        window_id(&second.replace("aggregate", "uid: w, aggregate")),
    ];
    let same = window_id(&second.replace("1h", "60 min"));
    assert_eq!(different[0], same);
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 4);
}

#[test]
fn a_uid_names_one_step() {
    becomes(
        &flights(
            "- {name: a, from: flights, uid: x, filter: 'true'}\n- {name: b, from: a, uid: x, filter: 'true'}",
            "b",
        ),
        &expect![[r#"
            line 17, column 35: spec.program.pipeline.transformations[1].uid: the uid `x` is taken already, by `a`: each names the state of one step
        "#]],
    );
}

#[test]
fn a_very_long_line_of_steps_is_planned() {
    let mut steps = String::from("- {name: s0, from: flights, filter: seats > 0}\n");
    for step in 1..200 {
        steps += &format!("- {{name: s{step}, from: s{}, filter: seats > {step}}}\n", step - 1);
    }
    let plan = planned(&flights(steps.trim_end(), "s199")).unwrap();
    assert_eq!(plan.graph.program.nodes.len(), 202);
    assert_eq!(plan.graph.vertices.len(), 1);
}

#[test]
fn the_committed_reference_is_current() {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../docs/pipeline.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, super::reference()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == super::reference(), "docs/pipeline.md is not current: run the tests once with UPDATE_DOCS=1");
}
