//! What can fail in background work.

use showreport_model::time::NoSuchDay;
use showreport_model::{Damage, ErrorKind, Failure};

/// A failure of background work.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{doing}")]
    Meta {
        /// What was tried, a verb and a noun: "read the heads".
        doing: &'static str,
        source: Box<showreport_meta::Error>,
    },
    #[error("{doing}")]
    Lake {
        doing: &'static str,
        source: Box<showreport_lake::Error>,
    },
    #[error("{doing}")]
    Query {
        doing: &'static str,
        source: Box<showreport_query::Error>,
    },
    /// The queue holds something else than this kind of job stores there.
    #[error("read the payload of the job")]
    Payload {
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(transparent)]
    NoSuchDay(#[from] NoSuchDay),
    /// By such a clock nothing is published and nothing is deleted.
    #[error("the clock is in doubt")]
    ClockInDoubt,
    /// Attempts at the job ended their process, or stopped renewing its lease.
    #[error("{lost} of {begun} attempts ended with the process, or lost their lease")]
    Lost { begun: u32, lost: u32 },
}

impl Error {
    /// An error of a payload that is not of this kind of job.
    pub(crate) fn payload(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source = source.into();
        Self::Payload { source }
    }

    /// Whether the same attempt would fail in the same way each time: on a damaged file, or because
    /// the report is larger than a report may be.
    pub(crate) fn is_final(&self) -> bool {
        self.damage().is_some() || self.is_too_large()
    }

    /// Whether more was asked for than a report may hold.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large().is_some()
    }

    /// Which bound is exceeded, as the reason of a failed report, and the error that says so.
    pub(crate) fn too_large(&self) -> Option<(&'static str, &showreport_query::Error)> {
        use showreport_query::Error as Query;
        let Self::Query { source, .. } = self else {
            return None;
        };
        match **source {
            Query::SheetFull { .. } => Some(("XLSX_ROW_LIMIT", source)),
            Query::TooManyRows(_) | Query::TooManyBuckets(_) => Some(("REPORT_ROW_LIMIT", source)),
            _ => None,
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Meta { source, .. } => source.kind(),
            Self::Lake { source, .. } => source.kind(),
            Self::Query { source, .. } => source.kind(),
            Self::ClockInDoubt => ErrorKind::Unavailable,
            Self::Payload { .. } | Self::NoSuchDay(_) | Self::Lost { .. } => ErrorKind::Internal,
        }
    }

    fn damage(&self) -> Option<&Damage> {
        match self {
            Self::Meta { source, .. } => source.damage(),
            Self::Lake { source, .. } => source.damage(),
            Self::Query { source, .. } => source.damage(),
            _ => None,
        }
    }
}

/// Names what was tried when a call to another crate fails.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, showreport_meta::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Meta {
            doing,
            source: Box::new(source),
        })
    }
}

impl<T> Doing<T> for Result<T, showreport_lake::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Lake {
            doing,
            source: Box::new(source),
        })
    }
}

impl<T> Doing<T> for Result<T, showreport_query::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Query {
            doing,
            source: Box::new(source),
        })
    }
}
