//! Cases of watermark generators and of the merger of several channels.

use millstream_engine::element::{Watermark, WatermarkStatus};
use millstream_engine::testing::case::{Case, CaseStep, number};
use millstream_engine::time::generator::{WatermarkGenerator, WatermarkStrategy};
use millstream_engine::time::merger::{Passed, WatermarkMerger};

pub(crate) fn generator(case: &Case) {
    let delay = case.number("delay").expect("a case says its delay");
    let mut generator = WatermarkGenerator::new(WatermarkStrategy::BoundedOutOfOrderness(delay));
    for step in &case.steps {
        match step.verb.as_str() {
            "event" => step.words.iter().for_each(|time| generator.observe(number(time))),
            "emit" => case.compare(step, "the generator", vec![generator.current().to_string()]),
            other => case.fail(step, &format!("`{other}` is no step of a generator")),
        }
        // A restore in between changes nothing.
        let greatest = generator.greatest();
        generator = WatermarkGenerator::new(WatermarkStrategy::BoundedOutOfOrderness(delay));
        generator.restore(greatest);
    }
}

pub(crate) fn merger(case: &Case) {
    let channels = case.number("channels").and_then(|channels| usize::try_from(channels).ok());
    let mut merger = WatermarkMerger::new(channels.expect("a case says its channels"));
    for step in &case.steps {
        let passed = tell(&mut merger, case, step);
        case.compare(step, "the merger", show(passed));
    }
}

fn tell(merger: &mut WatermarkMerger, case: &Case, step: &CaseStep) -> Passed {
    let channel = step.verb.strip_prefix('c').and_then(|channel| channel.parse().ok());
    let Some(channel) = channel else { case.fail(step, "a step begins with a channel, as c0") };
    match step.words[0].as_str() {
        "idle" => merger.on_status(channel, WatermarkStatus::Idle),
        "active" => merger.on_status(channel, WatermarkStatus::Active),
        "end" => merger.on_end(channel),
        time => merger.on_watermark(channel, Watermark(number(time))),
    }
}

fn show(passed: Passed) -> Vec<String> {
    let status = |status| match status {
        WatermarkStatus::Active => "ACTIVE".to_owned(),
        WatermarkStatus::Idle => "IDLE".to_owned(),
    };
    let watermark = passed.watermark.map(|watermark| watermark.to_string());
    watermark.into_iter().chain(passed.status.map(status)).chain(passed.end.then(|| "END".to_owned())).collect()
}
