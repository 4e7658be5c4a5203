//! The task that queues the days of report jobs: closed days without a report, and dirty days.
//!
//! It has no state: each round reads the clock and the database. So rounds may be late, run twice or
//! in two processes, or see a clock that jumps, and a day still gets one report for each content.

mod dirty;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use showreport_meta::{DayMade, ReportJobUpdate};
use showreport_model::bulk::ReportJob;
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{ErrorChain, OrgId, ReportDay, Timestamp, Zone};
use tokio_util::sync::CancellationToken;

use crate::error::{Doing, Error};
use crate::jobs::Jobs;
use crate::runner::wait;

/// The wait between two rounds. A day that ends, imports and other processes do not notify this one.
const ROUND_EVERY: Duration = Duration::from_secs(5);

/// The wait between the first report of a day and its first restatement, so that one restatement
/// covers many late records. It doubles with each further one, up to a bound.
const RESTATE_MS: i64 = 10_000;

/// How far in the future reports may be dated: no two of a report job have the same time, so many at
/// once are dated ahead.
const AHEAD_MS: i64 = 60_000;

/// Longer than any lease and any back-off.
const JOB_WAIT_MS_MAX: i64 = 600_000;

/// How long before its end a report job is announced to end.
const NOTICE_MS: i64 = 30 * MILLIS_PER_DAY;

/// A report job, and which of its days have a report.
struct ReportJobDays {
    report_job: ReportJob,
    zone: Zone,
    made: BTreeMap<ReportDay, DayMade>,
    /// The first and the last day that are closed and within the retention.
    covered: (ReportDay, ReportDay),
}

/// How far a report job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportJobProgress {
    /// The newest day with a report, and the rows of its latest report.
    pub newest_day: Option<(ReportDay, u64)>,
    /// Closed days that have no report yet.
    pub days_waiting: usize,
    /// Since when the report of the oldest of them is due.
    pub waiting_since: Option<Timestamp>,
    /// Days with a report that will be made again, since records of them came later.
    pub days_changed: usize,
}

impl Jobs {
    /// How far a report job is. One that has ended waits for nothing.
    pub async fn progress_of(&self, report_job: ReportJob) -> Result<ReportJobProgress, Error> {
        let has_ended = report_job.ended_at.is_some();
        let now = self.meta.clock().now();
        let mut zones = BTreeMap::new();
        let days = self.report_job(Ok(report_job), &mut zones, now).await?;
        let newest = days.made.last_key_value();
        let mut progress = ReportJobProgress {
            newest_day: newest.map(|(&day, made)| (day, made.last_row_count)),
            days_waiting: 0,
            waiting_since: None,
            days_changed: 0,
        };
        if has_ended {
            return Ok(progress);
        }
        let waiting = days.missing(&BTreeSet::new());
        progress.days_waiting = waiting.len();
        let since = waiting.iter().filter_map(|&day| self.due_since(&days, day));
        progress.waiting_since = since.min();
        let dirty = self.meta.dirty_days(days.report_job.id).await;
        let dirty = dirty.doing("list the dirty days")?;
        let changed = dirty.iter().filter(|day| days.made.contains_key(day));
        progress.days_changed = changed.count();
        Ok(progress)
    }

    /// Runs rounds until `shutdown`.
    pub async fn run_schedule(self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            // What a cancelled round has not done is done by the next.
            let done = tokio::select! {
                done = self.queue_days() => done,
                () = shutdown.cancelled() => break,
            };
            let is_done = done.unwrap_or_else(|error| {
                tracing::error!(
                    error = ErrorChain(&error).to_string(),
                    "the days of report jobs could not be queued; the next round tries again"
                );
                true
            });
            if is_done {
                tokio::select! {
                    () = self.meta.report_job_created() => {}
                    () = wait(ROUND_EVERY, &shutdown) => {}
                }
            }
        }
    }

    /// One round: queues the days that are to be made now. False: there are more dirty events than
    /// one round takes.
    ///
    /// A failure of one organisation does not stop the others.
    pub async fn queue_days(&self) -> Result<bool, Error> {
        self.meta
            .revive_jobs(JOB_WAIT_MS_MAX)
            .await
            .doing("revive jobs of another time")?;
        // Called because it logs: a server without requests should log a wrong clock too.
        drop(self.meta.ensure_clock().await);
        let now = self.meta.clock().now();
        if self.is_clock_in_doubt().await? {
            return Ok(true);
        }
        self.metrics.round_begins(now);
        let all = self.report_job_days(now).await?;
        let mut lag = Lag::default();
        for days in &all {
            let done = self.queue_or_end(days, now).await;
            lag.include(logged(&days.report_job.org, done).flatten());
        }
        let mut is_done = true;
        let dirty = self.meta.dirty_orgs().await;
        for dirty in dirty.doing("look for dirty events")? {
            let of_org = all.iter().filter(|it| it.report_job.org == dirty.org);
            let of_org: Vec<&ReportJobDays> = of_org.collect();
            let done = self.resolve_dirty_events(&dirty, &of_org, now).await;
            is_done &= !logged(&dirty.org, done).unwrap_or(false);
            for days in of_org {
                let queued = self.queue_due(days, now).await;
                lag.include(logged(&dirty.org, queued).flatten());
                let late = self.late_since(days).await;
                lag.include(logged(&dirty.org, late).flatten());
            }
        }
        let queued = self.meta.bulk_queued_since().await;
        lag.include(queued.doing("look for the oldest bulk report")?);
        self.metrics.round_ends(lag.since);
        Ok(is_done)
    }

    /// Queues the days of one report job, unless it ends. Returns since when the oldest first report
    /// of a day is overdue.
    async fn queue_or_end(
        &self,
        days: &ReportJobDays,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        self.keep_or_end(&days.report_job, now).await?;
        self.queue_due(days, now).await
    }

    /// Since when late records wait for their days to be found.
    async fn late_since(&self, days: &ReportJobDays) -> Result<Option<Timestamp>, Error> {
        let Some(closed_until) = days.closed_until() else {
            return Ok(None);
        };
        let since = self.meta.dirty_since(&days.report_job.org, closed_until);
        since.await.doing("look since when events are dirty")
    }

    async fn report_job_days(&self, now: Timestamp) -> Result<Vec<ReportJobDays>, Error> {
        let report_jobs = self.meta.report_jobs_in_force().await;
        let mut zones: BTreeMap<OrgId, Zone> = BTreeMap::new();
        let mut all = Vec::new();
        for report_job in report_jobs.doing("list report jobs")? {
            match self.report_job(report_job, &mut zones, now).await {
                Ok(report_job) => all.push(report_job),
                Err(error) => {
                    self.record_damage(&error);
                    tracing::error!(
                        error = ErrorChain(&error).to_string(),
                        "a report job cannot be read; the others are not affected"
                    );
                }
            }
        }
        Ok(all)
    }

    async fn report_job(
        &self,
        report_job: Result<ReportJob, showreport_meta::Error>,
        zones: &mut BTreeMap<OrgId, Zone>,
        now: Timestamp,
    ) -> Result<ReportJobDays, Error> {
        let report_job = report_job.doing("read a report job")?;
        let zone = match zones.get(&report_job.org) {
            Some(zone) => zone.clone(),
            None => self.meta.zone(&report_job.org).await.doing("read a zone")?,
        };
        zones.insert(report_job.org.clone(), zone.clone());
        let made = self.meta.days_made(report_job.id).await;
        let (oldest, last) = self.config.day_closing().days(&zone, now);
        Ok(ReportJobDays {
            made: made.doing("list the days of a report job")?,
            covered: (report_job.first_day.max(oldest), last),
            report_job,
            zone,
        })
    }

    /// Queues the days that are to be made now. Returns since when the oldest first report of a day
    /// is overdue.
    async fn queue_due(
        &self,
        days: &ReportJobDays,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let report_job = days.report_job.id;
        let due = self.meta.dirty_days(report_job).await;
        let mut due = due.doing("list the dirty days")?;
        let missing = days.missing(&due);
        if !missing.is_empty() {
            let wanted = self.meta.mark_days_dirty(report_job, &missing).await;
            wanted.doing("mark days dirty")?;
            due.extend(missing);
        }
        let ready: Vec<ReportDay> = due
            .iter()
            .copied()
            .filter(|&day| days.is_ready(day, now, self.config.restate_ms_max))
            .collect();
        if !ready.is_empty() {
            let queued = self
                .meta
                .queue_days(&days.report_job.org, report_job, &ready)
                .await;
            queued.doing("queue the dirty days")?;
        }
        if let Some((_, end)) = days.newest_made() {
            self.metrics
                .newest_day_ends(days.report_job.report_type, end);
        }
        let unmade = ready.iter().filter(|day| !days.made.contains_key(day));
        Ok(unmade.filter_map(|&day| self.due_since(days, day)).min())
    }

    /// Since when a day's first report is overdue. The past days of a new report job are due since its
    /// creation.
    fn due_since(&self, days: &ReportJobDays, day: ReportDay) -> Option<Timestamp> {
        let (_, end) = days.zone.bounds(day)?;
        let settled = self.config.day_closing().closes_at(end);
        Some(settled.max(days.report_job.created_at))
    }

    /// Announces the end of a report job if its reports are not fetched, and ends it after the notice.
    async fn keep_or_end(&self, report_job: &ReportJob, now: Timestamp) -> Result<(), Error> {
        let idle_ms = self.config.idle_report_job_ms;
        let notice_ms = NOTICE_MS.min(idle_ms / 2);
        let idle_until = report_job.fetched_at.saturating_add_millis(idle_ms);
        match report_job.ends_at {
            None if idle_until.saturating_add_millis(-notice_ms) <= now => {
                let ends_at = idle_until.max(now.saturating_add_millis(notice_ms));
                let announced = self
                    .meta
                    .announce_end(&report_job.org, report_job.id, ends_at)
                    .await;
                if announced.doing("announce the end of a report job")? == ReportJobUpdate::Applied
                {
                    tracing::info!(
                        report_job.id = %report_job.id,
                        %ends_at,
                        "the reports of a report job are not fetched; it will end"
                    );
                }
            }
            Some(ends_at) if ends_at <= now => {
                let ended = self
                    .meta
                    .end_report_job(&report_job.org, report_job.id)
                    .await;
                if ended.doing("end a report job")? == ReportJobUpdate::Applied {
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
    fn include(&mut self, since: Option<Timestamp>) {
        self.since = self.since.into_iter().chain(since).min();
    }
}

/// The result for one organisation. A failure is logged, and the next round tries again.
fn logged<T>(org: &OrgId, done: Result<T, Error>) -> Option<T> {
    let done = done.inspect_err(|error| {
        tracing::error!(
            org.id = %org,
            error = ErrorChain(error).to_string(),
            "the days of an organisation could not be queued; the next round tries again"
        );
    });
    done.ok()
}

impl ReportJobDays {
    /// Covered days that have no report and are not dirty.
    fn missing(&self, due: &BTreeSet<ReportDay>) -> Vec<ReportDay> {
        let (first, last) = self.covered;
        first
            .through(last)
            .filter(|day| !self.made.contains_key(day) && !due.contains(day))
            // Without dates that the zone skips.
            .filter(|&day| self.zone.bounds(day).is_some())
            .collect()
    }

    /// Whether a dirty day may be made: it is closed, and its latest report is old enough.
    fn is_ready(&self, day: ReportDay, now: Timestamp, restate_ms_max: i64) -> bool {
        day <= self.covered.1
            && self.made.get(&day).is_none_or(|made| {
                let wait_ms = restate_ms(made.reports).min(restate_ms_max);
                let next = made.last_created_at.saturating_add_millis(wait_ms);
                // A report from the far future was made before the clock was set back.
                let is_ahead = made.last_created_at > now.saturating_add_millis(AHEAD_MS);
                next <= now || is_ahead
            })
    }

    /// Whether a dirty day is to be made again. An open day is made when it is closed, except one that
    /// has a report already, from before the clock was set back.
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
