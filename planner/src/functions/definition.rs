//! What a scalar function is here: names, kinds of arguments, a result type, and the code that computes a batch.
//!
//! The table of functions is plain data ([`Definition`]); [`FlinkFunction`] is the one adapter that turns a row of it
//! into a `ScalarUDF`. It checks and coerces argument types, keeps literals as literals (an argument that is the same
//! for every row is an array of length one, see `arguments`), and hands the result back as a literal when every
//! argument was one, so that the optimiser can fold it.
//!
//! A function's code sees a [`Call`] and answers an array of `call.rows` values. It must not read a clock or anything
//! global: what it needs beside its arguments is in the [`Session`].

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::session::Session;
use super::time_attribute::TIME_ATTRIBUTE;

/// One scalar function of Flink's.
#[derive(Clone)]
pub(super) struct Definition {
    /// Lower case, as the planner looks functions up.
    pub(super) name: &'static str,
    /// Other names of the same function.
    pub(super) aliases: Vec<String>,
    takes: Takes,
    returns: Returns,
    body: Body,
    volatility: Volatility,
    nullable: bool,
    time_attribute: Option<&'static str>,
    check: Option<Check>,
    rewrite: Option<Rewrite>,
}

/// Computes the result of one batch.
pub(super) type Body = fn(&Call<'_>) -> Result<ArrayRef>;

/// Looks at the literal arguments while the query is planned, so that a wrong pattern is an error then and not at the
/// first row. `None` stands for an argument that is no literal.
pub(super) type Check = fn(&Session, &[Option<&ScalarValue>]) -> Result<()>;

/// Replaces the call by another expression while the query is optimised.
pub(super) type Rewrite = fn(Vec<Expr>) -> Result<Expr>;

/// Computes the result type from the types and the literals among the arguments.
pub(super) type ReturnRule = fn(&Session, &[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;

/// How the type of the result is found.
#[derive(Clone)]
pub(super) enum Returns {
    /// It is always this one.
    Always(DataType),
    /// It is the type of the argument with this index, after coercion.
    SameAs(usize),
    /// A `TIMESTAMP_LTZ(3)` of the session's time zone.
    Instant,
    /// A rule decides.
    Rule(ReturnRule),
}

impl From<DataType> for Returns {
    fn from(data_type: DataType) -> Self {
        Self::Always(data_type)
    }
}

/// Which arguments a function accepts.
#[derive(Clone)]
pub(super) enum Takes {
    /// These, of which the ones from index `required` on may be left out.
    These { kinds: &'static [Kind], required: usize },
    /// At least `least` arguments of one kind.
    Many { kind: Kind, least: usize },
    /// A rule turns the given types into those the code works on.
    Rule(fn(&[DataType]) -> Result<Vec<DataType>>),
}

/// What an argument must be. The type that the code sees stands after the arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any string type → `Utf8`.
    Text,
    /// A string → `Utf8`, or bytes → `Binary`.
    TextOrBytes,
    /// Any integer type → `Int64`.
    Integer,
    /// Any number → itself (unsigned ones → `Int64`, small decimals → `Decimal128`).
    Number,
    /// Any number → `Float64`.
    Double,
    /// `Boolean`.
    Boolean,
    /// A date, a time or a timestamp → itself.
    Temporal,
    /// As [`Kind::Temporal`], or an interval.
    TemporalOrInterval,
    /// Anything that `DATE_FORMAT` reads: a date, a timestamp or a string.
    TemporalOrText,
    /// A number or a string, unchanged.
    NumberOrText,
    /// A list → `List`.
    List,
    /// A list or a map.
    Collection,
    /// Anything, unchanged.
    Any,
}

/// No arguments at all.
pub(super) const NOTHING: Takes = Takes::These { kinds: &[], required: 0 };

/// Exactly these arguments.
pub(super) const fn exactly(kinds: &'static [Kind]) -> Takes {
    Takes::These { kinds, required: kinds.len() }
}

/// These arguments, of which only the first `required` must be given.
pub(super) const fn optional(required: usize, kinds: &'static [Kind]) -> Takes {
    Takes::These { kinds, required }
}

impl Definition {
    /// An immutable function without other names.
    pub(super) fn new(name: &'static str, takes: Takes, returns: impl Into<Returns>, body: Body) -> Self {
        Self {
            name,
            aliases: Vec::new(),
            takes,
            returns: returns.into(),
            body,
            volatility: Volatility::Immutable,
            nullable: true,
            time_attribute: None,
            check: None,
            rewrite: None,
        }
    }

    /// Also called `alias`.
    pub(super) fn alias(mut self, alias: &'static str) -> Self {
        self.aliases.push(alias.to_owned());
        self
    }

    /// Answers anew for every batch: never folded, never shared between two calls.
    pub(super) fn volatile(mut self) -> Self {
        self.volatility = Volatility::Volatile;
        self
    }

    /// Never answers null.
    pub(super) fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The result is a time attribute of this sort.
    pub(super) fn time_attribute(mut self, value: &'static str) -> Self {
        self.time_attribute = Some(value);
        self
    }

    /// Literal arguments are checked while planning.
    pub(super) fn checked(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// The optimiser replaces the call.
    pub(super) fn rewritten(mut self, rewrite: Rewrite) -> Self {
        self.rewrite = Some(rewrite);
        self
    }

    /// The function as DataFusion knows functions.
    pub(super) fn into_udf(self, session: &Arc<Session>) -> Arc<ScalarUDF> {
        let signature = Signature::user_defined(self.volatility);
        let function = FlinkFunction { definition: self, signature, session: Arc::clone(session) };
        Arc::new(ScalarUDF::new_from_impl(function))
    }
}

/// One evaluation of a function over a batch.
pub(super) struct Call<'a> {
    /// The name, for errors.
    pub(super) name: &'static str,
    /// Coerced arguments; literals are scalars.
    pub(super) args: &'a [ColumnarValue],
    /// Fields of the arguments, for their names and nullability.
    pub(super) fields: &'a [FieldRef],
    /// How many values to answer: 1 when every argument is a literal.
    pub(super) rows: usize,
    /// The promised type.
    pub(super) returns: &'a DataType,
    /// Time zone, clock and caches.
    pub(super) session: &'a Session,
}

/// A [`Definition`] in a session: the adapter to DataFusion.
struct FlinkFunction {
    definition: Definition,
    signature: Signature,
    session: Arc<Session>,
}

impl fmt::Debug for FlinkFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlinkFunction").field("name", &self.definition.name).finish_non_exhaustive()
    }
}

// Two functions are the same when they have the same name and work in the same time zone: the clock and the caches of
// their sessions do not change what they compute.
impl PartialEq for FlinkFunction {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && self.session.zone == other.session.zone
    }
}

impl Eq for FlinkFunction {}

impl Hash for FlinkFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl FlinkFunction {
    fn result_type(&self, types: &[DataType], literals: &[Option<&ScalarValue>]) -> Result<DataType> {
        match &self.definition.returns {
            Returns::Always(data_type) => Ok(data_type.clone()),
            Returns::SameAs(index) => match types.get(*index) {
                Some(data_type) => Ok(data_type.clone()),
                None => plan_err!("{} needs an argument {}", self.definition.name, index + 1),
            },
            Returns::Instant => Ok(self.session.instant_type(TimeUnit::Millisecond)),
            Returns::Rule(rule) => rule(&self.session, types, literals),
        }
    }
}

impl ScalarUDFImpl for FlinkFunction {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn aliases(&self) -> &[String] {
        &self.definition.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.result_type(arg_types, &vec![None; arg_types.len()])
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Some(check) = self.definition.check {
            check(&self.session, args.scalar_arguments)?;
        }
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let data_type = self.result_type(&types, args.scalar_arguments)?;
        let field = Field::new(self.definition.name, data_type, self.definition.nullable);
        Ok(Arc::new(match self.definition.time_attribute {
            Some(value) => field.with_metadata([(TIME_ATTRIBUTE.to_owned(), value.to_owned())].into()),
            None => field,
        }))
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.definition.name;
        match &self.definition.takes {
            Takes::These { kinds, required } => {
                if arg_types.len() < *required || arg_types.len() > kinds.len() {
                    return wrong_count(name, *required, kinds.len(), arg_types.len());
                }
                arg_types
                    .iter()
                    .zip(*kinds)
                    .enumerate()
                    .map(|(at, (given, kind))| coerce(name, at, given, *kind))
                    .collect()
            }
            Takes::Many { kind, least } => {
                if arg_types.len() < *least {
                    return plan_err!("{name} takes at least {least} arguments, not {}", arg_types.len());
                }
                arg_types.iter().enumerate().map(|(at, given)| coerce(name, at, given, *kind)).collect()
            }
            Takes::Rule(rule) => rule(arg_types),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let literals_only = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let folds = literals_only && self.definition.volatility == Volatility::Immutable;
        let rows = if folds { 1 } else { args.number_rows };
        let call = Call {
            name: self.definition.name,
            args: &args.args,
            fields: &args.arg_fields,
            rows,
            returns: args.return_type(),
            session: &self.session,
        };
        let result = (self.definition.body)(&call)?;
        if result.len() != rows {
            return exec_err!("{} answered {} values for {rows} rows", self.definition.name, result.len());
        }
        match folds {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match self.definition.rewrite {
            Some(rewrite) => Ok(ExprSimplifyResult::Simplified(rewrite(args)?)),
            None => Ok(ExprSimplifyResult::Original(args)),
        }
    }

    // A call that the optimiser will replace by a CASE must not have its branches pulled out before.
    fn short_circuits(&self) -> bool {
        self.definition.rewrite.is_some()
    }
}

fn wrong_count<T>(name: &str, least: usize, most: usize, given: usize) -> Result<T> {
    match (least == most, most) {
        (true, 0) => plan_err!("{name} takes no arguments, but {given} are given"),
        (true, 1) => plan_err!("{name} takes 1 argument, but {given} are given"),
        (true, _) => plan_err!("{name} takes {most} arguments, but {given} are given"),
        (false, _) => plan_err!("{name} takes {least} to {most} arguments, but {given} are given"),
    }
}

fn coerce(name: &str, at: usize, given: &DataType, kind: Kind) -> Result<DataType> {
    match kind.coerced(given) {
        Some(data_type) => Ok(data_type),
        None => plan_err!("argument {} of {name} must be {}, but it is {given}: use CAST", at + 1, kind.described()),
    }
}

impl Kind {
    /// The type that the code works on, or `None` when the given type does not fit.
    pub(super) fn coerced(self, given: &DataType) -> Option<DataType> {
        match self {
            Self::Text => text(given),
            Self::TextOrBytes => text(given).or_else(|| bytes(given)),
            Self::Integer => (given.is_null() || given.is_integer()).then_some(DataType::Int64),
            Self::Number => number(given),
            Self::Double => number(given).map(|_| DataType::Float64),
            Self::Boolean => (given.is_null() || *given == DataType::Boolean).then_some(DataType::Boolean),
            Self::Temporal => temporal(given),
            Self::TemporalOrInterval => temporal(given).or_else(|| interval(given)),
            Self::TemporalOrText => match given {
                DataType::Time32(_) | DataType::Time64(_) => None,
                other => text(other).or_else(|| temporal(other)),
            },
            Self::NumberOrText => text(given).or_else(|| number(given)),
            Self::List => list(given),
            Self::Collection => match given {
                DataType::Map(_, _) => Some(given.clone()),
                other => list(other),
            },
            Self::Any => Some(given.clone()),
        }
    }

    fn described(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::TextOrBytes => "a string or bytes",
            Self::Integer => "an integer",
            Self::Number | Self::Double => "a number",
            Self::Boolean => "a boolean",
            Self::Temporal => "a date, a time or a timestamp",
            Self::TemporalOrInterval => "a date, a time, a timestamp or an interval",
            Self::TemporalOrText => "a date, a timestamp or a string",
            Self::NumberOrText => "a number or a string",
            Self::List => "an array",
            Self::Collection => "an array or a map",
            Self::Any => "anything",
        }
    }
}

fn text(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => Some(DataType::Utf8),
        DataType::Dictionary(_, values) => text(values),
        _ => None,
    }
}

fn bytes(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            Some(DataType::Binary)
        }
        _ => None,
    }
}

fn number(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Null => Some(DataType::Int64),
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => Some(DataType::Int64),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(given.clone()),
        DataType::Float16 => Some(DataType::Float32),
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(_, _) => Some(given.clone()),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            Some(DataType::Decimal128(*precision, *scale))
        }
        _ => None,
    }
}

fn temporal(given: &DataType) -> Option<DataType> {
    match given {
        DataType::Null => Some(DataType::Timestamp(TimeUnit::Millisecond, None)),
        DataType::Date32 | DataType::Date64 => Some(DataType::Date32),
        DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(_, _) => Some(given.clone()),
        _ => None,
    }
}

fn interval(given: &DataType) -> Option<DataType> {
    use arrow::datatypes::IntervalUnit;
    match given {
        DataType::Interval(_) | DataType::Duration(_) => Some(DataType::Interval(IntervalUnit::MonthDayNano)),
        _ => None,
    }
}

fn list(given: &DataType) -> Option<DataType> {
    match given {
        DataType::List(_) => Some(given.clone()),
        DataType::LargeList(item) | DataType::FixedSizeList(item, _) | DataType::ListView(item) => {
            Some(DataType::List(Arc::clone(item)))
        }
        _ => None,
    }
}
