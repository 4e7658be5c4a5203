//! The task that says which days of report jobs are to be made, and which again.
//!
//! It keeps nothing in mind: what is due follows, at every look, from the clock
//! and the database. So it may be late, come twice, run in two processes or see
//! a clock that jumps, and still each day is made once for each thing it says.

mod touched;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Context;
use showreport_meta::{DayMade, ReportJobUpdate};
use showreport_model::bulk::ReportJob;
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

/// Many reports at once are dated a little ahead, since no two of a report job may be of one instant.
const AHEAD_MS: i64 = 60_000;

/// Longer than any lease and any back-off.
const JOB_WAIT_MS_MAX: i64 = 600_000;

/// How long ahead the end of a report job is told, whatever the clock does meanwhile.
const NOTICE_MS: i64 = 30 * MILLIS_PER_DAY;

/// A report job and how it stands.
struct Standing {
    report_job: ReportJob,
    zone: Zone,
    made: BTreeMap<ReportDay, DayMade>,
    /// The first and the last day that it covers at present.
    covered: (ReportDay, ReportDay),
}

impl Jobs {
    /// Looks after report jobs until `shutdown`.
    pub async fn run_schedule(self, shutdown: CancellationToken) -> anyhow::Result<()> {
        while !shutdown.is_cancelled() {
            // A look that is broken off has changed nothing, or is done again by the next.
            let looked = tokio::select! {
                looked = self.look_at_orders() => looked,
                () = shutdown.cancelled() => break,
            };
            let is_done = looked.unwrap_or_else(|error| {
                tracing::error!(
                    error = format!("{error:#}"),
                    "report jobs could not be looked at; it goes on later"
                );
                true
            });
            if is_done {
                tokio::select! {
                    () = self.meta.report_job_created() => {}
                    () = wait(LOOK_EVERY, &shutdown) => {}
                }
            }
        }
        Ok(())
    }

    /// One look: queues what is due by now. False: there is more to look at than one look takes.
    ///
    /// Each organisation is looked at by itself. Where that fails, the others go on.
    pub async fn look_at_orders(&self) -> anyhow::Result<bool> {
        self.meta
            .revive_jobs(JOB_WAIT_MS_MAX)
            .await
            .context("revive jobs of another time")?;
        // Logged there; a server that is asked nothing should say so, too.
        drop(self.meta.ensure_clock().await);
        let now = self.meta.clock().now();
        if self.meta.is_clock_in_doubt().await? {
            return Ok(true);
        }
        self.metrics.look_begins(now);
        let standing = self.standing(now).await?;
        let mut lag = Lag::default();
        for standing in &standing {
            let looked = self.look_at_order(standing, now).await;
            lag.note(go_on(&standing.report_job.org, looked).flatten());
        }
        let mut is_done = true;
        let touched = self.meta.dirty_orgs().await;
        for touched in touched.context("look for touched events")? {
            let of_org = standing
                .iter()
                .filter(|it| it.report_job.org == touched.org);
            let of_org: Vec<&Standing> = of_org.collect();
            let looked = self.look_at_touched(&touched, &of_org, now).await;
            is_done &= !go_on(&touched.org, looked).unwrap_or(false);
            for standing in of_org {
                let queued = self.queue_due(standing, now).await;
                lag.note(go_on(&touched.org, queued).flatten());
                let late = self.late_since(standing).await;
                lag.note(go_on(&touched.org, late).flatten());
            }
        }
        let queued = self.meta.bulk_queued_since().await;
        lag.note(queued.context("look for the oldest bulk report")?);
        self.metrics.look_ends(lag.since);
        Ok(is_done)
    }

    /// Queues what is due of one report job, unless it ends. Gives since when the first report of a day
    /// is due.
    async fn look_at_order(
        &self,
        standing: &Standing,
        now: Timestamp,
    ) -> anyhow::Result<Option<Timestamp>> {
        self.keep_or_end(&standing.report_job, now).await?;
        self.queue_due(standing, now).await
    }

    /// Since when late records wait to be looked at.
    async fn late_since(&self, standing: &Standing) -> anyhow::Result<Option<Timestamp>> {
        let Some(settled_until) = standing.settled_until() else {
            return Ok(None);
        };
        let since = self
            .meta
            .dirty_since(&standing.report_job.org, settled_until);
        since.await.context("look since when events wait")
    }

    async fn standing(&self, now: Timestamp) -> anyhow::Result<Vec<Standing>> {
        let report_jobs = self.meta.report_jobs_in_force().await;
        let mut zones: BTreeMap<OrgId, Zone> = BTreeMap::new();
        let mut standing = Vec::new();
        for report_job in report_jobs.context("list report jobs")? {
            match self.report_job(report_job, &mut zones, now).await {
                Ok(report_job) => standing.push(report_job),
                Err(error) => {
                    self.note_damage(&error);
                    tracing::error!(
                        error = format!("{error:#}"),
                        "a report job cannot be read; the others go on"
                    );
                }
            }
        }
        Ok(standing)
    }

    async fn report_job(
        &self,
        report_job: Result<ReportJob, showreport_meta::Error>,
        zones: &mut BTreeMap<OrgId, Zone>,
        now: Timestamp,
    ) -> anyhow::Result<Standing> {
        let report_job = report_job.context("read a report job")?;
        let zone = match zones.get(&report_job.org) {
            Some(zone) => zone.clone(),
            None => self
                .meta
                .zone(&report_job.org)
                .await
                .context("read a zone")?,
        };
        zones.insert(report_job.org.clone(), zone.clone());
        let made = self.meta.days_made(report_job.id).await;
        let (oldest, last) = self.config.settling().days(&zone, now);
        Ok(Standing {
            made: made.context("list the days of a report job")?,
            covered: (report_job.first_day.max(oldest), last),
            report_job,
            zone,
        })
    }

    /// Queues the days that are to be made by now. Gives since when the first
    /// report of one is due.
    async fn queue_due(
        &self,
        standing: &Standing,
        now: Timestamp,
    ) -> anyhow::Result<Option<Timestamp>> {
        let report_job = standing.report_job.id;
        let due = self.meta.dirty_days(report_job).await;
        let mut due = due.context("list the days that are due")?;
        let missing = standing.missing(&due);
        if !missing.is_empty() {
            let wanted = self.meta.mark_days_dirty(report_job, &missing).await;
            wanted.context("note the days that are due")?;
            due.extend(missing);
        }
        let ready: Vec<ReportDay> = due
            .iter()
            .copied()
            .filter(|&day| standing.is_ready(day, now, self.config.restate_ms_max))
            .collect();
        if !ready.is_empty() {
            let queued = self
                .meta
                .queue_days(&standing.report_job.org, report_job, &ready)
                .await;
            queued.context("queue the days that are due")?;
        }
        if let Some((_, end)) = standing.newest_made() {
            self.metrics
                .newest_day_ends(standing.report_job.report_type, end);
        }
        let unmade = ready.iter().filter(|day| !standing.made.contains_key(day));
        Ok(unmade
            .filter_map(|&day| self.due_since(standing, day))
            .min())
    }

    /// Since when a day's first report is due: a new report job's past days are due since it was given.
    fn due_since(&self, standing: &Standing, day: ReportDay) -> Option<Timestamp> {
        let (_, end) = standing.zone.bounds(day)?;
        let settled = self.config.settling().due_at(end);
        Some(settled.max(standing.report_job.created_at))
    }

    /// Tells that a report job will end if nobody fetches a report, and ends it when it was told long enough.
    async fn keep_or_end(&self, report_job: &ReportJob, now: Timestamp) -> anyhow::Result<()> {
        let idle_ms = self.config.idle_order_ms;
        let notice_ms = NOTICE_MS.min(idle_ms / 2);
        let idle_until = report_job.fetched_at.saturating_add_millis(idle_ms);
        match report_job.ends_at {
            None if idle_until.saturating_add_millis(-notice_ms) <= now => {
                let ends_at = idle_until.max(now.saturating_add_millis(notice_ms));
                let told = self
                    .meta
                    .announce_end(&report_job.org, report_job.id, ends_at)
                    .await;
                if told.context("announce the end of a report job")? == ReportJobUpdate::Applied {
                    tracing::info!(report_job.id = %report_job.id, %ends_at, "nobody fetches the reports of a report job; it will end");
                }
            }
            Some(ends_at) if ends_at <= now => {
                let ended = self
                    .meta
                    .end_report_job(&report_job.org, report_job.id)
                    .await;
                if ended.context("end a report job")? == ReportJobUpdate::Applied {
                    tracing::info!(report_job.id = %report_job.id, "a report job has ended");
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Since when the oldest bulk report is overdue.
#[derive(Debug, Default)]
struct Lag {
    since: Option<Timestamp>,
}

impl Lag {
    fn note(&mut self, since: Option<Timestamp>) {
        self.since = self.since.into_iter().chain(since).min();
    }
}

/// What was done for an organisation. A failure is logged; it is tried again at the next look.
fn go_on<T>(org: &OrgId, done: anyhow::Result<T>) -> Option<T> {
    let logged = done.inspect_err(|error| {
        tracing::error!(
            org.id = %org,
            error = format!("{error:#}"),
            "the bulk reports of an organisation could not be looked at; it goes on later"
        );
    });
    logged.ok()
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
