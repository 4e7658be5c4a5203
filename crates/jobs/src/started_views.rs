//! The daily watch-time report, made at a request: of the views that began on a day.

use anyhow::Context;
use showreport_lake::{ReportPath, Variant};
use showreport_meta::DayFile;
use showreport_model::bulk::ReportType;
use showreport_model::record::EventKind;
use showreport_model::{OrgId, ReportDay, ReportId};
use showreport_query::Output;

use crate::jobs::Jobs;
use crate::make_bulk_report::day_order;

/// There is one: nothing is tried again behind the caller's back.
const ATTEMPT: u32 = 1;

impl Jobs {
    /// Makes the file of a day, of events of these kinds, to be kept for so long.
    pub async fn make_started_views(
        &self,
        org: &OrgId,
        day: ReportDay,
        takes: impl Fn(Option<EventKind>) -> bool,
        kept_ms: i64,
    ) -> anyhow::Result<DayFile> {
        let has_room = self.meta.ensure_day_file_room(org).await;
        has_room.context("look for room for a file")?;
        let zone = self.meta.zone(org).await.context("read the zone")?;
        let question = day_order(org, ReportType::WatchTime, &zone, day)?;
        self.flush_org(org).await?;
        let heads = self.meta.heads().await.context("read the heads")?;
        let events = self
            .query
            .events_of_day(&question, &heads)
            .await
            .context("find the events of the day")?;
        let events = self.meta.events_by_id(org, &events).await;
        let mut events = events.context("read what the events are")?;
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
            .context("write the file of the day")?;
        let made = DayFile {
            id,
            org: org.clone(),
            file: written.into_file(ATTEMPT),
            expires_at: self.meta.clock().now().saturating_add_millis(kept_ms),
        };
        let noted = self.meta.add_day_file(&made).await;
        noted.context("note the file of the day")?;
        Ok(made)
    }
}
