//! `IF`, `GREATEST`, `LEAST`, `TYPEOF`. `COALESCE`, `IFNULL` and `NULLIF` are DataFusion's, whose rules are Flink's.

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::compute::kernels::boolean::and;
use arrow::compute::kernels::cmp::{gt_eq, lt_eq};
use arrow::compute::kernels::zip::zip;
use arrow::compute::nullif;
use arrow::compute::{is_not_null, prep_null_mask_filter};
use arrow::datatypes::DataType;
use datafusion_common::{Result, plan_err};
use datafusion_expr::Expr;
use datafusion_expr::expr::Case;
use datafusion_expr::type_coercion::binary::type_union_resolution;

use super::definition::{Call, Definition, Kind, Returns, Takes, optional};
use super::type_name::{field_type_name, type_name};

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("if", Takes::Rule(if_arguments), Returns::SameAs(1), if_then_else).rewritten(to_case),
        Definition::new("greatest", Takes::Rule(greatest_arguments), Returns::SameAs(0), |call| extreme(call, true)),
        Definition::new("least", Takes::Rule(least_arguments), Returns::SameAs(0), |call| extreme(call, false)),
        Definition::new("typeof", optional(1, &[Kind::Any, Kind::Boolean]), DataType::Utf8, type_of).not_null(),
    ]
}

fn if_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    let [condition, yes, no] = given else {
        return plan_err!("if takes 3 arguments, but {} are given", given.len());
    };
    match (Kind::Boolean.coerced(condition), common("if", &[yes.clone(), no.clone()])) {
        (Some(condition), Ok(result)) => Ok(vec![condition, result.clone(), result]),
        (None, _) => plan_err!("the condition of if must be a boolean, but it is {}", type_name(condition)),
        (_, Err(error)) => Err(error),
    }
}

/// The one type of all arguments. A string is never compared or mixed with something else.
fn common(name: &str, given: &[DataType]) -> Result<DataType> {
    let is_text = |data_type: &DataType| Kind::Text.coerced(data_type).is_some();
    let texts = given.iter().filter(|given| !given.is_null() && is_text(given)).count();
    let nulls = given.iter().filter(|given| given.is_null()).count();
    let mixed = texts > 0 && texts + nulls < given.len();
    match type_union_resolution(given).filter(|_| !mixed) {
        Some(DataType::LargeUtf8 | DataType::Utf8View) => Ok(DataType::Utf8),
        Some(common) => Ok(common),
        None => {
            let names: Vec<String> = given.iter().map(type_name).collect();
            plan_err!("the arguments of {name} have no common type: {}: use CAST", names.join(", "))
        }
    }
}

/// `IF(condition, yes, no)`: `no` also when the condition is null. Planning turns it into a `CASE`, which computes a
/// branch only where it is needed; this is what is left when nothing was simplified.
fn if_then_else(call: &Call<'_>) -> Result<ArrayRef> {
    let conditions = call.boolean(0)?;
    let mask: BooleanArray = (0..call.rows).map(|row| Some(conditions.get(row) == Some(true))).collect();
    let (yes, no) = (call.args[1].to_array(call.rows)?, call.args[2].to_array(call.rows)?);
    Ok(zip(&mask, &yes, &no)?)
}

fn to_case(arguments: Vec<Expr>) -> Result<Expr> {
    match <[Expr; 3]>::try_from(arguments) {
        Ok([condition, yes, no]) => Ok(Expr::Case(Case {
            expr: None,
            when_then_expr: vec![(Box::new(condition), Box::new(yes))],
            else_expr: Some(Box::new(no)),
        })),
        Err(arguments) => plan_err!("if takes 3 arguments, but {} are given", arguments.len()),
    }
}

fn greatest_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    same("greatest", given)
}

fn least_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    same("least", given)
}

fn same(name: &str, given: &[DataType]) -> Result<Vec<DataType>> {
    if given.is_empty() {
        return plan_err!("{name} takes at least 1 argument");
    }
    Ok(vec![common(name, given)?; given.len()])
}

/// `GREATEST(value, …)`, `LEAST(value, …)`: null if any value is null.
fn extreme(call: &Call<'_>, greatest: bool) -> Result<ArrayRef> {
    let mut best = call.args[0].to_array(call.rows)?;
    let mut complete = is_not_null(&best)?;
    for argument in &call.args[1..] {
        let next = argument.to_array(call.rows)?;
        complete = and(&complete, &is_not_null(&next)?)?;
        let kept = if greatest { gt_eq(&best, &next)? } else { lt_eq(&best, &next)? };
        let kept = if kept.null_count() > 0 { prep_null_mask_filter(&kept) } else { kept };
        best = zip(&kept, &best, &next)?;
    }
    let incomplete = arrow::compute::not(&complete)?;
    Ok(nullif(&best, &incomplete)?)
}

/// `TYPEOF(value)`: the name of its type.
fn type_of(call: &Call<'_>) -> Result<ArrayRef> {
    let name = call.fields.first().map_or_else(|| "NULL".to_owned(), |field| field_type_name(field));
    call.texts(|_| Ok(Some(name.as_str())))
}

#[cfg(test)]
mod tests;
