//! Restatement: which days have to be made again because events are dirty.
//!
//! New records of an open day rarely change closed ones: through a view that lasts past midnight, or
//! a poll that stays open. So the days of such events are found once an hour, and the days of events
//! with late records at once.

use std::collections::{BTreeMap, BTreeSet};

use showreport_meta::{DirtyEvent, DirtyOrg};
use showreport_model::report::Heads;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{EventId, ReportDay, ReportJobId, Timestamp};

use super::ReportJobDays;
use crate::error::{Doing, Error};
use crate::jobs::Jobs;

/// How long events without late records stay dirty until their days are found.
const WAIT_MS: i64 = 3_600_000;

/// The most dirty events of one organisation in one round, so that one with a million of them does
/// not delay the others.
const EVENTS_MAX: u32 = 1_000;

impl Jobs {
    /// Finds the days that an organisation's dirty events reach, and marks them dirty. True: there are
    /// more events than one round takes.
    pub(super) async fn resolve_dirty_events(
        &self,
        dirty: &DirtyOrg,
        of_org: &[&ReportJobDays],
        now: Timestamp,
    ) -> Result<bool, Error> {
        if !is_due(dirty, of_org, now) {
            return Ok(false);
        }
        let events = self.meta.take_dirty_events(&dirty.org, EVENTS_MAX).await;
        let events = events.doing("take dirty events")?;
        // The facts that made them dirty have to be in the lake.
        self.flush_org(&dirty.org).await?;
        let heads = self.meta.heads().await.doing("read the heads")?;
        let days = self.days_reached(of_org, &events, &heads).await?;
        let days: Vec<_> = days.into_iter().collect();
        self.meta
            .resolve_dirty_events(&dirty.org, &events, &days)
            .await
            .doing("mark the days dirty")?;
        Ok(events.len() >= EVENTS_MAX as usize)
    }

    /// The days that these events reach. It takes one question for each day since when events are
    /// dirty, whatever their number.
    async fn days_reached(
        &self,
        report_jobs: &[&ReportJobDays],
        events: &[DirtyEvent],
        heads: &Heads,
    ) -> Result<BTreeSet<(ReportJobId, ReportDay)>, Error> {
        let mut days = BTreeSet::new();
        let Some(org) = report_jobs.first().map(|days| &days.report_job.org) else {
            return Ok(days);
        };
        for (earliest, events) in by_day(report_jobs, events) {
            let dirty = self
                .query
                .dirty_times(org, events, heads, earliest)
                .await
                .doing("find the days of dirty events")?;
            for of_job in report_jobs {
                for &(from, to) in dirty.of(of_job.report_job.report_type) {
                    let reached = of_job.days_between(from, to);
                    days.extend(reached.map(|day| (of_job.report_job.id, day)));
                }
            }
        }
        Ok(days)
    }
}

/// The events by the UTC day of their earliest new fact, with the earliest time of each day. Times
/// before all covered days are treated as their beginning.
fn by_day(
    report_jobs: &[&ReportJobDays],
    events: &[DirtyEvent],
) -> impl Iterator<Item = (Timestamp, Vec<EventId>)> + use<> {
    let covered = report_jobs.iter();
    let covered = covered.filter_map(|it| it.zone.bounds(it.covered.0).map(|(start, _)| start));
    let first = covered.min().unwrap_or(Timestamp::MIN);
    let mut days: BTreeMap<i64, (Timestamp, Vec<EventId>)> = BTreeMap::new();
    for event in events {
        let earliest = event.earliest.max(first);
        let day = earliest.as_millis().div_euclid(MILLIS_PER_DAY);
        let of_day = days.entry(day).or_insert_with(|| (earliest, Vec::new()));
        of_day.0 = of_day.0.min(earliest);
        of_day.1.push(event.event.clone());
    }
    days.into_values()
}

/// Whether the days are to be found now: of late records, and of events that an earlier round took
/// and did not finish.
fn is_due(dirty: &DirtyOrg, report_jobs: &[&ReportJobDays], now: Timestamp) -> bool {
    let is_late = report_jobs.first().is_none_or(|days| {
        let end = days.closed_until();
        end.is_none_or(|end| dirty.earliest < end)
    });
    let due_at = dirty.dirty_since.saturating_add_millis(WAIT_MS);
    is_late || dirty.is_taken || due_at <= now || dirty.dirty_since > now
}

impl ReportJobDays {
    /// The end of the last closed day.
    pub(super) fn closed_until(&self) -> Option<Timestamp> {
        let (_, last) = self.covered;
        self.zone.bounds(last).map(|(_, end)| end)
    }

    /// The days between two times, without those that cannot change.
    fn days_between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> impl Iterator<Item = ReportDay> + use<'_> {
        let last_made = self.made.last_key_value().map(|(&day, _)| day);
        let (first, last) = self.covered;
        let last = last_made.map_or(last, |made| made.max(last));
        let from = self.zone.day_of(from).max(first);
        let to = self.zone.day_of(to).min(last);
        from.through(to).filter(|&day| self.can_change(day))
    }
}
