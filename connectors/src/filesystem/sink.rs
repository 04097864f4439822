//! The sink as it was planned.

use std::path::PathBuf;

use millstream_engine::error::{Error, Result};
use millstream_engine::io::sink::{Committer, Sink, SinkWriter, WriterContext};

use super::committer::{FileCommitter, PartitionMarks};
use super::encoding::PartFormat;
use super::files::Location;
use super::options::FilesystemOptions;
use super::part::PartFiles;
use super::partition_commit::OpenPartitions;
use super::partition_rows::PartitionColumns;
use super::writer::{FileWriter, WriterPlan};
use crate::TableSpec;

/// Writes part files into a folder.
#[derive(Debug)]
pub struct FilesystemSink {
    table: String,
    location: Location,
    plan: WriterPlan,
}

impl FilesystemSink {
    /// Writes `table` as `options` say.
    pub(crate) fn new(table: &TableSpec, options: FilesystemOptions) -> crate::Result<Self> {
        let refuse = |message: String| crate::Error::new(&table.name, message);
        let columns = PartitionColumns::new(table, &options.null_partition).map_err(refuse)?;
        let format =
            PartFormat::new(options.format, columns.file_schema()).map_err(|error| refuse(error.to_string()))?;
        let plan = WriterPlan {
            columns,
            format,
            rolling: options.rolling,
            commit: options.commit,
            keys: table.partition_keys.clone(),
            null_partition: options.null_partition,
        };
        Ok(Self { table: table.name.clone(), location: options.files.location, plan })
    }

    fn root(&self) -> Result<PathBuf> {
        self.location.absolute().map_err(|error| Error::Invalid(format!("the option 'path': {error}")))
    }
}

impl Sink for FilesystemSink {
    fn create_writer(&self, context: WriterContext) -> Result<Box<dyn SinkWriter>> {
        let files = PartFiles::new(self.root()?, &context.attempt, context.subtask, self.plan.format.extension());
        Ok(Box::new(FileWriter::new(self.plan.clone(), files, context)))
    }

    fn create_committer(&self) -> Result<Option<Box<dyn Committer>>> {
        let root = self.root()?;
        let marks = self.plan.commit.clone().map(|commit| {
            let (keys, null) = (self.plan.keys.clone(), self.plan.null_partition.clone());
            let partitions = OpenPartitions::new(commit.trigger, keys, null);
            PartitionMarks::new(&root, &self.table, partitions, commit.success_file)
        });
        Ok(Some(Box::new(FileCommitter::new(root, marks))))
    }
}
