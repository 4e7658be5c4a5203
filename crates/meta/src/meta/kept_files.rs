//! Which files are in use: by a report that is made or being made, or by a link.

use std::collections::BTreeSet;

use showreport_model::ReportId;

use super::Meta;
use crate::database::{Stored, elements, to_json};
use crate::error::{Doing, Error};

/// The files come as a JSON array of their ids.
const SELECT: &str = concat!(
    "WITH asked AS (SELECT value AS id FROM ",
    elements!("$1"),
    ")
    SELECT id FROM reports
        WHERE id IN (SELECT id FROM asked) AND (file IS NOT NULL OR status = 'running')
    UNION SELECT file_id FROM bulk_reports WHERE file_id IN (SELECT id FROM asked)
    UNION SELECT file_id FROM dirty_days WHERE file_id IN (SELECT id FROM asked)
    UNION SELECT id FROM day_files WHERE id IN (SELECT id FROM asked)"
);

impl Meta {
    /// Those of these files that are in use, of all organisations.
    pub async fn kept_files(&self, ids: &BTreeSet<ReportId>) -> Result<BTreeSet<ReportId>, Error> {
        let texts: Vec<String> = ids.iter().map(ReportId::to_string).collect();
        let rows = sqlx::query(SELECT)
            .bind(to_json(&texts))
            .fetch_all(self.readers())
            .await
            .doing("look for the reports of files")?;
        rows.iter().map(|row| Stored(row).parsed("id")).collect()
    }
}
