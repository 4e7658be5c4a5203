//! The task that says which days of standing orders are to be made, and which again.
//!
//! It keeps nothing in mind: what is due follows, at every look, from the clock
//! and the database. So it may be late, come twice, run in two processes or see
//! a clock that jumps, and still each day is made once for each thing it says.

mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use showreport_meta::DayMade;
use showreport_model::bulk::StandingOrder;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OrgId, ReportDay, Timestamp, Zone};
use tokio_util::sync::CancellationToken;

use crate::jobs::Jobs;
use crate::runner::wait;

/// The clock, imports and other processes wake nobody here, so we look this often.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The wait between the first report of a day and its first restatement, in
/// which late records gather; it doubles with each further one, up to a bound.
const RESTATE_MS: i64 = 10_000;

/// Many reports at once are dated a little ahead, since no two of an order may be of one instant.
const AHEAD_MS: i64 = 60_000;

/// Longer than any lease and any back-off.
const JOB_WAIT_MS_MAX: i64 = 600_000;

/// How long ahead the end of an order is told, whatever the clock does meanwhile.
const NOTICE_MS: i64 = 30 * MILLIS_PER_DAY;

/// A standing order and how it stands.
struct Standing {
    order: StandingOrder,
    zone: Zone,
    made: BTreeMap<ReportDay, DayMade>,
    /// The first and the last day that it covers at present.
    covered: (ReportDay, ReportDay),
}

impl Jobs {
    /// Looks after standing orders until `shutdown`.
    pub async fn run_schedule(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        while !shutdown.is_cancelled() {
            // A look that is broken off has changed nothing, or is done again by the next.
            let looked = tokio::select! {
                looked = self.look_at_orders() => looked,
                () = shutdown.cancelled() => break,
            };
            if let Err(error) = looked {
                tracing::error!(
                    error = format!("{error:#}"),
                    "standing orders could not be looked at; it goes on later"
                );
            }
            tokio::select! {
                () = self.meta.order_given() => {}
                () = wait(LOOK_EVERY, &shutdown) => {}
            }
        }
        Ok(())
    }

    /// One look: queues what is due by now.
    pub async fn look_at_orders(&self) -> anyhow::Result<()> {
        self.meta
            .revive_jobs(JOB_WAIT_MS_MAX)
            .await
            .context("revive jobs of another time")?;
        let now = self.meta.clock().now();
        let standing = self.standing(now).await?;
        self.look_at_touched(&standing, now).await?;
        let mut lag_ms = 0;
        for standing in &standing {
            self.keep_or_end(&standing.order, now).await?;
            lag_ms = lag_ms.max(self.queue_due(standing, now).await?);
        }
        self.metrics.bulk_lags(lag_ms);
        Ok(())
    }

    async fn standing(&self, now: Timestamp) -> anyhow::Result<Vec<Standing>> {
        let orders = self.meta.orders_in_force().await;
        let mut zones: BTreeMap<OrgId, Zone> = BTreeMap::new();
        let mut standing = Vec::new();
        for order in orders.context("list standing orders")? {
            let zone = match zones.get(&order.org) {
                Some(zone) => zone.clone(),
                None => self.meta.zone(&order.org).await.context("read a zone")?,
            };
            zones.insert(order.org.clone(), zone.clone());
            let made = self.meta.days_made(order.id).await;
            let (oldest, last) = self.config.settling().days(&zone, now);
            standing.push(Standing {
                made: made.context("list the days of a standing order")?,
                covered: (order.first_day.max(oldest), last),
                order,
                zone,
            });
        }
        Ok(standing)
    }

    /// Queues the days that are to be made by now. Gives how long the first
    /// report of one has been due.
    async fn queue_due(&self, standing: &Standing, now: Timestamp) -> anyhow::Result<i64> {
        let order = standing.order.id;
        let due = self.meta.due_days(order).await;
        let mut due = due.context("list the days that are due")?;
        let missing = standing.missing(&due);
        if !missing.is_empty() {
            let wanted = self.meta.want_days(order, &missing).await;
            wanted.context("note the days that are due")?;
            due.extend(missing);
        }
        let ready: Vec<ReportDay> = due
            .iter()
            .copied()
            .filter(|&day| standing.is_ready(day, now, self.config.restate_ms_max))
            .collect();
        if !ready.is_empty() {
            let queued = self.meta.queue_days(order, &ready).await;
            queued.context("queue the days that are due")?;
        }
        if let Some((_, end)) = standing.newest_made() {
            self.metrics
                .newest_day_ends(standing.order.report_type, end);
        }
        let unmade = ready.iter().filter(|day| !standing.made.contains_key(day));
        let since = unmade
            .filter_map(|&day| self.due_since(standing, day))
            .min();
        Ok(since.map_or(0, |since| (now.as_millis() - since.as_millis()).max(0)))
    }

    /// Since when a day's first report is due: a new order's past days are due since it was given.
    fn due_since(&self, standing: &Standing, day: ReportDay) -> Option<Timestamp> {
        let (_, end) = standing.zone.bounds(day)?;
        let settled = self.config.settling().due_at(end);
        Some(settled.max(standing.order.created_at))
    }

    /// Tells that an order will end if nobody fetches a report, and ends it when it was told long enough.
    async fn keep_or_end(&self, order: &StandingOrder, now: Timestamp) -> anyhow::Result<()> {
        let idle_ms = self.config.idle_order_ms;
        let notice_ms = NOTICE_MS.min(idle_ms / 2);
        let idle_until = order.fetched_at.saturating_add_millis(idle_ms);
        match order.ends_at {
            None if idle_until.saturating_add_millis(-notice_ms) <= now => {
                let ends_at = idle_until.max(now.saturating_add_millis(notice_ms));
                let told = self.meta.announce_end(&order.org, order.id, ends_at).await;
                if told.context("announce the end of a standing order")? {
                    tracing::info!(standing_order.id = %order.id, %ends_at, "nobody fetches the reports of a standing order; it will end");
                }
            }
            Some(ends_at) if ends_at <= now => {
                let ended = self.meta.end_standing_order(&order.org, order.id).await;
                if ended.context("end a standing order")? {
                    tracing::info!(standing_order.id = %order.id, "a standing order has ended");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Standing {
    /// Covered days of which there is nothing, and nothing is under way.
    fn missing(&self, due: &BTreeSet<ReportDay>) -> Vec<ReportDay> {
        let (first, last) = self.covered;
        first
            .through(last)
            .filter(|day| !self.made.contains_key(day) && !due.contains(day))
            // A date that the zone skips is no day.
            .filter(|&day| self.zone.bounds(day).is_some())
            .collect()
    }

    /// Whether a due day may be made: it is settled, and was not restated just now.
    fn is_ready(&self, day: ReportDay, now: Timestamp, restate_ms_max: i64) -> bool {
        day <= self.covered.1
            && self.made.get(&day).is_none_or(|made| {
                let wait_ms = restate_ms(made.reports).min(restate_ms_max);
                let next = made.last_created_at.saturating_add_millis(wait_ms);
                // What was made long after now was made by a clock that has gone back since.
                let is_ahead = made.last_created_at > now.saturating_add_millis(AHEAD_MS);
                next <= now || is_ahead
            })
    }

    /// Whether a touched day is to be made again. A day that is not settled is made later
    /// anyway, unless a clock that has gone back since had it made too early.
    fn can_change(&self, day: ReportDay) -> bool {
        let (first, last) = self.covered;
        first <= day && (day <= last || self.made.contains_key(&day))
    }

    fn newest_made(&self) -> Option<(Timestamp, Timestamp)> {
        let (&day, _) = self.made.last_key_value()?;
        self.zone.bounds(day)
    }
}

fn restate_ms(reports: u32) -> i64 {
    RESTATE_MS << reports.saturating_sub(1).min(16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    #[test]
    fn restatements_of_a_day_become_rare() {
        assert_eq!([1, 2, 3].map(restate_ms), [10_000, 20_000, 40_000]);
        assert!(restate_ms(100) > Config::default().restate_ms_max);
    }
}
