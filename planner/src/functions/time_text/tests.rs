use super::super::testing::{Functions, d, date, dec, i, l, ltz, no_int, no_text, t, ts};
use datafusion_common::ScalarValue;

#[test]
fn times_are_printed_with_javas_patterns_in_every_zone() {
    for zone in ["UTC", "Asia/Shanghai", "America/Los_Angeles"] {
        Functions::of(zone).check(&[
            ("date_format", vec![t("2018-03-14 01:02:03"), t("yyyy/MM/dd HH:mm:ss")], "2018/03/14 01:02:03"),
            ("date_format", vec![date("2023-04-05"), t("yyyy/MM/dd HH:mm:ss")], "2023/04/05 00:00:00"),
            ("date_format", vec![date("2023-04-05"), t("yyyy:MM:dd")], "2023:04:05"),
            (
                "date_format",
                vec![ts("2018-03-14 01:02:03.123456"), t("yyyy/MM/dd HH:mm:ss.SSSSSS")],
                "2018/03/14 01:02:03.123456",
            ),
            ("date_format", vec![ltz("2018-03-14 01:02:03", zone), t("yyyy-MM-dd HH:mm:ss")], "2018-03-14 01:02:03"),
            (
                "date_format",
                vec![ltz("2018-03-14 01:02:03.123456", zone), t("yyyy-MM-dd HH:mm:ss.SSSSSS")],
                "2018-03-14 01:02:03.123456",
            ),
            ("date_format", vec![t("invalid value"), t("yyyy/MM/dd HH:mm:ss")], "NULL"),
            ("date_format", vec![no_text(), t("yyyy/MM/dd HH:mm:ss")], "NULL"),
            ("date_format", vec![ts("1970-01-01 00:00:00"), no_text()], "NULL"),
            (
                "date_format",
                vec![ts("1969-12-31 23:59:59.999"), t("yyyy-MM-dd'T'HH:mm:ss.SSS")],
                "1969-12-31T23:59:59.999",
            ),
        ]);
    }
}

#[test]
fn a_wrong_literal_pattern_is_refused_while_planning() {
    let functions = Functions::utc();
    let refused = functions.show("date_format", &[ts("2018-03-14 01:02:03"), t("YYYY-bb")]);
    assert!(refused.starts_with("error: unsupported letter 'b' at position 6"), "{refused}");
}

#[test]
fn timestamps_are_read_with_and_without_a_pattern() {
    Functions::of("Asia/Tokyo").check(&[
        ("to_timestamp", vec![t("2017-09-15 00:00:00")], "2017-09-15 00:00:00.000"),
        ("to_timestamp", vec![t("1970-01-01 00:00:00.123456789")], "1970-01-01 00:00:00.123"),
        ("to_timestamp", vec![t("20170915000000"), t("yyyyMMddHHmmss")], "2017-09-15 00:00:00.000"),
        ("to_timestamp", vec![t("2017-09-15"), t("yyyy-MM-dd")], "2017-09-15 00:00:00.000"),
        ("to_timestamp", vec![t("20000202 59:59.1234567"), t("yyyyMMdd mm:ss.SSSSSSS")], "2000-02-02 00:59:59.123"),
        ("to_timestamp", vec![t("1999-9-10 05:20:10"), t("yyyyMMdd")], "1999-09-10 05:20:10.000"),
        ("to_timestamp", vec![t("1999-9-10"), t("yyyyMMdd")], "1999-09-10 00:00:00.000"),
        ("to_timestamp", vec![t("abc")], "NULL"),
        ("to_timestamp", vec![t("invalid value"), t("yyyy-MM-dd")], "NULL"),
        ("to_timestamp", vec![no_text()], "NULL"),
        ("to_timestamp", vec![t("2017-09-15"), no_text()], "NULL"),
        ("to_date", vec![t("2017-09-15 00:00:00")], "2017-09-15"),
        ("to_date", vec![t("15.9.2017"), t("dd.MM.yyyy")], "2017-09-15"),
        ("to_date", vec![t("invalid value")], "NULL"),
        ("to_date", vec![t("invalid value"), t("dd.MM.yyyy")], "NULL"),
        ("to_date", vec![no_text()], "NULL"),
    ]);
}

#[test]
fn instants_are_made_of_numbers() {
    Functions::of("Asia/Shanghai").check(&[
        ("to_timestamp_ltz", vec![i(100), i(0)], "1970-01-01 08:01:40.000"),
        ("to_timestamp_ltz", vec![l(100), i(0)], "1970-01-01 08:01:40.000"),
        ("to_timestamp_ltz", vec![ScalarValue::Float32(Some(100.01)), i(0)], "1970-01-01 08:01:40.010"),
        ("to_timestamp_ltz", vec![d(100.123), i(0)], "1970-01-01 08:01:40.123"),
        ("to_timestamp_ltz", vec![dec("-100.000"), i(0)], "1970-01-01 07:58:20.000"),
        ("to_timestamp_ltz", vec![i(1234), i(3)], "1970-01-01 08:00:01.234"),
        ("to_timestamp_ltz", vec![i(1234)], "1970-01-01 08:00:01.234"),
        ("to_timestamp_ltz", vec![dec("0.01"), i(3)], "1970-01-01 08:00:00.000"),
        ("to_timestamp_ltz", vec![ScalarValue::Int64(None), i(0)], "NULL"),
        ("to_timestamp_ltz", vec![i(1), no_int()], "NULL"),
    ]);
    Functions::utc().check(&[
        ("to_timestamp_ltz", vec![i(i32::MIN), i(0)], "1901-12-13 20:45:52.000"),
        ("to_timestamp_ltz", vec![i(i32::MAX), i(0)], "2038-01-19 03:14:07.000"),
        ("to_timestamp_ltz", vec![l(i64::MIN), i(0)], "NULL"),
        ("to_timestamp_ltz", vec![l(i64::MAX), i(0)], "NULL"),
        ("to_timestamp_ltz", vec![d(f64::MAX), i(0)], "NULL"),
        ("to_timestamp_ltz", vec![l(-62_167_219_200_000), i(3)], "0000-01-01 00:00:00.000"),
        ("to_timestamp_ltz", vec![l(-62_167_219_200_001), i(3)], "NULL"),
        ("to_timestamp_ltz", vec![l(253_402_300_799_999), i(3)], "9999-12-31 23:59:59.999"),
        ("to_timestamp_ltz", vec![l(253_402_300_800_000), i(3)], "NULL"),
        (
            "to_timestamp_ltz",
            vec![i(12), i(1)],
            "error: the precision 1 of to_timestamp_ltz is not supported: 0 means seconds and 3 means milliseconds",
        ),
    ]);
}

#[test]
fn instants_are_read_from_text_in_a_zone() {
    Functions::of("Asia/Shanghai").check(&[
        ("to_timestamp_ltz", vec![t("2023-01-01 00:00:00")], "2023-01-01 08:00:00.000"),
        ("to_timestamp_ltz", vec![t("2023-01-01 00:00:00.5")], "2023-01-01 08:00:00.500"),
        ("to_timestamp_ltz", vec![t("01/01/2023"), t("dd/MM/yyyy")], "2023-01-01 08:00:00.000"),
        (
            "to_timestamp_ltz",
            vec![t("2023-01-01 00:00:00"), t("yyyy-MM-dd HH:mm:ss"), t("America/Los_Angeles")],
            "2023-01-01 16:00:00.000",
        ),
        ("to_timestamp_ltz", vec![t("test")], "NULL"),
        ("to_timestamp_ltz", vec![no_text()], "NULL"),
        ("to_timestamp_ltz", vec![t("2023-01-01 00:00:00"), t("yyyy-MM-dd HH:mm:ss"), no_text()], "NULL"),
    ]);
}

#[test]
fn unix_times_are_on_the_sessions_clock() {
    Functions::of("Asia/Tokyo").check(&[
        ("from_unixtime", vec![l(44)], "1970-01-01 09:00:44"),
        ("from_unixtime", vec![l(44), t("yy-MM-dd HH-mm-ss")], "70-01-01 09-00-44"),
        ("from_unixtime", vec![i(3), t("yyyy-MM-dd HH:mm:ss.SSS")], "1970-01-01 09:00:03.000"),
        ("from_unixtime", vec![no_int()], "NULL"),
        ("from_unixtime", vec![l(44), no_text()], "NULL"),
        ("unix_timestamp", vec![t("2015-07-24 10:00:00")], "1437699600"),
        ("unix_timestamp", vec![t("2015/07/24 10:00:00.5"), t("yyyy/MM/dd HH:mm:ss.S")], "1437699600"),
        ("unix_timestamp", vec![no_text()], "NULL"),
        ("unix_timestamp", vec![], "1709210096"),
    ]);
    Functions::of("Europe/Berlin").check(&[
        ("unix_timestamp", vec![t("1970-01-01 08:00:01.001"), t("yyyy-MM-dd HH:mm:ss.SSS")], "25201"),
        ("unix_timestamp", vec![t("1970-01-01 08:00:01.001 +0800"), t("yyyy-MM-dd HH:mm:ss.SSS X")], "1"),
        ("unix_timestamp", vec![t("1970-01-01 08:00:01.001 +0800"), t("yyyy-MM-dd HH:mm:ss.SSS")], "25201"),
        ("unix_timestamp", vec![t("1970-01-01 08:00:01.001"), t("yyyy-MM-dd HH:mm:ss.SSS X")], "-9223372036854775808"),
    ]);
    // An hour that summer time skips, and the end of it.
    Functions::of("MET").check(&[
        ("unix_timestamp", vec![t("2005-03-27 03:00:00")], "1111885200"),
        ("unix_timestamp", vec![t("2005-03-27 02:00:00")], "1111885200"),
        ("from_unixtime", vec![l(1_111_885_200)], "2005-03-27 03:00:00"),
    ]);
    let _ = Functions::utc().show("from_unixtime", &[l(i64::MAX)]);
}

#[test]
fn wall_clock_times_move_between_zones() {
    Functions::utc().check(&[
        ("convert_tz", vec![t("2018-03-14 11:00:00"), t("UTC"), t("Asia/Shanghai")], "2018-03-14 19:00:00"),
        ("convert_tz", vec![t("1970-01-01 00:00:00"), t("UTC"), t("America/Los_Angeles")], "1969-12-31 16:00:00"),
        ("convert_tz", vec![t("1970-01-01 00:00:00"), t("PST"), t("GMT+08:00")], "1970-01-01 16:00:00"),
        ("convert_tz", vec![t("invalid value"), t("UTC"), t("Asia/Shanghai")], "NULL"),
        ("convert_tz", vec![no_text(), t("UTC"), t("Asia/Shanghai")], "NULL"),
        (
            "convert_tz",
            vec![t("1970-01-01 00:00:00"), t("UTC"), t("Mars/Olympus")],
            "error: unknown time zone 'Mars/Olympus': use a name such as 'Europe/Berlin' or an offset such as 'GMT+08:00'",
        ),
    ]);
}
