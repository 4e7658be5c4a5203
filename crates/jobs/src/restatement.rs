//! What the restatement of a day changed: its report beside the one that it replaced.

use futures::TryStreamExt;
use showreport_lake::{ReportPath, Variant};
use showreport_model::OrgId;
use showreport_model::bulk::BulkReport;
use showreport_query::Changes;

use crate::error::{Doing, Error};
use crate::jobs::Jobs;

/// Bytes of two files that are compared. Both are in memory meanwhile.
const COMPARED_BYTES_MAX: u64 = 16 << 20;

impl Jobs {
    /// The rows by which a report differs from the one before it, at most `rows_max` of them
    /// listed. `None`: the files are too large to be compared.
    pub async fn changes(
        &self,
        org: &OrgId,
        before: &BulkReport,
        after: &BulkReport,
        rows_max: usize,
    ) -> Result<Option<Changes>, Error> {
        if exact_bytes(before) + exact_bytes(after) > COMPARED_BYTES_MAX {
            return Ok(None);
        }
        let (before, after) = (
            self.exact(org, before).await?,
            self.exact(org, after).await?,
        );
        let changes = self.query.changes(before, after, rows_max).await;
        changes.doing("compare two reports of a day").map(Some)
    }

    /// The exact text of a report.
    async fn exact(&self, org: &OrgId, report: &BulkReport) -> Result<Vec<u8>, Error> {
        let variant = match report.file.raw_size_bytes {
            Some(_) => Variant::Raw,
            None => Variant::Main,
        };
        let path = ReportPath::new(org, report.file_id, report.file.attempt, variant);
        let files = self.lake.report_files();
        let read = async {
            let mut parts = files.read(&path, 0..exact_bytes(report)).await?;
            let mut text = Vec::new();
            while let Some(part) = parts.try_next().await? {
                text.extend_from_slice(&part);
            }
            Ok(text)
        };
        let text: Result<_, showreport_lake::Error> = read.await;
        let text = text.doing("read a report of a day");
        text.inspect_err(|error| self.record_damage(error))
    }
}

fn exact_bytes(report: &BulkReport) -> u64 {
    let file = &report.file;
    file.raw_size_bytes.unwrap_or(file.size_bytes)
}
