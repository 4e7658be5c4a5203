//! Concurrent work, also by two processes on one data directory.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::harness::app::request;
use crate::harness::reports::{REPORTS, entry};
use crate::harness::show::watches;
use crate::harness::{Random, Show, TestApp};
use crate::oracle::{self, Dimension, Field, ReportSpec};
use crate::streams::case::question;
use crate::streams::records::Records;
use crate::streams::run::load;

const MIDDLE: i64 = 1_795_305_600_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_and_a_command_line_work_on_the_same_data() {
    let mut random = Random::new(11);
    let around = Records::around(MIDDLE);
    let records: Vec<Value> = (0..400)
        .map(|_| around.record(&mut random, "keynote"))
        .collect();
    let app = TestApp::new().await;
    let org = app.org("acme", "UTC").await;
    app.accept(&org, &records[..1]).await;
    let mut beside = app.open_beside().await;
    let (ours, theirs) = records.split_at(200);
    let done = CancellationToken::new();
    let collecting = async {
        let batches = ours.chunks(10).map(|batch| app.accept(&org, batch));
        futures::future::join_all(batches).await;
    };
    let importing = async {
        for batch in theirs.chunks(40) {
            load(&beside, &org.id, app.now(), batch).await;
            beside.lake.flush().await.expect("flush beside the server");
        }
    };
    let keeping_order = async {
        while !done.is_cancelled() {
            app.parts.lake.flush().await.expect("flush");
            app.parts.lake.compact().await.expect("compact");
            beside
                .lake
                .compact()
                .await
                .expect("compact beside the server");
            app.parts.lake.vacuum().await.expect("vacuum");
        }
    };
    let asking = async {
        for _ in 0..6 {
            app.make(
                &org,
                "keynote",
                &[entry(&question(&mut random.clone(), MIDDLE))],
            )
            .await;
        }
    };
    let working = async {
        tokio::join!(collecting, importing, asking);
        done.cancel();
    };
    tokio::join!(working, keeping_order);
    for _ in 0..12 {
        let question = question(&mut random, MIDDLE);
        let table = oracle::report(&records, "keynote", &question, &jiff::tz::TimeZone::UTC);
        assert_eq!(
            app.csv(&org, "keynote", &question).await,
            table.guarded(),
            "{question:?}"
        );
    }
    beside.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_sent_twice_at_once_is_carried_out_once() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let body = json!({
        "id": "keynote", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [entry(&ReportSpec::new(Dimension::WatchTime))],
    });
    let create = || async {
        let request = request("POST", &show.org, REPORTS)
            .header("content-type", "application/json")
            .header("idempotency-key", "once");
        show.app
            .send(request.body(body.to_string().into()).expect("a request"))
            .await
    };
    let responses = futures::future::join_all((0..8).map(|_| create())).await;
    let mut ids: Vec<String> = Vec::new();
    for response in responses {
        match response.status {
            200 => ids.push(response.json()["reports"][0]["id"].to_string()),
            // The first is still running.
            _ => drop(response.refused(409)),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    show.app.work().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_pinned_by_a_running_report_survive_maintenance() {
    let mut random = Random::new(12);
    let around = Records::around(MIDDLE);
    let records: Vec<Value> = (0..150)
        .map(|_| around.record(&mut random, "keynote"))
        .collect();
    let app = TestApp::new().await;
    let org = app.org("acme", "UTC").await;
    for batch in records.chunks(30) {
        app.accept(&org, batch).await;
        app.parts.lake.flush().await.expect("flush");
    }
    let question = ReportSpec::new(Dimension::WatchTime).by(&[Field::CustomerId, Field::DeviceOs]);
    let created = app.create(&org, "keynote", &[entry(&question)]).await.ok();
    let id = created["reports"][0]["id"].as_str().expect("an id");
    let event = "keynote".parse().expect("an id");
    let pins = app
        .parts
        .jobs
        .pins(&org.id, &event)
        .await
        .expect("the present heads");
    app.parts
        .meta
        .pin_report(id.parse().expect("an id"), &pins)
        .await
        .expect("pin");
    for _ in 0..3 {
        // Later facts are in no report that was pinned before them.
        let later: Vec<Value> = (0..20)
            .map(|_| around.record(&mut random, "keynote"))
            .collect();
        app.accept(&org, &later).await;
        app.parts.lake.flush().await.expect("flush");
        app.parts.lake.compact().await.expect("compact");
        app.clock.advance_hours(25);
        app.parts.lake.vacuum().await.expect("vacuum");
    }
    app.work().await;
    let report = app.batch_get(&org, &[id]).await.ok()["reports"][0].clone();
    let table = oracle::report(&records, "keynote", &question, &jiff::tz::TimeZone::UTC);
    assert_eq!(app.download(&report, "").await.text(), table.guarded());
}
