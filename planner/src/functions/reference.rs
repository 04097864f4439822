//! What `docs/sql.md` says about each function: how it is called, what it answers, and an example that is computed.
//!
//! A test compares the names with those that are registered, so that a function cannot come or go without a word.

use std::collections::BTreeSet;

/// One row of the table of functions.
pub(crate) struct Entry {
    /// The functions that it is about, by their registered names.
    pub(crate) names: &'static str,
    /// How they are called, `;` between several.
    pub(crate) usage: &'static str,
    /// What they answer.
    pub(crate) meaning: &'static str,
    /// A call to be computed.
    pub(crate) example: &'static str,
}

const fn row(names: &'static str, usage: &'static str, meaning: &'static str, example: &'static str) -> Entry {
    Entry { names, usage, meaning, example }
}

/// Functions that a program has no reason to call: the planner puts them in.
const INTERNAL: &[&str] = &["cast_to_string"];

/// All functions, by what they are about.
pub(crate) static SECTIONS: &[(&str, &[Entry])] = &[
    ("Text", TEXT),
    ("Regular expressions", REGEX),
    ("Dates and times", TIME),
    ("Numbers", NUMBERS),
    ("Digests and encodings", HASH),
    ("JSON", JSON),
    ("URLs", URL),
    ("Arrays and maps", COLLECTIONS),
    ("Conditions", LOGIC),
];

static TEXT: &[Entry] = &[
    row("char_length", "CHAR_LENGTH(text)", "How many characters it has.", "CHAR_LENGTH('Zürich')"),
    row(
        "upper lower initcap",
        "UPPER(text); LOWER(text); INITCAP(text)",
        "The same in upper or lower case, or with each word capitalised.",
        "INITCAP('new york')",
    ),
    row("reverse", "REVERSE(text)", "Its characters backwards.", "REVERSE('abc')"),
    row(
        "substring",
        "SUBSTRING(text FROM start [FOR length]); SUBSTRING(text, start[, length])",
        "The part from a position on; a negative one counts from the end. NULL for a negative length.",
        "SUBSTRING('flink' FROM 2 FOR 3)",
    ),
    row(
        "left right",
        "LEFT(text, count); RIGHT(text, count)",
        "So many characters from its beginning or end.",
        "RIGHT('flink', 2)",
    ),
    row(
        "locate",
        "POSITION(part IN text); LOCATE(part, text[, from])",
        "Where the part begins, 0 if it is not there.",
        "POSITION('in' IN 'flink')",
    ),
    row(
        "instr",
        "INSTR(text, part[, from[, nth]])",
        "Where the part begins for the nth time; a negative `from` searches backwards from the end.",
        "INSTR('banana', 'an', 1, 2)",
    ),
    row(
        "split_index",
        "SPLIT_INDEX(text, delimiter, index)",
        "The piece with this index from 0 on; NULL if there are not so many. The delimiter may be the number of a character.",
        "SPLIT_INDEX('a/b/c', '/', 2)",
    ),
    row(
        "startswith endswith",
        "STARTSWITH(text, part); ENDSWITH(text, part)",
        "Whether it begins or ends with the part. For bytes too.",
        "STARTSWITH('flink', 'fl')",
    ),
    row(
        "concat",
        "CONCAT(text, …)",
        "One after the other; NULL if any is NULL. `||` is the same.",
        "CONCAT('a', 'b', 'c')",
    ),
    row(
        "concat_ws",
        "CONCAT_WS(separator, text, …)",
        "The texts that are not NULL with the separator between them.",
        "CONCAT_WS('-', 'a', CAST(NULL AS STRING), 'c')",
    ),
    row(
        "btrim ltrim rtrim",
        "TRIM([BOTH | LEADING | TRAILING] [characters FROM] text); LTRIM(text[, characters]); RTRIM(…); BTRIM(…)",
        "Without these characters at its ends; blanks unless said.",
        "TRIM(LEADING '0' FROM '0070')",
    ),
    row(
        "lpad rpad",
        "LPAD(text, length, pad); RPAD(text, length, pad)",
        "Filled up, or cut, to exactly this length.",
        "LPAD('7', 3, '0')",
    ),
    row("repeat", "REPEAT(text, count)", "So many times.", "REPEAT('ab', 3)"),
    row("replace", "REPLACE(text, old, new)", "With every `old` replaced.", "REPLACE('a.b.c', '.', '-')"),
    row(
        "translate",
        "TRANSLATE(text, from, to)",
        "With each character of `from` replaced by the one at its place in `to`, or left out when there is none.",
        "TRANSLATE('2024/01', '/', '-')",
    ),
    row(
        "overlay",
        "OVERLAY(text PLACING new FROM start [FOR length])",
        "With `new` in the place of a part.",
        "OVERLAY('abcdef' PLACING 'XX' FROM 2 FOR 3)",
    ),
    row("ascii", "ASCII(text)", "The number of its first character, 0 for an empty text.", "ASCII('A')"),
    row("chr", "CHR(number)", "The character with this number, of which the last 8 bits count.", "CHR(65)"),
    row(
        "is_alpha is_digit is_decimal",
        "IS_ALPHA(text); IS_DIGIT(text); IS_DECIMAL(text)",
        "Whether it consists of letters, of digits, or is a number. FALSE for NULL.",
        "IS_DECIMAL('-1.5')",
    ),
    row(
        "count_char",
        "COUNT_CHAR(text, character)",
        "How often the character is in it. A function of the Nexmark benchmark, which programs may also create by the name of its class.",
        "COUNT_CHAR('banana', 'a')",
    ),
];

static REGEX: &[Entry] = &[
    row("regexp", "REGEXP(text, pattern)", "Whether a part of the text matches.", "REGEXP('flight 17', '[0-9]+')"),
    row(
        "regexp_extract",
        "REGEXP_EXTRACT(text, pattern[, group])",
        "What the group matched at the first match, the whole match without a group. NULL without one.",
        "REGEXP_EXTRACT('AA-17', '([A-Z]+)-([0-9]+)', 2)",
    ),
    row(
        "regexp_extract_all",
        "REGEXP_EXTRACT_ALL(text, pattern[, group])",
        "What the group (1 unless said) matched, at every match.",
        "REGEXP_EXTRACT_ALL('a1b2', '([0-9])')",
    ),
    row("regexp_substr", "REGEXP_SUBSTR(text, pattern)", "The first match.", "REGEXP_SUBSTR('flight 17', '[0-9]+')"),
    row(
        "regexp_replace",
        "REGEXP_REPLACE(text, pattern, replacement)",
        "With every match replaced. The replacement stands for itself: `$1` is no group.",
        "REGEXP_REPLACE('a1b22', '[0-9]+', '#')",
    ),
    row(
        "regexp_count",
        "REGEXP_COUNT(text, pattern)",
        "How many matches there are.",
        "REGEXP_COUNT('a1b22', '[0-9]+')",
    ),
    row(
        "regexp_instr",
        "REGEXP_INSTR(text, pattern)",
        "Where the first match begins, 0 without one.",
        "REGEXP_INSTR('ab12', '[0-9]')",
    ),
];

static TIME: &[Entry] = &[
    row(
        "current_timestamp",
        "CURRENT_TIMESTAMP; NOW(); CURRENT_ROW_TIMESTAMP()",
        "Now, asked once for each batch of rows.",
        "CURRENT_TIMESTAMP",
    ),
    row("localtimestamp", "LOCALTIMESTAMP", "Now, on the session's clock.", "LOCALTIMESTAMP"),
    row("current_date", "CURRENT_DATE", "The day, on the session's clock.", "CURRENT_DATE"),
    row(
        "localtime",
        "LOCALTIME; CURRENT_TIME",
        "The time of day, on the session's clock, in whole seconds.",
        "LOCALTIME",
    ),
    row(
        "proctime",
        "PROCTIME()",
        "Now. As a computed column of a table it is the processing-time attribute.",
        "PROCTIME()",
    ),
    row(
        "extract",
        "EXTRACT(unit FROM time)",
        "A part of it: MILLENNIUM to MICROSECOND, DOW (1 is Sunday), ISODOW, DOY, WEEK, ISOYEAR, EPOCH and others.",
        "EXTRACT(DOY FROM DATE '2024-02-29')",
    ),
    row(
        "year quarter month week dayofyear dayofmonth dayofweek hour minute second",
        "YEAR(time); QUARTER(time); MONTH(time); WEEK(time); DAYOFYEAR(time); DAYOFMONTH(time); DAYOFWEEK(time); HOUR(time); MINUTE(time); SECOND(time)",
        "Short for EXTRACT.",
        "QUARTER(DATE '2024-05-01')",
    ),
    row(
        "floor_time ceil_time",
        "FLOOR(time TO unit); CEIL(time TO unit)",
        "Down or up to the beginning of a unit.",
        "FLOOR(TIMESTAMP '2024-02-29 12:34:56' TO HOUR)",
    ),
    row(
        "timestampadd",
        "TIMESTAMPADD(unit, count, time)",
        "So many units later. `time + INTERVAL '3' HOUR` is the same.",
        "TIMESTAMPADD(MONTH, 1, DATE '2024-01-31')",
    ),
    row(
        "timestampdiff",
        "TIMESTAMPDIFF(unit, from, to)",
        "How many whole units lie between.",
        "TIMESTAMPDIFF(DAY, DATE '2024-02-28', DATE '2024-03-01')",
    ),
    row(
        "date_format",
        "DATE_FORMAT(time, pattern)",
        "As text, by a pattern of Java's.",
        "DATE_FORMAT(TIMESTAMP '2024-02-29 12:34:56', 'EEE dd.MM.yyyy')",
    ),
    row(
        "to_timestamp",
        "TO_TIMESTAMP(text[, pattern])",
        "A TIMESTAMP(3) of text; NULL if it is none.",
        "TO_TIMESTAMP('29.02.2024 12:34', 'dd.MM.yyyy HH:mm')",
    ),
    row(
        "to_timestamp_ltz",
        "TO_TIMESTAMP_LTZ(number[, precision]); TO_TIMESTAMP_LTZ(text[, pattern[, zone]])",
        "A moment: of milliseconds since 1970 (of seconds with precision 0), or of text in a zone, UTC unless said.",
        "TO_TIMESTAMP_LTZ(1709210096, 0)",
    ),
    row("to_date", "TO_DATE(text[, pattern])", "A DATE of text; NULL if it is none.", "TO_DATE('2024-02-29')"),
    row(
        "unix_timestamp",
        "UNIX_TIMESTAMP([text[, pattern]])",
        "Seconds since 1970: now, or of text on the session's clock.",
        "UNIX_TIMESTAMP('2024-02-29 12:34:56')",
    ),
    row(
        "from_unixtime",
        "FROM_UNIXTIME(seconds[, pattern])",
        "Seconds since 1970 as text on the session's clock.",
        "FROM_UNIXTIME(1709210096)",
    ),
    row(
        "convert_tz",
        "CONVERT_TZ(text, from, to)",
        "The time of one zone's clock on another zone's clock.",
        "CONVERT_TZ('2024-07-01 12:00:00', 'UTC', 'Europe/Berlin')",
    ),
];

static NUMBERS: &[Entry] = &[
    row(
        "floor ceil",
        "FLOOR(x); CEIL(x)",
        "Down or up to a whole number, in the type of `x`.",
        "CEIL(CAST(2.1 AS DOUBLE))",
    ),
    row(
        "round truncate",
        "ROUND(x[, digits]); TRUNCATE(x[, digits])",
        "To so many digits behind the point, half away from zero or cut off.",
        "ROUND(2.345, 2)",
    ),
    row("sign", "SIGN(x)", "−1, 0 or 1, in the type of `x`.", "SIGN(-2.5)"),
    row("mod", "MOD(x, y)", "The rest of a division, with the sign of `x`. `%` is the same.", "MOD(-7, 3)"),
    row("exp ln log10 log2", "EXP(x); LN(x); LOG10(x); LOG2(x)", "Powers of e, and logarithms.", "LOG2(8)"),
    row("log", "LOG([base, ]x)", "The logarithm to a base, the natural one without.", "LOG(2, 8)"),
    row("power sqrt", "POWER(x, y); SQRT(x)", "Powers and roots, as DOUBLE.", "POWER(2, 10)"),
    row(
        "sin cos tan cot asin acos atan atan2 sinh cosh tanh",
        "SIN(x); COS(x); TAN(x); COT(x); ASIN(x); ACOS(x); ATAN(x); ATAN2(y, x); SINH(x); COSH(x); TANH(x)",
        "Of angles in radians.",
        "COS(0)",
    ),
    row("degrees radians", "DEGREES(x); RADIANS(x)", "An angle in the other measure.", "DEGREES(PI())"),
    row("pi e", "PI(); E()", "The constants.", "E()"),
    row(
        "rand",
        "RAND([seed])",
        "A number from 0 to below 1. A seed gives the numbers that it gives in Flink.",
        "RAND(1)",
    ),
    row(
        "rand_integer",
        "RAND_INTEGER([seed, ]bound)",
        "A whole number from 0 to below the bound.",
        "RAND_INTEGER(1, 100)",
    ),
    row("uuid", "UUID()", "A new random identifier.", ""),
];

static HASH: &[Entry] = &[
    row(
        "md5 sha1 sha224 sha256 sha384 sha512",
        "MD5(text); SHA1(text); SHA224(text); SHA256(text); SHA384(text); SHA512(text)",
        "The digest of text or bytes, in hexadecimal digits.",
        "MD5('abc')",
    ),
    row("sha2", "SHA2(text, bits)", "The same with 224, 256, 384 or 512 bits.", "SHA2('abc', 224)"),
    row("hash_code", "HASH_CODE(text)", "The absolute value of Java's hash code.", "HASH_CODE('abc')"),
    row(
        "hex unhex",
        "HEX(number); HEX(text); UNHEX(text)",
        "Hexadecimal digits, and the bytes of such digits.",
        "HEX(255)",
    ),
    row("bin", "BIN(number)", "Binary digits.", "BIN(10)"),
    row("to_base64 from_base64", "TO_BASE64(text); FROM_BASE64(text)", "To base 64 and back.", "TO_BASE64('hello')"),
    row(
        "encode decode",
        "ENCODE(text, charset); DECODE(bytes, charset)",
        "To bytes and back, in UTF-8, UTF-16, UTF-16BE, UTF-16LE, US-ASCII or ISO-8859-1.",
        "DECODE(ENCODE('é', 'UTF-16BE'), 'UTF-16BE')",
    ),
];

static JSON: &[Entry] = &[
    row(
        "json_value",
        "JSON_VALUE(json, path)",
        "The text, number or boolean at the path, as text. NULL if there is none.",
        "JSON_VALUE('{\"a\": [1, 2]}', '$.a[1]')",
    ),
    row(
        "json_query",
        "JSON_QUERY(json, path)",
        "The array or object at the path, as JSON.",
        "JSON_QUERY('{\"a\": [1, 2]}', '$.a')",
    ),
    row(
        "json_exists",
        "JSON_EXISTS(json, path)",
        "Whether there is something at the path.",
        "JSON_EXISTS('{\"a\": 1}', '$.b')",
    ),
    row(
        "is_json",
        "IS_JSON(text[, 'VALUE' | 'SCALAR' | 'ARRAY' | 'OBJECT'])",
        "Whether it is JSON. `IS JSON` is not parsed yet.",
        "IS_JSON('[1]', 'ARRAY')",
    ),
    row("json_string", "JSON_STRING(value)", "Any value as JSON.", "JSON_STRING(ARRAY[1, 2])"),
    row(
        "json_quote json_unquote",
        "JSON_QUOTE(text); JSON_UNQUOTE(json)",
        "Text as a JSON string, and back.",
        "JSON_QUOTE('a \"b\"')",
    ),
];

static URL: &[Entry] = &[
    row(
        "parse_url",
        "PARSE_URL(url, part[, key])",
        "HOST, PATH, QUERY, REF, PROTOCOL, FILE, AUTHORITY or USERINFO; with a key, its value in the QUERY.",
        "PARSE_URL('https://example.org/a?x=1', 'QUERY', 'x')",
    ),
    row(
        "url_encode url_decode",
        "URL_ENCODE(text); URL_DECODE(text)",
        "As forms are sent, and back.",
        "URL_ENCODE('a b&c')",
    ),
];

static COLLECTIONS: &[Entry] = &[
    row(
        "cardinality",
        "CARDINALITY(array); CARDINALITY(map)",
        "How many elements or entries it has.",
        "CARDINALITY(ARRAY[1, 2, 3])",
    ),
    row("element", "ELEMENT(array)", "Its only element; an error if it has several.", "ELEMENT(ARRAY[7])"),
    row(
        "array_contains",
        "ARRAY_CONTAINS(array, value)",
        "Whether the value is among its elements.",
        "ARRAY_CONTAINS(ARRAY[1, 2], 2)",
    ),
    row("split", "SPLIT(text, delimiter)", "The pieces, as an array.", "SPLIT('a,b', ',')"),
    row(
        "str_to_map",
        "STR_TO_MAP(text[, between pairs[, between key and value]])",
        "A map of text; the delimiters are regular expressions, `,` and `=` unless said.",
        "STR_TO_MAP('a=1,b=2')",
    ),
];

static LOGIC: &[Entry] = &[
    row("if", "IF(condition, yes, no)", "`no` also when the condition is NULL.", "IF(1 > 2, 'yes', 'no')"),
    row("greatest least", "GREATEST(value, …); LEAST(value, …)", "NULL if any value is NULL.", "GREATEST(1, 3, 2)"),
    row("typeof", "TYPEOF(value)", "The name of its type.", "TYPEOF(1.50)"),
];

#[test]
fn every_function_is_described_once() {
    let registered = super::all("UTC", std::sync::Arc::new(|| 0)).unwrap();
    let registered: BTreeSet<&str> =
        registered.iter().map(|function| function.name()).filter(|name| !INTERNAL.contains(name)).collect();
    let entries = SECTIONS.iter().flat_map(|(_, entries)| *entries);
    let described: Vec<&str> = entries.flat_map(|entry| entry.names.split(' ')).collect();
    let once: BTreeSet<&str> = described.iter().copied().collect();
    assert_eq!(once.len(), described.len(), "a function is described twice");
    let missing: Vec<_> = registered.difference(&once).collect();
    let gone: Vec<_> = once.difference(&registered).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not described: {missing:?}; described and not there: {gone:?}");
}
