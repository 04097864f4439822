//! Digests and encodings: `MD5` to `SHA512`, `HEX`, `BIN`, `TO_BASE64`, `ENCODE` and their counterparts.
//!
//! Digests are lower-case hexadecimal strings. `HEX` is upper case. Both as in Flink.

use std::fmt::Write;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use datafusion_common::{Result, exec_err, plan_err};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::arguments::Bytes;
use super::definition::{Call, Definition, Kind, Takes, exactly};

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    let digest = |name, body| Definition::new(name, exactly(&[Kind::TextOrBytes]), DataType::Utf8, body);
    vec![
        digest("md5", hashed::<Md5>),
        digest("sha1", hashed::<Sha1>),
        digest("sha224", hashed::<Sha224>),
        digest("sha256", hashed::<Sha256>),
        digest("sha384", hashed::<Sha384>),
        digest("sha512", hashed::<Sha512>),
        Definition::new("sha2", exactly(&[Kind::TextOrBytes, Kind::Integer]), DataType::Utf8, sha2),
        Definition::new("hash_code", exactly(&[Kind::Text]), DataType::Int32, hash_code),
        Definition::new("hex", exactly(&[Kind::NumberOrText]), DataType::Utf8, hex),
        Definition::new("unhex", exactly(&[Kind::Text]), DataType::Binary, unhex),
        Definition::new("bin", exactly(&[Kind::Integer]), DataType::Utf8, bin),
        Definition::new("to_base64", exactly(&[Kind::TextOrBytes]), DataType::Utf8, to_base64),
        Definition::new("from_base64", exactly(&[Kind::TextOrBytes]), DataType::Utf8, from_base64),
        Definition::new("encode", exactly(&[Kind::Text, Kind::Text]), DataType::Binary, encode),
        Definition::new("decode", Takes::Rule(decode_arguments), DataType::Utf8, decode),
    ]
}

fn push_hex(bytes: &[u8], digits: &[u8; 16], out: &mut impl Write) -> std::fmt::Result {
    bytes.iter().try_for_each(|byte| {
        out.write_char(char::from(digits[usize::from(byte >> 4)]))?;
        out.write_char(char::from(digits[usize::from(byte & 15)]))
    })
}

const LOWER: &[u8; 16] = b"0123456789abcdef";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";

fn hashed<D: Digest>(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.write_texts(|row, out| {
        let Some(bytes) = bytes.get(row) else { return Ok(None) };
        Ok(push_hex(&D::digest(bytes), LOWER, out).ok())
    })
}

/// `SHA2(text, bits)`: 224, 256, 384 or 512 bits.
fn sha2(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, lengths) = (call.bytes(0)?, call.integer(1)?);
    call.write_texts(|row, out| {
        let (Some(bytes), Some(length)) = (bytes.get(row), lengths.get(row)) else { return Ok(None) };
        let pushed = match length {
            224 => push_hex(&Sha224::digest(bytes), LOWER, out),
            256 => push_hex(&Sha256::digest(bytes), LOWER, out),
            384 => push_hex(&Sha384::digest(bytes), LOWER, out),
            512 => push_hex(&Sha512::digest(bytes), LOWER, out),
            other => return exec_err!("sha2 has no digest of {other} bits: use 224, 256, 384 or 512"),
        };
        Ok(pushed.ok())
    })
}

/// `HASH_CODE(text)`: the absolute value of Java's `String.hashCode`.
fn hash_code(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.numbers::<arrow::datatypes::Int32Type>(|row| {
        Ok(texts.get(row).map(|text| {
            text.encode_utf16()
                .fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
                .wrapping_abs()
        }))
    })
}

/// `HEX(integer)`: of its 64 bits, without leading zeros. `HEX(text)`: of its bytes.
fn hex(call: &Call<'_>) -> Result<ArrayRef> {
    match call.column(0)?.values().data_type() {
        DataType::Utf8 => {
            let texts = call.text(0)?;
            call.write_texts(|row, out| Ok(texts.get(row).and_then(|text| push_hex(text.as_bytes(), UPPER, out).ok())))
        }
        data_type if data_type.is_integer() => {
            let numbers = call.any_integer(0)?;
            call.write_texts(|row, out| {
                Ok(numbers.get(row).and_then(|number| write!(out, "{:X}", number.cast_unsigned()).ok()))
            })
        }
        other => exec_err!("hex takes an integer or a string, not {other}: use CAST"),
    }
}

/// `UNHEX(text)`: null unless all are hexadecimal digits; of an odd number the first is dropped and a zero byte put
/// there.
fn unhex(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.binaries(|row| {
        Ok(texts.get(row).and_then(|text| {
            let digits = text.bytes().map(hex_digit).collect::<Option<Vec<u8>>>()?;
            let (odd, pairs) = digits.split_at(digits.len() % 2);
            let padding = odd.iter().map(|_| 0);
            Some(padding.chain(pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1])).collect::<Vec<u8>>())
        }))
    })
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `BIN(integer)`: of its 64 bits, without leading zeros.
fn bin(call: &Call<'_>) -> Result<ArrayRef> {
    let numbers = call.integer(0)?;
    call.write_texts(|row, out| {
        Ok(numbers.get(row).and_then(|number| write!(out, "{:b}", number.cast_unsigned()).ok()))
    })
}

/// `TO_BASE64(text or bytes)`.
fn to_base64(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.texts(|row| Ok(bytes.get(row).map(|bytes| BASE64_STANDARD.encode(bytes))))
}

/// Java's decoder: padding may be missing, but not wrong.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// `FROM_BASE64(text)`: as text; bytes that are no UTF-8 become `�`. What is not base 64 is an error.
fn from_base64(call: &Call<'_>) -> Result<ArrayRef> {
    let bytes = call.bytes(0)?;
    call.texts(|row| {
        let Some(bytes) = bytes.get(row) else { return Ok(None) };
        match DECODER.decode(bytes) {
            Ok(decoded) => Ok(Some(String::from_utf8_lossy(&decoded).into_owned())),
            Err(error) => exec_err!("from_base64 cannot read '{}': {error}", String::from_utf8_lossy(bytes)),
        }
    })
}

/// Flink's six character sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    Ascii,
    Latin1,
    Utf8,
    Utf16Big,
    Utf16Little,
    Utf16,
}

impl Charset {
    fn parse(name: &str) -> Result<Self> {
        match name.to_ascii_uppercase().as_str() {
            "US-ASCII" | "ASCII" => Ok(Self::Ascii),
            "ISO-8859-1" | "LATIN1" => Ok(Self::Latin1),
            "UTF-8" | "UTF8" => Ok(Self::Utf8),
            "UTF-16BE" => Ok(Self::Utf16Big),
            "UTF-16LE" => Ok(Self::Utf16Little),
            "UTF-16" => Ok(Self::Utf16),
            _ => exec_err!(
                "unknown character set '{name}': use US-ASCII, ISO-8859-1, UTF-8, UTF-16BE, UTF-16LE or UTF-16"
            ),
        }
    }

    /// What the set lacks becomes a question mark.
    fn encode(self, text: &str) -> Vec<u8> {
        let single = |last: char| {
            text.chars()
                .map(|letter| if letter <= last { u8::try_from(letter).unwrap_or(b'?') } else { b'?' })
                .collect()
        };
        match self {
            Self::Ascii => single('\u{7f}'),
            Self::Latin1 => single('\u{ff}'),
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::Utf16Big => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Utf16Little => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            // Java writes a mark and then big-endian units.
            Self::Utf16 if text.is_empty() => Vec::new(),
            Self::Utf16 => [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        }
    }

    /// What is no text in the set becomes `�`.
    fn decode(self, bytes: &[u8]) -> String {
        let units = |read: fn([u8; 2]) -> u16, bytes: &[u8]| {
            let units: Vec<u16> = bytes.chunks(2).map(|pair| pair.try_into().map_or(0xFFFD, read)).collect();
            String::from_utf16_lossy(&units)
        };
        match (self, bytes) {
            (Self::Ascii, _) => {
                bytes.iter().map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{FFFD}' }).collect()
            }
            (Self::Latin1, _) => bytes.iter().copied().map(char::from).collect(),
            (Self::Utf8, _) => String::from_utf8_lossy(bytes).into_owned(),
            (Self::Utf16, [0xFF, 0xFE, rest @ ..]) => units(u16::from_le_bytes, rest),
            (Self::Utf16, [0xFE, 0xFF, rest @ ..]) => units(u16::from_be_bytes, rest),
            (Self::Utf16Big | Self::Utf16, _) => units(u16::from_be_bytes, bytes),
            (Self::Utf16Little, _) => units(u16::from_le_bytes, bytes),
        }
    }
}

/// `ENCODE(text, character set)`.
fn encode(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, charsets) = (call.text(0)?, call.text(1)?);
    call.binaries(|row| match (texts.get(row), charsets.get(row)) {
        (Some(text), Some(charset)) => Ok(Some(Charset::parse(charset)?.encode(text))),
        _ => Ok(None),
    })
}

/// Bytes and the name of a character set.
fn decode_arguments(given: &[DataType]) -> Result<Vec<DataType>> {
    let [bytes, charset] = given else {
        return plan_err!("decode takes 2 arguments, but {} are given", given.len());
    };
    let bytes = if bytes.is_null() { Some(DataType::Binary) } else { Kind::TextOrBytes.coerced(bytes) };
    match (bytes.filter(|bytes| *bytes == DataType::Binary), Kind::Text.coerced(charset)) {
        (Some(bytes), Some(charset)) => Ok(vec![bytes, charset]),
        _ => plan_err!("decode takes bytes and the name of a character set, not {given:?}"),
    }
}

/// `DECODE(bytes, character set)`.
fn decode(call: &Call<'_>) -> Result<ArrayRef> {
    let (bytes, charsets): (Bytes, _) = (call.bytes(0)?, call.text(1)?);
    call.texts(|row| match (bytes.get(row), charsets.get(row)) {
        (Some(bytes), Some(charset)) => Ok(Some(Charset::parse(charset)?.decode(bytes))),
        _ => Ok(None),
    })
}

#[cfg(test)]
mod tests;
