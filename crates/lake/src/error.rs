//! What can fail in the lake.

use std::io;

use arrow::error::ArrowError;
use deltalake::DeltaTableError;
use showreport_model::facts::Table;
use showreport_model::{Damage, ErrorKind, Failure, is_storage_full};

/// A failure of the lake.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metadata database failed.
    #[error("use the metadata database")]
    Meta {
        /// Why.
        #[from]
        source: showreport_meta::Error,
    },
    /// The directory of the store cannot be used.
    #[error("open the object store")]
    OpenStore {
        /// Why.
        source: io::Error,
    },
    /// The lock of whoever changes the lake cannot be taken.
    #[error("take the flush lock")]
    TakeLock {
        /// Why.
        source: io::Error,
    },
    /// A row of the journal does not hold facts.
    #[error("read row {seq} of the journal")]
    ReadJournal {
        /// The number of the row.
        seq: i64,
        /// Why.
        source: ArrowError,
    },
    /// Facts do not have the columns of their table.
    #[error("read facts of {table}")]
    ReadFacts {
        /// The table.
        table: Table,
        /// Why.
        source: ArrowError,
    },
    /// A table cannot be created.
    #[error("create the table of {table}")]
    CreateTable {
        /// The table.
        table: Table,
        /// Why.
        source: DeltaTableError,
    },
    /// What is stored is not what was written, or not of the database's moment.
    #[error("read what was stored")]
    Damaged {
        /// Where, and what is wrong.
        #[from]
        #[source]
        damage: Damage,
    },
    /// The log of a table cannot be read.
    #[error("read the log of {table}")]
    ReadLog {
        /// The table.
        table: Table,
        /// Why.
        source: object_store::Error,
    },
    /// A version of a table cannot be loaded.
    #[error("load the table of {table}")]
    LoadTable {
        /// The table.
        table: Table,
        /// Why.
        source: DeltaTableError,
    },
    /// A data file cannot be read.
    #[error("read a file of {table}")]
    ReadFile {
        /// The table.
        table: Table,
        /// Why.
        source: DeltaTableError,
    },
    /// A data file cannot be written.
    #[error("write a file of {table}")]
    WriteFile {
        /// The table.
        table: Table,
        /// Why.
        source: DeltaTableError,
    },
    /// A version of a table cannot be committed.
    #[error("commit to the table of {table}")]
    Commit {
        /// The table.
        table: Table,
        /// Why.
        source: DeltaTableError,
    },
    /// Files that nobody needs cannot be removed.
    #[error("remove files of {table} that are no longer needed")]
    Vacuum {
        /// The table.
        table: Table,
        /// Why.
        source: DeltaTableError,
    },
    /// The file of a report is no longer kept, or never was.
    #[error("the report's file is no longer kept")]
    FileGone,
    /// The file of a report cannot be used.
    #[error("use a report's file")]
    ReportFile {
        /// Why.
        source: object_store::Error,
    },
    /// The process is shutting down.
    #[error("the process is shutting down")]
    ShuttingDown,
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        if is_storage_full(self) {
            return ErrorKind::StorageFull;
        }
        if Damage::below(self).is_some() {
            return ErrorKind::Damaged;
        }
        match self {
            Self::Meta { source } => source.kind(),
            Self::FileGone => ErrorKind::Gone,
            Self::ReadJournal { .. } | Self::ReadFacts { .. } => ErrorKind::Internal,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::OpenStore { .. }
            | Self::ReadLog { .. }
            | Self::TakeLock { .. }
            | Self::CreateTable { .. }
            | Self::LoadTable { .. }
            | Self::ReadFile { .. }
            | Self::WriteFile { .. }
            | Self::Commit { .. }
            | Self::Vacuum { .. }
            | Self::ReportFile { .. }
            | Self::ShuttingDown => ErrorKind::Unavailable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_below_every_library() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let stored = object_store::Error::Generic {
            store: "test",
            source: Box::new(io::Error::other(object_store::Error::Generic {
                store: "test",
                source: Box::new(full),
            })),
        };
        let error = Error::WriteFile {
            table: Table::Spans,
            source: DeltaTableError::Parquet {
                source: parquet::errors::ParquetError::External(Box::new(stored)),
            },
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        let error = Error::ReportFile {
            source: object_store::Error::Generic {
                store: "test",
                source: Box::new(io::Error::from(io::ErrorKind::BrokenPipe)),
            },
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
