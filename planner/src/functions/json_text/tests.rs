use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, MapBuilder, StringArray, StringBuilder, StructArray};
use arrow::datatypes::{DataType, Field};
use datafusion_common::ScalarValue;

use super::super::testing::{Functions, d, date, dec, i, list, ltz, no_text, t, time, ts};

fn row(fields: &[(&str, ArrayRef)]) -> ScalarValue {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, values)| (Arc::new(Field::new(*name, values.data_type().clone(), true)), Arc::clone(values)))
        .collect();
    ScalarValue::Struct(Arc::new(StructArray::from(fields)))
}

#[test]
fn values_of_every_type_become_json() {
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, value) in [("M2", Some("V2")), ("M1", None)] {
        map.keys().append_value(key);
        map.values().append_option(value);
    }
    map.append(true).unwrap();
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    Functions::of("Asia/Tokyo").check(&[
        ("json_string", vec![t("V\"é")], "\"V\\\"é\""),
        ("json_string", vec![ScalarValue::from(true)], "true"),
        ("json_string", vec![i(1)], "1"),
        ("json_string", vec![d(1.23)], "1.23"),
        ("json_string", vec![d(1e10)], "1.0E10"),
        ("json_string", vec![d(f64::NAN)], "\"NaN\""),
        ("json_string", vec![dec("1.20")], "1.20"),
        ("json_string", vec![date("1990-06-02")], "\"1990-06-02\""),
        ("json_string", vec![time("13:37:42")], "\"13:37:42\""),
        ("json_string", vec![ts("1990-06-02 13:37:42.001")], "\"1990-06-02T13:37:42.001\""),
        ("json_string", vec![ts("1990-06-02 13:37:42.1")], "\"1990-06-02T13:37:42.1\""),
        ("json_string", vec![ltz("1990-06-02 22:37:42.1", "Asia/Tokyo")], "\"1990-06-02T13:37:42.100Z\""),
        ("json_string", vec![list(&[Some("A1"), None, Some("A3")])], "[\"A1\",null,\"A3\"]"),
        ("json_string", vec![ScalarValue::Binary(Some(b"Test".to_vec()))], "\"VGVzdA==\""),
        ("json_string", vec![ScalarValue::Map(Arc::new(map.finish()))], "{\"M1\":null,\"M2\":\"V2\"}"),
        (
            "json_string",
            vec![row(&[("field\"quote", text("val1")), ("b", Arc::new(Int32Array::from(vec![None])))])],
            "{\"b\":null,\"field\\\"quote\":\"val1\"}",
        ),
        ("json_string", vec![no_text()], "NULL"),
    ]);
    assert_eq!(DataType::Utf8, Functions::utc().call("json_string", &[i(1)]).unwrap().data_type());
}
