//! Removes the files of reports that are nobody's.
//!
//! A crash leaves one where a file is complete and its report not yet published, or where a report
//! is deleted and its file not yet. So does a caller who goes away between the two.

use std::collections::BTreeSet;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use showreport_meta::Meta;
use showreport_model::ReportId;

use super::{REPORTS, ReportFiles, failed};
use crate::Error;
use crate::delta::RETENTION_MS;

/// Files whose reports are looked up at once.
const LOOKED_UP: usize = 1_000;

impl ReportFiles {
    /// Removes files that are nobody's and a day old: what is made at a request is somebody's only
    /// once it is complete. Gives how many.
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
        // A damaged page may hide whose a file is.
        meta.verify().await?;
        self.delete(stream::iter(strays).boxed()).await
    }

    /// The files that were complete by an instant, with their reports.
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

/// The report whose file lies there, if it can be one's.
fn report_of(path: &Path) -> Option<ReportId> {
    let mut parts = path.parts().skip(2);
    parts.next()?.as_ref().parse().ok()
}
