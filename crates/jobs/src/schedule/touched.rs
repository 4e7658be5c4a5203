//! Restatement: which days may say something else since something new was said of an event.
//!
//! New records of a day that is not settled yet change settled ones only now
//! and then: through a view that goes on past midnight, a poll that stays open.
//! They are looked at once an hour; late ones at once.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use showreport_meta::{DirtyEvent, DirtyOrg};
use showreport_model::report::Heads;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{EventId, ReportDay, ReportJobId, Timestamp};

use super::Standing;
use crate::jobs::Jobs;

/// How long records that are not late wait to be looked at.
const LOOK_AFTER_MS: i64 = 3_600_000;

/// Events of one organisation that are looked at in one look. The next organisations follow, and the
/// rest waits for the next look, so that one that has touched a million events delays no other.
const EVENTS_MAX: u32 = 1_000;

impl Jobs {
    /// Gives a reason to make again what may have changed, if an organisation has any such.
    /// True: there is more than one look takes.
    pub(super) async fn look_at_touched(
        &self,
        touched: &DirtyOrg,
        of_org: &[&Standing],
        now: Timestamp,
    ) -> anyhow::Result<bool> {
        if !is_due(touched, of_org, now) {
            return Ok(false);
        }
        let events = self.meta.take_dirty_events(&touched.org, EVENTS_MAX).await;
        let events = events.context("take touched events")?;
        // Everything they say is in the lake from here on.
        self.flush_org(&touched.org).await?;
        let heads = self.meta.heads().await.context("read the heads")?;
        let days = self.days_touched(of_org, &events, &heads).await?;
        let days: Vec<_> = days.into_iter().collect();
        self.meta
            .resolve_dirty_events(&touched.org, &events, &days)
            .await
            .context("note the days to make again")?;
        Ok(events.len() >= EVENTS_MAX as usize)
    }

    /// The days that these events reach. One question a day from which they were touched, whatever
    /// the number of events.
    async fn days_touched(
        &self,
        standing: &[&Standing],
        events: &[DirtyEvent],
        heads: &Heads,
    ) -> anyhow::Result<BTreeSet<(ReportJobId, ReportDay)>> {
        let mut days = BTreeSet::new();
        let Some(org) = standing.first().map(|standing| &standing.report_job.org) else {
            return Ok(days);
        };
        for (earliest, events) in by_day(standing, events) {
            let reach = self
                .query
                .reach(org, events, heads, earliest)
                .await
                .context("find the days of touched events")?;
            for standing in standing {
                for &(from, to) in reach.of(standing.report_job.report_type) {
                    let reached = standing.days_between(from, to);
                    days.extend(reached.map(|day| (standing.report_job.id, day)));
                }
            }
        }
        Ok(days)
    }
}

/// The events by the UTC day from which they were touched, and the earliest instant of each day.
/// What lies before all covered days is as good as their beginning.
fn by_day(
    standing: &[&Standing],
    events: &[DirtyEvent],
) -> impl Iterator<Item = (Timestamp, Vec<EventId>)> + use<> {
    let covered = standing.iter();
    let covered = covered.filter_map(|it| it.zone.bounds(it.covered.0).map(|(start, _)| start));
    let first = covered.min().unwrap_or(Timestamp::MIN);
    let mut days: BTreeMap<i64, (Timestamp, Vec<EventId>)> = BTreeMap::new();
    for touched in events {
        let earliest = touched.earliest.max(first);
        let day = earliest.as_millis().div_euclid(MILLIS_PER_DAY);
        let of_day = days.entry(day).or_insert_with(|| (earliest, Vec::new()));
        of_day.0 = of_day.0.min(earliest);
        of_day.1.push(touched.event.clone());
    }
    days.into_values()
}

/// Late records are looked at at once, and so is what somebody began to look at and left.
fn is_due(touched: &DirtyOrg, standing: &[&Standing], now: Timestamp) -> bool {
    let is_late = standing.first().is_none_or(|standing| {
        let end = standing.settled_until();
        end.is_none_or(|end| touched.earliest < end)
    });
    let looked_at_from = touched.dirty_since.saturating_add_millis(LOOK_AFTER_MS);
    is_late || touched.is_taken || looked_at_from <= now || touched.dirty_since > now
}

impl Standing {
    /// The end of the last day that is settled.
    pub(super) fn settled_until(&self) -> Option<Timestamp> {
        let (_, last) = self.covered;
        self.zone.bounds(last).map(|(_, end)| end)
    }

    /// The days between two instants whose reports may change.
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
