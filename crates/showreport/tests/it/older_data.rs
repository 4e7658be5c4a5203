//! Data directories that older versions of the program wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};
use showreport_lake::Sought;
use showreport_model::facts::Table;
use showreport_model::{EventId, Window};

use crate::harness::reports::{REPORTS, list, sha256};
use crate::harness::stored::stored;
use crate::harness::{ManualClock, Org, TestApp};

/// 2026-11-29T14:00:00Z: within an hour after the directory was written.
const NOW_MS: i64 = 1_795_960_800_000;

fn written_by_0_1_0() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("tests/formats/0.1.0-journal-and-lake")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("make a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy a file");
        }
    }
}

/// The program on a copy of the directory, and the organisation in it.
async fn open() -> (TestApp, Org) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    copy(&written_by_0_1_0().join("data"), directory.path());
    let app = TestApp::on(directory, ManualClock::at(NOW_MS)).await;
    let id = "acme".parse().expect("a name");
    let token = app.token(&id, "admin").await;
    (app, Org { id, token })
}

fn expected(file: &str) -> String {
    let path = written_by_0_1_0().join("expected").join(file);
    fs::read_to_string(path).expect("an expected report")
}

/// Makes a report of an event of this type and returns the text of its file.
async fn report(
    app: &TestApp,
    org: &Org,
    (event, event_type): (&str, &str),
    dimension: &str,
    fields: &[&str],
) -> String {
    let entry = json!({"dimension": dimension, "group_by_fields": fields});
    let body = json!({"id": event, "type": event_type, "dimension_with_conditions": [entry]});
    let created = app.post(org, REPORTS, &body).await.ok();
    app.work().await;
    let id = list(&created, "reports")[0]["id"].as_str().expect("an id");
    let reports = app.batch_get(org, &[id]).await.ok();
    let report = &list(&reports, "reports")[0];
    assert_eq!(
        report["status"], "EVENT_REPORT_STATUS_SUCCEEDED",
        "{report}"
    );
    let file = app.download(report, "").await;
    file.is(200).text().to_owned()
}

const KEYNOTE: (&str, &str) = ("keynote", "EVENT_TYPE_LIVE");
const WORKSHOP: (&str, &str) = ("workshop", "EVENT_TYPE_VOD");

const WATCH_TIME: &str = "REPORT_DIMENSION_WATCH_TIME";

async fn watch_time(app: &TestApp, org: &Org) -> String {
    report(app, org, KEYNOTE, WATCH_TIME, &[]).await
}

/// The names of the viewers of each playback, as the files of the lake have them.
async fn names(app: &TestApp, org: &Org) -> BTreeMap<String, Vec<String>> {
    let heads = app.parts.meta.heads().await.expect("heads");
    let event: EventId = "keynote".parse().expect("an id");
    let sought = Sought {
        org: &org.id,
        events: Some(std::slice::from_ref(&event)),
        window: Window::ALL,
    };
    let files = app.parts.lake.files(&heads, Table::Spans, sought).await;
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files.expect("files") {
        let path = app.data_dir().join("store").join(file.path.to_string());
        let file = fs::File::open(path).expect("a data file");
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet");
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("rows");
            let text = |name: &str| batch.column_by_name(name).map(AsArray::as_string::<i32>);
            let playbacks = text("playback_id").expect("each file has playbacks");
            let texts = text("name").into_iter().flat_map(|texts| texts.iter());
            for (playback, name) in playbacks.iter().flatten().zip(texts) {
                let of_playback = names.entry(playback.to_owned()).or_default();
                of_playback.extend(name.map(str::to_owned));
            }
        }
    }
    names.retain(|_, names| !names.is_empty());
    names
}

#[tokio::test]
async fn reports_of_a_directory_of_0_1_0_are_those_that_it_made_itself() {
    let (app, org) = open().await;
    for (dimension, file) in [
        (WATCH_TIME, "keynote-watch-time.csv"),
        (
            "REPORT_DIMENSION_CHAT_HISTORIES",
            "keynote-chat-histories.csv",
        ),
        (
            "REPORT_DIMENSION_POLL_SUMMARIES",
            "keynote-poll-summaries.csv",
        ),
        ("REPORT_DIMENSION_POLL_VOTES", "keynote-poll-votes.csv"),
    ] {
        let text = report(&app, &org, KEYNOTE, dimension, &[]).await;
        assert_eq!(text, expected(file), "{dimension}");
    }
    let fields = ["GROUP_BY_FIELD_CUSTOMER_ID", "GROUP_BY_FIELD_DEVICE_OS"];
    let grouped = report(&app, &org, KEYNOTE, WATCH_TIME, &fields).await;
    assert_eq!(grouped, expected("keynote-watch-time-grouped.csv"));
    let workshop = report(&app, &org, WORKSHOP, WATCH_TIME, &[]).await;
    assert_eq!(workshop, expected("workshop-watch-time.csv"));
    let figures = app.get(&org, "/api/v1/events/keynote/figures").await.ok();
    let expected: Value = serde_json::from_str(&expected("keynote-figures.json")).expect("JSON");
    for (name, figure) in expected.as_object().expect("figures") {
        assert_eq!(&figures[name], figure, "{name}");
    }
}

#[tokio::test]
async fn reports_and_jobs_of_a_directory_of_0_1_0_are_there() {
    let (app, org) = open().await;
    let reports = app.get(&org, "/api/v1/reports").await.ok();
    let [report] = list(&reports, "reports").as_slice() else {
        panic!("one report was made: {reports}");
    };
    let file = app.download(report, "").await;
    file.is(200);
    assert_eq!(report["sha256"], sha256(&file.body), "{report}");
    let jobs = app.get(&org, "/v1/jobs").await.ok();
    let job = &list(&jobs, "jobs")[0];
    assert_eq!(job["reportTypeId"], "event_watch_time_a1", "{jobs}");
    app.keep_schedule().await;
    let job = job["id"].as_str().expect("an id");
    let start = "2026-11-24T16:00:00Z";
    let day = app.reports_from(&org, job, start).await;
    let file = app.bulk_file(&org, &day[0]).await;
    assert!(file.contains("workshop"), "{file}");
}

#[tokio::test]
async fn a_directory_of_0_1_0_takes_records_with_the_names_of_viewers() {
    let (mut app, org) = open().await;
    let playback = |playback: &str, from: &str, to: &str, name: &str| {
        json!({
            "type": "playback", "event_id": "keynote", "playback_id": playback, "name": name,
            "from": format!("2026-11-24T{from}Z"), "to": format!("2026-11-24T{to}Z"),
        })
    };
    let records = [
        playback("view-50", "19:30:00", "19:40:00", "Ada"),
        playback("view-50", "19:40:00", "19:50:00", ""),
        playback("view-01", "19:01:30", "19:10:00", "Zoe"),
        playback("view-01", "19:05:00", "19:20:00", "Bob"),
    ];
    app.accept(&org, &records).await;
    let mut lines: Vec<String> = expected("keynote-watch-time.csv")
        .lines()
        .map(|line| {
            let line = line.replace("19:01:30.000Z,view-01", "19:20:00.000Z,view-01");
            if line.contains("view-01") {
                line.replace("3630.000", "4740.000")
            } else {
                line
            }
        })
        .collect();
    let view_50 = "2026-11-24T19:30:00.000Z,2026-11-24T19:50:00.000Z,view-50,,,,,1200.000";
    lines.insert(lines.len() - 1, view_50.to_owned());
    let expected = lines.join("\n") + "\n";
    assert_eq!(watch_time(&app, &org).await, expected);
    // Files with the names and files without the column are merged into one.
    app.maintain(false).await;
    let of = |name: &str| vec![name.to_owned()];
    let wanted = BTreeMap::from([
        ("view-01".to_owned(), of("Bob")),
        ("view-50".to_owned(), of("Ada")),
    ]);
    assert_eq!(names(&app, &org).await, wanted);
    assert_eq!(watch_time(&app, &org).await, expected);
    app.restart().await;
    assert_eq!(watch_time(&app, &org).await, expected);
}

#[tokio::test]
async fn a_directory_of_0_1_0_takes_beats_and_positions() {
    let (mut app, org) = open().await;
    let before = watch_time(&app, &org).await;
    let at = "2026-11-24T19:30:00Z";
    let playback = json!({
        "type": "playback", "event_id": "keynote", "playback_id": "view-01", "from": at,
        "to": "2026-11-24T19:30:10Z", "position_ms": 5_000, "rate": 2,
    });
    let beat = json!({
        "type": "beat", "event_id": "keynote", "playback_id": "view-60", "at": at, "seq": 1,
        "playing": false,
    });
    app.accept(&org, &[playback, beat]).await;
    app.parts.lake.flush().await.expect("flush");
    app.maintain(true).await;
    app.restart().await;
    let beats = stored(&app, &org, Table::Beats, &["playback_id", "seq", "playing"]).await;
    assert_eq!(beats, ["view-60 1 false"]);
    let columns = ["playback_id", "from_ms", "to_ms"];
    let coverage = stored(&app, &org, Table::Coverage, &columns).await;
    assert_eq!(coverage, ["view-01 5000 25000"]);
    let after = watch_time(&app, &org).await;
    assert_eq!(after.lines().count(), before.lines().count());
}
