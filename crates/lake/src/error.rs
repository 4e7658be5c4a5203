//! What can fail in the lake.

use std::io;

use arrow::error::ArrowError;
use deltalake::DeltaTableError;
use showreport_model::facts::{DecodeError, Table};
use showreport_model::{Damage, ErrorKind, Failure, is_storage_full};

/// A failure of the lake.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metadata database failed.
    #[error("use the metadata database")]
    Meta {
        #[from]
        source: showreport_meta::Error,
    },
    /// The directory of the store cannot be used.
    #[error("open the object store")]
    OpenStore { source: io::Error },
    /// The flush lock cannot be taken.
    #[error("take the flush lock")]
    TakeLock { source: io::Error },
    /// A row of the journal cannot be decoded.
    #[error("read row {seq} of the journal")]
    ReadJournal { seq: i64, source: DecodeError },
    /// Facts do not have the columns of their table.
    #[error("read facts of {table}")]
    ReadFacts { table: Table, source: ArrowError },
    /// A table has a column that this version of the program does not have.
    #[error(
        "the table of {table} has the column `{column}`, which this version of showreport does not \
         have: a newer version changed the table; run that version, or put back the copy of the \
         whole directory from before the upgrade"
    )]
    NewerTable { table: Table, column: String },
    /// A table cannot be created.
    #[error("create the table of {table}")]
    CreateTable {
        table: Table,
        source: DeltaTableError,
    },
    /// What is stored is not what was written, or not of the same time as the database.
    #[error("read what was stored")]
    Damaged {
        #[from]
        #[source]
        damage: Damage,
    },
    /// The log of a table cannot be read.
    #[error("read the log of {table}")]
    ReadLog {
        table: Table,
        source: object_store::Error,
    },
    /// A version of a table cannot be loaded.
    #[error("load the table of {table}")]
    LoadTable {
        table: Table,
        source: DeltaTableError,
    },
    /// A data file cannot be read.
    #[error("read a file of {table}")]
    ReadFile {
        table: Table,
        source: DeltaTableError,
    },
    /// A data file cannot be written.
    #[error("write a file of {table}")]
    WriteFile {
        table: Table,
        source: DeltaTableError,
    },
    /// A version of a table cannot be committed.
    #[error("commit to the table of {table}")]
    Commit {
        table: Table,
        source: DeltaTableError,
    },
    /// Files that are not needed cannot be removed.
    #[error("remove files of {table} that are no longer needed")]
    Vacuum {
        table: Table,
        source: DeltaTableError,
    },
    /// The file of a report was deleted, or never existed.
    #[error("the report's file is no longer kept")]
    FileGone,
    /// The file of a report cannot be used.
    #[error("use a report's file")]
    ReportFile { source: object_store::Error },
    /// The process is shutting down.
    #[error("the process is shutting down")]
    ShuttingDown,
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        if is_storage_full(self) {
            return ErrorKind::StorageFull;
        }
        match self {
            Self::Meta { source } => source.kind(),
            Self::FileGone => ErrorKind::Gone,
            Self::ReadJournal { .. } | Self::ReadFacts { .. } | Self::NewerTable { .. } => {
                ErrorKind::Internal
            }
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

    fn damage(&self) -> Option<&Damage> {
        match self {
            Self::Damaged { damage } => Some(damage),
            Self::Meta { source } => source.damage(),
            _ => None,
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
