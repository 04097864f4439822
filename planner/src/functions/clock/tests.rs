use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::datatypes::{DataType, Field};
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ReturnFieldArgs, ScalarFunctionArgs, Volatility};

use super::super::testing::{Functions, ltz_type};
use super::super::time_attribute::TIME_ATTRIBUTE;

#[test]
fn the_time_is_the_clocks_in_the_sessions_zone() {
    let tokyo = Functions::of("Asia/Tokyo");
    for (name, expected) in [
        ("current_timestamp", "2024-02-29 21:34:56.789"),
        ("now", "2024-02-29 21:34:56.789"),
        ("current_row_timestamp", "2024-02-29 21:34:56.789"),
        ("proctime", "2024-02-29 21:34:56.789"),
        ("localtimestamp", "2024-02-29 21:34:56.789"),
        ("current_date", "2024-02-29"),
        ("localtime", "21:34:56"),
        ("current_time", "21:34:56"),
    ] {
        assert_eq!(tokyo.show(name, &[]), expected, "{name}");
        assert_eq!(tokyo.get(name).signature().volatility, Volatility::Volatile, "{name}");
    }
    assert_eq!(Functions::of("Pacific/Auckland").show("current_date", &[]), "2024-03-01");
}

#[test]
fn every_batch_asks_the_clock_anew() {
    let time = Arc::new(AtomicI64::new(0));
    let shared = Arc::clone(&time);
    let functions = crate::functions::all("UTC", Arc::new(move || shared.load(Ordering::Relaxed))).unwrap();
    let now = functions.iter().find(|function| function.name() == "localtimestamp").unwrap();
    let mut shown = Vec::new();
    for millis in [1, 2] {
        time.store(millis, Ordering::Relaxed);
        let field = Arc::new(Field::new("now", now.return_type(&[]).unwrap(), false));
        let values = now.invoke_with_args(ScalarFunctionArgs {
            args: vec![],
            arg_fields: vec![],
            number_rows: 2,
            return_field: field,
            config_options: Arc::new(ConfigOptions::default()),
        });
        shown.push(format!("{:?}", values.unwrap().to_array(2).unwrap().to_data().buffers()[0].typed_data::<i64>()));
    }
    assert_eq!(shown, ["[1, 1]", "[2, 2]"]);
}

#[test]
fn proctime_is_marked_as_a_time_attribute_and_the_others_are_not() {
    let functions = Functions::of("Asia/Tokyo");
    let field = |name: &str| {
        let args = ReturnFieldArgs { arg_fields: &[], scalar_arguments: &[] };
        functions.get(name).return_field_from_args(args).unwrap()
    };
    assert_eq!(field("proctime").metadata().get(TIME_ATTRIBUTE).map(String::as_str), Some("proctime"));
    assert_eq!(field("proctime").data_type(), &ltz_type("Asia/Tokyo"));
    assert!(!field("proctime").is_nullable());
    assert!(field("current_timestamp").metadata().is_empty());
    assert_eq!(field("current_date").data_type(), &DataType::Date32);
}
