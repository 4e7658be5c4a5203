//! Beats and coverage from the request or the file to the lake.

use std::fs;

use serde_json::{Value, json};
use showreport_model::facts::Table;

use crate::command_line::{acme, command, printed};
use crate::harness::Show;
use crate::harness::app::ndjson;
use crate::harness::show::at;
use crate::harness::stored::{all_stored, stored};

const BEAT: &[&str] = &["playback_id", "seq", "at", "playing", "customer_id"];
const INTERVAL: &[&str] = &["playback_id", "from_ms", "to_ms"];

fn beat(playback: &str, seq: Option<u64>, clock: &str, playing: bool) -> Value {
    json!({
        "type": "beat", "event_id": "keynote", "playback_id": playback, "seq": seq,
        "at": at(clock), "playing": playing, "customer_id": "ada",
    })
}

/// Ten seconds of a view.
fn playback(playback: &str, position_ms: &Value, rate: &Value) -> Value {
    json!({
        "type": "playback", "event_id": "keynote", "playback_id": playback,
        "from": at("10:00:00"), "to": at("10:00:10"), "position_ms": position_ms, "rate": rate,
    })
}

fn batches() -> [Vec<Value>; 4] {
    [
        vec![
            beat("tab-1", Some(2), "10:00:10", true),
            beat("tab-1", Some(1), "10:00:00", true),
            beat("tab-2", None, "10:00:00", false),
            playback("tab-3", &json!(0), &Value::Null),
        ],
        vec![
            playback("tab-3", &json!(10_250), &json!(2)),
            playback("tab-3", &json!(90_000), &json!(1)),
            playback("tab-4", &json!(1_795_305_600_000_i64), &json!(1)),
            beat("tab-1", Some(1), "10:00:00", true),
            // The number once more, for another state.
            beat("tab-1", Some(1), "10:00:00", false),
        ],
        vec![
            beat("tab-1", Some(2), "10:00:10", true),
            // A number that a reloaded page uses again.
            beat("tab-1", Some(2), "10:00:11", true),
            playback("tab-3", &json!(80_000), &json!(1)),
        ],
        vec![
            beat("tab-2", None, "10:00:00", false),
            playback("tab-3", &json!(29_000), &json!(0.5)),
        ],
    ]
}

const BEATS: [&str; 5] = [
    "tab-1 1 2026-11-22T10:00:00Z false ada",
    "tab-1 1 2026-11-22T10:00:00Z true ada",
    "tab-1 2 2026-11-22T10:00:10Z true ada",
    "tab-1 2 2026-11-22T10:00:11Z true ada",
    "tab-2  2026-11-22T10:00:00Z false ada",
];

const INTERVALS: [&str; 2] = ["tab-3 0 34000", "tab-3 80000 100000"];

#[tokio::test]
async fn flushes_compactions_restarts_and_crashes_change_no_beat_and_no_coverage() {
    let mut show = Show::new().await;
    for (number, batch) in batches().iter().chain(batches().iter().rev()).enumerate() {
        show.app.accept(&show.org, batch).await;
        match number % 4 {
            0 => drop(show.app.parts.lake.flush().await.expect("flush")),
            1 => show.app.crash().await,
            2 => show.app.maintain(true).await,
            _ => show.app.restart().await,
        }
    }
    // A file each, so that there are enough of them to be merged into one.
    for batch in batches() {
        show.app.accept(&show.org, &batch).await;
        show.app.parts.lake.flush().await.expect("flush");
    }
    show.app.maintain(true).await;
    let (app, org) = (&show.app, &show.org);
    assert_eq!(stored(app, org, Table::Beats, BEAT).await, BEATS);
    assert_eq!(stored(app, org, Table::Coverage, INTERVAL).await, INTERVALS);
    let status = app.get(org, "/api/v1/status").await.ok();
    assert_eq!(status["damaged_files"], json!([]), "{status}");
}

#[tokio::test]
async fn a_beat_registers_its_event() {
    let show = Show::new().await;
    let record = beat("tab-1", None, "10:00", true);
    show.app.accept(&show.org, &[record]).await;
    let event = show.app.get(&show.org, "/api/v1/events/keynote").await.ok();
    assert_eq!(
        (&event["id"], &event["kind"]),
        (&json!("keynote"), &Value::Null)
    );
}

#[test]
fn files_can_hold_beats_and_positions() {
    let lines = batches().concat();
    let mut csv = "type,event_id,playback_id,seq,at,playing,customer_id,from,to,position_ms,rate\n"
        .to_owned();
    for record in &lines {
        let cells = [
            "type",
            "event_id",
            "playback_id",
            "seq",
            "at",
            "playing",
            "customer_id",
            "from",
            "to",
            "position_ms",
            "rate",
        ];
        let cells = cells.map(|name| match &record[name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            value => value.to_string().to_uppercase(),
        });
        csv += &(cells.join(",") + "\n");
    }
    for (name, text) in [("a.ndjson", ndjson(&lines)), ("a.csv", csv)] {
        let data = acme();
        let file = data.path().join(name);
        fs::write(&file, text).expect("write a file");
        printed(data.path(), &format!("import {name} --org acme"));
        assert_eq!(all_stored(data.path(), Table::Beats, BEAT), BEATS, "{name}");
        assert_eq!(
            all_stored(data.path(), Table::Coverage, INTERVAL),
            INTERVALS,
            "{name}"
        );
    }
}

#[test]
fn a_cell_that_is_no_number_or_no_flag_is_named() {
    let data = acme();
    let csv = "type,event_id,playback_id,seq,at,playing\n\
               beat,keynote,tab,first,2025-03-01T10:00:00Z,true\n\
               beat,keynote,tab,1,2025-03-01T10:00:00Z,yes\n\
               beat,keynote,tab,1,,true\n\
               beat,keynote,tab,,1740823200000,FALSE\n";
    fs::write(data.path().join("a.csv"), csv).expect("write a file");
    let import = command(data.path(), "import a.csv --org acme").output();
    let import = import.expect("the program starts");
    assert_eq!(import.status.code(), Some(1));
    let why = String::from_utf8(import.stderr).expect("UTF-8");
    for named in ["`seq`", "`playing`", "`at`"] {
        assert!(why.contains(named), "{named}: {why}");
    }
    let stored = all_stored(data.path(), Table::Beats, BEAT);
    assert_eq!(stored, ["tab  2025-03-01T10:00:00Z false "]);
}
