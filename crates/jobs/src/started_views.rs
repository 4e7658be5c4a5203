//! The daily watch-time report of the views that began on a day. It is made within a request.

use showreport_lake::{ReportPath, Variant};
use showreport_meta::DayFile;
use showreport_model::bulk::ReportType;
use showreport_model::record::EventKind;
use showreport_model::{OrgId, ReportDay, ReportId};
use showreport_query::Output;

use crate::error::{Doing, Error};
use crate::jobs::Jobs;
use crate::make_bulk_report::day_order;

/// A failure is returned to the client instead of being tried again, so there is one attempt.
const ATTEMPT: u32 = 1;

impl Jobs {
    /// Makes the file of a day from the events of the kinds that `takes` accepts.
    pub async fn make_started_views(
        &self,
        org: &OrgId,
        day: ReportDay,
        takes: impl Fn(Option<EventKind>) -> bool,
        kept_ms: i64,
    ) -> Result<DayFile, Error> {
        let has_room = self.meta.ensure_day_file_room(org).await;
        has_room.doing("look for room for a file")?;
        let zone = self.meta.zone(org).await.doing("read the zone")?;
        let question = day_order(org, ReportType::WatchTime, &zone, day)?;
        self.flush_org(org).await?;
        let heads = self.meta.heads().await.doing("read the heads")?;
        let events = self
            .query
            .events_of_day(&question, &heads)
            .await
            .doing("find the events of the day")?;
        let events = self.meta.events_by_id(org, &events).await;
        let mut events = events.doing("read what the events are")?;
        events.retain(|_, event| takes(event.kind));
        let id = ReportId::generate();
        let files = self.lake.report_files();
        let create = |variant| files.create(&ReportPath::new(org, id, ATTEMPT, variant));
        let raw = Box::new(create(Variant::Raw));
        let output = Output::new(Box::new(create(Variant::Main)), Some(raw));
        let written = self
            .query
            .write_started_views(&question, &heads, events, output)
            .await
            .doing("write the file of the day")?;
        let made = DayFile {
            id,
            org: org.clone(),
            file: written.into_file(ATTEMPT),
            expires_at: self.meta.clock().now().saturating_add_millis(kept_ms),
        };
        let noted = self.meta.add_day_file(&made).await;
        noted.doing("store the file of the day")?;
        Ok(made)
    }
}
