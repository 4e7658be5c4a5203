//! What can fail while a question is answered.

use datafusion::error::DataFusionError;
use showreport_lake::FoundDamage;
use showreport_model::report::Format;
use showreport_model::{Damage, ErrorKind, Failure, is_storage_full};

/// A failure of the engine or of the file being written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine could not be set up.
    #[error("open the query engine")]
    OpenEngine {
        /// Why.
        source: DataFusionError,
    },
    /// No temporary directory could be made for the stages of a plan.
    #[error("make a directory to spill to")]
    MakeStages {
        /// Why.
        source: std::io::Error,
    },
    /// The engine names files by text, and the directory to spill to is none.
    #[error("the data directory's path is not UTF-8")]
    SpillPath,
    /// A plan could not be made or run.
    #[error("run the report's plan")]
    RunPlan {
        /// Why.
        source: DataFusionError,
    },
    /// The lake could not say which files hold the facts.
    #[error("find the facts")]
    FindFacts {
        /// Why.
        source: showreport_lake::Error,
    },
    /// Facts are stored that are not what was written.
    #[error("read the facts")]
    Damaged {
        #[source]
        damage: Damage,
    },
    /// The file could not be written.
    #[error("write the {format} file")]
    WriteFile {
        /// In which form.
        format: Format,
        /// Why.
        source: std::io::Error,
    },
    /// Rows could not be put into the file's form.
    #[error("render the rows as {format}")]
    Render {
        /// In which form.
        format: Format,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// More rows than a sheet can hold.
    #[error(
        "the report has more than {rows_max} rows, and a sheet of an XLSX file holds no more; \
         ask for csv, ndjson or parquet"
    )]
    SheetFull {
        /// The most rows, the header not counted.
        rows_max: u64,
    },
    /// More rows than any report may have.
    #[error(transparent)]
    TooManyRows(TooManyRows),
    /// The engine's thread ended before the answer.
    #[error("the query engine was stopped")]
    Stopped,
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        // Spilling fills a disk, too.
        if is_storage_full(self) {
            return ErrorKind::StorageFull;
        }
        match self {
            Self::SheetFull { .. } | Self::TooManyRows(_) => ErrorKind::Invalid,
            Self::FindFacts { source } => source.kind(),
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::Stopped => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        }
    }

    fn damage(&self) -> Option<&Damage> {
        match self {
            Self::Damaged { damage } => Some(damage),
            Self::FindFacts { source } => source.damage(),
            _ => None,
        }
    }
}

impl Error {
    /// The damage that a question found, instead of an error that names no cause of its own: the
    /// engine makes text of the errors of the store.
    pub(crate) fn explained_by(self, found: &FoundDamage) -> Self {
        match (self.kind(), found.get()) {
            (ErrorKind::Internal | ErrorKind::Unavailable, Some(damage)) => {
                Self::Damaged { damage }
            }
            _ => self,
        }
    }
}

impl From<DataFusionError> for Error {
    fn from(source: DataFusionError) -> Self {
        if let DataFusionError::External(cause) = source.find_root()
            && let Some(rows) = cause.downcast_ref::<TooManyRows>()
        {
            return Self::TooManyRows(*rows);
        }
        Self::RunPlan { source }
    }
}

/// A report would have more rows than any may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the report has more than {rows_max} rows, and none may have more; ask for a coarser \
     granularity_seconds, for fewer fields to group by, or for less time"
)]
pub struct TooManyRows {
    /// The most rows.
    pub rows_max: u64,
}
