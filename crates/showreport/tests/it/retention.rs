//! Retention: which parts of the content were played, and by how many.

use axum::body::Body;
use axum::http::Request;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::Show;
use crate::harness::reports::entry;
use crate::harness::show::watches;
use crate::oracle::Dimension::Retention;
use crate::oracle::ReportSpec;

const PATH: &str = "/api/v1/events/keynote/retention";

/// A playback that covers content from `position_ms` on.
fn plays(customer: &str, playback: &str, span: &str, position_ms: i64) -> Value {
    let mut record = watches(customer, playback, span);
    record["position_ms"] = json!(position_ms);
    record
}

fn registered(duration_ms: Option<i64>) -> Value {
    json!({"type": "event", "kind": "live", "title": "Keynote", "duration_ms": duration_ms})
}

fn seconds(granularity_seconds: i64) -> ReportSpec {
    ReportSpec {
        granularity_seconds,
        ..ReportSpec::new(Retention)
    }
}

/// Three viewers of a video of 35 s. Ada sees the first 20 s twice, Ben leaves after 12 s, and
/// Eve skips to the end at double speed.
async fn video() -> Show {
    let show = Show::new().await;
    let mut eve = plays("eve", "p4", "12:00..12:00:05", 25_000);
    eve["rate"] = json!(2);
    show.send([
        registered(Some(35_000)),
        plays("ada", "p1", "10:00..10:00:10", 0),
        plays("ada", "p1", "10:00..10:00:20", 0),
        plays("ada", "p2", "11:00..11:00:20", 0),
        plays("ben", "p3", "10:00..10:00:12", 0),
        eve,
    ])
    .await;
    show
}

#[tokio::test]
async fn a_second_that_was_played_twice_counts_once() {
    let show = video().await;
    assert_snapshot!(show.csv(&seconds(10)).await, @"
    position_seconds,views,viewers,share
    0.000,3,2,0.6666
    10.000,3,2,0.6666
    20.000,1,1,0.3333
    30.000,1,1,0.3333
    ");
}

#[tokio::test]
async fn a_filter_picks_views_and_leaves_their_coverage_whole() {
    let show = video().await;
    let question = ReportSpec {
        // Only the last seconds of Ada's first view.
        start: Some(1_795_341_615_000),
        end: Some(1_795_345_200_000),
        ..seconds(10)
    };
    assert_snapshot!(show.csv(&question).await, @"
    position_seconds,views,viewers,share
    0.000,1,1,1
    10.000,1,1,1
    20.000,0,0,0
    30.000,0,0,0
    ");
}

#[tokio::test]
async fn small_gaps_are_closed_and_the_length_is_that_of_the_furthest_view() {
    let show = Show::new().await;
    show.send([
        plays("ada", "p1", "10:00..10:00:01", 0),
        plays("ada", "p1", "10:00:01..10:00:02", 1_250),
        plays("ben", "p2", "10:00..10:00:01", 0),
        plays("ben", "p2", "10:00:01..10:00:02", 1_251),
    ])
    .await;
    let response = show
        .app
        .get(&show.org, &format!("{PATH}?buckets=9"))
        .await
        .ok();
    // The content has 2,251 ms; the fifth bucket is [1000, 1250).
    let viewers: Vec<&Value> = rows(&response).iter().map(|row| &row["viewers"]).collect();
    assert_eq!(viewers, [2, 2, 2, 2, 1, 2, 2, 2, 2], "{response}");
    assert_eq!(response["rows"][1]["position_seconds"], 0.25, "{response}");
}

#[tokio::test]
async fn a_live_show_without_positions_or_with_the_wall_clock_has_no_content() {
    let show = Show::new().await;
    show.send([
        watches("ada", "p1", "10:00..10:30"),
        plays("ben", "p2", "10:00..10:30", 1_795_341_600_000),
    ])
    .await;
    assert_eq!(
        show.csv(&seconds(10)).await,
        "position_seconds,views,viewers,share\n"
    );
    let response = show.app.get(&show.org, PATH).await.ok();
    assert_eq!(response["rows"], json!([]));
}

#[tokio::test]
async fn without_any_coverage_a_known_length_has_empty_buckets_without_a_share() {
    let show = Show::new().await;
    show.send([
        registered(Some(15_000)),
        watches("ada", "p1", "10:00..10:30"),
    ])
    .await;
    assert_snapshot!(show.csv(&seconds(10)).await, @"
    position_seconds,views,viewers,share
    0.000,0,0,
    10.000,0,0,
    ");
    let response = show
        .app
        .get(&show.org, &format!("{PATH}?buckets=1"))
        .await
        .ok();
    let row = json!({"position_seconds": 0.0, "views": 0, "viewers": 0, "share": null});
    assert_eq!(response["rows"], json!([row]));
}

#[tokio::test]
async fn the_default_width_is_ten_seconds_and_a_grouping_is_refused() {
    let show = video().await;
    for dimension in [json!("REPORT_DIMENSION_RETENTION"), json!(102)] {
        let made = show
            .app
            .make(&show.org, "keynote", &[json!({"dimension": dimension})])
            .await;
        assert_eq!(made[0].report["row_count"], 4, "{}", made[0].report);
    }
    let grouped = json!({
        "dimension": "REPORT_DIMENSION_RETENTION",
        "group_by_fields": ["GROUP_BY_FIELD_DEVICE_OS"],
    });
    let refused = show.app.create(&show.org, "keynote", &[grouped]).await;
    assert_eq!(
        refused.bad_fields(),
        ["dimension_with_conditions[0].group_by_fields"]
    );
}

#[tokio::test]
async fn more_than_100_000_buckets_are_refused_when_ordered_or_fail_when_made() {
    let show = Show::new().await;
    show.send([
        registered(Some(100_000_001)),
        plays("ada", "p1", "10:00..10:01", 0),
    ])
    .await;
    let order = [entry(&seconds(1))];
    let refused = show.app.create(&show.org, "keynote", &order).await;
    assert_eq!(refused.refused(400), "REPORT_ROW_LIMIT");
    let made = show
        .app
        .make(&show.org, "keynote", &[entry(&seconds(5))])
        .await;
    assert_eq!(made[0].report["row_count"], 20_001);

    // Without a registered length it follows from the facts, and they are read by the job.
    let show = Show::new().await;
    show.send([plays("ada", "p1", "10:00..10:01", 100_000_000)])
        .await;
    let created = show.app.create(&show.org, "keynote", &order).await.ok();
    show.app.work().await;
    let id = created["reports"][0]["id"].as_str().expect("an id");
    let report = show.app.batch_get(&show.org, &[id]).await.ok()["reports"][0].clone();
    assert_eq!(report["status"], "EVENT_REPORT_STATUS_FAILED", "{report}");
    assert!(report.to_string().contains("REPORT_ROW_LIMIT"), "{report}");
}

#[tokio::test]
async fn the_curve_is_the_same_as_json_as_csv_and_in_the_file() {
    let show = video().await;
    // Seven buckets of the same width as the report's.
    let path = format!("{PATH}?buckets=7");
    let response = show.app.get(&show.org, &path).await;
    assert_eq!(response.header("vary"), "accept");
    let response = response.ok();
    assert!(
        response["as_of"]
            .as_str()
            .is_some_and(|at| at.ends_with('Z')),
        "{response}"
    );
    let file = show.csv(&seconds(5)).await;
    let lines = rows(&response).iter().map(|row| {
        let number = |name: &str| row[name].as_f64().expect("a number");
        let (position, share) = (number("position_seconds"), number("share"));
        format!(
            "{position:.3},{},{},{share}\n",
            row["views"], row["viewers"]
        )
    });
    let header = "position_seconds,views,viewers,share\n".to_owned();
    let of_json: String = std::iter::once(header).chain(lines).collect();
    assert_eq!(of_json, file);
    let request = Request::get(&path)
        .header("authorization", format!("Bearer {}", show.org.token))
        .header("accept", "text/csv")
        .body(Body::empty());
    let csv = show.app.send(request.expect("a request")).await;
    csv.is(200);
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert_eq!(csv.text(), file);
}

#[tokio::test]
async fn parameters_of_the_curve_are_checked() {
    let show = video().await;
    let ask = async |query: &str| show.app.get(&show.org, &format!("{PATH}?{query}")).await;
    for (query, fields) in [
        ("buckets=0", &["buckets"][..]),
        ("buckets=100001", &["buckets"]),
        ("bucket=7", &["bucket"]),
        (
            "buckets=x&from=yesterday&to=today",
            &["buckets", "from", "to"],
        ),
        ("from=2026-11-22T10:00:00Z&to=2026-11-22T10:00:00Z", &["to"]),
    ] {
        assert_eq!(ask(query).await.bad_fields(), fields, "{query}");
    }
    let whole = ask("buckets=4&from=&to=").await.ok();
    assert_eq!(rows(&whole).len(), 4);
    let first = ask("buckets=1&to=2026-11-22T10:30:00Z").await.ok();
    assert_eq!(first["rows"][0]["views"], 2, "{first}");
    let unknown = show
        .app
        .get(&show.org, "/api/v1/events/none/retention")
        .await;
    assert_eq!(unknown.refused(404), "EVENT_NOT_FOUND");
    let collector = show.app.token(&show.org.id, "collect").await;
    let request = Request::get(PATH).header("authorization", format!("Bearer {collector}"));
    let refused = show
        .app
        .send(request.body(Body::empty()).expect("a request"))
        .await;
    assert_eq!(refused.refused(403), "SCOPE_MISSING");
}

fn rows(response: &Value) -> &Vec<Value> {
    response["rows"].as_array().expect("rows")
}
