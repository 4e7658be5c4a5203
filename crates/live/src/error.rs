//! What can fail when live figures are asked for.

use showreport_model::facts::DecodeError;
use showreport_model::{Damage, ErrorKind, Failure};

/// A failure to have the facts of an event in memory.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read the journal")]
    ReadJournal { source: Box<showreport_meta::Error> },
    #[error("read the facts of a row of the journal")]
    DecodeRow { source: DecodeError },
    #[error("read the facts of the event")]
    ReadLake {
        source: Box<showreport_query::Error>,
    },
    /// The facts would take more memory than all states may have.
    #[error(
        "the event has too many views to be followed live: they take more than {bytes_max} bytes \
         of memory; ask for its figures instead"
    )]
    TooLarge { bytes_max: usize },
    /// Other processes changed the lake during each load.
    #[error("the event is being read into memory; try again shortly")]
    Changing,
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ReadJournal { source } => source.kind(),
            Self::DecodeRow { .. } => ErrorKind::Internal,
            Self::ReadLake { source } => source.kind(),
            Self::TooLarge { .. } | Self::Changing => ErrorKind::Busy,
        }
    }

    fn damage(&self) -> Option<&Damage> {
        match self {
            Self::ReadJournal { source } => source.damage(),
            Self::ReadLake { source } => source.damage(),
            Self::DecodeRow { .. } | Self::TooLarge { .. } | Self::Changing => None,
        }
    }
}

impl From<showreport_meta::Error> for Error {
    fn from(source: showreport_meta::Error) -> Self {
        let source = Box::new(source);
        Self::ReadJournal { source }
    }
}

impl From<showreport_query::Error> for Error {
    fn from(source: showreport_query::Error) -> Self {
        let source = Box::new(source);
        Self::ReadLake { source }
    }
}

impl From<DecodeError> for Error {
    fn from(source: DecodeError) -> Self {
        Self::DecodeRow { source }
    }
}
