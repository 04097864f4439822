//! The bytes of one file, decompressed.
//!
//! Compression goes by the name's extension. A gzip file may have several members, one after the other, as tools that
//! append make them.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use millstream_engine::error::{Error, Result};

use crate::blocking::ByteSource;

/// How much of a compressed file is read at a time, in bytes.
const COMPRESSED_BYTES: usize = 256 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all; its bytes can be addressed.
    None,
    /// `.gz`, `.gzip`
    Gzip,
    /// `.zst`, `.zstd`
    Zstandard,
}

impl Compression {
    /// What the name of `path` says. Compressions that we do not know are an error, for they would read as bad rows.
    pub(crate) fn of(path: &str) -> Result<Self> {
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Ok(Self::Gzip),
            "zst" | "zstd" => Ok(Self::Zstandard),
            "bz2" | "xz" | "lz4" | "deflate" | "zip" | "7z" | "br" | "snappy" => Err(Error::Invalid(format!(
                "the file `{path}` is compressed in a way that cannot be read; use .gz or .zst"
            ))),
            _ => Ok(Self::None),
        }
    }

    /// Parquet is read where it lies, and its columns are compressed already.
    pub(crate) fn check_parquet(self, path: &str) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Gzip | Self::Zstandard => Err(Error::Invalid(format!(
                "the file `{path}` is compressed as a whole, which Parquet cannot be; decompress it"
            ))),
        }
    }

    /// Bytes of memory that decompressing takes, about: what was read and not decompressed yet, and the decompressor with its
    /// window. That of Zstandard is 2 MiB at the usual level and up to 8 MiB at the highest.
    fn working_bytes(self) -> usize {
        match self {
            Self::None => 0,
            Self::Gzip => COMPRESSED_BYTES + 64 * 1024,
            Self::Zstandard => COMPRESSED_BYTES + 2 * 1024 * 1024,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstandard => "zstd",
        }
    }
}

/// Reads a file from an offset. Opens it with the first read.
pub(crate) struct FileBytes {
    path: String,
    compression: Compression,
    offset: u64,
    stream: Option<Box<dyn Read + Send>>,
    read: u64,
    /// What went wrong after bytes that came first.
    failed: Option<Error>,
}

impl FileBytes {
    /// The bytes of `path` from `offset`, which is 0 for a compressed one.
    pub(crate) fn new(path: &str, compression: Compression, offset: u64) -> Self {
        Self { path: path.to_owned(), compression, offset, stream: None, read: 0, failed: None }
    }

    fn open(&self) -> Result<Box<dyn Read + Send>> {
        let failed = |error| Error::io(format!("opening `{}`", self.path), error);
        let mut file = File::open(&self.path).map_err(failed)?;
        Ok(match self.compression {
            Compression::None => {
                self.seek(&mut file)?;
                Box::new(file)
            }
            Compression::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_BYTES, file)))
            }
            Compression::Zstandard => {
                let input = BufReader::with_capacity(COMPRESSED_BYTES, file);
                Box::new(zstd::stream::read::Decoder::with_buffer(input).map_err(failed)?)
            }
        })
    }

    fn seek(&self, file: &mut File) -> Result<()> {
        if self.offset == 0 {
            return Ok(()); // Also for what cannot be sought, as a pipe.
        }
        let failed = |error| Error::io(format!("reading `{}`", self.path), error);
        let length = file.metadata().map_err(failed)?.len();
        if length < self.offset {
            let message =
                format!("it has {length} bytes, but {} were read before; the file was changed since", self.offset);
            return Err(Error::data(format!("`{}`", self.path), message));
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        Ok(())
    }

    /// What is wrong with the file itself can only be mended by a person; the rest may go away.
    fn failure(&self, error: std::io::Error) -> Error {
        if self.compression == Compression::None || error.raw_os_error().is_some() {
            return Error::io(format!("reading `{}`", self.path), error);
        }
        let (kind, read) = (self.compression.name(), self.read);
        let message = if error.kind() == ErrorKind::UnexpectedEof {
            format!(
                "the {kind} data ends in the middle, after {read} bytes of text: the file was cut off; put the whole one in its place"
            )
        } else {
            format!("the {kind} data is damaged after {read} bytes of text: {error}")
        };
        Error::data(format!("`{}`", self.path), message)
    }
}

impl ByteSource for FileBytes {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open()?,
        };
        let mut filled = 0;
        while filled < buffer.len() {
            match stream.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => {
                    filled += length;
                    self.read += length as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = self.failure(error);
                    if filled == 0 {
                        return Err(error);
                    }
                    self.failed = Some(error);
                    break;
                }
            }
        }
        self.stream = Some(stream);
        Ok(filled)
    }

    fn working_bytes(&self) -> usize {
        self.compression.working_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn long_text() -> Vec<u8> {
        (0..200_000_u32).flat_map(|n| format!("{}\n", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
    }

    /// The length of the text, and how it ended.
    fn read_file(name: &str, content: &[u8], offset: u64) -> (Vec<u8>, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        let mut bytes = FileBytes::new(path, Compression::of(path).unwrap(), offset);
        let (mut text, mut buffer) = (Vec::new(), vec![0; 100_000]);
        let end = loop {
            match bytes.read(&mut buffer) {
                Ok(0) => break "end".to_owned(),
                Ok(length) => text.extend_from_slice(&buffer[..length]),
                Err(error) => break error.to_string().replace(folder.path().to_str().unwrap(), "ROOT"),
            }
        };
        (text, end)
    }

    #[test]
    fn plain_and_compressed_files_have_the_same_text() {
        let text = long_text();
        let zst = zstd::encode_all(&text[..], 1).unwrap();
        for (name, content) in [("a", &text), ("a.gz", &gzip(&text)), ("a.zst", &zst)] {
            let (read, end) = read_file(name, content, 0);
            assert!(read == text && end == "end", "{name}: {} bytes, {end}", read.len());
        }
    }

    #[test]
    fn members_that_were_appended_are_read_too() {
        let (first, second) = (b"a\nb\n", b"c\n");
        let gz = [gzip(first), gzip(second)].concat();
        assert_eq!(read_file("a.gz", &gz, 0), (b"a\nb\nc\n".to_vec(), "end".to_owned()));
        let zst = [zstd::encode_all(&first[..], 1).unwrap(), zstd::encode_all(&second[..], 1).unwrap()].concat();
        assert_eq!(read_file("a.zst", &zst, 0), (b"a\nb\nc\n".to_vec(), "end".to_owned()));
    }

    #[test]
    fn a_plain_file_is_read_from_an_offset() {
        assert_eq!(read_file("a", b"0123456789", 4), (b"456789".to_vec(), "end".to_owned()));
        assert_eq!(read_file("a", b"0123456789", 10), (Vec::new(), "end".to_owned()));
    }

    #[test]
    fn a_file_that_is_cut_off_or_damaged_is_an_error_that_names_it() {
        let text = long_text();
        let gz = gzip(&text);
        let zst = zstd::encode_all(&text[..], 1).unwrap();
        let mut damaged = gz.clone();
        damaged[gz.len() / 2..][..64].fill(0xff);
        check(
            "a.gz",
            &gz[..gz.len() / 2],
            expect![
                "`ROOT/a.gz`: the gzip data ends in the middle, after N bytes of text: the file was cut off; put the whole one in its place"
            ],
        );
        check(
            "b.gz",
            &gz[..gz.len() - 1],
            expect![
                "`ROOT/b.gz`: the gzip data ends in the middle, after N bytes of text: the file was cut off; put the whole one in its place"
            ],
        );
        check(
            "c.gz",
            b"not gzip at all",
            expect!["`ROOT/c.gz`: the gzip data is damaged after N bytes of text: invalid gzip header"],
        );
        check(
            "d.gz",
            &damaged,
            expect!["`ROOT/d.gz`: the gzip data is damaged after N bytes of text: corrupt deflate stream"],
        );
        check(
            "a.zst",
            &zst[..zst.len() / 2],
            expect![
                "`ROOT/a.zst`: the zstd data ends in the middle, after N bytes of text: the file was cut off; put the whole one in its place"
            ],
        );
        check(
            "b.zst",
            b"not zstd at all",
            expect!["`ROOT/b.zst`: the zstd data is damaged after N bytes of text: Unknown frame descriptor"],
        );
    }

    fn check(name: &str, content: &[u8], expected: Expect) {
        let (text, end) = read_file(name, content, 0);
        expected.assert_eq(&end.replace(&format!("after {} bytes", text.len()), "after N bytes"));
    }

    #[test]
    fn a_file_that_has_become_shorter_is_an_error() {
        let (_, end) = read_file("a", b"0123", 10);
        expect!["`ROOT/a`: it has 4 bytes, but 10 were read before; the file was changed since"].assert_eq(&end);
    }

    #[test]
    fn other_compressions_are_refused_by_name() {
        let error = Compression::of("/x/a.bz2").unwrap_err().to_string();
        expect!["the file `/x/a.bz2` is compressed in a way that cannot be read; use .gz or .zst"].assert_eq(&error);
        assert_eq!(Compression::of("/x.gz/a").unwrap(), Compression::None);
        assert_eq!(Compression::of("/x/A.GZ").unwrap(), Compression::Gzip);
    }
}
