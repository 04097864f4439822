//! Reads files for one subtask, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use millstream_engine::error::{Error, Result};
use millstream_engine::io::source::{IoRuntime, SourceEvent, SourceReader, SourceRows, Split};
use millstream_engine::operators::ProcessingTime;

use super::enumerator::FilePosition;
use super::files::FoundFile;
use super::open::{Compression, FileBytes};
use super::parquet::ParquetRows;
use super::source::FilesystemSource;
use crate::blocking::{Buffers, ChunkReader, Pump};
use crate::records::{Completion, Progress, RecordReader};

/// The reader of a [`FilesystemSource`].
pub(crate) struct FileReader {
    source: FilesystemSource,
    io: Arc<dyn IoRuntime>,
    buffers: Buffers,
    open: Option<OpenFile>,
    /// Splits that were given to it and are not open yet.
    waiting: VecDeque<Split>,
    asked: bool,
    no_more: bool,
}

/// The file that is being read.
struct OpenFile {
    path: Arc<str>,
    found: FilePosition,
    rows: Rows,
}

/// How its rows are found.
enum Rows {
    /// In its bytes, one after the other. Whether a byte can be addressed.
    Records { reader: Box<RecordReader<FileBytes>>, addressable: bool },
    /// In its columns.
    Parquet(ParquetRows),
}

impl FileReader {
    pub(crate) fn new(source: FilesystemSource, io: Arc<dyn IoRuntime>) -> Self {
        let (buffers, waiting) = (Buffers::default(), VecDeque::new());
        Self { source, io, buffers, open: None, waiting, asked: false, no_more: false }
    }

    fn open(&self, split: &Split) -> Result<OpenFile> {
        let found = FilePosition::of(split)?;
        let file = FoundFile { path: split.id.to_string(), size: found.size, modified_ms: found.modified_ms };
        let completion = self.completion(&file)?;
        let rows = self.rows_of(&split.id, &found, completion)?;
        Ok(OpenFile { path: Arc::clone(&split.id), found, rows })
    }

    /// Adds what the rows of `file` have in common, and looks for rows without a time.
    fn completion(&self, file: &FoundFile) -> Result<Completion> {
        let layout = self.source.layout.of_file(file)?;
        let watermark_layout = self.source.watermark_layout.as_ref().map(|layout| layout.of_file(file)).transpose()?;
        let time_check = self.source.time_check.clone();
        Ok(Box::new(move |mut decoded| {
            decoded.rows = layout.assemble(decoded.rows)?;
            if let (Some(layout), Some(rows)) = (&watermark_layout, decoded.watermark_rows.take()) {
                decoded.watermark_rows = Some(layout.assemble(rows)?);
            }
            match &time_check {
                Some(check) => check.apply(decoded),
                None => Ok(decoded),
            }
        }))
    }

    fn rows_of(&self, path: &Arc<str>, from: &FilePosition, completion: Completion) -> Result<Rows> {
        let compression = Compression::of(path)?;
        if self.source.is_parquet() {
            compression.check_parquet(path)?;
            let request = self.source.parquet_request(Arc::clone(path), from.rows);
            return Ok(Rows::Parquet(ParquetRows::new(request, completion, Arc::clone(&self.io))));
        }
        let addressable = compression == Compression::None;
        let start = Progress { offset: if addressable { from.offset } else { 0 }, rows: from.rows };
        let pump = |offset| {
            let bytes = FileBytes::new(path, compression, offset);
            Pump::new(ChunkReader::new(bytes, self.buffers.clone()), Arc::clone(&self.io))
        };
        let (decoder, buffers) = (self.source.decoder()?, self.buffers.clone());
        let settings = self.source.records;
        let mut reader = RecordReader::new(Arc::clone(path), settings, decoder, pump(start.offset), buffers, start)
            .completed_by(completion);
        if !addressable {
            reader = reader.replaying(from.rows);
        } else if start.offset > 0 && self.source.needs_beginning() {
            reader = reader.beginning_with(pump(0));
        }
        Ok(Rows::Records { reader: Box::new(reader), addressable })
    }
}

impl OpenFile {
    fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Result<Option<SourceRows>>> {
        match &mut self.rows {
            Rows::Records { reader, .. } => reader.poll_next(cx),
            Rows::Parquet(reader) => reader.poll_next(cx),
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.rows {
            Rows::Records { reader, .. } => reader.memory_bytes(),
            Rows::Parquet(reader) => reader.memory_bytes(),
        }
    }

    fn split(&self) -> Split {
        let (offset, rows) = match &self.rows {
            Rows::Records { reader, addressable } => {
                let progress = reader.progress();
                (if *addressable { progress.offset } else { 0 }, progress.rows)
            }
            Rows::Parquet(reader) => (0, reader.rows()),
        };
        FilePosition { offset, rows, ..self.found.clone() }.split(&self.path)
    }
}

impl SourceReader for FileReader {
    fn add_split(&mut self, split: Split) -> Result<()> {
        if self.no_more {
            return Err(Error::internal(format!("the split `{}` came after the last one", split.id)));
        }
        self.waiting.push_back(split);
        self.asked = false;
        Ok(())
    }

    fn no_more_splits(&mut self) {
        self.no_more = true;
    }

    fn poll_next(&mut self, _: ProcessingTime, waker_cx: &mut Context<'_>) -> Poll<Result<SourceEvent>> {
        if self.open.is_none()
            && let Some(split) = self.waiting.pop_front()
        {
            self.open = Some(self.open(&split)?);
        }
        if let Some(open) = &mut self.open {
            return match open.poll_next(waker_cx)? {
                Poll::Ready(Some(rows)) => Poll::Ready(Ok(SourceEvent::Rows(rows))),
                Poll::Ready(None) => {
                    let path = Arc::clone(&open.path);
                    self.open = None;
                    Poll::Ready(Ok(SourceEvent::SplitFinished(path)))
                }
                Poll::Pending => Poll::Pending,
            };
        }
        if self.no_more {
            return Poll::Ready(Ok(SourceEvent::EndOfInput));
        }
        if self.asked {
            return Poll::Pending;
        }
        self.asked = true;
        Poll::Ready(Ok(SourceEvent::NeedSplit))
    }

    fn memory_bytes(&self) -> usize {
        self.buffers.memory_bytes() + self.open.as_ref().map_or(0, OpenFile::memory_bytes)
    }

    fn snapshot(&self) -> Vec<Split> {
        self.open.iter().map(OpenFile::split).chain(self.waiting.iter().cloned()).collect()
    }
}

impl std::fmt::Debug for FileReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReader").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}
