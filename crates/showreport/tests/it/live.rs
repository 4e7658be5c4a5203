//! Live figures: equal to what reports say of the same instant, whatever happened before.

use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use showreport_model::facts::FactsBuilder;
use showreport_origins::Origins;
use showreport_records::{Context, decode_record};

use crate::harness::app::{Parts, request};
use crate::harness::{ManualClock, Org, Random, Show, TestApp};
use crate::oracle;
use crate::streams::records::Records;
use crate::streams::run::load;

/// The middle of every stream: 2026-11-22T00:00Z.
const MIDDLE: i64 = 1_795_305_600_000;
/// After all records of a stream.
const AFTER: i64 = MIDDLE + 48 * 3_600_000;
const EVENT: &str = "keynote";
const LIVE: &str = "/api/v1/events/keynote/live";

/// Asks at an instant that has passed.
async fn live_at(app: &TestApp, org: &Org, at: i64) -> Value {
    let now = app.now().as_millis();
    app.clock.set_millis(at - now);
    let answer = app.get(org, LIVE).await.ok();
    app.clock.set_millis(now - at);
    answer
}

/// An instant that is settled at the end of a span, or near it.
fn instant(random: &mut Random, records: &[Value]) -> i64 {
    let times = ["from", "to", "at", "sent_at"];
    let edge = (0..20).find_map(|_| {
        let record = random.pick(records);
        let time = &record[*random.pick(&times)];
        (!time.is_null() && time != "").then(|| oracle::clock::millis(time))
    });
    let off = *random.pick(&[0, 15_000, 15_000, 14_999, 15_001, 75_000, -1_000, 5_000]);
    edge.unwrap_or(MIDDLE) + off
}

/// Puts the next records in, or changes where they are.
async fn step(random: &mut Random, app: &mut TestApp, org: &Org, batch: &[Value]) {
    if random.percent(25) {
        load(&app.parts, &org.id, app.now(), batch).await;
    } else {
        app.accept(org, batch).await;
    }
    match random.below(8) {
        0 => drop(app.parts.lake.flush().await.expect("flush")),
        1 => {
            let waiting = app.parts.meta.journal_rows(0, u64::MAX).await;
            let rows = waiting.expect("read the journal").into_iter();
            let rows = rows.map(|row| row.seq).step_by(2).collect();
            app.parts.lake.flush_ahead(rows).await.expect("flush ahead");
        }
        2 => drop(app.parts.lake.compact().await.expect("compact")),
        3 => app.restart().await,
        4 => app.crash().await,
        5 => {
            // Nothing asks for so long that the state is dropped.
            app.clock.set_hours(2);
            app.parts.live.tend().await.expect("tend");
            app.clock.set_hours(-2);
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_figures_of_any_instant_are_those_of_all_records_that_are_in() {
    for seed in 801..807 {
        let mut random = Random::new(seed);
        let directory = tempfile::tempdir().expect("a directory for the test");
        let mut app = TestApp::on(directory, ManualClock::at(AFTER)).await;
        let org = app.org("acme", "UTC").await;
        let around = Records::around(MIDDLE);
        let records: Vec<Value> = (0..160)
            .map(|_| around.record(&mut random, EVENT))
            .collect();
        let mut sent: Vec<Value> = Vec::new();
        for batch in records.chunks(9) {
            step(&mut random, &mut app, &org, batch).await;
            sent.extend(batch.iter().cloned());
            for _ in 0..2 {
                let at = instant(&mut random, &sent);
                let answer = live_at(&app, &org, at).await;
                let wanted = oracle::live::live(&sent, EVENT, at);
                assert_eq!(answer, wanted, "seed {seed}, {} records", sent.len());
            }
        }
    }
}

/// A playback of the present, as `19:59:50..20`.
fn playing(customer: &str, from: &str, to: &str) -> Value {
    json!({
        "type": "playback", "playback_id": format!("tab-{customer}"), "customer_id": customer,
        "from": format!("2026-11-25T{from}Z"), "to": format!("2026-11-25T{to}Z"),
    })
}

#[tokio::test]
async fn a_join_is_seen_at_once_and_counts_after_fifteen_seconds() {
    let show = Show::new().await;
    let live = async || show.app.get(&show.org, LIVE).await.ok();
    show.send([json!({"type": "event", "kind": "live", "title": "Keynote"})])
        .await;
    let before = live().await;
    assert_eq!(
        (&before["viewers"], &before["viewers_now"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&before["peak_viewers"], &before["peak_at"]),
        (&json!(0), &json!(null))
    );
    show.send([playing("ada", "19:59:58", "20:00:00")]).await;
    let joined = live().await;
    assert_eq!(
        (&joined["viewers"], &joined["viewers_now"]),
        (&json!(0), &json!(1))
    );
    show.app.clock.advance_millis(10_000);
    show.send([playing("ada", "20:00:00", "20:00:10")]).await;
    show.app.clock.advance_millis(5_000);
    let settled = live().await;
    assert_eq!(
        (&settled["viewers"], &settled["viewers_now"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(settled["joined_last_minute"], 1);
    assert_eq!(settled["peak_at"], "2026-11-25T19:59:58.000Z");
    // She has left, and nothing more comes.
    show.app.clock.advance_millis(20_000);
    let left = live().await;
    assert_eq!(
        (&left["viewers"], &left["viewers_now"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        (&left["left_last_minute"], &left["peak_viewers"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn live_figures_cause_no_flush() {
    let show = Show::new().await;
    show.send([playing("ada", "19:59:00", "19:59:50")]).await;
    let heads = show.app.parts.meta.heads().await.expect("the heads");
    for _ in 0..3 {
        assert_eq!(show.app.get(&show.org, LIVE).await.ok()["viewers"], 1);
    }
    assert_eq!(show.app.parts.meta.heads().await.expect("the heads"), heads);
    let depth = show.app.parts.meta.journal_depth().await;
    assert_eq!(depth.expect("the journal").rows, 1);
}

/// Collects records as another process does.
async fn collect_beside(beside: &Parts, org: &Org, now: &TestApp, records: &[Value]) {
    let context = Context::new(now.now(), Origins::open(None).expect("no file"));
    let mut builder = FactsBuilder::new(org.id.clone());
    for (index, record) in records.iter().enumerate() {
        let line = record.to_string();
        let parsed = decode_record(line.as_bytes(), index, &context).expect("a good record");
        parsed.push_to(&mut builder);
    }
    let access = beside.meta.authenticate(&org.token).await.expect("a token");
    let appended = beside.meta.journal().append(access.token, builder).await;
    appended.expect("append");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_process_collects_or_imports_follows() {
    let show = Show::new().await;
    let mut beside = show.app.open_beside().await;
    show.send([playing("ada", "19:59:00", "19:59:50")]).await;
    let viewers = async || show.app.get(&show.org, LIVE).await.ok()["viewers"].clone();
    assert_eq!(viewers().await, 1);
    let of_event = |mut record: Value| {
        record["event_id"] = json!(EVENT);
        record
    };
    let bob = of_event(playing("bob", "19:59:00", "19:59:50"));
    collect_beside(&beside, &show.org, &show.app, &[bob]).await;
    show.app.parts.live.tend().await.expect("tend");
    assert_eq!(viewers().await, 2);
    // A row that is flushed before this process has seen it.
    let eve = of_event(playing("eve", "19:59:00", "19:59:50"));
    collect_beside(&beside, &show.org, &show.app, &[eve]).await;
    beside.lake.flush().await.expect("flush");
    show.app.parts.live.tend().await.expect("tend");
    assert_eq!(viewers().await, 3);
    let dan = of_event(playing("dan", "19:59:00", "19:59:50"));
    load(&beside, &show.org.id, show.app.now(), &[dan]).await;
    for _ in 0..2 {
        show.app.parts.live.tend().await.expect("tend");
    }
    assert_eq!(viewers().await, 4);
    beside.end().await;
}

#[tokio::test]
async fn only_readers_of_the_organisation_see_live_figures() {
    let show = Show::new().await;
    show.send([playing("ada", "19:59:00", "19:59:50")]).await;
    let rival = show.app.org("rival", "UTC").await;
    let collector = Org {
        token: show.app.token(&show.org.id, "collect").await,
        ..show.org.clone()
    };
    for path in [LIVE.to_owned(), format!("{LIVE}/stream")] {
        let foreign = show.app.get(&rival, &path).await;
        assert_eq!(foreign.refused(404), "EVENT_NOT_FOUND");
        let unknown = path.replace(EVENT, "nothing");
        let unknown = show.app.get(&show.org, &unknown).await;
        assert_eq!(unknown.refused(404), "EVENT_NOT_FOUND");
        let collector = show.app.get(&collector, &path).await;
        assert_eq!(collector.refused(403), "SCOPE_MISSING");
        let parameter = show.app.get(&show.org, &format!("{path}?x=1")).await;
        parameter.is(400);
    }
}

/// A stream of server-sent events.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(show: &Show, org: &Org) -> Self {
        let request = request("GET", org, &format!("{LIVE}/stream"));
        let request = request.body(Body::empty()).expect("a request");
        let response = show.app.begin(request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The name, the id and the data of the next event. `None`: the stream has ended.
    async fn next(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = event.lines();
                    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                };
                let event = field("data").map(|data| {
                    let text = |name| field(name).expect("the field").to_owned();
                    let data = serde_json::from_str(data).expect("JSON");
                    (text("event"), text("id"), data)
                });
                let rest = rest.to_owned();
                self.text = rest;
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let frame = self.body.frame().await?.expect("the stream is not cut");
            let data = frame.into_data().expect("no trailers");
            self.text += std::str::from_utf8(&data).expect("UTF-8");
        }
    }

    /// The data of the next event of this name.
    async fn next_of(&mut self, wanted: &str) -> Value {
        loop {
            let (name, id, data) = self.next().await.expect("the stream goes on");
            assert_eq!(data["at"], id);
            if name == wanted {
                return data;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_follows_the_event_until_its_token_is_revoked() {
    let show = Show::new().await;
    show.send([playing("ada", "19:59:00", "19:59:50")]).await;
    let org = Org {
        token: show.app.token(&show.org.id, "report").await,
        ..show.org.clone()
    };
    let mut stream = Stream::open(&show, &org).await;
    let live = show.app.get(&org, LIVE).await.ok();
    assert_eq!(stream.next_of("audience").await, live);
    assert_eq!(stream.next_of("messages").await["messages"], 0);
    assert_eq!(stream.next_of("polls").await["polls"], json!([]));
    show.send([
        json!({"type": "chat", "message_id": "m1", "sent_at": "2026-11-25T19:59:59Z", "text": "hi"}),
        json!({
            "type": "poll", "poll_id": "q", "question": "Why?", "choice": "single",
            "status": "active", "options": [{"id": "a", "text": "A"}],
        }),
    ])
    .await;
    let messages = stream.next_of("messages").await;
    assert_eq!(
        (&messages["messages"], &messages["messages_last_minute"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(stream.next_of("polls").await["polls"][0]["voters"], 0);
    show.send([playing("bob", "19:59:00", "19:59:50")]).await;
    assert_eq!(stream.next_of("audience").await["viewers"], 2);
    let access = show.app.parts.meta.authenticate(&org.token).await;
    let token = access.expect("a token").token;
    show.app
        .parts
        .meta
        .revoke_token(token)
        .await
        .expect("revoke");
    while stream.next().await.is_some() {}
}
