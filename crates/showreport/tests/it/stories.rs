//! Stories that show what the figures mean.

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::Show;
use crate::harness::show::{at, poll, says, votes, watches};
use crate::oracle::Dimension::{ChatHistories, PollSummaries, PollVotes, WatchTime};
use crate::oracle::Field::{CustomerId, DeviceId, DeviceOs, GeoRegion, WatchTimestamp};
use crate::oracle::ReportSpec;

#[tokio::test]
async fn two_tabs_of_one_viewer_attend_once() {
    let show = Show::new().await;
    show.send([
        watches("ada", "tab-1", "10:00..10:30"),
        watches("ada", "tab-2", "10:20..10:40"),
    ])
    .await;
    assert_snapshot!(show.report(WatchTime, &[CustomerId]).await, @"
    customer_id,views,viewers,devices,watch_seconds,attended_seconds
    ada,2,1,0,3000.000,2400.000
    ");
}

#[tokio::test]
async fn a_view_is_the_union_of_its_spans_however_often_they_are_sent() {
    let show = Show::new().await;
    let beats = [
        watches("ada", "tab", "10:00:10..10:00:20"),
        watches("ada", "tab", "10:00..10:00:10"),
        watches("ada", "tab", "10:00:05..10:00:15.5"),
        watches("ada", "tab", "10:10..10:10:00.001"),
    ];
    show.send(beats.clone()).await;
    show.send(beats).await;
    assert_snapshot!(show.report(WatchTime, &[]).await, @"
    started_at,ended_at,playback_id,customer_id,device_id,device_os,geo_region,watch_seconds
    2026-11-22T10:00:00.000Z,2026-11-22T10:10:00.001Z,tab,ada,,,,20.001
    ");
}

#[tokio::test]
async fn an_attribute_is_the_least_value_of_all_spans_also_outside_the_filter() {
    let show = Show::new().await;
    let mut early = watches("ada", "tab", "09:00..09:01");
    early["device_os"] = json!("Android");
    let mut late = watches("", "tab", "10:00..10:01");
    late["device_os"] = json!("iOS");
    late["geo_region"] = json!("tw-tpe");
    show.send([early, late]).await;
    let question = ReportSpec {
        start: Some(1_795_341_600_000), // 10:00
        ..ReportSpec::new(WatchTime).by(&[DeviceOs, GeoRegion, CustomerId])
    };
    assert_snapshot!(show.csv(&question).await, @"
    device_os,geo_region,customer_id,views,viewers,devices,watch_seconds,attended_seconds
    Android,TW-TPE,ada,1,1,0,60.000,60.000
    ");
}

#[tokio::test]
async fn a_span_is_divided_at_the_edges_of_buckets_to_the_millisecond() {
    let show = Show::new().await;
    show.send([
        watches("ada", "a", "10:00:59.999..10:02:00.001"),
        watches("bob", "b", "10:01..10:02"),
    ])
    .await;
    assert_snapshot!(show.report(WatchTime, &[WatchTimestamp]).await, @"
    watch_timestamp,views,viewers,devices,watch_seconds,attended_seconds
    2026-11-22T10:00:00.000Z,1,1,0,0.001,0.001
    2026-11-22T10:01:00.000Z,2,2,0,120.000,120.000
    2026-11-22T10:02:00.000Z,1,1,0,0.001,0.001
    ");
}

#[tokio::test]
async fn a_day_is_one_of_the_organisations_zone() {
    let show = Show::in_zone("Asia/Taipei").await;
    // Midnight in Taipei is 16:00 UTC.
    show.send([watches("ada", "a", "15:59..16:02")]).await;
    let question = ReportSpec {
        granularity_seconds: 86_400,
        ..ReportSpec::new(WatchTime).by(&[WatchTimestamp])
    };
    assert_snapshot!(show.csv(&question).await, @"
    watch_timestamp,views,viewers,devices,watch_seconds,attended_seconds
    2026-11-21T16:00:00.000Z,1,1,0,60.000,60.000
    2026-11-22T16:00:00.000Z,1,1,0,120.000,120.000
    ");
}

#[tokio::test]
async fn a_customer_and_a_device_with_equal_ids_are_two_viewers() {
    let show = Show::new().await;
    let mut by_device = watches("", "b", "10:00..10:01");
    by_device["device_id"] = json!("ada");
    let mut by_playback = watches("", "ada", "10:00..10:01");
    by_playback["customer_id"] = json!(null);
    show.send([watches("ada", "a", "10:00..10:01"), by_device, by_playback])
        .await;
    assert_snapshot!(show.report(WatchTime, &[GeoRegion]).await, @"
    geo_region,views,viewers,devices,watch_seconds,attended_seconds
    ,3,3,1,180.000,180.000
    ");
}

#[tokio::test]
async fn a_deleted_message_keeps_its_row_and_counts_in_no_figure() {
    let show = Show::new().await;
    let mut deletion = says("ada", "m2", "10:01", "rude");
    deletion["deleted"] = json!(true);
    let mut edit = says("bob", "m3", "10:02", "better");
    edit["updated_at"] = json!(at("10:05"));
    show.send([
        edit,
        says("ada", "m1", "10:00", "hello"),
        deletion,
        says("ada", "m2", "10:01", "rude"),
        says("bob", "m3", "10:02", "worse"),
    ])
    .await;
    assert_snapshot!(show.report(ChatHistories, &[]).await, @"
    sent_at,message_id,customer_id,device_id,name,role,text,deleted,device_os,geo_region
    2026-11-22T10:00:00.000Z,m1,ada,,,,hello,false,,
    2026-11-22T10:01:00.000Z,m2,ada,,,,rude,true,,
    2026-11-22T10:02:00.000Z,m3,bob,,,,better,false,,
    ");
    assert_snapshot!(show.report(ChatHistories, &[WatchTimestamp]).await, @"
    watch_timestamp,messages,senders
    2026-11-22T10:00:00.000Z,1,1
    2026-11-22T10:02:00.000Z,1,1
    ");
}

#[tokio::test]
async fn a_message_has_os_and_region_of_its_devices_first_view() {
    let show = Show::new().await;
    let mut first = watches("ada", "p2", "09:00..09:01");
    first["device_id"] = json!("tv");
    first["device_os"] = json!("Tizen");
    let mut second = watches("ada", "p1", "08:00..08:01");
    second["device_os"] = json!("iOS");
    second["geo_region"] = json!("TW");
    let mut from_tv = says("ada", "m1", "10:00", "from the sofa");
    from_tv["device_id"] = json!("tv");
    show.send([
        first,
        second,
        from_tv,
        says("ada", "m2", "10:01", "from anywhere"),
    ])
    .await;
    assert_snapshot!(show.report(ChatHistories, &[]).await, @"
    sent_at,message_id,customer_id,device_id,name,role,text,deleted,device_os,geo_region
    2026-11-22T10:00:00.000Z,m1,ada,tv,,,from the sofa,false,Tizen,
    2026-11-22T10:01:00.000Z,m2,ada,,,,from anywhere,false,iOS,TW
    ");
}

#[tokio::test]
async fn the_last_allowed_vote_counts_and_a_withdrawal_uncounts() {
    let show = Show::new().await;
    show.send([
        poll("fun", "single"),
        votes("ada", "fun", "10:00", &["yes"]),
        votes("ada", "fun", "10:01", &["no"]),
        votes("ada", "fun", "10:02", &["yes", "no"]), // More than a single choice allows.
        votes("bob", "fun", "10:00", &["yes"]),
        votes("bob", "fun", "10:01", &[]),
        votes("eve", "fun", "10:00", &["maybe"]),
        votes("eve", "unheard-of", "10:00", &["yes"]),
    ])
    .await;
    assert_snapshot!(show.report(PollVotes, &[]).await, @"
    poll_id,question,voted_at,customer_id,device_id,name,option_id,option_text,counted,device_os,geo_region
    fun,fun?,2026-11-22T10:00:00.000Z,ada,,,yes,Yes!,false,,
    fun,fun?,2026-11-22T10:00:00.000Z,bob,,,yes,Yes!,false,,
    fun,fun?,2026-11-22T10:00:00.000Z,eve,,,maybe,,false,,
    fun,fun?,2026-11-22T10:01:00.000Z,ada,,,no,No.,true,,
    fun,fun?,2026-11-22T10:02:00.000Z,ada,,,no,No.,false,,
    fun,fun?,2026-11-22T10:02:00.000Z,ada,,,yes,Yes!,false,,
    unheard-of,,2026-11-22T10:00:00.000Z,eve,,,yes,,false,,
    ");
    assert_snapshot!(show.report(PollSummaries, &[]).await, @"
    poll_id,question,choice,status,started_at,ended_at,option_id,option_text,correct,votes,voters
    fun,fun?,single,active,,,no,No.,false,1,1
    fun,fun?,single,active,,,yes,Yes!,true,0,1
    ");
}

#[tokio::test]
async fn options_of_a_multiple_choice_share_their_voters() {
    let show = Show::new().await;
    show.send([
        poll("fun", "multi"),
        votes("ada", "fun", "10:00", &["yes", "no", "yes"]),
        votes("bob", "fun", "10:00", &["yes"]),
    ])
    .await;
    assert_snapshot!(show.report(PollSummaries, &[WatchTimestamp]).await, @"
    poll_id,question,option_id,option_text,watch_timestamp,votes,voters
    fun,fun?,no,No.,2026-11-22T10:00:00.000Z,1,2
    fun,fun?,yes,Yes!,2026-11-22T10:00:00.000Z,2,2
    ");
    assert_snapshot!(show.report(PollVotes, &[CustomerId, DeviceId]).await, @"
    poll_id,option_id,customer_id,device_id,votes
    fun,no,ada,,1
    fun,yes,ada,,1
    fun,yes,bob,,1
    ");
}

#[tokio::test]
async fn counted_votes_are_decided_before_the_filter_is_applied() {
    let show = Show::new().await;
    show.send([
        poll("fun", "single"),
        votes("ada", "fun", "10:00", &["yes"]),
        votes("ada", "fun", "11:00", &["no"]),
    ])
    .await;
    let until_half_past_ten = Some(1_795_343_400_000);
    let ask = |dimension| ReportSpec {
        end: until_half_past_ten,
        ..ReportSpec::new(dimension)
    };
    assert_snapshot!(show.csv(&ask(PollVotes)).await, @"
    poll_id,question,voted_at,customer_id,device_id,name,option_id,option_text,counted,device_os,geo_region
    fun,fun?,2026-11-22T10:00:00.000Z,ada,,,yes,Yes!,false,,
    ");
    assert_snapshot!(show.csv(&ask(PollSummaries)).await, @"
    poll_id,question,choice,status,started_at,ended_at,option_id,option_text,correct,votes,voters
    fun,fun?,single,active,,,no,No.,false,0,0
    fun,fun?,single,active,,,yes,Yes!,true,0,0
    ");
}

#[tokio::test]
async fn a_cell_that_would_run_as_a_formula_is_guarded() {
    let show = Show::new().await;
    let texts = [
        "=1+1",
        "+1",
        "-1",
        "@x",
        "\tx",
        "\rx",
        "\nx",
        "＝1+1",
        "＋1",
        "－1",
        "＠x",
        "a=1",
        "two,\nlines \"so\"",
    ];
    let says = texts
        .iter()
        .enumerate()
        .map(|(number, text)| says("-ada", &format!("m{number:02}"), "10:00", text));
    show.send(says.collect::<Vec<_>>()).await;
    let file = show.report(ChatHistories, &[]).await;
    let tail = |number: usize| format!("2026-11-22T10:00:00.000Z,m{number:02},'-ada,,,,");
    let expected = [
        "sent_at,message_id,customer_id,device_id,name,role,text,deleted,device_os,geo_region\n"
            .to_owned(),
        format!("{}'=1+1,false,,\n", tail(0)),
        format!("{}'+1,false,,\n", tail(1)),
        format!("{}'-1,false,,\n", tail(2)),
        format!("{}'@x,false,,\n", tail(3)),
        format!("{}'\tx,false,,\n", tail(4)),
        format!("{}\"'\rx\",false,,\n", tail(5)),
        format!("{}\"'\nx\",false,,\n", tail(6)),
        format!("{}'＝1+1,false,,\n", tail(7)),
        format!("{}'＋1,false,,\n", tail(8)),
        format!("{}'－1,false,,\n", tail(9)),
        format!("{}'＠x,false,,\n", tail(10)),
        format!("{}a=1,false,,\n", tail(11)),
        format!("{}\"two,\nlines \"\"so\"\"\",false,,\n", tail(12)),
    ];
    assert_eq!(file, expected.concat());
}

#[tokio::test]
async fn a_report_of_an_empty_event_has_a_header_only() {
    let show = Show::new().await;
    show.send([json!({"type": "event", "kind": "live", "title": "Keynote"})])
        .await;
    assert_snapshot!(show.report(WatchTime, &[]).await, @"started_at,ended_at,playback_id,customer_id,device_id,device_os,geo_region,watch_seconds");
    assert_snapshot!(show.report(PollVotes, &[DeviceOs]).await, @"poll_id,option_id,device_os,votes");
}
