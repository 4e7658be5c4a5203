//! Bulk reports over time: days of 23 and 25 hours, retention, jobs that end, clocks that jump,
//! servers that were down, two servers at once.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::harness::app::LEASE_MS;
use crate::harness::bulk::media;
use crate::harness::show::watches;
use crate::harness::{Org, Show, TestApp};

const HOURS_A_DAY: i64 = 24;

fn text<'a>(report: &'a Value, name: &str) -> &'a str {
    report[name]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: {report}"))
}

/// Checks that no two reports of a day are equal, and that each names the one before it. Returns
/// the number of days.
fn each_content_once(reports: &[Value]) -> usize {
    let mut days: BTreeSet<&str> = BTreeSet::new();
    for (place, report) in reports.iter().enumerate() {
        let day = text(report, "startTime");
        days.insert(day);
        let before = reports[place + 1..]
            .iter()
            .find(|older| older["startTime"] == day);
        if let Some(before) = before {
            assert_ne!(report["sha256"], before["sha256"], "{report}");
            assert_eq!(report["supersedes"], before["id"], "{report}");
        }
    }
    days.len()
}

async fn all(app: &TestApp, org: &Org, job: &str) -> Vec<Value> {
    app.bulk_reports(org, job, "?pageSize=1000").await
}

#[tokio::test]
async fn a_day_lasts_23_or_25_hours_when_the_clocks_change() {
    let app = TestApp::new().await;
    let org = app.org("acme", "Europe/Berlin").await;
    // It is 20:00 UTC on 25 November 2026; the clocks go back on 25 October.
    app.clock.advance_hours(-20 * HOURS_A_DAY);
    app.confirm_clock().await;
    let across = json!({
        "type": "playback", "event_id": "e", "playback_id": "p",
        "from": "2026-10-24T22:00:00Z", "to": "2026-10-25T10:00:00Z",
    });
    let to_the_end = json!({
        "type": "playback", "event_id": "e", "playback_id": "p",
        "from": "2026-10-25T10:00:00Z", "to": "2026-10-26T00:00:00Z",
    });
    app.accept(&org, &[across, to_the_end]).await;
    let job = app.job(&org, "event_watch_time_a1").await;
    app.keep_schedule().await;
    let reports = app.reports_from(&org, &job, "2026-10-24T22:00:00Z").await;
    assert_eq!(reports[0]["endTime"], "2026-10-25T23:00:00Z");
    let file = app.bulk_file(&org, &reports[0]).await;
    let (minutes, seconds) = (25 * 60, 25 * 3_600);
    assert!(
        file.ends_with(&format!("20261025,e,,,,1,1,{minutes},{seconds}\n")),
        "{file}"
    );
    let next = app.reports_from(&org, &job, "2026-10-25T23:00:00Z").await;
    let file = app.bulk_file(&org, &next[0]).await;
    assert!(file.ends_with("20261026,e,,,,1,1,60,3600\n"), "{file}");
    // On 28 March 2027 they go forward.
    let spring = "2027-03-27T23:00:00Z";
    app.clock.advance_hours(150 * HOURS_A_DAY);
    app.keep_schedule().await;
    let reports = app.reports_from(&org, &job, spring).await;
    assert_eq!(reports[0]["endTime"], "2027-03-28T22:00:00Z");
}

#[tokio::test]
async fn a_day_lies_in_the_zone_of_its_organisation() {
    let show = Show::in_zone("Asia/Taipei").await;
    // Midnight in Taipei is 16:00 UTC.
    show.send([watches("ada", "tab", "15:59..16:02")]).await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    for (start, row) in [
        ("2026-11-21T16:00:00Z", "20261122,keynote,,ada,1,1,1\n"),
        ("2026-11-22T16:00:00Z", "20261123,keynote,,ada,1,2,2\n"),
    ] {
        let reports = show.app.reports_from(&show.org, &job, start).await;
        let file = show.app.bulk_file(&show.org, &reports[0]).await;
        assert!(file.ends_with(row), "{file}");
    }
}

#[tokio::test]
async fn a_report_is_kept_for_sixty_days_and_a_day_restated_as_long() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let first = show
        .app
        .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
        .await
        .remove(0);
    assert_eq!(&text(&first, "expireTime")[..19], "2027-01-24T20:00:00");
    // The day ended 57 days and 20 hours before: late records restate it.
    show.app.clock.advance_hours(54 * HOURS_A_DAY);
    show.send([watches("late", "tab-2", "10:00..10:01")]).await;
    show.app.keep_schedule().await;
    let both = show
        .app
        .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
        .await;
    assert_eq!(both.len(), 2);
    // On the sixtieth day the first reports are deleted with their files.
    show.app.clock.advance_hours(6 * HOURS_A_DAY);
    show.app.maintain(false).await;
    let left = show
        .app
        .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
        .await;
    assert_eq!(left, both[..1]);
    let gone = show.app.get(&show.org, media(&first)).await;
    assert_eq!(gone.status, 404);
    show.app.bulk_file(&show.org, &left[0]).await;
    // After that no day is restated or made again.
    show.send([watches("later", "tab-3", "10:00..10:01")]).await;
    show.app.keep_schedule().await;
    assert_eq!(
        show.app
            .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
            .await,
        left
    );
}

#[tokio::test]
async fn a_server_that_was_down_for_a_week_makes_each_missed_day_once() {
    let mut show = Show::new().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    show.app.clock.advance_hours(7 * HOURS_A_DAY);
    show.app.restart().await;
    show.app.confirm_clock().await;
    show.app.keep_schedule().await;
    show.app.keep_schedule().await;
    let reports = all(&show.app, &show.org, &job).await;
    assert_eq!(reports.len(), 37);
    assert_eq!(each_content_once(&reports), 37);
}

#[tokio::test]
async fn a_clock_that_jumps_repeats_no_report_and_loses_no_record() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let before = all(&show.app, &show.org, &job).await;
    // Ten days ahead: reports of days that have not begun are made.
    show.app.clock.advance_hours(10 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    assert_eq!(all(&show.app, &show.org, &job).await.len(), 40);
    // And back: records of such a day are not lost.
    show.app.clock.advance_hours(-10 * HOURS_A_DAY);
    show.app.confirm_clock().await;
    show.app.keep_schedule().await;
    let beat = json!({
        "type": "playback", "event_id": "keynote", "playback_id": "tab-2", "customer_id": "eve",
        "from": "2026-11-25T20:00:00Z", "to": "2026-11-25T20:30:00Z",
    });
    show.app.clock.advance_hours(1);
    show.app.accept(&show.org, &[beat]).await;
    show.app.clock.advance_hours(2);
    show.app.keep_schedule().await;
    let reports = all(&show.app, &show.org, &job).await;
    assert_eq!(reports.len(), 40, "the day is not over");
    assert!(before.iter().all(|report| reports.contains(report)));
    show.app.clock.advance_hours(2);
    show.app.keep_schedule().await;
    let of_day = show
        .app
        .reports_from(&show.org, &job, "2026-11-25T00:00:00Z")
        .await;
    assert_eq!(of_day.len(), 2);
    let file = show.app.bulk_file(&show.org, &of_day[0]).await;
    assert!(file.contains("20261125,keynote,,eve,1,30,30\n"), "{file}");
    // Reports are listed in the order of creation, whatever the clock was.
    let reports = all(&show.app, &show.org, &job).await;
    assert_eq!(reports[0], of_day[0]);
    assert_eq!(each_content_once(&reports), 40);
}

#[tokio::test]
async fn a_claim_from_a_clock_ahead_is_not_waited_for() {
    let show = Show::new().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    let jobs = &show.app.parts.jobs;
    jobs.queue_days().await.expect("the schedule looks");
    show.app.clock.advance_hours(365 * HOURS_A_DAY);
    let abandoned = show
        .app
        .parts
        .meta
        .claim_job(LEASE_MS)
        .await
        .expect("claim");
    assert!(abandoned.is_some());
    show.app.clock.advance_hours(-365 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    let reports = all(&show.app, &show.org, &job).await;
    assert_eq!(each_content_once(&reports), 30);
}

#[tokio::test]
async fn a_job_without_downloads_ends_after_an_announcement() {
    let show = Show::new().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    let path = format!("/v1/jobs/{job}");
    let expires = async || {
        let job = show.app.get(&show.org, &path).await.ok();
        job["expireTime"].as_str().map(str::to_owned)
    };
    show.app.clock.advance_hours(149 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    assert_eq!(expires().await, None);
    show.app.clock.advance_hours(HOURS_A_DAY);
    show.app.keep_schedule().await;
    assert_eq!(expires().await.as_deref(), Some("2027-05-24T20:00:00Z"));
    let report = all(&show.app, &show.org, &job).await.remove(0);
    assert_eq!(report["jobExpireTime"], "2027-05-24T20:00:00Z");
    // A download keeps the job.
    show.app.bulk_file(&show.org, &report).await;
    assert_eq!(expires().await, None);
    show.app.clock.advance_hours(150 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    let told = expires().await;
    assert!(told.is_some());
    show.app.clock.advance_hours(30 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    let made = all(&show.app, &show.org, &job).await.len();
    show.app.clock.advance_hours(3 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    assert_eq!(
        all(&show.app, &show.org, &job).await.len(),
        made,
        "it makes no more"
    );
    let ended = show.app.get(&show.org, &path).await.ok();
    assert_eq!(ended["status"]["state"], "ENDED", "{ended}");
    // A new job may be created. The ended one is deleted with its last report.
    let next = show.app.job(&show.org, "event_customers_a1").await;
    show.app.clock.advance_hours(60 * HOURS_A_DAY);
    show.app.maintain(false).await;
    assert_eq!(show.app.get(&show.org, &path).await.status, 404);
    show.app
        .get(&show.org, &format!("/v1/jobs/{next}"))
        .await
        .ok();
}

#[tokio::test]
async fn a_clock_that_jumps_ahead_ends_no_job_without_announcement() {
    let show = Show::new().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.clock.advance_hours(1_000 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    show.app.keep_schedule().await;
    let told = show
        .app
        .get(&show.org, &format!("/v1/jobs/{job}"))
        .await
        .ok();
    assert_eq!(
        told["expireTime"], "2029-09-20T20:00:00Z",
        "thirty days from then"
    );
    show.app.clock.advance_hours(-1_000 * HOURS_A_DAY);
    show.app.keep_schedule().await;
    let job = show
        .app
        .get(&show.org, &format!("/v1/jobs/{job}"))
        .await
        .ok();
    assert_ne!(job["status"]["state"], "ENDED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_make_each_content_once() {
    let show = Show::new().await;
    let mut beside = show.app.open_beside().await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    let shutdown = CancellationToken::new();
    let servers = [show.app.parts.jobs.clone(), beside.jobs.clone()];
    let mut running = JoinSet::new();
    for jobs in servers {
        running.spawn(jobs.clone().run_schedule(shutdown.clone()));
        running.spawn(jobs.run_jobs(shutdown.clone()));
    }
    for round in 0..6 {
        let playback = format!("tab-{round}");
        show.send([watches("ada", &playback, "10:00..10:30")]).await;
        show.app.clock.advance_hours(1);
        for jobs in [&show.app.parts.jobs, &beside.jobs] {
            jobs.queue_days().await.expect("the schedule looks");
        }
        while show.app.parts.meta.queue_depth().await.expect("count") > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
    shutdown.cancel();
    while let Some(ended) = running.join_next().await {
        ended.expect("no task panics");
    }
    show.app.clock.advance_hours(1);
    show.app.keep_schedule().await;
    let reports = all(&show.app, &show.org, &job).await;
    assert_eq!(each_content_once(&reports), 31);
    let of_day = show
        .app
        .reports_from(&show.org, &job, "2026-11-22T00:00:00Z")
        .await;
    let file = show.app.bulk_file(&show.org, &of_day[0]).await;
    assert!(file.contains("keynote,,ada,6,180,30\n"), "{file}");
    beside.end().await;
}

#[tokio::test]
async fn deleting_a_job_deletes_its_files() {
    let show = Show::new().await;
    show.send([watches("=ada", "tab", "10:00..10:30")]).await;
    let files = || {
        let mut count = 0;
        let mut folders = vec![show.app.data_dir().join("store/reports")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    count += 1;
                }
            }
        }
        count
    };
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    assert_eq!(files(), 31, "thirty days, one of them with its exact text");
    // A report that is made again with the same bytes leaves no file.
    show.send([watches("=ada", "tab", "10:10..10:20")]).await;
    show.app.clock.advance_hours(1);
    show.app.keep_schedule().await;
    assert_eq!(files(), 31);
    let reports = all(&show.app, &show.org, &job).await;
    show.app
        .delete(&show.org, &format!("/v1/jobs/{job}"))
        .await
        .ok();
    assert_eq!(files(), 0);
    assert_eq!(
        show.app.get(&show.org, media(&reports[0])).await.status,
        404
    );
    // Running work for it ends without an error.
    let next = show.app.job(&show.org, "event_customers_a1").await;
    show.app
        .parts
        .jobs
        .queue_days()
        .await
        .expect("the schedule looks");
    show.app
        .delete(&show.org, &format!("/v1/jobs/{next}"))
        .await
        .ok();
    show.app.work().await;
    assert_eq!(files(), 0);
}
