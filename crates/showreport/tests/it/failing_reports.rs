//! Reports that can never be made: each fails after its attempts, with a reason, and delays no
//! other.

use std::path::Path;

use serde_json::{Value, json};
use showreport_meta::Claim;
use showreport_model::Clock;
use tokio_util::sync::CancellationToken;

use crate::harness::app::LEASE_MS;
use crate::harness::show::watches;
use crate::harness::{Show, TestApp};

/// Attempts at a report.
const ATTEMPTS: i64 = 8;

/// Claims of a report after each of which the worker died.
const CLAIMS: usize = 24;

/// The memory profiles of a report.
const MEMORY_PROFILES: usize = 4;

/// Longer than the longest wait between two attempts.
const BACK_OFF_MS: i64 = 61_000;

const FAILED: &str = "EVENT_REPORT_STATUS_FAILED";
const SUCCEEDED: &str = "EVENT_REPORT_STATUS_SUCCEEDED";

/// Orders a report of watch time. Returns its id.
async fn order(show: &Show, event: &str) -> String {
    let entry = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []});
    let created = show.app.create(&show.org, event, &[entry]).await.ok();
    let id = created["reports"][0]["id"].as_str().expect("an id");
    id.to_owned()
}

async fn report(show: &Show, id: &str) -> Value {
    show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone()
}

/// Sends a record of another event.
async fn watch_another(show: &Show) {
    let mut record = watches("bob", "tab", "10:00..10:01");
    record["event_id"] = json!("other");
    show.app.accept(&show.org, &[record]).await;
}

/// Runs one due job; false if there is none.
async fn work_once(app: &TestApp) -> bool {
    let worked = app.parts.jobs.run_next(&CancellationToken::new()).await;
    worked.expect("the queue responds")
}

/// Makes the data of a table unreadable, as a failing disk does: the files become symbolic links to
/// themselves, which cannot be opened.
fn block_data(directory: &Path) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("_delta_log") {
            block_data(&path);
        } else if path.extension().is_some_and(|it| it == "parquet") {
            std::fs::remove_file(&path).expect("remove a file");
            std::os::unix::fs::symlink(&path, &path).expect("make a link");
        }
    }
}

#[tokio::test]
async fn a_report_of_unreadable_facts_fails_after_its_attempts_and_delays_no_other() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    show.app.parts.lake.flush().await.expect("flush");
    block_data(&show.app.data_dir().join("store/.sums/lake/spans"));
    watch_another(&show).await;
    let (hopeless, fine) = (order(&show, "keynote").await, order(&show, "other").await);
    for attempt in 1..=ATTEMPTS {
        while work_once(&show.app).await {}
        let status = report(&show, &hopeless).await["status"].clone();
        assert_eq!(status == FAILED, attempt == ATTEMPTS, "{attempt}: {status}");
        // The other report was made at once.
        assert_eq!(report(&show, &fine).await["status"], SUCCEEDED);
        show.app.clock.advance_millis(BACK_OFF_MS);
    }
    let failed = report(&show, &hopeless).await;
    assert_eq!(failed["error_info"]["reason"], "INTERNAL", "{failed}");
    assert_eq!(failed["uri"], "");
    assert!(!work_once(&show.app).await, "nothing is left to do");
}

#[tokio::test]
async fn a_report_that_ends_its_process_is_tried_once_with_each_memory_profile() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let mut files = Vec::new();
    for lost in 0..=MEMORY_PROFILES {
        let id = order(&show, "keynote").await;
        for _ in 0..lost {
            let meta = &show.app.parts.meta;
            // A claim that is lost before it is renewed was not ended by the report.
            for is_held in [false, true] {
                let claimed = meta.claim_job(LEASE_MS).await.expect("claim");
                let claimed = claimed.expect("it is tried again");
                if is_held {
                    let renewed = meta.renew_job(&claimed, LEASE_MS).await;
                    assert_eq!(renewed.expect("renew"), Claim::Holds);
                }
                show.app.clock.advance_millis(LEASE_MS + 1);
            }
        }
        let claimed = show
            .app
            .parts
            .meta
            .claim_job(LEASE_MS)
            .await
            .expect("claim");
        let claimed = claimed.expect("it is due");
        assert_eq!(claimed.lost, u32::try_from(lost).expect("few"));
        let now = show.app.clock.now();
        let meta = &show.app.parts.meta;
        // Given back it was not lost.
        let given = meta
            .retry_job(&claimed, "the server was stopped", now)
            .await;
        assert_eq!(given.expect("give it back"), Claim::Holds);
        show.app.work().await;
        let report = report(&show, &id).await;
        if lost < MEMORY_PROFILES {
            assert_eq!(report["status"], SUCCEEDED, "{report}");
            files.push(report["sha256"].clone());
        } else {
            assert_eq!(report["status"], FAILED, "{report}");
            assert_eq!(report["error_info"]["reason"], "INTERNAL", "{report}");
        }
    }
    assert!(files.iter().all(|file| *file == files[0]), "{files:?}");
}

#[tokio::test]
async fn a_report_that_ends_every_worker_fails_after_its_claims() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    watch_another(&show).await;
    let deadly = order(&show, "keynote").await;
    for _ in 0..CLAIMS {
        let claimed = show.app.parts.meta.claim_job(LEASE_MS).await;
        assert!(claimed.expect("claim").is_some(), "it is tried again");
        show.app.clock.advance_millis(LEASE_MS + 1);
    }
    let fine = order(&show, "other").await;
    show.app.work().await;
    let failed = report(&show, &deadly).await;
    assert_eq!(failed["status"], FAILED, "{failed}");
    assert_eq!(failed["error_info"]["reason"], "INTERNAL", "{failed}");
    assert_eq!(report(&show, &fine).await["status"], SUCCEEDED);
}
