//! Several organisations on one server: none delays the others much.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::show::watches;
use crate::harness::{Org, Random, Response, Show};
use crate::oracle::{Dimension, Field, ReportSpec};

/// When the day of the stories begins.
const DAY: &str = "2026-11-22T00:00:00Z";

/// A second organisation; each has all reports of a job.
async fn with_neighbour() -> (Show, Org, [String; 2]) {
    let show = Show::new().await;
    let rival = show.app.org("rival", "UTC").await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    // A separate flush, so the facts of the two are in different files.
    let jobs = [
        show.app.job(&show.org, "event_customers_a1").await,
        show.app.job(&rival, "event_customers_a1").await,
    ];
    show.app.keep_schedule().await;
    show.app.accept(&rival, &[of_event("a", 0)]).await;
    show.app.clock.advance_millis(10_000);
    show.app.keep_schedule().await;
    show.app.clock.advance_millis(20_000);
    (show, rival, jobs)
}

fn of_event(event: &str, minute: u32) -> Value {
    let span = format!("11:{minute:02}..11:{:02}", minute + 1);
    let mut record = watches("ada", &format!("tab-{minute}"), &span);
    record["event_id"] = json!(event);
    record
}

#[tokio::test]
async fn one_late_body_of_thousands_of_events_delays_no_bulk_report_of_others() {
    const EVENTS: usize = 6_000;
    let (show, rival, jobs) = with_neighbour().await;
    let late: Vec<Value> = (0..EVENTS)
        .map(|number| of_event(&format!("event-{number}"), 2))
        .collect();
    show.app.accept(&show.org, &late).await;
    show.app.accept(&rival, &[of_event("a", 1)]).await;

    // One query for thousands of events: 8 ms for each of them would be 48 s.
    let began = Instant::now();
    let is_done = show.app.parts.jobs.queue_days().await.expect("a look");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(!is_done, "one look takes 1,000 events of an organisation");
    show.app.work().await;
    let reports = show.app.reports_from(&rival, &jobs[1], DAY).await;
    let file = show.app.bulk_file(&rival, &reports[0]).await;
    assert!(file.contains(",a,,ada,2,2,"), "{file}");

    while !show.app.parts.jobs.queue_days().await.expect("a look") {}
    let took = began.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
    show.app.clock.advance_millis(60_000);
    show.app.keep_schedule().await;
    let reports = show.app.reports_from(&show.org, &jobs[0], DAY).await;
    assert_eq!(reports[0]["rowCount"], EVENTS + 1, "{}", reports[0]);
}

#[tokio::test]
async fn a_small_report_does_not_wait_for_the_records_of_others_to_be_flushed() {
    let show = Show::new().await;
    let rival = show.app.org("rival", "UTC").await;
    let mut random = Random::new(1);
    // Names that do not compress: 4 MB of journal.
    for _ in 0..8 {
        let records: Vec<Value> = (0..10_000)
            .map(|_| {
                let mut record = of_event("large", 0);
                let name = || format!("{:016x}{:016x}", random.bits(), random.bits());
                record["playback_id"] = json!(std::iter::repeat_with(name).next());
                record
            })
            .collect();
        show.app.accept(&rival, &records).await;
    }
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let depth = async || show.app.parts.meta.journal_depth().await.expect("a depth");
    let waiting = depth().await;

    let ask = async || {
        show.report(Dimension::WatchTime, &[Field::CustomerId])
            .await
    };
    let report = ask().await;
    assert!(report.ends_with("\nada,1,1,0,60.000,60.000\n"), "{report}");
    assert_eq!(depth().await.rows, waiting.rows, "the others still wait");
    // Its rows are in the lake and are not flushed again.
    let heads = show.app.parts.meta.heads().await.expect("the heads");
    assert_eq!(ask().await, report);
    assert_eq!(show.app.parts.meta.heads().await.expect("the heads"), heads);

    show.send([watches("ada", "tab", "10:01..10:02")]).await;
    let longer = ask().await;
    let question = ReportSpec::new(Dimension::WatchTime).by(&[Field::DeviceOs]);
    let large = show.app.csv(&rival, "large", &question).await;
    assert!(
        large.ends_with("\n,80000,1,0,4800000.000,60.000\n"),
        "{large}"
    );
    while depth().await.rows > 0 {
        show.app.parts.lake.flush().await.expect("flush");
    }
    assert_eq!(
        ask().await,
        longer,
        "facts that came twice are the same facts"
    );
    assert_ne!(longer, report);
    assert_eq!(show.app.csv(&rival, "large", &question).await, large);
}

#[tokio::test]
async fn damaged_facts_of_one_organisation_delay_no_bulk_report_of_others() {
    let (show, rival, jobs) = with_neighbour().await;
    let oldest = oldest_file(&show.app.data_dir().join("store/lake/spans"));
    let mut bytes = std::fs::read(&oldest).expect("its content");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&oldest, bytes).expect("damage it");
    show.send([watches("bob", "tab-2", "10:00..10:01")]).await;
    show.app.accept(&rival, &[of_event("a", 1)]).await;

    show.app.parts.jobs.queue_days().await.expect("a look");
    // The damaged day is tried again forever, so only the work of the other organisation is awaited.
    let of_rival = async {
        loop {
            let reports = show.app.reports_from(&rival, &jobs[1], DAY).await;
            let file = show.app.bulk_file(&rival, &reports[0]).await;
            if file.contains(",a,,ada,2,2,") {
                break;
            }
            let shutdown = tokio_util::sync::CancellationToken::new();
            let jobs = &show.app.parts.jobs;
            assert!(jobs.run_next(&shutdown).await.expect("a job"), "{file}");
        }
    };
    of_rival.await;
}

#[tokio::test]
async fn too_many_records_of_a_token_or_an_organisation_are_refused_for_a_while() {
    let show = Show::new().await;
    let rival = show.app.org("rival", "UTC").await;
    let second = Org {
        id: show.org.id.clone(),
        token: show.app.token(&show.org.id, "collect").await,
    };
    let send = async |org: &Org, body: &str| {
        let kind = "application/x-ndjson";
        show.app
            .post_bytes(org, "/collect", kind, body.to_owned())
            .await
    };
    let limit_of = |response: &Response| {
        assert_eq!(response.status, 429, "{}", response.text());
        assert!(!response.header("retry-after").is_empty());
        let error = response.json()["details"][0].clone();
        assert_eq!(error["reason"], "RATE_LIMIT_EXCEEDED");
        error["metadata"]["quota_limit"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let good = of_event("a", 0).to_string();
    // Rejected records count too.
    send(&show.org, &"{}\n".repeat(300_000)).await.refused(400);
    let refused = send(&show.org, &good).await;
    assert_eq!(limit_of(&refused), "token_records_per_minute");
    send(&second, &good).await.is(202);

    send(&second, &"{}\n".repeat(240_000)).await.refused(400);
    let refused = send(&second, &good).await;
    assert_eq!(limit_of(&refused), "records_per_minute");
    send(&rival, &good).await.is(202);

    show.app.clock.advance_millis(60_000);
    send(&show.org, &good).await.is(202);
    send(&second, &good).await.is(202);
}

fn oldest_file(directory: &Path) -> PathBuf {
    let mut files: Vec<_> = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let entry = entry.expect("an entry");
        let path = entry.path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            let inner = oldest_file(&path);
            let modified = std::fs::metadata(&inner).and_then(|file| file.modified());
            files.push((modified.expect("a time"), inner));
        } else if path.extension().is_some_and(|end| end == "parquet") {
            let modified = entry.metadata().and_then(|file| file.modified());
            files.push((modified.expect("a time"), path));
        }
    }
    files.into_iter().min().expect("a file").1
}
