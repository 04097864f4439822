//! The options of `socket`: those of the example connector in Flink's documentation, and its `socketTextStream`'s retries.

use crate::formats::{Format, FormatSpec};
use crate::{Options, Result, TableSpec};

/// What the options say.
#[derive(Debug, Clone)]
pub(crate) struct SocketOptions {
    /// `hostname`
    pub(crate) hostname: String,
    /// `port`
    pub(crate) port: u16,
    /// `byte-delimiter`: the byte between records. Default 10, the line feed.
    pub(crate) delimiter: u8,
    /// `scan.max-retries`: how often to connect again. Default 0. `None`: without end (−1).
    pub(crate) max_retries: Option<u32>,
    /// `format` and its options. Default `raw`.
    pub(crate) format: FormatSpec,
}

impl SocketOptions {
    pub(crate) fn read(table: &TableSpec) -> Result<Self> {
        let mut options = Options::of(table);
        let hostname = options.required("hostname")?.to_owned();
        let port = options.required("port")?;
        let port = port.parse().map_err(|_| options.refuse("port", port, "it should be a number from 1 to 65535"))?;
        if port == 0 {
            return Err(options.refuse("port", "0", "it should be a number from 1 to 65535"));
        }
        let format = FormatSpec::read(&mut options, Some("raw"))?;
        let delimiter = read_delimiter(&mut options, &format)?;
        let max_retries = read_retries(&mut options)?;
        options.finish()?;
        Ok(Self { hostname, port, delimiter, max_retries, format })
    }
}

fn read_delimiter(options: &mut Options<'_>, format: &FormatSpec) -> Result<u8> {
    const KEY: &str = "byte-delimiter";
    let delimiter = options.parsed::<u8>(KEY, "a byte as a number from 0 to 127")?.unwrap_or(b'\n');
    let refuse = |why| Err(options.refuse(KEY, &delimiter.to_string(), why));
    match format.format {
        Format::Parquet(_) => {
            Err(options.refuse("format", "parquet", "a socket carries records one by one; use raw, json or csv"))
        }
        _ if delimiter > 127 => refuse("it should be a byte as a number from 0 to 127, which no other character has"),
        Format::Csv(_) if delimiter != b'\n' => refuse("records of the format csv end with a line feed, 10"),
        Format::Json(_) | Format::Csv(_) | Format::Raw => Ok(delimiter),
    }
}

fn read_retries(options: &mut Options<'_>) -> Result<Option<u32>> {
    const KEY: &str = "scan.max-retries";
    match options.parsed::<i64>(KEY, "a whole number, or -1 for retries without end")? {
        None => Ok(Some(0)),
        Some(-1) => Ok(None),
        Some(retries) => match u32::try_from(retries) {
            Ok(retries) => Ok(Some(retries)),
            Err(_) => Err(options.refuse(KEY, &retries.to_string(), "it should be -1 (without end), 0 or more")),
        },
    }
}
