//! Removes files of reports that do not belong to a report.
//!
//! They are left by a crash, or by a request that is dropped, between completing a file and
//! publishing its report, or between deleting a report and deleting its file.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use showreport_meta::Meta;
use showreport_model::ReportId;

use super::{REPORTS, ReportFiles, failed};
use crate::Error;
use crate::delta::RETENTION_MS;

/// Files that are looked up in the database at once.
const LOOKED_UP: usize = 1_000;

impl ReportFiles {
    /// Removes files without a report that are at least a day old. A younger file may belong to a
    /// report that is about to be published. Returns how many.
    pub(crate) async fn delete_strays(&self, meta: &Meta) -> Result<usize, Error> {
        let complete_by = meta.clock().now().as_millis() - RETENTION_MS;
        let mut files = self.complete_by(complete_by).try_chunks(LOOKED_UP);
        let mut strays = Vec::new();
        while let Some(files) = files.next().await {
            let files = files.map_err(|stopped| failed(stopped.1))?;
            let ids: BTreeSet<ReportId> = files.iter().map(|&(id, _)| id).collect();
            let kept = meta.kept_files(&ids).await?;
            let of_nobody = files.into_iter().filter(|(id, _)| !kept.contains(id));
            strays.extend(of_nobody.map(|(_, path)| Ok(path)));
        }
        if strays.is_empty() {
            return Ok(0);
        }
        // A damaged page of the database may hide the report of a file.
        meta.verify().await?;
        self.delete(stream::iter(strays).boxed()).await
    }

    /// The files that were complete at an instant, with their reports.
    fn complete_by(
        &self,
        millis: i64,
    ) -> BoxStream<'static, object_store::Result<(ReportId, Path)>> {
        let files = self.durable.list_unsorted(&Path::from(REPORTS));
        let old = files.try_filter_map(move |file| async move {
            let is_old = file.last_modified.timestamp_millis() <= millis;
            let id = report_of(&file.location).filter(|_| is_old);
            Ok(id.map(|id| (id, file.location)))
        });
        old.boxed()
    }
}

/// The report of the file at a path. `None` if the path is not that of a report's file.
fn report_of(path: &Path) -> Option<ReportId> {
    let mut parts = path.parts().skip(2);
    parts.next()?.as_ref().parse().ok()
}
