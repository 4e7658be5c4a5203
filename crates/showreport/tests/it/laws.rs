//! The laws of the definitions, each on random streams.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::harness::reports::entry;
use crate::harness::{Org, Random, TestApp};
use crate::oracle::{Dimension, Field, Figures, ReportSpec, figures, seconds_text};
use crate::streams::case::question;
use crate::streams::records::Records;

/// The middle of every stream: 2026-11-22T00:00Z.
const MIDDLE: i64 = 1_795_305_600_000;
const EVENT: &str = "keynote";

/// A random stream of one event.
fn stream(seed: u64, count: usize) -> (Random, Vec<Value>) {
    let mut random = Random::new(seed);
    let around = Records::around(MIDDLE);
    let records = (0..count)
        .map(|_| around.record(&mut random, EVENT))
        .collect();
    (random, records)
}

async fn app_with(records: &[Value]) -> (TestApp, Org) {
    let app = TestApp::new().await;
    let org = app.org("acme", "Europe/Berlin").await;
    app.accept(&org, records).await;
    (app, org)
}

/// The files of many questions, in order.
async fn files(app: &TestApp, org: &Org, questions: &[ReportSpec]) -> Vec<Vec<u8>> {
    let entries: Vec<Value> = questions.iter().map(entry).collect();
    app.make(org, EVENT, &entries)
        .await
        .into_iter()
        .map(|made| made.file)
        .collect()
}

/// The sum of a column of seconds, in milliseconds.
fn total(file: &[u8], column: &str) -> i64 {
    let text = std::str::from_utf8(file).expect("UTF-8");
    let (header, rows) = text.split_once('\n').expect("a header");
    // Figures stand behind every text, so that they are counted from the end.
    let from_end = header
        .split(',')
        .rev()
        .position(|name| name == column)
        .expect("the column");
    let millis = |row: &str| -> i64 {
        let cell = row.rsplit(',').nth(from_end).expect("a cell");
        cell.replace('.', "")
            .parse()
            .expect("seconds with three decimals")
    };
    rows.lines().map(millis).sum()
}

/// Every subset of the fields.
fn subsets() -> Vec<Vec<Field>> {
    (0..32usize)
        .map(|bits| {
            Field::ALL
                .into_iter()
                .enumerate()
                .filter(|(place, _)| bits >> place & 1 == 1)
                .map(|(_, field)| field)
                .collect()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watch_time_is_conserved_under_every_grouping_and_granularity() {
    let (mut random, records) = stream(101, 150);
    let (app, org) = app_with(&records).await;
    let window = question(&mut random, MIDDLE);
    for (start, end) in [(None, None), (window.start, window.end)] {
        let mut questions: Vec<ReportSpec> = Vec::new();
        for fields in subsets() {
            questions.push(ReportSpec {
                start,
                end,
                ..ReportSpec::new(Dimension::WatchTime).by(&fields)
            });
        }
        for granularity_seconds in [1, 5, 10, 15, 30, 300, 900, 3600, 86_400] {
            let by_time = ReportSpec::new(Dimension::WatchTime).by(&[Field::WatchTimestamp]);
            questions.push(ReportSpec {
                start,
                end,
                granularity_seconds,
                ..by_time
            });
        }
        let files = files(&app, &org, &questions).await;
        let totals: Vec<i64> = files
            .iter()
            .map(|file| total(file, "watch_seconds"))
            .collect();
        assert!(
            totals.iter().all(|total| *total == totals[0]),
            "{start:?}..{end:?}: {totals:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repetitions_change_no_byte() {
    let (mut random, records) = stream(202, 150);
    let questions: Vec<ReportSpec> = (0..20).map(|_| question(&mut random, MIDDLE)).collect();
    let (app, org) = app_with(&records).await;
    let once = files(&app, &org, &questions).await;
    for _ in 0..3 {
        let again: Vec<Value> = (0..100).map(|_| random.pick(&records).clone()).collect();
        app.accept(&org, &again).await;
        app.parts.lake.flush().await.expect("flush");
    }
    app.accept(&org, &records).await;
    assert!(once == files(&app, &org, &questions).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_batches_flushes_compactions_and_restarts_change_no_byte() {
    let (mut random, mut records) = stream(303, 150);
    let questions: Vec<ReportSpec> = (0..20).map(|_| question(&mut random, MIDDLE)).collect();
    let (app, org) = app_with(&records).await;
    let whole = files(&app, &org, &questions).await;
    let mut app = TestApp::new().await;
    let org = app.org("acme", "Europe/Berlin").await;
    random.shuffle(&mut records);
    for (number, batch) in records.chunks(13).enumerate() {
        app.accept(&org, batch).await;
        match number % 4 {
            0 => drop(app.parts.lake.flush().await.expect("flush")),
            1 => drop(app.parts.lake.compact().await.expect("compact")),
            2 => app.restart().await,
            _ => app.crash().await,
        }
    }
    assert!(whole == files(&app, &org, &questions).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_cut_anywhere_adds_up() {
    let (mut random, records) = stream(404, 150);
    let (app, org) = app_with(&records).await;
    let mut questions = Vec::new();
    for _ in 0..12 {
        let whole = question(&mut random, MIDDLE);
        let whole = ReportSpec {
            dimension: Dimension::WatchTime,
            ..whole
        };
        let cut = MIDDLE + random.between(-400_000, 400_000);
        let cut = cut
            .max(whole.start.map_or(cut, |start| start + 1))
            .min(whole.end.map_or(cut, |end| end - 1));
        if whole.start.is_some_and(|start| start >= cut) {
            continue;
        }
        questions.push(ReportSpec {
            end: Some(cut),
            ..whole.clone()
        });
        questions.push(ReportSpec {
            start: Some(cut),
            ..whole.clone()
        });
        questions.push(whole);
    }
    let files = files(&app, &org, &questions).await;
    for (files, questions) in files.chunks(3).zip(questions.chunks(3)) {
        let [before, after, whole] = [0, 1, 2].map(|part| total(&files[part], "watch_seconds"));
        assert_eq!(before + after, whole, "{:?}", questions[2]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attended_time_views_and_the_peak_keep_their_bounds() {
    let (_, records) = stream(505, 200);
    let (app, org) = app_with(&records).await;
    let by = |fields: &[Field]| ReportSpec::new(Dimension::WatchTime).by(fields);
    let mut questions: Vec<ReportSpec> = subsets()[1..].iter().map(|fields| by(fields)).collect();
    questions.push(by(&[]));
    let mut files = files(&app, &org, &questions).await;
    let views = String::from_utf8(files.pop().expect("the last")).expect("UTF-8");
    for (file, question) in files.iter().zip(&questions) {
        let (attended, watched) = (
            total(file, "attended_seconds"),
            total(file, "watch_seconds"),
        );
        assert!(attended <= watched, "{question:?}: {attended} > {watched}");
    }
    for row in views.lines().skip(1) {
        let instant = |cell: &str| crate::oracle::clock::millis(&cell.into());
        let mut cells = row.split(',');
        let (from, to) = (
            instant(cells.next().expect("from")),
            instant(cells.next().expect("to")),
        );
        let watched: i64 = row
            .rsplit(',')
            .next()
            .expect("seconds")
            .replace('.', "")
            .parse()
            .expect("seconds");
        assert!(watched <= to - from, "{row}");
    }
    let figures = app.get(&org, "/api/v1/events/keynote/figures").await.ok();
    assert!(
        figures["peak_viewers"].as_u64() <= figures["viewers"].as_u64(),
        "{figures}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_of_an_event_equal_the_oracle() {
    for seed in 606..610 {
        let (_, mut records) = stream(seed, 120);
        records.retain(|record| record["type"] != "event");
        let window = (MIDDLE - 90_000, MIDDLE + 210_000);
        if seed % 2 == 0 {
            records.push(json!({
                "type": "event", "event_id": EVENT, "kind": "live", "title": "Keynote",
                "starts_at": window.0, "ends_at": window.1,
            }));
        }
        let (app, org) = app_with(&records).await;
        let answered = app.get(&org, "/api/v1/events/keynote/figures").await.ok();
        let expected = Figures::of(&records, EVENT, figures::window(&records, EVENT));
        assert_figures(&answered, &expected);
    }
}

fn assert_figures(answered: &Value, expected: &Figures) {
    let count = |name: &str, count: usize| assert_eq!(answered[name], count, "{name}: {answered}");
    count("views", expected.views);
    count("viewers", expected.viewers);
    count("devices", expected.devices);
    count("peak_viewers", expected.peak_viewers);
    count("messages", expected.messages);
    count("senders", expected.senders);
    count("votes", expected.votes);
    for (name, millis) in [
        ("watch_seconds", expected.watch_millis),
        ("attended_seconds", expected.attended_millis),
    ] {
        let seconds = answered[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name} is a number: {answered}"));
        assert_eq!(
            format!("{seconds:.3}"),
            seconds_text(millis),
            "{name}: {answered}"
        );
    }
    let peak_at = expected
        .peak_at
        .map_or(Value::Null, |at| crate::oracle::rfc3339(at).into());
    assert_eq!(answered["peak_at"], peak_at, "{answered}");
    let audience = expected.average_minute_audience;
    let audience = audience.map_or(Value::Null, |it| {
        serde_json::from_str(&crate::oracle::clock::decimals(it, 3)).expect("a number")
    });
    assert_eq!(
        answered["average_minute_audience"].as_f64(),
        audience.as_f64(),
        "{answered}"
    );
}

#[test]
fn the_oracle_obeys_the_laws() {
    for seed in 1..40 {
        let (mut random, mut records) = stream(seed, 120);
        let question = ReportSpec {
            dimension: Dimension::WatchTime,
            ..question(&mut random, MIDDLE)
        };
        let ask = |records: &[Value], question: &ReportSpec| {
            crate::oracle::report(
                records,
                EVENT,
                question,
                &TimeZone::get("Europe/Berlin").expect("a zone"),
            )
        };
        let sum = |question: &ReportSpec| {
            total(ask(&records, question).raw().as_bytes(), "watch_seconds")
        };
        assert_eq!(sum(&question), sum(&question.clone().by(&[])));
        let whole = ask(&records, &question);
        records.extend_from_within(..60);
        random.shuffle(&mut records);
        assert_eq!(ask(&records, &question), whole);
    }
}
