//! Errors of queries.

use datafusion::error::DataFusionError;
use showreport_lake::FoundDamage;
use showreport_model::report::Format;
use showreport_model::retention::TooManyBuckets;
use showreport_model::{Damage, ErrorKind, Failure, audience, is_storage_full};

/// A failure of the engine or of the file being written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("open the query engine")]
    OpenEngine { source: DataFusionError },
    #[error("make a directory for spilled rows")]
    MakeStages { source: std::io::Error },
    /// The engine needs UTF-8 paths.
    #[error("the data directory's path is not UTF-8")]
    SpillPath,
    #[error("run the report's plan")]
    RunPlan { source: DataFusionError },
    #[error("find the files of the facts")]
    FindFacts { source: showreport_lake::Error },
    /// Stored facts are damaged.
    #[error("read the facts")]
    Damaged {
        #[source]
        damage: Damage,
    },
    #[error("write the {format} file")]
    WriteFile {
        format: Format,
        source: std::io::Error,
    },
    #[error("render the rows as {format}")]
    Render {
        format: Format,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("compare two files")]
    CompareFiles { source: csv::Error },
    /// `rows_max` does not count the header.
    #[error(
        "the report has more than {rows_max} rows, and a sheet of an XLSX file holds no more; \
         ask for csv, ndjson or parquet"
    )]
    SheetFull { rows_max: u64 },
    #[error(transparent)]
    TooManyRows(TooManyRows),
    #[error(transparent)]
    TooManyBuckets(#[from] TooManyBuckets),
    #[error(transparent)]
    TooManyPoints(#[from] audience::TooManyBuckets),
    /// The engine's runtime was shut down.
    #[error("the query engine was stopped")]
    Stopped,
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        // Spilled rows fill the disk too.
        if is_storage_full(self) {
            return ErrorKind::StorageFull;
        }
        match self {
            Self::SheetFull { .. }
            | Self::TooManyRows(_)
            | Self::TooManyBuckets(_)
            | Self::TooManyPoints(_) => ErrorKind::Invalid,
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
    /// The damage that a query has found, instead of an error that names no cause of its own: the
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
    pub rows_max: u64,
}
