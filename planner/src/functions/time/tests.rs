use super::super::testing::{Functions, date, i, ltz, no_int, no_ts, t, time, ts};
use datafusion_common::ScalarValue;

#[test]
fn parts_are_bigints_by_flinks_rules() {
    let moment = ts("1996-11-10 06:55:44.333");
    let functions = Functions::utc();
    for (unit, expected) in [
        ("YEAR", "1996"),
        ("quarter", "4"),
        ("MONTH", "11"),
        ("WEEK", "45"),
        ("DAY", "10"),
        ("HOUR", "6"),
        ("MINUTE", "55"),
        ("SECOND", "44"),
        ("MILLISECOND", "333"),
        ("MICROSECOND", "333000"),
        ("NANOSECOND", "333000000"),
        ("MILLENNIUM", "2"),
        ("CENTURY", "20"),
        ("DECADE", "199"),
        ("DOY", "315"),
        ("DOW", "1"),
        ("ISODOW", "7"),
        ("ISOYEAR", "1996"),
        ("EPOCH", "847608944"),
    ] {
        assert_eq!(functions.show("extract", &[t(unit), moment.clone()]), expected, "{unit}");
    }
    functions.check(&[
        ("year", vec![moment.clone()], "1996"),
        ("quarter", vec![date("1997-04-27")], "2"),
        ("quarter", vec![date("1997-12-31")], "4"),
        ("month", vec![moment], "11"),
        ("week", vec![date("1994-09-27")], "39"),
        ("dayofyear", vec![date("1994-09-27")], "270"),
        ("dayofmonth", vec![date("1994-09-27")], "27"),
        ("dayofweek", vec![date("1994-09-27")], "3"),
        ("hour", vec![time("06:55:44")], "6"),
        ("minute", vec![ts("1994-09-27 13:14:15")], "14"),
        ("second", vec![ts("1994-09-27 13:14:15")], "15"),
        ("hour", vec![no_ts()], "NULL"),
        ("hour", vec![ts("1969-12-31 23:00:00")], "23"),
        ("dayofmonth", vec![ts("1969-12-31 23:00:00")], "31"),
        ("extract", vec![t("EPOCH"), date("2018-01-01")], "1514764800"),
        ("extract", vec![t("NANOSECOND"), ts("1970-01-01 00:00:00.123456789")], "123456789"),
        ("extract", vec![t("MICROSECOND"), ts("1970-01-01 00:00:00.123456789")], "123456"),
        ("extract", vec![t("MILLISECOND"), ts("1970-01-01 00:00:00.123456789")], "123"),
        ("extract", vec![t("SQL_TSI_DAY"), date("2006-06-05")], "5"),
    ]);
}

#[test]
fn iso_years_begin_with_the_week_of_january_4th() {
    let functions = Functions::utc();
    for (day, year, weekday) in [
        ("1900-01-01", "1900", "1"),
        ("1950-01-01", "1949", "7"),
        ("1969-12-31", "1970", "3"),
        ("1969-12-29", "1970", "1"),
        ("1969-12-28", "1969", "7"),
        ("2006-01-01", "2005", "7"),
        ("2005-01-02", "2004", "7"),
        ("2005-01-03", "2005", "1"),
    ] {
        assert_eq!(functions.show("extract", &[t("ISOYEAR"), date(day)]), year, "{day}");
        assert_eq!(functions.show("extract", &[t("ISODOW"), date(day)]), weekday, "{day}");
    }
}

#[test]
fn an_instant_is_looked_at_on_the_sessions_clock() {
    for (zone, text, unit, expected) in [
        ("Asia/Shanghai", "2018-03-20 07:59:59", "DAY", "20"),
        ("Asia/Shanghai", "2018-03-20 07:59:59", "HOUR", "7"),
        ("Asia/Shanghai", "2021-12-22 12:13:14", "EPOCH", "1640175194"),
        ("Asia/Rangoon", "2018-03-20 06:10:31", "HOUR", "6"),
        ("America/Los_Angeles", "2018-12-31 23:10:31", "YEAR", "2018"),
    ] {
        assert_eq!(
            Functions::of(zone).show("extract", &[t(unit), ltz(text, zone)]),
            expected,
            "{unit} of {text} in {zone}"
        );
    }
}

#[test]
fn parts_of_intervals_are_of_their_months_or_of_the_rest() {
    let days = ScalarValue::new_interval_mdn(0, 19, (12 * 3_600 + 10 * 60 + 10) * 1_000_000_000 + 123_000_000);
    let months = ScalarValue::new_interval_mdn(29, 0, 0);
    Functions::utc().check(&[
        ("extract", vec![t("DAY"), days.clone()], "19"),
        ("extract", vec![t("HOUR"), days.clone()], "12"),
        ("extract", vec![t("MINUTE"), days.clone()], "10"),
        ("extract", vec![t("SECOND"), days], "10"),
        ("extract", vec![t("YEAR"), months.clone()], "2"),
        ("extract", vec![t("MONTH"), months.clone()], "5"),
        ("extract", vec![t("QUARTER"), months], "2"),
    ]);
}

#[test]
fn times_are_rounded_down_and_up_to_units() {
    let at = ts("2018-03-20 06:44:31");
    Functions::utc().check(&[
        ("floor_time", vec![t("HOUR"), at.clone()], "2018-03-20 06:00:00.000"),
        ("floor_time", vec![t("day"), at.clone()], "2018-03-20 00:00:00.000"),
        ("floor_time", vec![t("WEEK"), ts("2021-02-27 00:00:00")], "2021-02-21 00:00:00.000"),
        ("floor_time", vec![t("WEEK"), ts("2021-03-01 00:00:00")], "2021-02-28 00:00:00.000"),
        ("floor_time", vec![t("MONTH"), ts("2018-04-01 06:44:31")], "2018-04-01 00:00:00.000"),
        ("floor_time", vec![t("QUARTER"), ts("2021-03-21 00:00:00")], "2021-01-01 00:00:00.000"),
        ("floor_time", vec![t("DECADE"), ts("2018-01-02 21:00:01")], "2010-01-01 00:00:00.000"),
        ("floor_time", vec![t("CENTURY"), ts("2018-01-02 21:00:01")], "2001-01-01 00:00:00.000"),
        ("floor_time", vec![t("MILLENNIUM"), ts("2018-01-02 21:00:01")], "2001-01-01 00:00:00.000"),
        ("floor_time", vec![t("MILLISECOND"), ts("2020-02-29 01:56:59.987654")], "2020-02-29 01:56:59.987000"),
        ("floor_time", vec![t("HOUR"), ts("1969-12-31 23:59:59")], "1969-12-31 23:00:00.000"),
        ("floor_time", vec![t("MINUTE"), time("12:44:31")], "12:44:00"),
        ("floor_time", vec![t("HOUR"), time("12:44:31")], "12:00:00"),
        ("floor_time", vec![t("WEEK"), date("2021-03-01")], "2021-02-28"),
        ("floor_time", vec![t("MONTH"), date("1996-11-10")], "1996-11-01"),
        ("floor_time", vec![t("HOUR"), date("1996-11-10")], "1996-11-10"),
        ("floor_time", vec![t("HOUR"), no_ts()], "NULL"),
        ("ceil_time", vec![t("HOUR"), at], "2018-03-20 07:00:00.000"),
        ("ceil_time", vec![t("HOUR"), ts("2018-03-20 06:00:00")], "2018-03-20 06:00:00.000"),
        ("ceil_time", vec![t("DAY"), ts("2018-03-31 00:00:01")], "2018-04-01 00:00:00.000"),
        ("ceil_time", vec![t("DAY"), ts("2018-03-01 00:00:00")], "2018-03-01 00:00:00.000"),
        ("ceil_time", vec![t("WEEK"), ts("2021-02-27 00:00:00")], "2021-02-28 00:00:00.000"),
        ("ceil_time", vec![t("WEEK"), ts("2021-03-01 00:00:00")], "2021-03-07 00:00:00.000"),
        ("ceil_time", vec![t("MONTH"), ts("2018-03-01 21:00:01")], "2018-03-01 00:00:00.000"),
        ("ceil_time", vec![t("MONTH"), ts("2018-12-02 00:00:00")], "2019-01-01 00:00:00.000"),
        ("ceil_time", vec![t("YEAR"), ts("2018-01-01 21:00:01")], "2018-01-01 00:00:00.000"),
        ("ceil_time", vec![t("YEAR"), ts("2018-01-02 21:00:01")], "2019-01-01 00:00:00.000"),
        ("ceil_time", vec![t("QUARTER"), ts("2021-03-21 00:00:00")], "2021-04-01 00:00:00.000"),
        ("ceil_time", vec![t("QUARTER"), date("1990-10-14")], "1991-01-01"),
        ("ceil_time", vec![t("DECADE"), ts("1999-01-01 00:00:00")], "2000-01-01 00:00:00.000"),
        ("ceil_time", vec![t("CENTURY"), ts("1999-01-01 00:00:00")], "2001-01-01 00:00:00.000"),
        ("ceil_time", vec![t("MILLENNIUM"), date("2018-01-02")], "3001-01-01"),
        ("ceil_time", vec![t("DAY"), date("2021-02-27")], "2021-02-28"),
        ("ceil_time", vec![t("MILLISECOND"), ts("2020-02-29 01:56:59.987654321")], "2020-02-29 01:56:59.988000000"),
        ("ceil_time", vec![t("SECOND"), ts("1996-11-10 06:55:44.333")], "1996-11-10 06:55:45.000"),
        ("ceil_time", vec![t("MINUTE"), time("12:44:31")], "12:45:00"),
        ("ceil_time", vec![t("HOUR"), time("23:44:31")], "00:00:00"),
    ]);
}

#[test]
fn an_instant_is_rounded_on_the_sessions_clock() {
    let zone = "Asia/Rangoon";
    Functions::of(zone).check(&[
        ("floor_time", vec![t("HOUR"), ltz("2018-03-20 06:10:31", zone)], "2018-03-20 06:00:00.000"),
        ("floor_time", vec![t("DAY"), ltz("2018-03-20 06:10:31", zone)], "2018-03-20 00:00:00.000"),
        ("ceil_time", vec![t("HOUR"), ltz("2018-03-20 06:00:00", zone)], "2018-03-20 06:00:00.000"),
        ("ceil_time", vec![t("HOUR"), ltz("2018-03-20 06:10:31", zone)], "2018-03-20 07:00:00.000"),
        ("ceil_time", vec![t("QUARTER"), ltz("2018-01-02 21:00:01", zone)], "2018-04-01 00:00:00.000"),
    ]);
}

#[test]
fn intervals_are_added_by_calendar() {
    let at = ts("2017-11-29 22:58:58.998");
    let functions = Functions::utc();
    for (unit, results) in [
        ("YEAR", ["2018-11-29", "2020-11-29", "2016-11-29", "1956-11-29", "1017-11-29"]),
        ("QUARTER", ["2018-02-28", "2018-08-29", "2017-08-29", "2002-08-29", "1767-11-29"]),
        ("MONTH", ["2017-12-29", "2018-02-28", "2017-10-29", "2012-10-29", "1934-07-29"]),
        ("WEEK", ["2017-12-06", "2017-12-20", "2017-11-22", "2016-09-28", "1998-09-30"]),
        ("SQL_TSI_DAY", ["2017-11-30", "2017-12-02", "2017-11-28", "2017-09-29", "2015-03-05"]),
    ] {
        for (count, day) in [1, 3, -1, -61, -1000].into_iter().zip(results) {
            let expected = format!("{day} 22:58:58.998");
            assert_eq!(functions.show("timestampadd", &[t(unit), i(count), at.clone()]), expected, "{count} {unit}");
        }
    }
    functions.check(&[
        ("timestampadd", vec![t("HOUR"), i(-61), at.clone()], "2017-11-27 09:58:58.998"),
        ("timestampadd", vec![t("MINUTE"), i(-1000), at.clone()], "2017-11-29 06:18:58.998"),
        ("timestampadd", vec![t("SECOND"), i(3), at.clone()], "2017-11-29 22:59:01.998"),
        ("timestampadd", vec![t("DAY"), i(1), date("2016-06-15")], "2016-06-16"),
        ("timestampadd", vec![t("HOUR"), i(-1), date("2016-06-15")], "2016-06-14 23:00:00.000000"),
        ("timestampadd", vec![t("SECOND"), i(1), date("2016-06-15")], "2016-06-15 00:00:01.000000"),
        ("timestampadd", vec![t("MONTH"), i(1), date("2016-05-31")], "2016-06-30"),
        ("timestampadd", vec![t("MONTH"), i(-1), date("2016-03-31")], "2016-02-29"),
        ("timestampadd", vec![t("MINUTE"), i(1), time("23:59:59")], "00:00:59"),
        ("timestampadd", vec![t("SECOND"), i(-1), time("00:00:00")], "23:59:59"),
        ("timestampadd", vec![t("MONTH"), i(6), time("23:59:59")], "23:59:59"),
        ("timestampadd", vec![t("WEEK"), i(-1), time("23:59:59")], "23:59:59"),
        ("timestampadd", vec![t("HOUR"), no_int(), at.clone()], "NULL"),
        ("timestampadd", vec![t("HOUR"), i(-200), no_ts()], "NULL"),
        ("timestampadd", vec![t("YEAR"), ScalarValue::Int64(Some(i64::MAX)), at], "NULL"),
    ]);
}

#[test]
fn differences_are_whole_units_cut_towards_zero() {
    Functions::utc().check(&[
        ("timestampdiff", vec![t("DAY"), ts("2018-07-03 11:11:11"), ts("2018-07-05 11:11:11")], "2"),
        ("timestampdiff", vec![t("DAY"), ts("2016-06-15 11:00:00"), date("2016-06-19")], "3"),
        ("timestampdiff", vec![t("HOUR"), ts("2018-07-03 11:11:11"), ts("2018-07-04 12:12:11")], "25"),
        ("timestampdiff", vec![t("HOUR"), date("2016-06-15"), date("2016-06-12")], "-72"),
        ("timestampdiff", vec![t("MINUTE"), ts("2018-07-03 11:11:11"), ts("2018-07-03 12:10:11")], "59"),
        ("timestampdiff", vec![t("SQL_TSI_SECOND"), date("2016-06-15"), ts("2016-06-16 11:11:11")], "126671"),
        ("timestampdiff", vec![t("WEEK"), ts("2018-05-03 11:11:11"), ts("2018-07-03 11:12:12")], "8"),
        ("timestampdiff", vec![t("WEEK"), date("2016-08-15"), date("2016-06-18")], "-8"),
        ("timestampdiff", vec![t("MONTH"), ts("2018-07-03 11:11:11"), ts("2018-09-05 11:11:11")], "2"),
        ("timestampdiff", vec![t("MONTH"), ts("2016-06-15 11:00:00"), date("2018-05-19")], "23"),
        ("timestampdiff", vec![t("MONTH"), ts("2019-09-01 00:00:00"), ts("2016-08-01 00:00:00")], "-37"),
        ("timestampdiff", vec![t("MONTH"), ts("2021-01-04 00:00:00"), time("00:00:00")], "-612"),
        ("timestampdiff", vec![t("MONTH"), time("00:00:00"), ts("2021-02-04 12:00:00")], "613"),
        ("timestampdiff", vec![t("MONTH"), ts("2021-01-31 00:00:00"), ts("2021-02-28 00:00:00")], "1"),
        ("timestampdiff", vec![t("MONTH"), ts("2021-01-30 12:00:00"), ts("2021-02-28 11:00:00")], "0"),
        ("timestampdiff", vec![t("QUARTER"), date("2016-06-15"), date("2018-03-18")], "7"),
        ("timestampdiff", vec![t("YEAR"), date("2016-06-15"), date("2018-06-14")], "1"),
        ("timestampdiff", vec![t("DAY"), no_ts(), ts("2016-02-24 12:42:25")], "NULL"),
        (
            "timestampdiff",
            vec![t("MINUTE"), ltz("1970-01-01 01:02:03.123", "UTC"), ltz("1970-01-01 00:00:00", "UTC")],
            "-62",
        ),
        (
            "timestampdiff",
            vec![t("SECOND"), ltz("1970-01-01 01:02:03.123", "UTC"), date("1970-01-01")],
            "error: timestampdiff of a TIMESTAMP_LTZ and another type: cast one of them",
        ),
        (
            "timestampdiff",
            vec![t("MILLISECOND"), ts("1970-01-01 00:00:00"), ts("2024-01-01 00:00:00")],
            "error: the difference of 1704067200000 Milliseconds does not fit an INT: use a larger unit",
        ),
    ]);
}

#[test]
fn an_unknown_unit_is_refused_while_planning() {
    let functions = Functions::utc();
    let refused = functions.show("floor_time", &[t("FORTNIGHT"), date("2021-01-01")]);
    assert_eq!(
        refused,
        "error: unknown time unit 'FORTNIGHT': use YEAR, QUARTER, MONTH, WEEK, DAY, HOUR, MINUTE or SECOND"
    );
    assert!(
        functions
            .show("extract", &[t("HOUR"), date("2021-01-01")])
            .starts_with("error: extract cannot take Hour of a date")
    );
    assert!(functions.show("floor_time", &[t("DOW"), ts("2021-01-01 00:00:00")]).starts_with("error: "));
}
