//! Maintenance: a failure of one task stops no other, and damaged files are named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use showreport_model::Failure;

use crate::harness::Show;
use crate::harness::show::{says, watches};

const DAY_HOURS: i64 = 24;

/// The data files of a table.
fn data_files(show: &Show, table: &str) -> BTreeSet<PathBuf> {
    let directory = show.app.data_dir().join("store/lake").join(table);
    let files = std::fs::read_dir(directory).expect("a directory");
    let paths = files.map(|file| file.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == "parquet"))
        .collect()
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).expect("its content");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(path, bytes).expect("change it");
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().expect("a name").to_string_lossy();
    format!("store/lake/spans/{name}")
}

/// Whether the file of a report was deleted because of its age.
pub(crate) async fn is_expired(show: &Show, report: &Value) -> bool {
    let id = report["id"].as_str().expect("an id");
    let path = format!("/api/v1/reports/{id}");
    let report = show.app.get(&show.org, &path).await.ok();
    report["uri"] == ""
}

async fn status(show: &Show) -> Value {
    show.app.get(&show.org, "/api/v1/status").await.ok()
}

async fn damaged_in_metrics(show: &Show) -> BTreeSet<String> {
    let metrics = show.app.get(&show.org, "/metrics").await;
    let lines = metrics.is(200).text().lines();
    let files = lines.filter_map(|line| line.strip_prefix("showreport_damaged_file{file=\""));
    files
        .map(|rest| rest.split('"').next().expect("a name").to_owned())
        .collect()
}

#[tokio::test]
async fn a_damaged_file_is_named_stops_no_other_work_and_is_used_again_once_restored() {
    let show = Show::new().await;
    let watch_time = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []});
    for tab in ["tab-1", "tab-2", "tab-3"] {
        show.send([
            watches("ada", tab, "10:00..10:30"),
            says("ada", tab, "10:00", "hello"),
        ])
        .await;
        show.app.parts.lake.flush().await.expect("flush");
    }
    let made = show.app.make(&show.org, "keynote", &[watch_time]).await;
    show.app.clock.advance_hours(31 * DAY_HOURS);
    assert_eq!(status(&show).await["damaged_files"], json!([]));
    let flushed = data_files(&show, "spans");
    let damaged = flushed.first().expect("a file").clone();
    flip(&damaged);

    let jobs = &show.app.parts.jobs;
    let error = jobs.maintain(true).await.expect_err("a file is damaged");
    assert!(
        error
            .damage()
            .is_some_and(|damage| damage.file == name_of(&damaged)),
        "{error:?}"
    );
    // The steps after compaction were done: the expired file is gone. So was the other table.
    assert!(is_expired(&show, &made[0].report).await);
    assert_eq!(
        data_files(&show, "chat").len(),
        4,
        "three and the merged one"
    );
    assert_eq!(data_files(&show, "spans"), flushed);

    // The next round leaves the file out, and merges the others.
    jobs.maintain(true)
        .await
        .expect("maintenance goes on without the file");
    assert_eq!(
        data_files(&show, "spans").len(),
        4,
        "three and the merged one"
    );
    let named = status(&show).await["damaged_files"].clone();
    assert_eq!(named[0]["file"], name_of(&damaged), "{named}");
    assert_eq!(named.as_array().expect("a list").len(), 1, "{named}");
    assert!(
        named[0]["problem"]
            .as_str()
            .expect("a text")
            .contains("checksum")
    );
    assert_eq!(
        damaged_in_metrics(&show).await,
        BTreeSet::from([name_of(&damaged)])
    );

    // Put back, it is merged with what the others have become.
    flip(&damaged);
    show.app.maintain(false).await;
    assert_eq!(status(&show).await["damaged_files"], json!([]));
    assert!(damaged_in_metrics(&show).await.is_empty());
    assert_eq!(data_files(&show, "spans").len(), 5, "and what both became");
}

#[tokio::test]
async fn a_damaged_report_is_named_without_its_organisation_until_it_is_deleted() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let watch_time = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []});
    let made = show.app.make(&show.org, "keynote", &[watch_time]).await;
    let id = made[0].report["id"].as_str().expect("an id");
    flip(
        &show
            .app
            .data_dir()
            .join(format!("store/reports/acme/{id}/1-main")),
    );
    show.app.download(&made[0].report, "").await.is(500);

    let other = show.app.org("rival", "UTC").await;
    let seen = show.app.get(&other, "/api/v1/status").await.ok();
    let file = &seen["damaged_files"][0]["file"];
    assert_eq!(*file, format!("store/reports/-/{id}/1-main"), "{seen}");
    let path = format!("/api/v1/reports/{id}");
    show.app.delete(&show.org, &path).await.is(204);
    show.app.maintain(false).await;
    assert_eq!(status(&show).await["damaged_files"], json!([]));
}
