//! Window aggregations as tests write them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::aggregate::{AggregateFunction, AggregateSpec};
use crate::window::groups::window_field;
use crate::window::{Phase, TimeSource, TriggerSpec, WindowAggregateSpec, WindowSpec};

/// `function` over the column `argument` of `input`, with the result type of SQL.
///
/// # Panics
/// If there is no such aggregate.
pub fn aggregate(input: &Schema, function: AggregateFunction, argument: Option<usize>) -> AggregateSpec {
    let of = argument.map(|at| input.field(at));
    let name = format!("{function:?}({})", of.map_or("*", |of| of.name())).to_lowercase();
    let output = function.result_type(of.map(Field::data_type)).expect("an aggregate that there is");
    let output = Field::new(name, output, function != AggregateFunction::Count);
    AggregateSpec { function, argument, distinct: false, filter: None, output }
}

/// Rows of `input` by `keys` and `window`, with the trigger that is usual for `time`.
pub fn aggregation(
    input: &SchemaRef,
    keys: &[usize],
    time: TimeSource,
    window: WindowSpec,
    aggregates: Vec<AggregateSpec>,
) -> WindowAggregateSpec {
    let mut fields: Vec<Field> = keys.iter().map(|&key| input.field(key).clone()).collect();
    if window != WindowSpec::Global {
        fields.extend([window_field("window_start"), window_field("window_end")]);
    }
    fields.extend(aggregates.iter().map(|of| of.output.clone()));
    WindowAggregateSpec {
        name: "window".to_owned(),
        input: Arc::clone(input),
        output: Arc::new(Schema::new(fields)),
        keys: keys.to_vec(),
        time,
        window,
        trigger: match (window, time) {
            (WindowSpec::Global, _) => TriggerSpec::Never,
            (_, TimeSource::Processing) => TriggerSpec::ProcessingTime,
            (_, TimeSource::Column(_) | TimeSource::Record) => TriggerSpec::EventTime,
        },
        evictor: None,
        allowed_lateness_ms: 0,
        late_output: time != TimeSource::Processing,
        aggregates,
        phase: Phase::Single,
    }
}

/// `COUNT(*)` per text key and window of records; late rows are given out.
pub fn count_per(window: WindowSpec) -> WindowAggregateSpec {
    let input: SchemaRef = Arc::new(Schema::new(vec![Field::new("key", DataType::Utf8, false)]));
    let count = aggregate(&input, AggregateFunction::Count, None);
    aggregation(&input, &[0], TimeSource::Record, window, vec![count])
}
