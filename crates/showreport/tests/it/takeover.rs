//! Reports of a process that died: another process makes them, once.

use std::time::Duration;

use serde_json::{Value, json};
use showreport_meta::Claim;
use tokio_util::sync::CancellationToken;

use crate::harness::app::LEASE_MS;
use crate::harness::reports::{entry, list};
use crate::harness::show::watches;
use crate::harness::{Random, Show, TestApp};
use crate::oracle::{self, Dimension, Field, ReportSpec};
use crate::streams::records::Records;

fn watch_time() -> Value {
    json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []})
}

#[tokio::test]
async fn a_job_of_a_process_that_died_is_finished_by_another() {
    let mut show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let created = show
        .app
        .create(&show.org, "keynote", &[watch_time()])
        .await
        .ok();
    let id = created["reports"][0]["id"].as_str().expect("an id");
    let abandoned = show
        .app
        .parts
        .meta
        .claim_job(LEASE_MS)
        .await
        .expect("claim")
        .expect("a job");
    show.app.crash().await;
    let nothing = show
        .app
        .parts
        .meta
        .claim_job(LEASE_MS)
        .await
        .expect("claim");
    assert!(
        nothing.is_none(),
        "while the lease runs, the job is its owner's"
    );
    show.app.clock.advance_millis(LEASE_MS + 1);
    show.app.work().await;
    let report = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    assert_eq!(
        report["status"], "EVENT_REPORT_STATUS_SUCCEEDED",
        "{report}"
    );
    assert_eq!(
        show.app.download(&report, "").await.text().lines().count(),
        2
    );
    // The worker that was taken for dead can no longer change anything.
    let meta = &show.app.parts.meta;
    let renewed = meta.renew_job(&abandoned, LEASE_MS).await;
    assert_eq!(renewed.expect("renew"), Claim::Lost);
    let finished = meta.finish_job(&abandoned).await;
    assert_eq!(finished.expect("finish"), Claim::Lost);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_workers_at_any_point_changes_no_byte() {
    let mut random = Random::new(99);
    let around = Records::around(1_795_305_600_000);
    let records: Vec<Value> = (0..120)
        .map(|_| around.record(&mut random, "keynote"))
        .collect();
    let mut app = TestApp::new().await;
    let org = app.org("acme", "UTC").await;
    app.accept(&org, &records).await;
    let questions: Vec<ReportSpec> = Dimension::ALL
        .into_iter()
        .map(ReportSpec::new)
        .chain(Dimension::GROUPABLE.map(|it| ReportSpec::new(it).by(&Field::ALL)))
        .collect();
    let entries: Vec<Value> = questions.iter().map(entry).collect();
    let created = app.create(&org, "keynote", &entries).await.ok();
    for round in 0..12u64 {
        let shutdown = CancellationToken::new();
        let worker = app.parts.jobs.clone().run_jobs(shutdown);
        // Dropping the future stops it at any point.
        let killed = tokio::time::timeout(Duration::from_millis(round * 7), worker).await;
        assert!(killed.is_err(), "a worker does not end by itself");
        app.crash().await;
        app.clock.advance_millis(LEASE_MS + 1);
    }
    app.work().await;
    let ids: Vec<&str> = list(&created, "reports")
        .iter()
        .map(|it| it["id"].as_str().expect("an id"))
        .collect();
    let answered = app.batch_get(&org, &ids).await.ok();
    for (report, question) in list(&answered, "reports").iter().zip(&questions) {
        let table = oracle::report(&records, "keynote", question, &jiff::tz::TimeZone::UTC);
        assert_eq!(
            app.download(report, "").await.text(),
            table.guarded(),
            "{question:?}"
        );
    }
}

#[tokio::test]
async fn a_report_holds_what_was_accepted_before_it_was_created() {
    let mut show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let created = show
        .app
        .create(&show.org, "keynote", &[watch_time()])
        .await
        .ok();
    show.app.restart().await;
    show.app.work().await;
    let id = created["reports"][0]["id"].as_str().expect("an id");
    let before = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    show.send([watches("bob", "tab-2", "10:00..10:01")]).await;
    show.app.work().await;
    let after = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    assert_eq!(
        before["sha256"], after["sha256"],
        "a report that was made stays as it is"
    );
    assert_eq!(after["row_count"], 1);
}

#[tokio::test]
async fn a_flush_that_fails_leaves_the_journal_as_it_was() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    // A file in the place of the table's folder: nothing can be written there.
    let table = show.app.data_dir().join("store/lake/spans");
    let aside = show.app.data_dir().join("aside");
    std::fs::rename(&table, &aside).expect("put the table aside");
    std::fs::write(&table, "no folder").expect("put a file in its place");
    let lake = &show.app.parts.lake;
    lake.flush().await.expect_err("there is no table");
    std::fs::remove_file(&table).expect("remove the file");
    std::fs::rename(&aside, &table).expect("put the table back");
    let flushed = lake.flush().await.expect("flush");
    assert_eq!(flushed.fact_rows, 1);
}
