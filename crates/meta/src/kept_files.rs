//! Which files of reports are somebody's: a report's that was made or is being made, or a link's.

use std::collections::BTreeSet;

use showreport_model::ReportId;
use sqlx::SqliteExecutor;

use crate::database::{Stored, to_json};
use crate::error::{Doing, Error};

const SELECT: &str = "WITH asked AS (SELECT value AS id FROM json_each(?1))
    SELECT id FROM reports
        WHERE id IN (SELECT id FROM asked) AND (file IS NOT NULL OR status = 'running')
    UNION SELECT file_id FROM bulk_reports WHERE file_id IN (SELECT id FROM asked)
    UNION SELECT file_id FROM dirty_days WHERE file_id IN (SELECT id FROM asked)
    UNION SELECT id FROM day_files WHERE id IN (SELECT id FROM asked)";

/// Those of these files that are somebody's, of all organisations.
pub(crate) async fn among(
    read: impl SqliteExecutor<'_>,
    ids: &BTreeSet<ReportId>,
) -> Result<BTreeSet<ReportId>, Error> {
    let texts: Vec<String> = ids.iter().map(ReportId::to_string).collect();
    let rows = sqlx::query(SELECT)
        .bind(to_json(&texts))
        .fetch_all(read)
        .await
        .doing("look for the reports of files")?;
    rows.iter().map(|row| Stored(row).parsed("id")).collect()
}
