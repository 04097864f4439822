//! `PARSE_URL`, `URL_ENCODE`, `URL_DECODE`: as `java.net.URL`, `URLEncoder` and `URLDecoder` do.
//!
//! `java.net.URL` takes a URL apart and changes nothing (no decoding, no lower-casing, no default path); a library that
//! follows the web's rules would. It knows five protocols, and a URL of another one is null.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;

use super::definition::{Call, Definition, Kind, exactly, optional};
use super::hash::hex_digit;

/// The functions of this file.
pub(super) fn definitions() -> Vec<Definition> {
    vec![
        Definition::new("parse_url", optional(2, &[Kind::Text, Kind::Text, Kind::Text]), DataType::Utf8, parse_url),
        Definition::new("url_encode", exactly(&[Kind::Text]), DataType::Utf8, encode),
        Definition::new("url_decode", exactly(&[Kind::Text]), DataType::Utf8, decode),
    ]
}

/// The parts of a URL, as slices of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Url<'u> {
    protocol: &'u str,
    authority: Option<&'u str>,
    user_info: Option<&'u str>,
    host: &'u str,
    /// Path and query.
    file: &'u str,
    path: &'u str,
    query: Option<&'u str>,
    reference: Option<&'u str>,
}

impl<'u> Url<'u> {
    fn parse(text: &'u str) -> Option<Self> {
        let text = text.trim_matches(|letter: char| letter <= ' ');
        let (protocol, rest) = text.split_once(':')?;
        let known =
            ["http", "https", "ftp", "file", "jar", "mailto"].iter().any(|name| name.eq_ignore_ascii_case(protocol));
        known.then_some(())?;
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        let mut url = Self { protocol, reference, ..Self::default() };
        let file = match rest.strip_prefix("//") {
            None => rest,
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (authority, file) = rest.split_at(end);
                url.authority = Some(authority);
                let (user_info, host) = match authority.rsplit_once('@') {
                    Some((user_info, host)) => (Some(user_info), host),
                    None => (None, authority),
                };
                (url.user_info, url.host) = (user_info, host_without_port(host)?);
                file
            }
        };
        url.file = file;
        (url.path, url.query) = match file.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (file, None),
        };
        Some(url)
    }

    fn part(self, name: &str) -> Option<&'u str> {
        match name {
            "HOST" => Some(self.host),
            "PATH" => Some(self.path),
            "QUERY" => self.query,
            "REF" => self.reference,
            "PROTOCOL" => Some(self.protocol),
            "FILE" => Some(self.file),
            "AUTHORITY" => self.authority,
            "USERINFO" => self.user_info,
            _ => None,
        }
    }
}

/// `None` when the port is no number.
fn host_without_port(host: &str) -> Option<&str> {
    let (name, port) = match host.rfind(']') {
        Some(end) => (&host[..=end], &host[end + 1..]),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or(port);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(name)
}

/// `PARSE_URL(url, part[, key])`: the part is `HOST`, `PATH`, `QUERY`, `REF`, `PROTOCOL`, `FILE`, `AUTHORITY` or
/// `USERINFO`; with a key, the value of that key in the `QUERY`.
fn parse_url(call: &Call<'_>) -> Result<ArrayRef> {
    let (urls, parts, keys) = (call.text(0)?, call.text(1)?, call.optional_text(2)?);
    call.texts(|row| {
        let (Some(url), Some(part)) = (urls.get(row), parts.get(row)) else { return Ok(None) };
        let found = Url::parse(url).and_then(|url| url.part(part));
        let Some(keys) = &keys else { return Ok(found) };
        let (Some(query), Some(key), "QUERY") = (found, keys.get(row), part) else { return Ok(None) };
        Ok(query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')))
    })
}

/// `URL_ENCODE(text)`: as a form does: blanks are `+`, all but letters, digits and `.-*_` are `%XX`.
fn encode(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.texts(|row| {
        Ok(texts.get(row).map(|text| {
            let mut out = String::with_capacity(text.len());
            for byte in text.bytes() {
                match byte {
                    b' ' => out.push('+'),
                    b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
                    byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
                    other => out.push_str(&format!("%{other:02X}")),
                }
            }
            out
        }))
    })
}

/// `URL_DECODE(text)`: null when a `%` is not followed by two hexadecimal digits.
fn decode(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.texts(|row| Ok(texts.get(row).and_then(decoded)))
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => out.push(hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?),
            other => out.push(other),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests;
