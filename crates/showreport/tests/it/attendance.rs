//! Attendance: the time and the actions of each person.

use insta::assert_snapshot;
use serde_json::{Value, json};
use showreport_model::question::{OrderBy, Question, RowRange};
use showreport_model::search::SearchText;
use showreport_model::table::Table;
use showreport_model::{EventId, Window};

use crate::harness::Show;
use crate::harness::reports::entry;
use crate::harness::show::{at, poll, says, votes, watches};
use crate::oracle::Dimension::Attendance;
use crate::oracle::ReportSpec;

/// The event of every story: live from 10:00 to 11:00.
fn live() -> Value {
    json!({
        "type": "event", "kind": "live", "title": "Keynote",
        "starts_at": at("10:00"), "ends_at": at("11:00"),
    })
}

fn with(mut record: Value, field: &str, value: &str) -> Value {
    record[field] = json!(value);
    record
}

fn least(ratio: i64) -> ReportSpec {
    ReportSpec {
        minimum_live_ratio: Some(ratio),
        ..ReportSpec::new(Attendance)
    }
}

async fn page(show: &Show, order: &str, search: &str, rows: RowRange) -> Table {
    let parts = &show.app.parts;
    let event = EventId::new("keynote").expect("an id");
    parts.jobs.flush_org(&show.org.id).await.expect("flush");
    let pins = parts.jobs.pins(&show.org.id, &event).await.expect("pins");
    let columns = showreport_model::report::Dimension::Attendance.columns(&[]);
    let question = Question::Attendance {
        window: Window::ALL,
        minimum_live_ratio: None,
        search: SearchText::new(search),
        order_by: OrderBy::parse(order, &columns).expect("an order"),
        rows,
    };
    let answer = parts.query.answer(&show.org.id, &pins, &question).await;
    answer.expect("an answer").table
}

/// The customers of the rows.
fn customers(table: &Table) -> Vec<String> {
    table.rows.iter().map(|row| row[0].to_string()).collect()
}

#[tokio::test]
async fn two_tabs_are_one_person_and_time_outside_of_the_window_is_not_live() {
    let show = Show::new().await;
    show.send([
        live(),
        with(
            watches("ada", "tab-1", "09:30..10:30"),
            "device_id",
            "phone",
        ),
        with(watches("ada", "tab-2", "10:20..10:45"), "device_id", "tv"),
        with(watches("ada", "tab-3", "12:00..12:01"), "device_id", "tv"),
    ])
    .await;
    assert_snapshot!(show.csv(&ReportSpec::new(Attendance)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    ada,,,,2026-11-22T09:30:00.000Z,2026-11-22T12:01:00.000Z,3,2,4560.000,2700.000,0.75,0,0
    ");
}

#[tokio::test]
async fn a_message_or_a_vote_is_enough_to_be_there_and_a_deleted_message_is_not() {
    let show = Show::new().await;
    let mut deleted = says("eve", "m3", "10:07", "spam");
    deleted["deleted"] = json!(true);
    show.send([
        live(),
        poll("q1", "single"),
        poll("q2", "single"),
        says("ada", "m1", "10:05", "hello"),
        says("ada", "m2", "10:06", "again"),
        deleted,
        votes("ben", "q1", "10:10", &["yes"]),
        votes("ben", "q2", "10:10", &["yes"]),
        votes("ben", "q2", "10:11", &[]),
        votes("cat", "q1", "10:10", &["maybe"]),
        votes("dan", "q1", "10:10", &[]),
    ])
    .await;
    assert_snapshot!(show.csv(&ReportSpec::new(Attendance)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    ada,,,,,,0,0,0.000,0.000,0,2,0
    ben,,,,,,0,0,0.000,0.000,0,0,1
    cat,,,,,,0,0,0.000,0.000,0,0,0
    dan,,,,,,0,0,0.000,0.000,0,0,0
    ");
}

#[tokio::test]
async fn people_are_known_by_customer_else_device_else_playback() {
    let show = Show::new().await;
    let mut nameless = says("", "m2", "10:06", "who is this?");
    nameless["name"] = json!("A ghost");
    show.send([
        live(),
        watches("", "tab-1", "10:00..10:10"),
        with(watches("", "tab-2", "10:00..10:20"), "device_id", "tv"),
        with(says("", "m1", "10:05", "hello"), "device_id", "tv"),
        with(watches("tv", "tab-3", "10:00..10:30"), "device_id", "tv"),
        nameless,
    ])
    .await;
    assert_snapshot!(show.csv(&ReportSpec::new(Attendance)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    ,,tab-1,,2026-11-22T10:00:00.000Z,2026-11-22T10:10:00.000Z,1,0,600.000,600.000,0.1666,0,0
    ,tv,,,2026-11-22T10:00:00.000Z,2026-11-22T10:20:00.000Z,1,1,1200.000,1200.000,0.3333,1,0
    tv,,,,2026-11-22T10:00:00.000Z,2026-11-22T10:30:00.000Z,1,1,1800.000,1800.000,0.5,0,0
    ");
}

#[tokio::test]
async fn a_filter_cuts_what_people_did_and_not_their_names() {
    let show = Show::new().await;
    show.send([
        live(),
        poll("q1", "single"),
        with(watches("ada", "tab-1", "10:00..10:30"), "name", "Zoe"),
        with(watches("ada", "tab-0", "08:00..08:30"), "name", "Beth"),
        with(says("ada", "m1", "08:05", "early"), "name", "Cleo"),
        with(votes("ada", "q1", "08:10", &["yes"]), "name", "Dora"),
        watches("ben", "tab-2", "10:50..11:10"),
        watches("eve", "tab-3", "08:00..09:00"),
    ])
    .await;
    let mut question = ReportSpec::new(Attendance);
    question.start = Some(1_795_342_500_000); // 10:15
    question.end = Some(1_795_346_100_000); // 11:15
    assert_snapshot!(show.csv(&question).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    ada,,,Beth,2026-11-22T10:15:00.000Z,2026-11-22T10:30:00.000Z,1,0,900.000,900.000,0.25,0,0
    ben,,,,2026-11-22T10:50:00.000Z,2026-11-22T11:10:00.000Z,1,0,1200.000,600.000,0.1666,0,0
    ");
}

#[tokio::test]
async fn the_minimum_is_compared_before_the_ratio_is_floored() {
    let show = Show::new().await;
    show.send([
        live(),
        watches("exact", "p1", "10:00..10:45"),
        watches("just-less", "p2", "10:00..10:44:59.999"),
        watches("more", "p3", "10:00..11:30"),
        watches("recording", "p4", "12:00..13:00"),
    ])
    .await;
    assert_snapshot!(show.csv(&least(7_500)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    exact,,,,2026-11-22T10:00:00.000Z,2026-11-22T10:45:00.000Z,1,0,2700.000,2700.000,0.75,0,0
    more,,,,2026-11-22T10:00:00.000Z,2026-11-22T11:30:00.000Z,1,0,5400.000,3600.000,1,0,0
    ");
    assert_snapshot!(show.csv(&least(7_499)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    exact,,,,2026-11-22T10:00:00.000Z,2026-11-22T10:45:00.000Z,1,0,2700.000,2700.000,0.75,0,0
    just-less,,,,2026-11-22T10:00:00.000Z,2026-11-22T10:44:59.999Z,1,0,2699.999,2699.999,0.7499,0,0
    more,,,,2026-11-22T10:00:00.000Z,2026-11-22T11:30:00.000Z,1,0,5400.000,3600.000,1,0,0
    ");
    assert_snapshot!(show.csv(&least(10_000)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    more,,,,2026-11-22T10:00:00.000Z,2026-11-22T11:30:00.000Z,1,0,5400.000,3600.000,1,0,0
    ");
}

#[tokio::test]
async fn without_a_window_there_is_no_ratio_and_a_minimum_leaves_no_row() {
    let show = Show::new().await;
    show.send([watches("ada", "tab-1", "10:00..10:30")]).await;
    assert_snapshot!(show.csv(&ReportSpec::new(Attendance)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    ada,,,,2026-11-22T10:00:00.000Z,2026-11-22T10:30:00.000Z,1,0,1800.000,,,0,0
    ");
    assert_snapshot!(show.csv(&least(0)).await, @"
    customer_id,device_id,playback_id,name,first_joined_at,last_left_at,views,devices,attended_seconds,live_seconds,live_ratio,messages,polls_answered
    ");
}

#[tokio::test]
async fn the_dimension_has_a_number_and_wrong_conditions_are_named() {
    let show = Show::new().await;
    show.send([live(), watches("ada", "tab-1", "10:00..10:30")])
        .await;
    let number = json!({"dimension": 101, "minimum_live_ratio": "0.5"});
    let made = show.app.make(&show.org, "keynote", &[number]).await;
    let condition = &made[0].report["dimension_with_condition"];
    assert_eq!(condition["dimension"], "REPORT_DIMENSION_ATTENDANCE");
    assert_eq!(condition["minimum_live_ratio"], 0.5, "{condition}");

    let refused = |field: &str, value: Value| {
        let mut wrong = entry(&ReportSpec::new(Attendance));
        wrong[field] = value;
        wrong
    };
    for (wrong, field) in [
        (
            refused("minimum_live_ratio", json!(1.5)),
            "minimum_live_ratio",
        ),
        (
            refused("minimum_live_ratio", json!(-0.1)),
            "minimum_live_ratio",
        ),
        (
            refused("minimum_live_ratio", json!("75%")),
            "minimum_live_ratio",
        ),
        (
            refused("minimum_live_ratio", json!([0.5])),
            "minimum_live_ratio",
        ),
        (
            refused("group_by_fields", json!(["GROUP_BY_FIELD_DEVICE_ID"])),
            "group_by_fields",
        ),
        (
            json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "minimum_live_ratio": 0.5}),
            "minimum_live_ratio",
        ),
    ] {
        let response = show
            .app
            .create(&show.org, "keynote", std::slice::from_ref(&wrong))
            .await;
        let path = format!("dimension_with_conditions[0].{field}");
        assert_eq!(response.status, 400, "{wrong}");
        assert!(response.text().contains(&path), "{}", response.text());
    }
}

#[tokio::test]
async fn people_are_found_by_name_or_id_and_ordered_by_any_column() {
    let show = Show::new().await;
    show.send([
        live(),
        with(watches("c1", "tab-1", "10:00..10:30"), "name", "Ada Weiß"),
        with(watches("c2", "tab-2", "10:00..10:50"), "name", "ben"),
        watches("c3", "tab-3", "10:10..10:20"),
        says("c4", "m1", "10:05", "hello"),
    ])
    .await;
    let all = RowRange { skip: 0, limit: 10 };
    let order = |order: &'static str| {
        let show = &show;
        async move { customers(&page(show, order, "", all).await) }
    };
    assert_eq!(order("").await, ["c1", "c2", "c3", "c4"]);
    assert_eq!(
        order("attended_seconds desc").await,
        ["c2", "c1", "c3", "c4"]
    );
    assert_eq!(order("first_joined_at").await, ["c4", "c1", "c2", "c3"]);
    assert_eq!(
        order("first_joined_at desc").await,
        ["c3", "c1", "c2", "c4"]
    );
    assert_eq!(
        order("views desc, name desc").await,
        ["c2", "c1", "c3", "c4"]
    );

    let found = |part: &'static str| {
        let show = &show;
        async move { customers(&page(show, "", part, all).await) }
    };
    assert_eq!(found("WEISS").await, ["c1"]);
    assert_eq!(found("C").await, ["c1", "c2", "c3", "c4"]);
    assert_eq!(found("c3").await, ["c3"]);
    assert_eq!(found("zoe").await, Vec::<String>::new());

    let second = RowRange { skip: 1, limit: 2 };
    let rows = page(&show, "attended_seconds desc", "", second).await;
    assert_eq!(customers(&rows), ["c1", "c3"]);
}
