//! Arithmetic of decimals where Arrow's is not Flink's: every division, and whatever may need more than 38 digits.
//!
//! The types are those of Flink (`LogicalTypeMerging`): the exact result's, and if that has more than 38 digits, digits
//! behind the point are given up, down to six. Results are rounded, halves away from zero. One that does not fit is null.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, i256};
use datafusion_common::{Result, ScalarValue, exec_err, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{
    ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::type_name::type_name;

/// The most digits that a decimal has.
const MAX_DIGITS: i32 = 38;
/// So many digits behind the point are not given up.
const KEPT_DIGITS: i32 = 6;

/// `left op right` as a function that no query can call by name, if Arrow's arithmetic would not do. The types are those of the operands.
pub fn arithmetic(left: &Expr, op: Operator, right: &Expr, types: [&DataType; 2]) -> Option<Expr> {
    let decimals = types.iter().any(|of| matches!(of, DataType::Decimal128(_, _)));
    let (first, second) = (decimal_of(types[0])?, decimal_of(types[1])?);
    let kind = Kind::of(op)?;
    if !decimals || (kind != Kind::Divide && kind.exact(first, second).0 <= MAX_DIGITS) {
        return None;
    }
    let function = Arithmetic { kind, signature: Signature::user_defined(Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Some(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![left.clone(), right.clone()])))
}

/// Digits, and how many of them are behind the point.
type Digits = (i32, i32);

/// The decimal that holds a number of this type; `None` if it is no exact number.
fn decimal_of(of: &DataType) -> Option<Digits> {
    match of {
        DataType::Int8 => Some((3, 0)),
        DataType::Int16 => Some((5, 0)),
        DataType::Int32 => Some((10, 0)),
        DataType::Int64 => Some((19, 0)),
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

    /// The result at `scale`, rounded; `None` if no decimal holds it.
    fn apply(self, (left, s1): (i128, i32), (right, s2): (i128, i32), scale: i32) -> Option<i128> {
        let (left, right) = (i256::from(left), i256::from(right));
        match self {
            Self::Add | Self::Subtract => {
                let common = s1.max(s2);
                let (left, right) = (left.checked_mul(ten_to(common - s1)?)?, right.checked_mul(ten_to(common - s2)?)?);
                let sum = if self == Self::Add { left.checked_add(right) } else { left.checked_sub(right) };
                at_scale(sum?, common, scale)
            }
            Self::Multiply => at_scale(left.checked_mul(right)?, s1 + s2, scale),
            Self::Divide => quotient(left, right, scale + s2 - s1),
        }
    }
}

fn ten_to(exponent: i32) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(exponent).ok()?)
}

fn at_scale(value: i256, from: i32, to: i32) -> Option<i128> {
    match to >= from {
        true => within(value.checked_mul(ten_to(to - from)?)?),
        false => rounded(value, ten_to(from - to)?),
    }
}

/// `dividend * 10^shift / divisor`, rounded. `divisor` is not 0.
fn quotient(dividend: i256, divisor: i256, shift: i32) -> Option<i128> {
    if shift < 0 {
        return rounded(dividend, divisor.checked_mul(ten_to(-shift)?)?);
    }
    match ten_to(shift).and_then(|power| dividend.checked_mul(power)) {
        Some(product) => rounded(product, divisor),
        None => digit_by_digit(dividend, divisor, shift),
    }
}

/// The same where the product is too large, although the quotient may not be.
fn digit_by_digit(dividend: i256, divisor: i256, shift: i32) -> Option<i128> {
    let negative = (dividend < i256::ZERO) != (divisor < i256::ZERO);
    let (dividend, divisor) = (dividend.checked_abs()?, divisor.checked_abs()?);
    let ten = i256::from_i128(10);
    let (mut quotient, mut rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    for _ in 0..shift {
        rest = rest.checked_mul(ten)?;
        quotient = quotient.checked_mul(ten)?.checked_add(rest.checked_div(divisor)?)?;
        rest = rest.checked_rem(divisor)?;
    }
    within_signed(half_up(quotient, rest, divisor)?, negative)
}

/// `dividend / divisor`, rounded.
fn rounded(dividend: i256, divisor: i256) -> Option<i128> {
    digit_by_digit(dividend, divisor, 0)
}

fn half_up(quotient: i256, rest: i256, divisor: i256) -> Option<i256> {
    let up = rest >= divisor.checked_sub(rest)?;
    quotient.checked_add(if up { i256::ONE } else { i256::ZERO })
}

fn within_signed(magnitude: i256, negative: bool) -> Option<i128> {
    within(if negative { magnitude.checked_neg()? } else { magnitude })
}

fn within(value: i256) -> Option<i128> {
    value.to_i128().filter(|value| value.unsigned_abs() < 10_u128.pow(MAX_DIGITS.unsigned_abs()))
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
            .map(|of| match decimal_of(of) {
                Some(digits) => data_type(digits),
                None if of.is_null() => Ok(DataType::Decimal128(1, 0)),
                None => plan_err!("{} takes exact numbers, not {}", self.name(), type_name(of)),
            })
            .collect()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [left, right] => match (decimal_of(left), decimal_of(right)) {
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
        let operands = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let [left, right] = operands.as_slice() else { return exec_err!("{} takes two numbers", self.name()) };
        let result = self.compute(left.as_primitive(), right.as_primitive(), i32::from(scale))?;
        let result: ArrayRef = Arc::new(result.with_precision_and_scale(precision, scale)?);
        match literals_only {
            true => Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)),
            false => Ok(ColumnarValue::Array(result)),
        }
    }
}

impl Arithmetic {
    fn compute(&self, left: &Decimal128Array, right: &Decimal128Array, scale: i32) -> Result<Decimal128Array> {
        let (s1, s2) = (i32::from(left.scale()), i32::from(right.scale()));
        let row = |(left, right): (Option<i128>, Option<i128>)| match (left, right) {
            (Some(_), Some(0)) if self.kind == Kind::Divide => exec_err!("division by zero"),
            (Some(left), Some(right)) => Ok(self.kind.apply((left, s1), (right, s2), scale)),
            (None, _) | (_, None) => Ok(None),
        };
        left.iter().zip(right).map(row).collect()
    }
}

fn data_type((precision, scale): Digits) -> Result<DataType> {
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
        (result, kind.apply((left.0, left.1.1), (right.0, right.1.1), result.1))
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
    fn a_quotient_whose_dividend_must_be_shifted_beyond_256_bits_is_exact() {
        let most = 10_i128.pow(38) - 1;
        // (10^38 - 1) / 10^38 at 44 more digits: 10^44 less a part.
        let by_digits = digit_by_digit(i256::from_i128(most), i256::from_i128(10_i128.pow(37) * 7), 36);
        assert_eq!(by_digits, Some(1_428_571_428_571_428_571_428_571_428_571_428_571), "{by_digits:?}");
        assert_eq!(quotient(i256::from_i128(most), i256::ONE, 44), None, "more digits than a decimal has");
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
