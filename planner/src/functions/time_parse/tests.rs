use super::*;
use crate::functions::cast_text::{write_clock, write_date};

fn show(time: Option<WallTime>) -> String {
    let Some(time) = time else { return "none".to_owned() };
    let mut out = String::new();
    write_date(time.seconds.div_euclid(86_400), &mut out).unwrap();
    out.push(' ');
    write_clock(time.seconds.rem_euclid(86_400), &mut out).unwrap();
    if time.nanos > 0 {
        out.push_str(format!(".{:09}", time.nanos).trim_end_matches('0'));
    }
    out
}

#[test]
fn a_formatter_reads_what_it_prints_and_nothing_else() {
    for (pattern, text, expected) in [
        ("yyyyMMddHHmmss", "20170915000000", "2017-09-15 00:00:00"),
        ("yyyy-MM-dd", "2017-09-15", "2017-09-15 00:00:00"),
        ("yyyyMMddHH", "2000020210", "2000-02-02 10:00:00"),
        ("yyyy-MM-dd HH:mm:ss.SSSSS", "1970-01-01 00:00:00.12345", "1970-01-01 00:00:00.12345"),
        ("yyyyMMdd mm:ss.SSSSSSS", "20000202 59:59.1234567", "2000-02-02 00:59:59.1234567"),
        ("SSSSSSS", "1234567", "1970-01-01 00:00:00.1234567"),
        ("yyyyMMddHHmmssSSS", "20170915010203456", "2017-09-15 01:02:03.456"),
        ("dd/MMM/yyyy hh:mm a", "05/Mar/2021 12:30 AM", "2021-03-05 00:30:00"),
        ("dd/MMMM/yyyy hh:mm a", "05/March/2021 12:30 PM", "2021-03-05 12:30:00"),
        ("EEE, d MMM yyyy", "Fri, 5 Mar 2021", "2021-03-05 00:00:00"),
        ("yy", "21", "2021-01-01 00:00:00"),
        ("yyyy-DDD", "2021-060", "2021-03-01 00:00:00"),
        ("yyyy-MM-dd'T'HH:mm[:ss]", "2021-09-27T12:34", "2021-09-27 12:34:00"),
        ("yyyy-MM-dd'T'HH:mm[:ss]", "2021-09-27T12:34:56", "2021-09-27 12:34:56"),
        ("yyyy-MM-dd", "2021-02-30", "2021-02-28 00:00:00"),
        ("yyyy-MM-dd HH", "2021-02-28 24", "2021-03-01 00:00:00"),
        ("hh", "07", "1970-01-01 00:00:00"),
        ("yyyy-MM-dd", "2021-02-32", "none"),
        ("yyyy-MM-dd", "2021-13-01", "none"),
        ("yyyy-MM-dd", "2021-1-01", "none"),
        ("yyyy-MM-dd", "2021-01-01x", "none"),
        ("yyyy-MM-dd", "x", "none"),
        ("MMM", "mar", "none"),
        ("HH:mm", "24:01", "none"),
        ("yyyy", "", "none"),
    ] {
        let format = TimeFormat::compile(pattern, Style::Formatter).unwrap();
        assert_eq!(show(format.parse_wall(text)), expected, "{pattern} from {text}");
    }
}

#[test]
fn a_simple_format_is_lenient() {
    let utc = Zone::utc();
    for (pattern, text, expected) in [
        ("yyyy-MM-dd HH:mm:ss", "2018-3-4 1:2:3 and more", Some("2018-03-04 01:02:03")),
        ("yyyy-MM-dd HH:mm:ss", "2018-13-32 25:61:61", Some("2019-02-02 02:02:01")),
        ("yyyy/MM/dd HH:mm:ss.S", "2015/07/24 10:00:00.5", Some("2015-07-24 10:00:00.005")),
        ("yyyyMMdd", "20150724", Some("2015-07-24 00:00:00")),
        ("yy-MM-dd", "45-01-01", Some("2045-01-01 00:00:00")),
        ("yy-MM-dd", "46-01-01", Some("1946-01-01 00:00:00")),
        ("yyyy-MM-dd HH:mm X", "1970-01-01 08:00 +0800", Some("1970-01-01 00:00:00")),
        ("yyyy-MM-dd HH:mm XXX", "1970-01-01 08:00 +08:30", Some("1969-12-31 23:30:00")),
        ("yyyy-MM-dd HH:mm X", "1970-01-01 08:00 Z", Some("1970-01-01 08:00:00")),
        ("yyyy-MM-dd HH:mm z", "1970-01-01 08:00 GMT+08:00", Some("1970-01-01 00:00:00")),
        ("d MMMM yyyy", "5 mar 2021", Some("2021-03-05 00:00:00")),
        ("yyyy-MM-dd HH:mm X", "1970-01-01 08:00", None),
        ("yyyy-MM-dd", "2018/03/04", None),
        ("yyyy-MM-dd", "", None),
        ("yyyy-MM-dd", "99999999999999999999-01-01", None),
    ] {
        let format = TimeFormat::compile(pattern, Style::Simple).unwrap();
        let millis = format.parse_millis(text, &utc);
        let shown = millis
            .map(|millis| WallTime { seconds: millis.div_euclid(1_000), nanos: millis.rem_euclid(1_000) * 1_000_000 });
        assert_eq!(shown.map(|time| show(Some(time))).as_deref(), expected, "{pattern} from {text}");
    }
}

#[test]
fn numbers_that_roll_over_everything_are_no_panic() {
    let format = TimeFormat::compile("yyyy-MM-dd HH:mm:ss", Style::Simple).unwrap();
    let huge = i64::MAX;
    for text in [
        format!("{huge}-{huge}-{huge} {huge}:{huge}:{huge}"),
        format!("1-{huge}-1 0:0:0"),
        format!("1-1--{huge} 0:0:0"),
    ] {
        let _ = format.parse_millis(&text, &Zone::utc());
    }
}

#[test]
fn timestamps_are_read_in_flinks_default_form() {
    for (text, expected) in [
        ("2017-09-15 00:00:00", "2017-09-15 00:00:00"),
        ("2021-09-27 12:34:56.123456789", "2021-09-27 12:34:56.123456789"),
        ("1999-9-10 05:20:10.123456", "1999-09-10 05:20:10.123456"),
        ("1999-9-10", "1999-09-10 00:00:00"),
        ("2021-09-27 1:2:3", "2021-09-27 01:02:03"),
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00"),
        ("abc", "none"),
        ("123", "none"),
        ("2021/09/27", "none"),
        ("2021-09-27T12:34:56", "none"),
        ("2021-09-27 12:34", "none"),
        ("2021-09-27 12:34:56.1234567890", "none"),
        ("2021-09-27 12:34:56 ", "none"),
        ("2021-09-27 25:00:00", "none"),
        ("21-09-27", "none"),
        ("", "none"),
    ] {
        assert_eq!(show(default_timestamp(text)), expected, "{text}");
    }
}

#[test]
fn dates_and_times_of_day_are_read_as_casts_do() {
    let date = |text| {
        let days = default_date(text)?;
        let mut out = String::new();
        write_date(days, &mut out).unwrap();
        Some(out)
    };
    for (text, expected) in [
        ("2021-09-27", Some("2021-09-27")),
        ("123", Some("0123-01-01")),
        ("2017-9", Some("2017-09-01")),
        ("2021-09-27 12:34:56.123456789", Some("2021-09-27")),
        ("1500-04-30", Some("1500-04-30")),
        ("2020-02-29", Some("2020-02-29")),
        ("2021-02-29", None),
        ("2021/09/27", None),
        ("foo", None),
        ("", None),
    ] {
        assert_eq!(date(text).as_deref(), expected, "{text}");
    }
    for (text, expected) in [
        ("12:44:31", Some(45_871_000)),
        ("1:30:00", Some(5_400_000)),
        ("123", Some(3 * 3_600_000)),
        ("123:45", Some(3 * 3_600_000 + 45 * 60_000)),
        ("12:34:56.123456789", Some(45_296_123)),
        ("12:34:56.1236", Some(45_296_124)),
        ("12:34:56+01:00", Some(48_896_000)),
        ("2021-09-27", None),
        ("Flink", None),
        ("", None),
    ] {
        assert_eq!(default_time(text), expected, "{text}");
    }
}
