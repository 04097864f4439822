//! Arithmetic of decimals with Flink's types and Flink's rounding.
//!
//! The types are those of `LogicalTypeMerging`: the exact result's, and if that has more than 38 digits, digits behind the
//! point are given up, down to six. Results are rounded, halves away from zero. One that does not fit is null.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, i256};
use arrow::error::ArrowError;
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::number::{Cut, divide};
use super::type_name::type_name;

/// The most digits that a decimal has.
const MAX_DIGITS: i32 = 38;
/// So many digits behind the point are not given up.
const KEPT_DIGITS: i32 = 6;

/// `left op right`, if it is arithmetic with a decimal. The types are those of the operands. No query can call these
/// functions by name.
pub fn arithmetic(left: &Expr, op: Operator, right: &Expr, types: [&DataType; 2]) -> Option<Expr> {
    let kind = Kind::of(op)?;
    let exact = types.iter().all(|of| of.is_null() || digits_of(of).is_some());
    let decimal = types.iter().any(|of| matches!(of, DataType::Decimal128(_, _)));
    (exact && decimal).then(|| {
        let function = Arithmetic { kind, signature: Signature::user_defined(Volatility::Immutable) };
        let function = Arc::new(ScalarUDF::new_from_impl(function));
        Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left.clone(), right.clone()]))
    })
}

/// Digits, and how many of them are behind the point.
pub(super) type Digits = (i32, i32);

/// The digits of the decimal that holds every number of this type; `None` if its numbers are not exact.
pub(super) fn digits_of(of: &DataType) -> Option<Digits> {
    match of {
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
        // What a literal above BIGINT is until it becomes a decimal.
        DataType::UInt64 => Some((20, 0)),
        DataType::Decimal128(precision, scale) => Some((i32::from(*precision), i32::from(*scale))),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Kind {
    fn of(op: Operator) -> Option<Self> {
        match op {
            Operator::Plus => Some(Self::Add),
            Operator::Minus => Some(Self::Subtract),
            Operator::Multiply => Some(Self::Multiply),
            Operator::Divide => Some(Self::Divide),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
        }
    }

    /// The digits of the exact result; of a quotient, as many as Flink wants.
    fn exact(self, (p1, s1): Digits, (p2, s2): Digits) -> Digits {
        match self {
            Self::Add | Self::Subtract => {
                let scale = s1.max(s2);
                ((p1 - s1).max(p2 - s2) + scale + 1, scale)
            }
            Self::Multiply => (p1 + p2 + 1, s1 + s2),
            Self::Divide => {
                let scale = KEPT_DIGITS.max(s1 + p2 + 1);
                (p1 - s1 + s2 + scale, scale)
            }
        }
    }

    fn result(self, left: Digits, right: Digits) -> Digits {
        let (precision, scale) = self.exact(left, right);
        if precision <= MAX_DIGITS {
            return (precision, scale);
        }
        let before_point = precision - scale;
        (MAX_DIGITS, (MAX_DIGITS - before_point).max(scale.min(KEPT_DIGITS)))
    }
}

/// How operands become a result.
#[derive(Debug, Clone, Copy)]
struct Computation {
    kind: Kind,
    /// What the left operand is multiplied with first.
    left: Power,
    /// And the right one.
    right: Power,
    /// By what the result is divided, for digits that are given up.
    cut: Power,
}

/// A power of ten, and the same in 128 bits if it fits.
#[derive(Debug, Clone, Copy)]
struct Power {
    narrow: Option<i128>,
    wide: i256,
}

impl Power {
    const ONE: Self = Self { narrow: Some(1), wide: i256::ONE };

    /// 10 to this; 1 for what is negative. Exponents here are below 77, the digits of 256 bits.
    fn of(exponent: i32) -> Self {
        let exponent = u32::try_from(exponent).unwrap_or(0);
        let wide = i256::from_i128(10).checked_pow(exponent).unwrap_or(i256::MAX);
        Self { narrow: wide.to_i128(), wide }
    }
}

impl Computation {
    /// Of operands with so many digits behind the point, and so many of the result.
    fn new(kind: Kind, s1: i32, s2: i32, scale: i32) -> Self {
        match kind {
            Kind::Add | Kind::Subtract => {
                let common = s1.max(s2);
                let (left, right) = (Power::of(common - s1), Power::of(common - s2));
                Self { kind, left, right, cut: Power::of(common - scale) }
            }
            Kind::Multiply => Self { kind, left: Power::ONE, right: Power::ONE, cut: Power::of(s1 + s2 - scale) },
            // left / 10^s1 : right / 10^s2, times 10^scale.
            Kind::Divide => {
                let shift = scale + s2 - s1;
                Self { kind, left: Power::of(shift), right: Power::of(-shift), cut: Power::ONE }
            }
        }
    }

    /// The result, rounded; `None` if no decimal holds it. A divisor is not 0.
    #[inline]
    fn apply(&self, left: i128, right: i128) -> Option<i128> {
        match self.narrow(left, right) {
            Some(result) => within(result),
            None => self.wide(left, right),
        }
    }

    /// The result if 128 bits are enough on the way.
    #[inline]
    fn narrow(&self, left: i128, right: i128) -> Option<i128> {
        let (left, right) = (left.checked_mul(self.left.narrow?)?, right.checked_mul(self.right.narrow?)?);
        let exact = match self.kind {
            Kind::Add => left.checked_add(right)?,
            Kind::Subtract => left.checked_sub(right)?,
            Kind::Multiply => left.checked_mul(right)?,
            Kind::Divide if right < 0 => return Some(divide(left.checked_neg()?, right.checked_neg()?, Cut::HalfUp)),
            Kind::Divide => return Some(divide(left, right, Cut::HalfUp)),
        };
        match self.cut.narrow? {
            1 => Some(exact),
            cut => Some(divide(exact, cut, Cut::HalfUp)),
        }
    }

    /// The same in 256 bits. What overflows even these has more than 38 digits: a dividend that does, of more than 76
    /// digits, by a divisor of at most 38.
    #[cold]
    fn wide(&self, left: i128, right: i128) -> Option<i128> {
        let (left, right) = (i256::from_i128(left), i256::from_i128(right));
        let (left, right) = (left.checked_mul(self.left.wide)?, right.checked_mul(self.right.wide)?);
        let (dividend, divisor) = match self.kind {
            Kind::Add => (left.checked_add(right)?, self.cut.wide),
            Kind::Subtract => (left.checked_sub(right)?, self.cut.wide),
            Kind::Multiply => (left.checked_mul(right)?, self.cut.wide),
            Kind::Divide => (left, right),
        };
        let negative = (dividend < i256::ZERO) != (divisor < i256::ZERO);
        let (dividend, divisor) = (dividend.checked_abs()?, divisor.checked_abs()?);
        let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
        let up = if rest >= divisor.checked_sub(rest)? { i256::ONE } else { i256::ZERO };
        let magnitude = quotient.checked_add(up)?.to_i128()?;
        within(if negative { -magnitude } else { magnitude })
    }
}

#[inline]
fn within(value: i128) -> Option<i128> {
    const LIMIT: u128 = 10_u128.pow(MAX_DIGITS.unsigned_abs());
    (value.unsigned_abs() < LIMIT).then_some(value)
}

/// An operator on decimals.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let names: Vec<String> = args.iter().map(|arg| arg.schema_name().to_string()).collect();
        Ok(names.join(&format!(" {} ", self.name())))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        types
            .iter()
            .map(|of| match digits_of(of) {
                Some(digits) => data_type(digits),
                None if of.is_null() => Ok(DataType::Decimal128(1, 0)),
                None => plan_err!("{} takes exact numbers, not {}", self.name(), type_name(of)),
            })
            .collect()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] => match (digits_of(left), digits_of(right)) {
                (Some(left), Some(right)) => data_type(self.kind.result(left, right)),
                _ => plan_err!("{} takes exact numbers", self.name()),
            },
            _ => plan_err!("{} takes two numbers", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Decimal128(precision, scale) = *args.return_type() else {
            return exec_err!("{} answers a decimal", self.name());
        };
        let literals_only = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if literals_only { 1 } else { args.number_rows };
        let [left, right] = args.args.as_slice() else { return exec_err!("{} takes two numbers", self.name()) };
        let result = self.compute(left, right, i32::from(scale), rows)?;
        let result: ArrayRef = Arc::new(result.with_precision_and_scale(precision, scale)?);
        match literals_only {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    }
}

impl Arithmetic {
    fn compute(&self, left: &ColumnarValue, right: &ColumnarValue, scale: i32, rows: usize) -> Result<Decimal128Array> {
        let computation = Computation::new(self.kind, scale_of(left)?, scale_of(right)?, scale);
        let of = |left: i128, right: i128| computation.apply(left, right);
        Ok(match (literal(left), literal(right)) {
            (_, Some(0)) if self.kind == Kind::Divide && has_value(left) => {
                return Err(ArrowError::DivideByZero.into());
            }
            (None, Some(right)) => {
                left.to_array(rows)?.as_primitive::<Decimal128Type>().unary_opt(|left| of(left, right))
            }
            (Some(left), None) if self.kind != Kind::Divide => {
                right.to_array(rows)?.as_primitive::<Decimal128Type>().unary_opt(|right| of(left, right))
            }
            _ => {
                let (left, right) = (left.to_array(rows)?, right.to_array(rows)?);
                let (left, right) = (left.as_primitive::<Decimal128Type>(), right.as_primitive::<Decimal128Type>());
                let row = |(left, right): (Option<i128>, Option<i128>)| match (left, right) {
                    (Some(_), Some(0)) if self.kind == Kind::Divide => Err(ArrowError::DivideByZero.into()),
                    (Some(left), Some(right)) => Ok(of(left, right)),
                    (None, _) | (_, None) => Ok(None),
                };
                left.iter().zip(right).map(row).collect::<Result<_>>()?
            }
        })
    }
}

fn scale_of(operand: &ColumnarValue) -> Result<i32> {
    match operand.data_type() {
        DataType::Decimal128(_, scale) => Ok(i32::from(scale)),
        other => exec_err!("an operand of decimal arithmetic is {other}"),
    }
}

/// The value of a literal that is not null.
fn literal(operand: &ColumnarValue) -> Option<i128> {
    match operand {
        ColumnarValue::Scalar(ScalarValue::Decimal128(value, _, _)) => *value,
        ColumnarValue::Scalar(_) | ColumnarValue::Array(_) => None,
    }
}

fn has_value(operand: &ColumnarValue) -> bool {
    match operand {
        ColumnarValue::Scalar(value) => !value.is_null(),
        ColumnarValue::Array(values) => values.null_count() < values.len(),
    }
}

/// The decimal of so many digits.
pub(super) fn data_type((precision, scale): Digits) -> Result<DataType> {
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision), Ok(scale)) => Ok(DataType::Decimal128(precision, scale)),
        _ => plan_err!("a decimal of {precision} digits, {scale} behind the point"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(kind: Kind, left: (i128, Digits), right: (i128, Digits)) -> (Digits, Option<i128>) {
        let result = kind.result(left.1, right.1);
        let computation = Computation::new(kind, left.1.1, right.1.1, result.1);
        let answer = computation.apply(left.0, right.0);
        assert_eq!(computation.wide(left.0, right.0), answer, "128 and 256 bits agree");
        (result, answer)
    }

    #[test]
    fn quotients_have_flinks_types_and_are_rounded() {
        for (left, right, digits, expected) in [
            ((100, (3, 2)), (300, (3, 2)), (9, 6), Some(333_333)),
            ((200, (3, 2)), (300, (3, 2)), (9, 6), Some(666_667)),
            ((-200, (3, 2)), (300, (3, 2)), (9, 6), Some(-666_667)),
            ((200, (3, 2)), (-300, (3, 2)), (9, 6), Some(-666_667)),
            ((1, (10, 0)), (3, (10, 0)), (21, 11), Some(33_333_333_333)),
            ((1, (38, 0)), (3, (38, 0)), (38, 6), Some(333_333)),
            ((5, (38, 10)), (1, (38, 37)), (38, 6), Some(5 * 10_i128.pow(33))),
        ] {
            assert_eq!(computed(Kind::Divide, left, right), (digits, expected), "{left:?} / {right:?}");
        }
    }

    #[test]
    fn results_of_more_than_38_digits_are_null_and_not_wrong() {
        let most = 10_i128.pow(38) - 1;
        let whole = (38, 0);
        assert_eq!(computed(Kind::Add, (most, whole), (1, whole)), (whole, None));
        assert_eq!(computed(Kind::Add, (most - 1, whole), (1, whole)), (whole, Some(most)));
        assert_eq!(computed(Kind::Subtract, (-most, whole), (1, whole)), (whole, None));
        assert_eq!(computed(Kind::Multiply, (most, whole), (most, whole)), (whole, None));
        assert_eq!(computed(Kind::Multiply, (-3, whole), (4, whole)), (whole, Some(-12)));
    }

    #[test]
    fn digits_behind_the_point_are_given_up_for_those_before_it() {
        // 0.5 * 0.5 at 20 digits each: of 40 digits behind the point six stay.
        let half = 5 * 10_i128.pow(19);
        assert_eq!(computed(Kind::Multiply, (half, (38, 20)), (half, (38, 20))), ((38, 6), Some(250_000)));
        assert_eq!(computed(Kind::Add, (15, (38, 10)), (0, (38, 10))), ((38, 9), Some(2)));
    }
}
