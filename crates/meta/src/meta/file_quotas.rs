//! The quotas of files: whether an organisation may keep more than it does.

use showreport_model::OrgId;
use sqlx::SqliteConnection;

use crate::error::{Doing, Error};
use crate::quotas::{Quota, Quotas};

/// Files to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addition {
    /// The number of event reports.
    Reports(u64),
    /// One file of a day, made at a request.
    DayFile,
    BulkReport,
}

const SELECT_REPORTS: &str = "SELECT count(*) FROM reports
    WHERE org = $1 AND (file IS NOT NULL OR status = 'running')";

const SELECT_DAY_FILES: &str = "SELECT count(*) FROM day_files WHERE org = $1";

const SELECT_BYTES: &str = "SELECT
        (SELECT coalesce(sum(file_bytes), 0) FROM reports
            WHERE org = $1 AND (file IS NOT NULL OR status = 'running'))
        + (SELECT coalesce(sum(file_bytes), 0) FROM bulk_reports WHERE org = $1)
        + (SELECT coalesce(sum(file_bytes), 0) FROM day_files WHERE org = $1) AS bytes";

/// Fails if the organisation would exceed a quota. The size of a file is not known before it is
/// made, so one is allowed while any byte is left.
pub(super) async fn ensure(
    read: &mut SqliteConnection,
    quotas: &Quotas,
    org: &OrgId,
    addition: Addition,
) -> Result<(), Error> {
    let counted = match addition {
        Addition::Reports(more) => Some((Quota::Reports, SELECT_REPORTS, quotas.reports_max, more)),
        Addition::DayFile => Some((Quota::DayFiles, SELECT_DAY_FILES, quotas.day_files_max, 1)),
        Addition::BulkReport => None,
    };
    if let Some((quota, statement, max, more)) = counted {
        let kept = count(read, statement, org).await?;
        check(quota, kept, more, max)?;
    }
    let bytes = count(read, SELECT_BYTES, org).await?;
    check(Quota::FileBytes, bytes, 1, quotas.file_bytes_max)
}

async fn count(
    read: &mut SqliteConnection,
    statement: &'static str,
    org: &OrgId,
) -> Result<u64, Error> {
    let count: i64 = sqlx::query_scalar(statement)
        .bind(org.as_str())
        .fetch_one(read)
        .await
        .doing("count the files of an organisation")?;
    Ok(count.unsigned_abs())
}

fn check(quota: Quota, kept: u64, more: u64, max: u64) -> Result<(), Error> {
    if kept.saturating_add(more) <= max {
        return Ok(());
    }
    Err(Error::QuotaExceeded { quota, kept, max })
}
