//! Vacuum deletes orphaned files from the store, and no others.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use showreport_model::ReportId;

use crate::harness::Show;
use crate::harness::show::{says, watches};

/// Every file below a directory.
fn files(directory: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

/// Makes files so many hours old, by the clock of the show.
fn age(files: &BTreeSet<PathBuf>, show: &Show, hours: u64) {
    let now_ms = show.app.now().as_millis().cast_unsigned();
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms);
    for path in files {
        let file = File::options().write(true).open(path).expect("a file");
        let modified = file.set_modified(now - Duration::from_hours(hours));
        modified.expect("its time");
    }
}

#[tokio::test]
async fn files_of_reports_and_links_are_kept_and_orphaned_files_deleted() {
    let show = Show::new().await;
    show.send([
        watches("ada", "tab", "10:00..10:30"),
        says("ada", "m1", "10:00", "=1+1"),
    ])
    .await;
    let entry = json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "group_by_fields": []});
    show.app.make(&show.org, "keynote", &[entry]).await;
    let job = show.app.job(&show.org, "event_customers_a1").await;
    show.app.keep_schedule().await;
    let watch_time = "/bv/analytics/v1/reports/watch-time?time=2026-11-22";
    show.app.get(&show.org, watch_time).await.ok();
    let reports = show.app.data_dir().join("store/reports");
    let kept = files(&reports);
    assert!(kept.len() > 30, "a month, a report and a link: {kept:?}");

    let stray = reports.join(format!("acme/{}/1-main", ReportId::generate()));
    fs::create_dir_all(stray.parent().expect("a directory")).expect("make it");
    fs::copy(kept.first().expect("a file"), &stray).expect("leave a file");
    let all = files(&reports);
    let vacuum = async || {
        show.app.maintain(true).await;
    };
    age(&all, &show, 23);
    vacuum().await;
    assert_eq!(files(&reports), all, "a new file may be in use soon");
    age(&all, &show, 24);
    vacuum().await;
    assert_eq!(files(&reports), kept);
    let report = show.app.bulk_reports(&show.org, &job, "").await.remove(0);
    show.app.bulk_file(&show.org, &report).await;
}
