//! The errors of this crate, and the one place where a failed disk ends the process.

use std::sync::Arc;

use showreport_model::bulk::{BulkReportId, ReportType};
use showreport_model::facts::Table;
use showreport_model::retention::TooManyBuckets;
use showreport_model::{
    Damage, ErrorKind, EventId, Failure, OrgId, ReportId, ReportJobId, Timestamp, TokenId,
};
use sqlx::migrate::MigrateError;

use crate::config::Config;
use crate::quotas::Quota;

/// An error of the metadata database.
///
/// It can be cloned, because every request of a group commit gets the error of the commit.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("the organisation {org} exists already")]
    OrgExists { org: OrgId },
    #[error("there is no organisation {org}")]
    UnknownOrg { org: OrgId },
    /// The organisation has no such event; another one may have it.
    #[error("there is no event {event}")]
    UnknownEvent { event: EventId },
    #[error("there is no report {report}")]
    UnknownReport { report: ReportId },
    /// The message says "job", as the API does.
    #[error("there is no job {report_job}")]
    UnknownReportJob { report_job: ReportJobId },
    #[error("the job has no report {report}; expired reports are deleted")]
    UnknownBulkReport { report: BulkReportId },
    #[error(
        "the job {report_job} ({name:?}) makes reports of the type {report_type} already; use it, \
         or delete it first"
    )]
    ReportJobExists {
        report_job: ReportJobId,
        report_type: ReportType,
        name: String,
    },
    #[error("there is no token {token}")]
    UnknownTokenId { token: TokenId },
    /// The message does not say which of the three it is, so that a guess learns nothing.
    #[error("the token is unknown, expired or revoked")]
    UnknownToken,
    /// The client has the secret, so it learns nothing.
    #[error(
        "the token has the scope viewer: it signs viewer tokens and opens nothing; send one with \
         the scope collect, report or admin"
    )]
    SigningToken,
    /// A session has to do more than collect.
    #[error(
        "a session needs a token with the scope report or admin; one that only collects begins none"
    )]
    NoRole,
    #[error("the organisation has no such person")]
    UnknownPerson,
    #[error("the organisation has {max} people, which is the most; remove one")]
    PeopleFull { max: u32 },
    #[error("the e-mail address and the password do not belong together")]
    WrongPassword,
    #[error("this invitation was changed, accepted, or replaced by a newer one")]
    UnknownInvitation,
    #[error("this invitation has expired; ask an admin of the organisation for another")]
    InvitationExpired,
    #[error("this link was changed, or has been used; each signs in once")]
    UnknownSignInLink,
    #[error("there is no such share link")]
    UnknownShare,
    #[error("this link was changed or revoked")]
    UnknownShareLink,
    #[error("this link has expired; ask its sender for another")]
    ShareExpired,
    #[error("the event has {max} share links, which is the most; revoke one")]
    SharesFull { max: u32 },
    #[error("the session has ended; sign in again")]
    SessionEnded,
    #[error(
        "the organisation has {max} valid tokens with the scope viewer, which is the most; revoke \
         one that signs nothing"
    )]
    ViewerSecretsFull { max: usize },
    #[error("the idempotency key was used with another body; take a new key for a new request")]
    IdempotencyMismatch,
    #[error(
        "{bytes} bytes wait for the flush and at most {bytes_max} may; send the records again later"
    )]
    JournalFull { bytes: u64, bytes_max: u64 },
    #[error(
        "{bytes} bytes of the organisation wait for the flush and at most {bytes_max} may; send \
         the records again later"
    )]
    JournalShareFull { bytes: u64, bytes_max: u64 },
    #[error(
        "{waiting} reports wait to be made and at most {waiting_max} may; ask for more when some \
         are done"
    )]
    ReportsFull { waiting: u64, waiting_max: u64 },
    #[error(
        "the report could have {rows} rows, one for each bucket of time from the first watched \
         instant to the last, and a report has at most {rows_max}; ask for a coarser \
         granularity_seconds or for less time"
    )]
    ReportTooLarge { rows: u64, rows_max: u64 },
    #[error(transparent)]
    TooManyBuckets(#[from] TooManyBuckets),
    #[error(
        "the organisation keeps as many {quota} as it may ({kept}, and at most {max}); {}",
        quota.remedy()
    )]
    QuotaExceeded { quota: Quota, kept: u64, max: u64 },
    /// The process is shutting down.
    #[error("the journal is closed; send the records again later")]
    JournalClosed,
    /// Moving a head back would hide facts.
    #[error("the head of {table} is to be moved back to version {version}")]
    HeadMovedBack { table: Table, version: u64 },
    #[error("the disk is full: {doing}")]
    StorageFull { doing: &'static str },
    /// `SQLite` reports a used-up quota like this.
    #[error("the disk takes no more, its quota may be used up: {doing}")]
    WriteRefused {
        doing: &'static str,
        source: Arc<sqlx::Error>,
    },
    #[error(
        "the server's clock is at {now}, and a transaction was stored at {committed_at} by it; \
         nothing is collected until it is set right, or confirmed by `showreport clock confirm`"
    )]
    ClockBehind {
        now: Timestamp,
        /// The time of the last transaction.
        committed_at: Timestamp,
    },
    /// Another process kept the database locked for longer than the busy timeout.
    #[error("the database is busy: {doing}")]
    DatabaseBusy { doing: &'static str },
    #[error("{doing}")]
    Database {
        doing: &'static str,
        source: Arc<sqlx::Error>,
    },
    #[error(
        "a newer version of showreport has changed the database, by its migration {migration}, \
         which this version does not have; start that version, or put back the copy of the whole \
         directory from before the upgrade"
    )]
    NewerDatabase {
        /// The first unknown one.
        migration: i64,
    },
    #[error("migrate the database")]
    Migrate(#[source] Arc<MigrateError>),
    #[error("read what was stored")]
    Damaged {
        #[source]
        damage: Damage,
    },
    /// The watermark file cannot be read.
    #[error("read how many transactions were acknowledged")]
    Watermark(#[source] Arc<std::io::Error>),
    #[error("take random bytes from the system")]
    Random(#[source] getrandom::Error),
}

/// Adds to the error of a statement what it was for.
pub(crate) trait Doing<T> {
    /// `doing` is a verb and a noun: "store a report".
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|error| Error::from_sqlx(doing, error))
    }
}

impl Error {
    /// Classifies an error of the database. Does not return if a sync of the disk failed.
    pub(crate) fn from_sqlx(doing: &'static str, error: sqlx::Error) -> Self {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::DatabaseBusy { doing };
        }
        let code = sqlite_code(&error).unwrap_or_default();
        match (code & PRIMARY_CODE, code) {
            (SQLITE_FULL, _) | (_, SQLITE_IOERR_SHMSIZE) => Self::StorageFull { doing },
            (_, SQLITE_IOERR_WRITE) => Self::from_refused_write(doing, error),
            (SQLITE_BUSY, _) => Self::DatabaseBusy { doing },
            (primary, _) if is_damage(primary, &error) => {
                Self::damaged(&format!("{doing}: {error}"))
            }
            (_, SQLITE_IOERR_READ | SQLITE_IOERR_SHORT_READ) => Self::from_source(doing, error),
            (SQLITE_IOERR, _) => end_process(doing, &error),
            _ => Self::from_source(doing, error),
        }
    }

    /// The database does not have the values that were written to it.
    pub(crate) fn damaged(problem: &str) -> Self {
        Self::damaged_file(Config::FILE_NAME, problem)
    }

    /// The log lost acknowledged transactions.
    pub(crate) fn log_damaged(acknowledged: i64, there: i64) -> Self {
        let problem =
            format!("{acknowledged} transactions were acknowledged, and only {there} can be read");
        Self::damaged_file(&format!("{}-wal", Config::FILE_NAME), &problem)
    }

    fn damaged_file(file: &str, problem: &str) -> Self {
        Self::from(Damage {
            file: file.to_owned(),
            problem: problem.to_owned(),
        })
    }

    pub(crate) fn watermark(error: std::io::Error) -> Self {
        Self::Watermark(Arc::new(error))
    }

    /// Classifies an error of a migration like [`Error::from_sqlx`].
    pub(crate) fn from_migrate(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::from_sqlx("migrate the database", error)
            }
            MigrateError::VersionMissing(migration) => Self::NewerDatabase { migration },
            error => Self::Migrate(Arc::new(error)),
        }
    }

    fn from_refused_write(doing: &'static str, error: sqlx::Error) -> Self {
        Self::WriteRefused {
            doing,
            source: Arc::new(error),
        }
    }

    fn from_source(doing: &'static str, error: sqlx::Error) -> Self {
        Self::Database {
            doing,
            source: Arc::new(error),
        }
    }
}

impl From<Damage> for Error {
    fn from(damage: Damage) -> Self {
        Self::Damaged { damage }
    }
}

/// The low byte of `SQLite`'s extended codes is the primary one.
const PRIMARY_CODE: i32 = 0xff;
const SQLITE_ERROR: i32 = 1;
const SQLITE_BUSY: i32 = 5;
const SQLITE_IOERR: i32 = 10;
/// A page is inconsistent in itself or with another.
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
/// The first page is not that of a database.
const SQLITE_NOTADB: i32 = 26;
/// A failed read loses nothing, so it is an ordinary error.
const SQLITE_IOERR_READ: i32 = 266;
const SQLITE_IOERR_SHORT_READ: i32 = 522;
/// A write failed for another reason than a full disk: `SQLite` has no code for a used-up quota. It
/// is no failed sync: the transaction is rolled back and not acknowledged, and the next one writes
/// the same place again before it syncs.
const SQLITE_IOERR_WRITE: i32 = 778;
/// The index of the log could not grow, which happens on a full disk only. It is shared memory that
/// `SQLite` rebuilds as needed, so no data is lost.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn is_damage(primary: i32, error: &sqlx::Error) -> bool {
    match primary {
        SQLITE_CORRUPT | SQLITE_NOTADB => true,
        SQLITE_ERROR => lacks_a_name(error),
        _ => false,
    }
}

/// Whether a statement names a table or a column that does not exist. Tests run all statements, so
/// the schema, which is text in the file, was changed.
fn lacks_a_name(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let message = error.message();
        message.starts_with("no such ") || message.contains(" has no column named ")
    })
}

/// The exit code when the disk has failed: `EX_SOFTWARE` of sysexits.
const EXIT_DISK_FAILED: i32 = 70;

/// Ends the process at once, because the disk failed to sync.
///
/// After a failed sync the kernel may have dropped the pages and report success the next time, so
/// another attempt can lose acknowledged transactions. A new process reads the real state of the
/// disk. Destructors do not run, because they would write more.
fn end_process(doing: &'static str, error: &sqlx::Error) -> ! {
    tracing::error!(%error, "the disk failed, the process ends: {doing}");
    std::process::exit(EXIT_DISK_FAILED)
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::OrgExists { .. }
            | Self::ReportJobExists { .. }
            | Self::ViewerSecretsFull { .. }
            | Self::PeopleFull { .. }
            | Self::SharesFull { .. } => ErrorKind::Conflict,
            Self::UnknownOrg { .. }
            | Self::UnknownEvent { .. }
            | Self::UnknownReport { .. }
            | Self::UnknownReportJob { .. }
            | Self::UnknownBulkReport { .. }
            | Self::UnknownTokenId { .. }
            | Self::UnknownPerson
            | Self::UnknownInvitation
            | Self::UnknownShare
            | Self::UnknownSignInLink => ErrorKind::NotFound,
            Self::UnknownToken
            | Self::SigningToken
            | Self::NoRole
            | Self::WrongPassword
            | Self::InvitationExpired
            | Self::UnknownShareLink
            | Self::ShareExpired
            | Self::SessionEnded => ErrorKind::Unauthenticated,
            Self::IdempotencyMismatch | Self::ReportTooLarge { .. } | Self::TooManyBuckets(_) => {
                ErrorKind::Invalid
            }
            Self::JournalFull { .. }
            | Self::JournalShareFull { .. }
            | Self::ReportsFull { .. }
            | Self::ClockBehind { .. }
            | Self::QuotaExceeded { .. }
            | Self::DatabaseBusy { .. } => ErrorKind::Busy,
            Self::JournalClosed => ErrorKind::Unavailable,
            Self::StorageFull { .. } | Self::WriteRefused { .. } => ErrorKind::StorageFull,
            Self::Damaged { .. } => ErrorKind::Damaged,
            Self::HeadMovedBack { .. }
            | Self::Database { .. }
            | Self::NewerDatabase { .. }
            | Self::Migrate(_)
            | Self::Watermark(_)
            | Self::Random(_) => ErrorKind::Internal,
        }
    }

    fn damage(&self) -> Option<&Damage> {
        match self {
            Self::Damaged { damage } => Some(damage),
            _ => None,
        }
    }
}
