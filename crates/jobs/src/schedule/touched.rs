//! Restatement: which days may say something else since something new was said of an event.
//!
//! New records of a day that is not settled yet change settled ones only now
//! and then: through a view that goes on past midnight, a poll that stays open.
//! They are looked at once an hour; late ones at once.

use std::collections::BTreeSet;

use anyhow::Context;
use showreport_meta::{TouchedEvent, TouchedOrg};
use showreport_model::report::Heads;
use showreport_model::{ReportDay, StandingOrderId, Timestamp};

use super::Standing;
use crate::jobs::Jobs;

/// How long records that are not late wait to be looked at.
const LOOK_AFTER_MS: i64 = 3_600_000;

impl Jobs {
    /// Gives a reason to make again what may have changed.
    pub(super) async fn look_at_touched(
        &self,
        standing: &[Standing],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let orgs = self.meta.touched_orgs().await;
        for touched in orgs.context("look for touched events")? {
            let of_org = standing.iter().filter(|it| it.order.org == touched.org);
            let of_org: Vec<&Standing> = of_org.collect();
            if is_due(&touched, &of_org, now) {
                let events = self.meta.take_touched(&touched.org).await;
                let events = events.context("take touched events")?;
                // Everything they say is in the lake from here on.
                self.flush_org(&touched.org).await?;
                let heads = self.meta.heads().await.context("read the heads")?;
                let days = self.days_touched(&of_org, &events, &heads).await?;
                let days: Vec<_> = days.into_iter().collect();
                self.meta
                    .settle_touched(&touched.org, &events, &days)
                    .await
                    .context("note the days to make again")?;
            }
        }
        Ok(())
    }

    async fn days_touched(
        &self,
        standing: &[&Standing],
        events: &[TouchedEvent],
        heads: &Heads,
    ) -> anyhow::Result<BTreeSet<(StandingOrderId, ReportDay)>> {
        let mut days = BTreeSet::new();
        let Some(org) = standing.first().map(|standing| &standing.order.org) else {
            return Ok(days);
        };
        for touched in events {
            let reach = self
                .query
                .reach((org, &touched.event), heads, touched.earliest)
                .await
                .context("find the days of a touched event")?;
            for standing in standing {
                for &(from, to) in reach.of(standing.order.report_type) {
                    let reached = standing.days_between(from, to);
                    days.extend(reached.map(|day| (standing.order.id, day)));
                }
            }
        }
        Ok(days)
    }
}

/// Late records are looked at at once, and so is what somebody began to look at and left.
fn is_due(touched: &TouchedOrg, standing: &[&Standing], now: Timestamp) -> bool {
    let is_late = standing.first().is_none_or(|standing| {
        let (_, last) = standing.covered;
        let settled_until = standing.zone.bounds(last).map(|(_, end)| end);
        settled_until.is_none_or(|end| touched.earliest < end)
    });
    let looked_at_from = touched.waiting_since.saturating_add_millis(LOOK_AFTER_MS);
    is_late || touched.is_taken || looked_at_from <= now || touched.waiting_since > now
}

impl Standing {
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
