//! What can fail here, and the one place where a failed disk ends the process.

use std::sync::Arc;

use showreport_model::bulk::{BulkReportId, ReportType};
use showreport_model::facts::Table;
use showreport_model::{
    Damage, ErrorKind, EventId, Failure, OrgId, ReportId, ReportJobId, Timestamp, TokenId,
};
use sqlx::migrate::MigrateError;

use crate::config::Config;
use crate::quotas::Quota;

/// What failed.
///
/// It can be cloned because everybody who shared a commit is told of its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is an organisation of that name already.
    #[error("the organisation {org} exists already")]
    OrgExists {
        /// The name.
        org: OrgId,
    },
    /// There is no such organisation.
    #[error("there is no organisation {org}")]
    UnknownOrg {
        /// The name.
        org: OrgId,
    },
    /// The organisation has no such event.
    #[error("there is no event {event}")]
    UnknownEvent {
        /// The event.
        event: EventId,
    },
    /// The organisation has no such report.
    #[error("there is no report {report}")]
    UnknownReport {
        /// The report.
        report: ReportId,
    },
    /// The organisation has no such report job, which callers know as a job.
    #[error("there is no job {report_job}")]
    UnknownReportJob { report_job: ReportJobId },
    /// The report job has no such report.
    #[error("the job has no report {report}; those past their time are deleted")]
    UnknownBulkReport {
        /// The report.
        report: BulkReportId,
    },
    /// An order of the type is in force.
    #[error(
        "the job {report_job} ({name:?}) makes reports of the type {report_type} already; use it, or \
         delete it first"
    )]
    ReportJobExists {
        report_job: ReportJobId,
        /// Its type.
        report_type: ReportType,
        /// Its name.
        name: String,
    },
    /// There is no token of that id.
    #[error("there is no token {token}")]
    UnknownTokenId {
        /// The token.
        token: TokenId,
    },
    /// The secret opens nothing: it is unknown, expired or revoked. Which of them is not said.
    #[error("the token is unknown, expired or revoked")]
    UnknownToken,
    /// The key was used for another body before.
    #[error("the idempotency key was used with another body; take a new key for a new request")]
    IdempotencyMismatch,
    /// Too much waits in the journal for the flush.
    #[error(
        "{bytes} bytes wait for the flush and at most {bytes_max} may; send the records again later"
    )]
    JournalFull {
        /// What waits.
        bytes: u64,
        /// What may wait.
        bytes_max: u64,
    },
    /// Too much of what waits in the journal is of one organisation.
    #[error(
        "{bytes} bytes of the organisation wait for the flush and at most {bytes_max} may; send the \
         records again later"
    )]
    JournalShareFull {
        /// What waits of it.
        bytes: u64,
        /// What may wait of it.
        bytes_max: u64,
    },
    /// So many reports wait to be made that further ones are refused.
    #[error(
        "{waiting} reports wait to be made and at most {waiting_max} may; ask for more when some \
         are done"
    )]
    ReportsFull {
        /// How many wait.
        waiting: u64,
        /// How many may wait.
        waiting_max: u64,
    },
    /// A report would have more rows than any may have.
    #[error(
        "the report could have {rows} rows, a bucket of time each from the first instant that was \
         watched to the last, and none may have more than {rows_max}; ask for a coarser \
         granularity_seconds or for less time"
    )]
    ReportTooLarge {
        /// How many there can be.
        rows: u64,
        /// How many there may be.
        rows_max: u64,
    },
    /// The organisation keeps as much as it may.
    #[error(
        "the organisation keeps as many {quota} as it may ({kept}, and at most {max}); {}",
        quota.remedy()
    )]
    QuotaExceeded {
        /// Of what.
        quota: Quota,
        /// How much it keeps.
        kept: u64,
        /// How much it may keep.
        max: u64,
    },
    /// The writer of the journal has stopped: the process is shutting down.
    #[error("the journal is closed; send the records again later")]
    JournalClosed,
    /// A head was to be moved to an earlier version, which would hide facts.
    #[error("the head of {table} is to be moved back to version {version}")]
    HeadMovedBack {
        /// The table.
        table: Table,
        /// The version asked for.
        version: u64,
    },
    /// There is no room left to store anything.
    #[error("the disk is full: {doing}")]
    StorageFull {
        /// What was tried.
        doing: &'static str,
    },
    /// The disk took a write not at all, as it does where a quota is used up.
    #[error("the disk takes no more, its quota may be used up: {doing}")]
    WriteRefused {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: Arc<sqlx::Error>,
    },
    /// The clock is long before the last transaction.
    #[error(
        "the server's clock says {now}, and something was stored at {committed_at} by it; nothing \
         is collected until it is set right, or confirmed by `showreport clock confirm`"
    )]
    ClockBehind {
        /// The time.
        now: Timestamp,
        /// The time of the last transaction.
        committed_at: Timestamp,
    },
    /// Another process kept writing for longer than we wait.
    #[error("the database is busy: {doing}")]
    DatabaseBusy {
        /// What was tried.
        doing: &'static str,
    },
    /// The database refused something.
    #[error("{doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        source: Arc<sqlx::Error>,
    },
    /// A newer version of the program has migrated the database.
    #[error(
        "a newer version of showreport has changed the database, by its migration {migration}, \
         which this version does not know; start that version, or put back the copy of the whole \
         directory from before the upgrade"
    )]
    NewerDatabase {
        /// The number of the first migration that is not known.
        migration: i64,
    },
    /// The database is of another version of the program, or broken.
    #[error("migrate the database")]
    Migrate(#[source] Arc<MigrateError>),
    /// What is stored is not what was written.
    #[error("read what was stored")]
    Damaged {
        /// Where, and what is wrong.
        #[source]
        damage: Damage,
    },
    /// The file beside the database cannot be used.
    #[error("read how many transactions were acknowledged")]
    Watermark(#[source] Arc<std::io::Error>),
    /// The system gives no random bytes.
    #[error("take random bytes from the system")]
    Random(#[source] getrandom::Error),
}

/// Names what was tried when a statement fails.
pub(crate) trait Doing<T> {
    /// The error says that this was tried, a verb and a noun: "store a report".
    fn doing(self, doing: &'static str) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, Error> {
        self.map_err(|error| Error::from_sqlx(doing, error))
    }
}

impl Error {
    /// Sorts an error of the database. Does not return when a sync of the disk failed.
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

    /// The database does not hold what was written to it.
    pub(crate) fn damaged(problem: &str) -> Self {
        Self::damaged_file(Config::FILE_NAME, problem)
    }

    /// Something was acknowledged that the database's log no longer has.
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

    /// The file beside the database failed.
    pub(crate) fn watermark(error: std::io::Error) -> Self {
        Self::Watermark(Arc::new(error))
    }

    /// Sorts an error of a migration, as [`Error::from_sqlx`] does.
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
/// A page contradicts itself or another.
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
/// The first page is none.
const SQLITE_NOTADB: i32 = 26;
/// A read that failed has lost nothing: the caller is told, and that is all.
const SQLITE_IOERR_READ: i32 = 266;
const SQLITE_IOERR_SHORT_READ: i32 = 522;
/// A write was refused for another reason than a full disk: `SQLite` knows no used-up quota. It is
/// no failed sync: the transaction is undone, nothing of it was acknowledged, and the next one
/// writes the same place anew before it syncs.
const SQLITE_IOERR_WRITE: i32 = 778;
/// The index of the log could not grow, which only happens on a full disk. It
/// is shared memory, rebuilt at need: no data went to it, so none is in doubt.
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

/// Whether a statement names a table or a column that is not there. Ours have all been run by tests, so
/// the description of a table, which is a text in the file, is not what it was.
fn lacks_a_name(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let message = error.message();
        message.starts_with("no such ") || message.contains(" has no column named ")
    })
}

/// What the process exits with when the disk failed: `EX_SOFTWARE` of sysexits.
const EXIT_DISK_FAILED: i32 = 70;

/// Ends the process at once, because the disk failed to sync.
///
/// After a failed sync the kernel may have dropped the pages and report
/// success the next time, so trying again can lose what was acknowledged. A
/// new process reads what is really on the disk. Destructors do not run: they
/// would only write more.
fn end_process(doing: &'static str, error: &sqlx::Error) -> ! {
    tracing::error!(%error, "the disk failed, the process ends: {doing}");
    std::process::exit(EXIT_DISK_FAILED)
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::OrgExists { .. } | Self::ReportJobExists { .. } => ErrorKind::Conflict,
            Self::UnknownOrg { .. }
            | Self::UnknownEvent { .. }
            | Self::UnknownReport { .. }
            | Self::UnknownReportJob { .. }
            | Self::UnknownBulkReport { .. }
            | Self::UnknownTokenId { .. } => ErrorKind::NotFound,
            Self::UnknownToken => ErrorKind::Unauthenticated,
            Self::IdempotencyMismatch | Self::ReportTooLarge { .. } => ErrorKind::Invalid,
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
}
