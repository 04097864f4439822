use super::*;
use crate::functions::time_parse::default_timestamp;

fn print(pattern: &str, style: Style, time: &str, offset: i64) -> String {
    let ticks = default_timestamp(time).unwrap().ticks(1_000_000_000).unwrap();
    let mut out = String::new();
    TimeFormat::compile(pattern, style).unwrap().print(Wall::of_ticks(ticks, 1_000_000_000, offset), &mut out).unwrap();
    out
}

#[test]
fn letters_print_what_javas_formatter_prints() {
    let time = "2018-03-14 01:02:03.123456789";
    for (pattern, expected) in [
        ("yyyy/MM/dd HH:mm:ss", "2018/03/14 01:02:03"),
        ("yyyy/MM/dd HH:mm:ss.SSSSSSSSS", "2018/03/14 01:02:03.123456789"),
        ("yy-M-d H:m:s.SSS", "18-3-14 1:2:3.123"),
        ("uuuu y", "2018 2018"),
        ("MMM MMMM MMMMM LLL", "Mar March M Mar"),
        ("E EE EEE EEEE EEEEE", "Wed Wed Wed Wednesday Wednesday"),
        ("a h K k hh kk", "AM 1 1 1 01 01"),
        ("DDD D Q QQ G GGGG", "073 73 1 01 AD Anno Domini"),
        ("n N A", "123456789 3723123456789 3723123"),
        ("w W F YYYY", "11 3 2 2018"),
        ("'at' yyyy 'o''clock' ''", "at 2018 o'clock '"),
        ("yyyy-MM-dd['T'HH]", "2018-03-14T01"),
        ("yyyy年MM月dd日", "2018年03月14日"),
        ("", ""),
    ] {
        assert_eq!(print(pattern, Style::Formatter, time, 0), expected, "{pattern}");
    }
}

#[test]
fn letters_print_what_javas_simple_format_prints() {
    for (pattern, time, offset, expected) in [
        ("yyyy-MM-dd HH:mm:ss.SSS", "1970-01-01 00:00:44", 0, "1970-01-01 00:00:44.000"),
        ("yy-MM-dd HH-mm-ss", "1970-01-01 09:00:44", 0, "70-01-01 09-00-44"),
        ("S SS SSSS", "2018-03-14 01:02:03.007", 0, "7 07 0007"),
        ("u", "2018-03-14", 0, "3"),
        ("X XX XXX Z z", "2018-03-14", 0, "Z Z Z +0000 UTC"),
        ("X XX XXX Z z", "2018-03-14", -12_600, "-03 -0330 -03:30 -0330 GMT-03:30"),
        ("hh:mm a", "2018-03-14 00:05:00", 0, "12:05 AM"),
        ("hh:mm a", "2018-03-14 12:05:00", 0, "12:05 PM"),
        ("KK kk", "2018-03-14 00:05:00", 0, "00 24"),
    ] {
        assert_eq!(print(pattern, Style::Simple, time, offset), expected, "{pattern} of {time}");
    }
}

#[test]
fn weeks_are_those_of_the_united_states() {
    for (time, expected) in [
        ("2017-12-30", "2017 52"),
        ("2017-12-31", "2018 01"),
        ("2018-01-01", "2018 01"),
        ("2018-01-07", "2018 02"),
        ("2016-01-02", "2016 01"),
    ] {
        assert_eq!(print("YYYY ww", Style::Simple, time, 0), expected, "{time}");
    }
}

#[test]
fn a_wrong_pattern_is_refused_with_letter_and_position() {
    for (pattern, expected) in [
        (
            "yyyy-bb",
            "unsupported letter 'b' at position 6 of the date pattern 'yyyy-bb': quote it ('b') to mean itself",
        ),
        (
            "yyyy-MM-ddTHH",
            "unsupported letter 'T' at position 11 of the date pattern 'yyyy-MM-ddTHH': quote it ('T') to mean itself",
        ),
        ("HHH", "3 times 'H' at position 1 of the date pattern 'HHH' has no meaning"),
        ("yyyy 'at", "the quote at position 6 of the date pattern 'yyyy 'at' does not end"),
        ("yyyy[MM", "unmatched square bracket at position 5 of the date pattern 'yyyy[MM'"),
        ("yyyy]", "unmatched square bracket at position 5 of the date pattern 'yyyy]'"),
        (
            "HH:mm z",
            "unsupported letter 'z' at position 7 of the date pattern 'HH:mm z': quote it ('z') to mean itself",
        ),
    ] {
        assert_eq!(TimeFormat::compile(pattern, Style::Formatter).unwrap_err().to_string(), expected);
    }
}

#[test]
fn years_beyond_four_digits_are_marked_and_the_ends_of_time_print() {
    let mut out = String::new();
    let format = TimeFormat::compile("yyyy G uuuu", Style::Formatter).unwrap();
    format.print(Wall::of_ticks(253_402_300_800_000, 1_000, 0), &mut out).unwrap();
    format.print(Wall::of_ticks(-62_167_219_200_001, 1_000, 0), &mut out).unwrap();
    assert_eq!(out, "+10000 AD +100000002 BC -0001");
    for ticks in [i64::MIN, i64::MAX] {
        let everything = "GyuYQMLwWDdFEaHkKhmsSnNA";
        let format = TimeFormat::compile(everything, Style::Formatter).unwrap();
        format.print(Wall::of_ticks(ticks, 1, 0), &mut out).unwrap();
    }
}
