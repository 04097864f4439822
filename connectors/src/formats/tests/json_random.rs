//! Random JSON, compared with another parser.
//!
//! Lines are written in a few layouts, as writers do, and some of them are then spoiled: a name twice, a name missing, a
//! value of another kind, a byte changed, taken out or put in. What `serde_json` makes of each line says what must come
//! out. The same lines go through every way of feeding a decoder, see [`Table::decode`], so the fast path and the exact one
//! are compared too: which of them reads a row depends on how the input is cut.

use arrow::datatypes::{DataType, Field};
use serde_json::Value;

use super::{Table, field, list, map, required, row};
use crate::FilterValue;

const SEEDS: u64 = 40;
const LINES: usize = 120;

#[test]
fn random_rows_are_what_another_parser_makes_of_them() {
    for seed in 1..=SEEDS {
        let mut random = Random(seed);
        let setting = Setting::random(&mut random);
        let input: Vec<u8> = (0..LINES).flat_map(|_| line(&mut random)).collect();
        let expected = setting.expect(&input);
        let shown = without_reasons(&setting.table().decode(&input));
        assert!(
            shown == expected,
            "seed {seed}:\nonly got {:#?}\nonly expected {:#?}",
            only_in(&shown, &expected),
            only_in(&expected, &shown)
        );
    }
}

/// The lines that one text has and another has not.
fn only_in<'a>(one: &'a str, other: &str) -> Vec<&'a str> {
    one.lines().filter(|line| !other.lines().any(|other| other == *line)).take(5).collect()
}

/// Why a row is bad is said in words of our own.
fn without_reasons(shown: &str) -> String {
    let line = |line: &str| match line.split_once(": ").filter(|_| line.starts_with("bad ")) {
        Some((number, rest)) => format!("{number}: {}\n", rest.split_once(" | ").expect("a reason").1),
        None => format!("{line}\n"),
    };
    shown.lines().map(line).collect()
}

/// What a decoder is asked for.
struct Setting {
    ignore_errors: bool,
    fail_on_missing: bool,
    filter: Option<i64>,
}

impl Setting {
    fn random(random: &mut Random) -> Self {
        let ignore_errors = random.one_in(3);
        Self {
            ignore_errors,
            fail_on_missing: !ignore_errors && random.one_in(3),
            filter: random.one_in(2).then(|| random.below(3)),
        }
    }

    fn table(&self) -> Table {
        let flag = |set: bool| if set { "true" } else { "false" };
        let options = [
            ("format", "json"),
            ("json.ignore-parse-errors", flag(self.ignore_errors)),
            ("json.fail-on-missing-field", flag(self.fail_on_missing)),
        ];
        let table = Table::new(&options, fields()).pruned(wanted());
        match self.filter {
            Some(value) => table.watermark(&["w"]).filter("a", FilterValue::Integer(value)),
            None => table,
        }
    }

    /// What the decoder must make of `input`, as [`Table::decode`] shows it.
    fn expect(&self, input: &[u8]) -> String {
        let mut expected = Expected::default();
        for line in input.split(|&byte| byte == b'\n') {
            self.expect_line(line, &mut expected);
        }
        format!("{}{}{}", expected.rows, expected.watermark, expected.bad)
    }

    fn expect_line(&self, line: &[u8], expected: &mut Expected) {
        let end = line.strip_suffix(b"\r").unwrap_or(line);
        let valid = std::str::from_utf8(line).map_or_else(|error| error.valid_up_to(), str::len);
        let text = std::str::from_utf8(&line[..valid]).expect("valid");
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<Value>();
        let mut start = 0;
        loop {
            let blank = text[start..].len() - text[start..].trim_start_matches([' ', '\t', '\r']).len();
            start += blank;
            if start == line.len() {
                return;
            }
            match stream.next() {
                Some(Ok(value)) if value.is_object() => {
                    let stop = stream.byte_offset();
                    self.expect_object(&value, &line[start..stop], expected);
                    start = stop;
                }
                // The rest of the line is one bad record.
                _ => return expected.bad(&end[start.min(end.len())..]),
            }
        }
    }

    fn expect_object(&self, value: &Value, raw: &[u8], expected: &mut Expected) {
        let Ok((watermark, row)) = self.expect_row(value) else { return expected.bad(raw) };
        if let Some(watermark) = watermark {
            expected.watermark.push_str(&format!("watermark [{watermark}]\n"));
        }
        if let Some(row) = row {
            expected.rows.push_str(&format!("{row}\n"));
        }
        expected.records += 1;
    }

    /// The text of the watermark's row and of the row, if there are to be any.
    fn expect_row(&self, value: &Value) -> Result<(Option<String>, Option<String>), ()> {
        let column = |name: &str| {
            let field = fields().into_iter().find(|field| field.name() == name).expect("a column");
            self.cell(value.get(name), &field)
        };
        let (watermark, keeps) = match self.filter {
            Some(filter) => {
                let a = column("a")?;
                (Some(column("w")?), a == filter.to_string())
            }
            None => (None, true),
        };
        if !keeps {
            return Ok((watermark, None));
        }
        let cells =
            wanted().iter().map(|field| self.cell(value.get(field.name()), field)).collect::<Result<Vec<_>, _>>()?;
        Ok((watermark, Some(format!("[{}]", cells.join(", ")))))
    }

    fn cell(&self, value: Option<&Value>, field: &Field) -> Result<String, ()> {
        let null = || if field.is_nullable() { Ok("null".to_owned()) } else { Err(()) };
        match value {
            None if self.fail_on_missing => Err(()),
            None | Some(Value::Null) => null(),
            Some(value) => match self.text(value, field.data_type()) {
                Err(()) if self.ignore_errors => null(),
                text => text,
            },
        }
    }

    fn text(&self, value: &Value, data_type: &DataType) -> Result<String, ()> {
        match (data_type, value) {
            (DataType::Int64, Value::Number(number)) => match number.as_i64() {
                Some(number) => Ok(number.to_string()),
                // Adding zero makes a negative zero a positive one.
                None => number.as_f64().filter(|n| n.abs() < 1e15).map(|n| format!("{:.0}", n.trunc() + 0.0)).ok_or(()),
            },
            (DataType::Int64, Value::String(text)) => text.trim().parse::<i64>().map(|n| n.to_string()).map_err(drop),
            (DataType::Utf8, Value::String(text)) => Ok(text.clone()),
            (DataType::Utf8, _) => Ok(value.to_string()),
            (DataType::Boolean, Value::Bool(flag)) => Ok(flag.to_string()),
            (DataType::Boolean, Value::String(text)) => {
                let text = text.trim().to_ascii_lowercase();
                if text == "true" || text == "false" { Ok(text) } else { Err(()) }
            }
            (DataType::Float64, Value::Number(number)) => number.as_f64().map(|number| format!("{number:?}")).ok_or(()),
            (DataType::Float64, Value::String(text)) => {
                text.trim().parse::<f64>().map(|number| format!("{number:?}")).map_err(drop)
            }
            (DataType::Struct(fields), Value::Object(object)) => {
                let cells = fields
                    .iter()
                    .map(|field| Ok(format!("{}: {}", field.name(), self.cell(object.get(field.name()), field)?)));
                Ok(format!("{{{}}}", cells.collect::<Result<Vec<_>, ()>>()?.join(", ")))
            }
            (DataType::List(element), Value::Array(values)) => {
                let cells =
                    values.iter().map(|value| self.cell(Some(value), element)).collect::<Result<Vec<_>, _>>()?;
                Ok(format!("[{}]", cells.join(", ")))
            }
            (DataType::Map(entries, _), Value::Object(object)) => {
                let DataType::Struct(pair) = entries.data_type() else { return Err(()) };
                let cells =
                    object.iter().map(|(key, value)| Ok(format!("{key}: {}", self.cell(Some(value), &pair[1])?)));
                Ok(format!("{{{}}}", cells.collect::<Result<Vec<_>, ()>>()?.join(", ")))
            }
            _ => Err(()),
        }
    }
}

#[derive(Default)]
struct Expected {
    rows: String,
    watermark: String,
    bad: String,
    records: usize,
}

impl Expected {
    fn bad(&mut self, raw: &[u8]) {
        let raw = String::from_utf8_lossy(raw);
        self.bad.push_str(&format!("bad {}: {raw}\n", self.records));
        self.records += 1;
    }
}

fn fields() -> Vec<Field> {
    let inner = row(vec![field("u", DataType::Utf8), field("v", DataType::Boolean), field("n", DataType::Int64)]);
    vec![
        field("a", DataType::Int64),
        field("text", DataType::Utf8),
        field("d", DataType::Float64),
        field("flag", DataType::Boolean),
        field("r", row(vec![field("x", DataType::Int64), field("i", inner), field("y", DataType::Utf8)])),
        field("l", list(DataType::Int64)),
        field("m", map(DataType::Utf8)),
        required("w", DataType::Int64),
        field("last", DataType::Utf8),
    ]
}

/// Some of the fields, in another order, and fewer fields of the rows.
fn wanted() -> Vec<Field> {
    let inner = row(vec![field("n", DataType::Int64), field("u", DataType::Utf8)]);
    let all = fields();
    let mut wanted: Vec<Field> = ["w", "text", "a", "d", "l", "flag", "m"]
        .iter()
        .map(|name| all.iter().find(|f| f.name() == name).expect("a column").clone())
        .collect();
    wanted.insert(3, field("r", row(vec![field("i", inner), field("x", DataType::Int64)])));
    wanted
}

/// A line: mostly an object, sometimes more, fewer, or something else.
fn line(random: &mut Random) -> Vec<u8> {
    let mut line = match random.below(40) {
        0 => Vec::new(),
        1 => format!("{} {}", object(random), object(random)).into_bytes(),
        2 => format!("{}{}", object(random), object(random)).into_bytes(),
        3 => random.pick(&["null", "[1,{}]", "12", "\"{}\"", "  \t", "{}", "}", "nonsense"]).as_bytes().to_vec(),
        _ => object(random).into_bytes(),
    };
    if random.one_in(6) && !line.is_empty() {
        spoil(&mut line, random);
    }
    line.extend_from_slice(if random.one_in(10) { b"\r\n" } else { b"\n" });
    line
}

fn spoil(line: &mut Vec<u8>, random: &mut Random) {
    // No `e` and no point: the other parser refuses numbers beyond a double, and rounds.
    const BYTES: &[u8] = b"{}[]\",:\\0- \t\rtn\xff\xc3\x01";
    let place = random.index(line.len());
    match random.below(3) {
        0 => drop(line.remove(place)),
        1 => line[place] = BYTES[random.index(BYTES.len())],
        _ => line.insert(place, BYTES[random.index(BYTES.len())]),
    }
}

fn object(random: &mut Random) -> String {
    let plain = !random.one_in(4);
    let mut members: Vec<String> = Vec::new();
    for field in fields() {
        let missing = if plain { field.name() == "last" } else { random.one_in(5) };
        if !missing {
            members.push(member(field.name(), &value(field.name(), plain, random), plain, random));
        }
    }
    if !plain {
        if random.one_in(3) {
            members.push(member("other", "{\"a\":[1,{\"b\":null}],\"w\":9}", plain, random));
        }
        if random.one_in(3) {
            let name = (*random.pick(&["a", "r", "w", "text"])).to_owned();
            members.push(member(&name, &value(&name, plain, random), plain, random));
        }
        if random.one_in(2) {
            let place = random.index(members.len());
            members.rotate_left(place);
        }
    }
    let blank = if plain { "" } else { *random.pick(&["", " ", "  "]) };
    format!("{{{blank}{}{blank}}}", members.join(&format!("{blank},{blank}")))
}

fn member(name: &str, value: &str, plain: bool, random: &mut Random) -> String {
    let escaped = !plain && random.one_in(6);
    let name = if escaped { name.replace('a', "\\u0061") } else { name.to_owned() };
    let colon = if plain { ":" } else { random.pick(&[":", " : ", ":\t"]) };
    format!("\"{name}\"{colon}{value}")
}

fn value(name: &str, plain: bool, random: &mut Random) -> String {
    if random.one_in(if plain { 12 } else { 5 }) {
        return (*random.pick(&[
            "null",
            "true",
            "false",
            "0",
            "-1",
            "1.5",
            "12345678901234567890",
            "\"x\"",
            "\" 7 \"",
            "\"TRUE\"",
            "\"-2.5\"",
            "{}",
            "[]",
            "[[]]",
        ]))
        .to_owned();
    }
    match name {
        "a" => random.below(3).to_string(),
        "w" | "x" | "n" => random.number(),
        "d" => format!("{}.25", random.below(1_000)),
        "flag" | "v" => (*random.pick(&["true", "false"])).to_owned(),
        "r" => nested(&["x", "i", "y"], plain, random),
        "i" => nested(&["u", "v", "n"], plain, random),
        "l" => {
            let elements: Vec<String> = (0..random.below(4)).map(|_| value("n", plain, random)).collect();
            format!("[{}]", elements.join(","))
        }
        // One entry at most: the other parser sorts them.
        "m" if random.one_in(2) => "{}".to_owned(),
        "m" => format!("{{\"k\":{}}}", random.text()),
        _ => random.text(),
    }
}

fn nested(names: &[&str], plain: bool, random: &mut Random) -> String {
    let mut members = Vec::new();
    for name in names {
        if plain || !random.one_in(4) {
            members.push(member(name, &value(name, plain, random), plain, random));
        }
    }
    format!("{{{}}}", members.join(","))
}

/// Splitmix64: any seed will do, and the same seed gives the same rows.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("below the bound")
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % bound.unsigned_abs()).expect("below the bound")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.index(count) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.index(of.len())]
    }

    fn number(&mut self) -> String {
        let digits = self.index(19);
        let number =
            i64::try_from(self.next() >> 1).expect("63 bits") / 10_i64.pow(u32::try_from(18 - digits).expect("small"));
        if self.one_in(4) { (-number).to_string() } else { number.to_string() }
    }

    /// Text in quotes, mostly plain.
    fn text(&mut self) -> String {
        let parts = [
            "a",
            "word",
            " ",
            "grüße",
            "日本",
            "\\n",
            "\\\"",
            "\\\\",
            "\\u00e9",
            "\\ud83d\\ude00",
            "{",
            "}",
            ",\\\":",
            "/",
        ];
        let plain = self.one_in(2);
        let text: String =
            (0..self.index(8)).map(|_| if plain { "abcdefgh ijk" } else { *self.pick(&parts) }).collect();
        format!("\"{text}\"")
    }
}
