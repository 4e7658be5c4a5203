//! Refusals made from the errors of other crates.

use showreport_meta::Quota;
use showreport_model::{ErrorKind, Failure};

use super::{ApiError, OUR_FAULT, Reason};

impl From<showreport_meta::Error> for ApiError {
    fn from(error: showreport_meta::Error) -> Self {
        of_meta(&error).caused_by(error)
    }
}

impl From<showreport_lake::Error> for ApiError {
    fn from(error: showreport_lake::Error) -> Self {
        of_kind(&error).caused_by(error)
    }
}

impl From<showreport_query::Error> for ApiError {
    fn from(error: showreport_query::Error) -> Self {
        use showreport_query::Error;
        let refusal = match &error {
            // The one width that a request can ask for.
            Error::TooManyPoints(problem) => {
                return Self::violation("granularity_seconds", problem.to_string());
            }
            other => of_kind(other),
        };
        refusal.caused_by(error)
    }
}

impl From<showreport_live::Error> for ApiError {
    fn from(error: showreport_live::Error) -> Self {
        of_kind(&error).caused_by(error)
    }
}

impl From<showreport_jobs::Error> for ApiError {
    fn from(error: showreport_jobs::Error) -> Self {
        use showreport_jobs::Error;
        let refusal = match &error {
            Error::Meta { source, .. } => of_meta(source.as_ref()),
            Error::Lake { source, .. } => of_kind(source.as_ref()),
            Error::Query { source, .. } => of_kind(source.as_ref()),
            other => of_kind(other),
        };
        refusal.caused_by(error)
    }
}

/// The refusal of an error of which only the kind matters.
pub(super) fn of_kind<E: Failure>(error: &E) -> ApiError {
    of_reason(error, reason_of(error.kind()))
}

const fn reason_of(kind: ErrorKind) -> Reason {
    match kind {
        ErrorKind::Invalid => Reason::InvalidRequest,
        ErrorKind::Unauthenticated => Reason::UnknownToken,
        ErrorKind::NotFound => Reason::NotFound,
        ErrorKind::Conflict => Reason::Conflict,
        ErrorKind::Gone => Reason::Gone,
        ErrorKind::Busy => Reason::Busy,
        ErrorKind::Unavailable => Reason::Unavailable,
        ErrorKind::StorageFull => Reason::StorageFull,
        ErrorKind::Damaged => Reason::DataDamaged,
        ErrorKind::Internal => Reason::Internal,
    }
}

fn of_meta(error: &showreport_meta::Error) -> ApiError {
    use showreport_meta::Error;
    let reason = match error {
        Error::UnknownEvent { .. } => Reason::EventNotFound,
        Error::UnknownReport { .. } | Error::UnknownBulkReport { .. } => Reason::ReportNotFound,
        Error::UnknownReportJob { .. } => Reason::JobNotFound,
        Error::ReportJobExists { .. } => Reason::JobAlreadyExists,
        Error::IdempotencyMismatch => Reason::IdempotencyKeyReused,
        Error::ReportTooLarge { .. } | Error::TooManyBuckets(_) => Reason::ReportRowLimit,
        Error::ReportsFull { .. } => Reason::ReportsWaiting,
        Error::QuotaExceeded { quota, .. } => match quota {
            Quota::Events => Reason::EventQuota,
            Quota::Records => Reason::RecordQuota,
            _ => Reason::QuotaExceeded,
        },
        Error::JournalFull { .. } | Error::JournalShareFull { .. } => Reason::JournalFull,
        Error::ClockBehind { .. } => Reason::ClockBehind,
        Error::NoRole => Reason::ScopeMissing,
        Error::SessionEnded => Reason::SessionEnded,
        Error::WrongPassword => Reason::WrongPassword,
        Error::UnknownInvitation | Error::UnknownSignInLink | Error::UnknownShareLink => {
            Reason::LinkNotFound
        }
        Error::InvitationExpired | Error::ShareExpired => Reason::LinkExpired,
        other => reason_of(other.kind()),
    };
    let refusal = of_reason(error, reason);
    match error {
        Error::ReportJobExists {
            report_job, name, ..
        } => refusal
            .with_metadata("jobId", report_job.to_string())
            .with_metadata("jobName", name.as_str()),
        Error::QuotaExceeded { quota, max, .. } => refusal
            .with_metadata("quota_limit", quota.name())
            .with_metadata("quota_limit_value", max.to_string()),
        _ => refusal,
    }
}

fn of_reason<E: Failure>(error: &E, reason: Reason) -> ApiError {
    let message = match (error.kind(), error.damage()) {
        (ErrorKind::Unavailable, _) => {
            "a part of the service does not answer; the same request works later".to_owned()
        }
        (ErrorKind::StorageFull, _) => {
            "there is no room left to store anything; the same request works once there is"
                .to_owned()
        }
        // The file is named, so that the client can report it to the operator.
        (ErrorKind::Damaged, Some(damage)) => damage.to_string(),
        (ErrorKind::Damaged | ErrorKind::Internal, _) => OUR_FAULT.to_owned(),
        _ => error.to_string(),
    };
    let mut refusal = ApiError::new(reason, message);
    refusal.0.is_load = error.kind() == ErrorKind::Busy;
    refusal
}
