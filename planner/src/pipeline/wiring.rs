//! What follows what: names become places, and every mistake in the names is found.
//!
//! Pure: it looks at names only. What is left out because no sink needs it is said in a warning, not an error: half-written
//! pipelines are run all the time.

use std::collections::{BTreeMap, BTreeSet};

use millstream_crds::Path;
use millstream_crds::check::did_you_mean;

use super::spec::{Names, Pipeline, Sink, Transformation};
use crate::problem::Problem;

/// A stream that `from` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Output {
    /// The rows of the source at this place.
    Source(usize),
    /// What could not be decoded there.
    DeadLetters(usize),
    /// The result of the transformation at this place.
    Transformation(usize),
    /// What came too late there.
    Late(usize),
}

/// What follows what. Every name in it exists and nothing is its own input.
#[derive(Debug)]
pub(super) struct Wiring {
    /// Sources that a sink needs, in the order of the text.
    pub(super) sources: Vec<usize>,
    /// Transformations that a sink needs, each after those that it reads.
    pub(super) transformations: Vec<usize>,
    /// Streams that something reads that a sink needs.
    pub(super) read: BTreeSet<Output>,
    outputs: BTreeMap<String, Output>,
}

impl Wiring {
    /// The wires of `pipeline`, and warnings; or everything that is wrong with its names.
    pub(super) fn of(pipeline: &Pipeline) -> Result<(Self, Vec<String>), Vec<Problem>> {
        let (outputs, mut problems) = outputs(pipeline);
        let names = NameTable { pipeline, outputs: &outputs };
        problems.extend(names.dangling());
        if !problems.is_empty() {
            return Err(problems);
        }
        let order = names.order()?;
        let wiring = names.needed(order);
        let warnings = wiring.unread();
        Ok((wiring, warnings))
    }

    /// The stream called `name`.
    pub(super) fn output(&self, name: &str) -> Option<Output> {
        self.outputs.get(name).copied()
    }

    fn unread(&self) -> Vec<String> {
        let mut unread: Vec<(Output, &str)> = Vec::new();
        for (name, output) in &self.outputs {
            if !self.read.contains(output) {
                unread.push((*output, name));
            }
        }
        unread.sort_unstable();
        let runs = |output: Output| match output {
            Output::Source(place) | Output::DeadLetters(place) => self.sources.contains(&place),
            Output::Transformation(place) | Output::Late(place) => self.transformations.contains(&place),
        };
        let warning = |(output, name): (Output, &str)| match output {
            Output::Source(_) if runs(output) => None,
            Output::Source(_) => Some(format!("no sink needs the source `{name}`: it is not read")),
            Output::Transformation(_) if runs(output) => None,
            Output::Transformation(_) => Some(format!("no sink needs the transformation `{name}`: it is not run")),
            Output::Late(_) if runs(output) => {
                Some(format!("nothing reads the late output `{name}`: late rows are counted and dropped"))
            }
            Output::DeadLetters(_) if runs(output) => {
                Some(format!("nothing reads the dead-letter output `{name}`: bad rows are counted and dropped"))
            }
            Output::Late(_) | Output::DeadLetters(_) => None,
        };
        unread.into_iter().filter_map(warning).collect()
    }
}

/// All streams by name; the problems are names that are taken twice.
fn outputs(pipeline: &Pipeline) -> (BTreeMap<String, Output>, Vec<Problem>) {
    let mut taken: BTreeMap<&str, (Path, Option<Output>)> = BTreeMap::new();
    let mut problems = Vec::new();
    let mut take = |name, path: Path, output| match taken.get(name) {
        Some((first, _)) => {
            problems.push(Problem::new(path, format!("the name `{name}` is taken already, at {first}")))
        }
        None => {
            taken.insert(name, (path, output));
        }
    };
    for (place, source) in pipeline.sources.iter().enumerate() {
        let path = Path::of(&["sources"]).index(place);
        take(&source.name, path.field("name"), Some(Output::Source(place)));
        if let Some(name) = &source.dead_letter_output {
            take(name, path.field("deadLetterOutput"), Some(Output::DeadLetters(place)));
        }
    }
    for (place, transformation) in pipeline.transformations.iter().enumerate() {
        let path = Path::of(&["transformations"]).index(place);
        take(&transformation.name, path.field("name"), Some(Output::Transformation(place)));
        if let Some(name) = &transformation.late_output {
            take(name, path.field("lateOutput"), Some(Output::Late(place)));
        }
    }
    for (place, sink) in pipeline.sinks.iter().enumerate() {
        take(&sink.name, Path::of(&["sinks"]).index(place).field("name"), None);
    }
    let outputs = taken.into_iter().filter_map(|(name, (_, output))| Some((name.to_owned(), output?)));
    (outputs.collect(), problems)
}

struct NameTable<'a> {
    pipeline: &'a Pipeline,
    outputs: &'a BTreeMap<String, Output>,
}

impl NameTable<'_> {
    /// Names in `from` that nothing has.
    fn dangling(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (place, transformation) in self.pipeline.transformations.iter().enumerate() {
            for (name, path) in from_paths(transformation, place) {
                problems.extend(self.dangling_at(name, path));
            }
        }
        for (place, sink) in self.pipeline.sinks.iter().enumerate() {
            problems.extend(self.dangling_at(&sink.from, Path::of(&["sinks"]).index(place).field("from")));
        }
        problems
    }

    fn dangling_at(&self, name: &str, path: Path) -> Option<Problem> {
        if self.outputs.contains_key(name) {
            return None;
        }
        if self.pipeline.sinks.iter().any(|sink| sink.name == name) {
            return Some(Problem::new(path, format!("`{name}` is a sink, and nothing can be read from a sink")));
        }
        let hint = did_you_mean(name, self.outputs.keys().map(String::as_str));
        Some(Problem::new(path, format!("there is no stream called `{name}`{hint}")))
    }

    /// All transformations, each after those that it reads.
    fn order(&self) -> Result<Vec<usize>, Vec<Problem>> {
        let mut visit =
            Visit { names: self, order: Vec::new(), state: vec![State::New; self.pipeline.transformations.len()] };
        for place in 0..self.pipeline.transformations.len() {
            visit.transformation(place)?;
        }
        Ok(visit.order)
    }

    /// What sinks need, walked from the sinks back.
    fn needed(&self, order: Vec<usize>) -> Wiring {
        let mut read: BTreeSet<Output> = self.pipeline.sinks.iter().filter_map(|sink| self.of(sink)).collect();
        let mut transformations = Vec::new();
        for place in order.into_iter().rev() {
            if read.contains(&Output::Transformation(place)) || read.contains(&Output::Late(place)) {
                transformations.push(place);
                read.extend(self.inputs(place));
            }
        }
        transformations.reverse();
        let is_read =
            |place: &usize| read.contains(&Output::Source(*place)) || read.contains(&Output::DeadLetters(*place));
        let sources = (0..self.pipeline.sources.len()).filter(is_read).collect();
        Wiring { sources, transformations, read, outputs: self.outputs.clone() }
    }

    fn of(&self, sink: &Sink) -> Option<Output> {
        self.outputs.get(&sink.from).copied()
    }

    fn inputs(&self, transformation: usize) -> impl Iterator<Item = Output> + '_ {
        self.pipeline.transformations[transformation].from.iter().filter_map(|name| self.outputs.get(name).copied())
    }
}

/// A walk from results to inputs. Not recursive: a pipeline may be a very long line.
struct Visit<'a> {
    names: &'a NameTable<'a>,
    order: Vec<usize>,
    state: Vec<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

impl Visit<'_> {
    fn transformation(&mut self, start: usize) -> Result<(), Vec<Problem>> {
        if self.state[start] != State::New {
            return Ok(());
        }
        // The way down to where the walk is, each with the inputs that are still to be visited.
        let mut way = vec![(start, self.inputs(start))];
        self.state[start] = State::Open;
        while let Some((place, inputs)) = way.last_mut() {
            let place = *place;
            match inputs.pop() {
                None => {
                    self.state[place] = State::Done;
                    self.order.push(place);
                    way.pop();
                }
                Some(input) => match self.state[input] {
                    State::Done => {}
                    State::Open => return Err(vec![self.cycle(&way, input)]),
                    State::New => {
                        self.state[input] = State::Open;
                        way.push((input, self.inputs(input)));
                    }
                },
            }
        }
        Ok(())
    }

    /// The transformations that this one reads, the last first.
    fn inputs(&self, place: usize) -> Vec<usize> {
        let inputs = self.names.inputs(place).filter_map(|output| match output {
            Output::Transformation(input) | Output::Late(input) => Some(input),
            Output::Source(_) | Output::DeadLetters(_) => None,
        });
        let mut inputs: Vec<usize> = inputs.collect();
        inputs.reverse();
        inputs
    }

    fn cycle(&self, way: &[(usize, Vec<usize>)], back_to: usize) -> Problem {
        let name = |place: usize| self.names.pipeline.transformations[place].name.as_str();
        let mut round: Vec<&str> =
            way.iter().map(|(place, _)| *place).skip_while(|place| *place != back_to).map(name).collect();
        round.push(name(back_to));
        let last = way.last().map_or(back_to, |(place, _)| *place);
        let path = Path::of(&["transformations"]).index(last).field("from");
        let round: Vec<String> = round.iter().map(|name| format!("`{name}`")).collect();
        Problem::new(path, format!("a stream cannot be its own input: {}", round.join(" reads ")))
    }
}

/// The names that a transformation reads, each with its place.
pub(super) fn from_paths(transformation: &Transformation, place: usize) -> Vec<(&str, Path)> {
    let path = Path::of(&["transformations"]).index(place).field("from");
    match &transformation.from {
        Names::One(name) => vec![(name.as_str(), path)],
        Names::Several(names) => {
            names.iter().enumerate().map(|(index, name)| (name.as_str(), path.index(index))).collect()
        }
    }
}
