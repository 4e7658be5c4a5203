//! Damaged files: reports and downloads from them are refused, and the file is named.

use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use showreport_model::Failure;

use crate::harness::reports::link;
use crate::harness::show::{says, watches};
use crate::harness::{Random, Show};

/// Flips a bit in the middle of every file below a directory with this ending of the name.
fn flip(directory: &Path, end: &str) -> Vec<String> {
    spoil(directory, end, |path| {
        let mut bytes = std::fs::read(path).expect("its content");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        std::fs::write(path, bytes).expect("damage it");
    })
}

/// Changes every file below a directory with this ending of the name. Returns their names.
fn spoil(directory: &Path, end: &str, how: fn(&Path)) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path: PathBuf = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() && name != "_delta_log" {
            found.extend(spoil(&path, end, how));
        } else if name.ends_with(end) {
            how(&path);
            found.push(name.into_owned());
        }
    }
    found
}

fn watch_time() -> Value {
    json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []})
}

async fn show() -> Show {
    let show = Show::new().await;
    show.send([
        watches("ada", "tab-1", "10:00..10:30"),
        says("ada", "m1", "10:00", "hello"),
    ])
    .await;
    show
}

#[tokio::test]
async fn a_report_of_a_damaged_file_fails_at_once_and_names_it() {
    let show = show().await;
    show.app.make(&show.org, "keynote", &[watch_time()]).await;
    let spans = show.app.data_dir().join("store/lake/spans");
    let files = flip(&spans, ".parquet");
    assert_eq!(files.len(), 1, "{files:?}");

    let created = show.app.create(&show.org, "keynote", &[watch_time()]).await;
    show.app.work().await;
    let id = created.ok()["reports"][0]["id"].clone();
    let report = show
        .app
        .batch_get(&show.org, &[id.as_str().expect("an id")])
        .await;
    let report = report.ok()["reports"][0].clone();
    assert_eq!(report["status"], "EVENT_REPORT_STATUS_FAILED", "{report}");
    let said = report.to_string();
    assert!(said.contains("DATA_DAMAGED"), "{said}");
    assert!(
        said.contains(&format!("store/lake/spans/{}", files[0])),
        "{said}"
    );

    // Reports from other files are made.
    let chat = json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]});
    show.app.make(&show.org, "keynote", &[chat]).await;
}

/// Other kinds of damage.
const LOSSES: [fn(&Path); 3] = [
    |path| std::fs::write(path, "").expect("empty it"),
    |path| {
        let bytes = std::fs::read(path).expect("its content");
        std::fs::write(path, &bytes[..bytes.len() / 2]).expect("cut it");
    },
    |path| std::fs::remove_file(path).expect("remove it"),
];

#[tokio::test]
async fn a_report_of_an_empty_cut_or_missing_file_fails_at_once_and_names_it() {
    for lose in LOSSES {
        let show = show().await;
        show.app.make(&show.org, "keynote", &[watch_time()]).await;
        let spans = show.app.data_dir().join("store/lake/spans");
        let file = spoil(&spans, ".parquet", lose).remove(0);
        let created = show.app.create(&show.org, "keynote", &[watch_time()]).await;
        show.app.work().await;
        let id = created.ok()["reports"][0]["id"].clone();
        let ids = [id.as_str().expect("an id")];
        let report = show.app.batch_get(&show.org, &ids).await.ok()["reports"][0].clone();
        let said = report.to_string();
        assert_eq!(report["status"], "EVENT_REPORT_STATUS_FAILED", "{said}");
        assert!(said.contains("DATA_DAMAGED"), "{said}");
        assert!(said.contains(&format!("store/lake/spans/{file}")), "{said}");
    }
}

#[tokio::test]
async fn an_empty_cut_or_missing_file_of_a_report_is_not_sent() {
    for lose in LOSSES {
        let show = show().await;
        let made = show.app.make(&show.org, "keynote", &[watch_time()]).await;
        spoil(&show.app.data_dir().join("store/reports"), "-main", lose);
        let response = show.app.download(&made[0].report, "").await;
        assert!(response.status >= 400, "{}", response.text());
    }
}

#[tokio::test]
async fn a_damaged_file_of_a_report_is_not_sent() {
    let show = show().await;
    let made = show
        .app
        .make(&show.org, "keynote", &[watch_time()])
        .await
        .remove(0);
    flip(&show.app.data_dir().join("store/reports"), "-main");
    let response = show.app.download(&made.report, "").await;
    response.is(500);
    let said = response.text();
    assert!(said.contains("DATA_DAMAGED"), "{said}");
    assert!(said.contains("store/reports/"), "{said}");
    assert!(said.contains("-main"), "{said}");
}

/// A large file is sent while it is read, so damage is found after the response has begun. The body
/// is then aborted, so the client cannot take it for complete.
#[tokio::test]
async fn a_large_file_of_a_report_breaks_off_where_it_is_damaged() {
    let show = Show::new().await;
    for of_message in 0..6 {
        let said = (0..100).map(|number| {
            let message = format!("m-{of_message}-{number}");
            says("ada", &message, "10:00", &message.repeat(400))
        });
        show.send(said.collect::<Vec<_>>()).await;
    }
    let chat = json!({"dimension": "REPORT_DIMENSION_CHAT_HISTORIES", "group_by_fields": []});
    let report = show
        .app
        .make(&show.org, "keynote", &[chat])
        .await
        .remove(0)
        .report;
    let size = report["size_bytes"].to_string();
    let size: usize = size.trim_matches('"').parse().expect("a size");
    assert!(size > 5 << 18, "{size} bytes are one piece");

    let whole = show.app.download(&report, "").await;
    assert_eq!(whole.body.len(), size);
    flip_near_the_end(&show.app.data_dir().join("store/reports"), "-main");
    for encoding in ["identity", "gzip"] {
        let request = Request::get(link(&report)).header("accept-encoding", encoding);
        let request = request.body(Body::empty()).expect("a request");
        let response = show.app.begin(request).await;
        assert_eq!(response.status(), 200, "{encoding}");
        let broken = response.into_body().collect().await;
        broken.expect_err("it breaks off");
    }
    // The bytes before the damage are sent.
    let request = Request::get(link(&report)).header("range", "bytes=0-999999");
    let part = show
        .app
        .send(request.body(Body::empty()).expect("a request"));
    assert_eq!(part.await.is(206).body, whole.body[..1_000_000]);
}

/// Flips a bit in the last bytes of every file with this ending of the name.
fn flip_near_the_end(directory: &Path, end: &str) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            flip_near_the_end(&path, end);
        } else if path.to_string_lossy().ends_with(end) {
            let mut bytes = std::fs::read(&path).expect("its content");
            let place = bytes.len() - 10;
            bytes[place] ^= 4;
            std::fs::write(&path, bytes).expect("damage it");
        }
    }
}

#[tokio::test]
async fn a_damaged_entry_of_a_tables_log_is_named_when_the_lake_is_opened() {
    let show = show().await;
    show.app.make(&show.org, "keynote", &[watch_time()]).await;
    let log = show.app.data_dir().join("store/lake/spans/_delta_log");
    flip(&log, "1.json");
    let config = showreport_lake::Config {
        root: show.app.data_dir().join("store"),
        lock: show.app.data_dir().join("flush.lock"),
        flush_bytes_max: 1 << 20,
        load_bytes_max: 1 << 20,
        file_bytes_target: 1 << 20,
        compact_files_min: 2,
    };
    let opened = showreport_lake::Lake::open(&config, show.app.parts.meta.clone()).await;
    let error = opened.expect_err("the log is damaged");
    let damage = error.damage();
    let damage = damage.unwrap_or_else(|| panic!("no damage: {error:?}"));
    assert!(
        damage.file.starts_with("store/lake/spans/_delta_log/"),
        "{damage}"
    );
}

#[tokio::test]
async fn a_damaged_row_of_the_journal_fails_the_reports_of_its_organisation_and_no_others() {
    let mut show = Show::new().await;
    let rival = show.app.org("rival", "UTC").await;
    let mut random = Random::new(1);
    // Names that do not compress: 40 KB of journal, on pages of their own.
    let records: Vec<Value> = (0..2_000)
        .map(|_| {
            let mut record = watches("bob", "tab", "10:00..10:01");
            record["event_id"] = json!("large");
            record["playback_id"] = json!(format!("{:016x}{:016x}", random.bits(), random.bits()));
            record
        })
        .collect();
    show.app.accept(&rival, &records).await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    show.app.restart().await;
    let database = show.app.data_dir().join("meta.sqlite");
    let mut bytes = std::fs::read(&database).expect("its content");
    // The pages that were added last are the row's.
    let place = bytes.len() - 10_000;
    bytes[place] ^= 4;
    std::fs::write(&database, bytes).expect("damage it");

    show.app.make(&show.org, "keynote", &[watch_time()]).await;
    let created = show.app.create(&rival, "large", &[watch_time()]).await;
    show.app.work().await;
    let id = created.ok()["reports"][0]["id"].clone();
    let ids = [id.as_str().expect("an id")];
    let report = show.app.batch_get(&rival, &ids).await.ok()["reports"][0].clone();
    let said = report.to_string();
    assert!(
        said.contains("DATA_DAMAGED") && said.contains("meta.sqlite"),
        "{said}"
    );
    let status = show.app.get(&show.org, "/api/v1/status").await.ok();
    assert!(status.to_string().contains("meta.sqlite"), "{status}");
}
