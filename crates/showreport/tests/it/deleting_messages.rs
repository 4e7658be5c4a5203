//! Deletions of messages by their id alone.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::Show;
use crate::harness::show::{at, says};
use crate::oracle::Dimension::ChatHistories;
use crate::oracle::Field::WatchTimestamp;

fn deletes(message: &str, updated_at: Option<&str>) -> Value {
    json!({
        "type": "chat",
        "message_id": message,
        "deleted": true,
        "updated_at": updated_at.map(at),
    })
}

fn edits(message: &str, clock: &str) -> Value {
    let mut edit = says("ada", message, "10:00", "edited");
    edit["updated_at"] = json!(at(clock));
    edit
}

/// Messages and deletions, in one order.
fn records() -> Vec<Value> {
    vec![
        says("ada", "kept", "10:00", "hello"),
        says("ada", "deleted", "10:00", "rude"),
        deletes("deleted", None),
        // Without `updated_at` later versions are deleted too.
        edits("edited later", "10:02"),
        deletes("edited later", None),
        // The version is not later than the deletion.
        edits("edited before", "10:02"),
        deletes("edited before", Some("10:02")),
        says("ada", "restored", "10:00", "rude"),
        deletes("restored", Some("10:01")),
        edits("restored", "10:01:00.001"),
        // A deletion without its message.
        deletes("never sent", None),
    ]
}

#[tokio::test]
async fn a_deletion_by_id_alone_deletes_in_any_order() {
    let mut reversed = records();
    reversed.reverse();
    let mut files = Vec::new();
    for (records, parts) in [(records(), 1), (reversed.clone(), 1), (reversed, 11)] {
        let show = Show::new().await;
        for part in records.chunks(records.len() / parts) {
            show.send(part.to_vec()).await;
            // Earlier records are in the lake.
            show.report(ChatHistories, &[]).await;
        }
        let path = "/api/v1/events/keynote/figures";
        let figures = show.app.get(&show.org, path).await;
        assert_eq!(figures.ok()["messages"], 2);
        let grouped = show.report(ChatHistories, &[WatchTimestamp]).await;
        files.push([show.report(ChatHistories, &[]).await, grouped]);
    }
    assert!(files.iter().all(|file| *file == files[0]), "{files:?}");
    assert_snapshot!(files[0][0], @"
    sent_at,message_id,customer_id,device_id,name,role,text,deleted,device_os,geo_region
    2026-11-22T10:00:00.000Z,deleted,ada,,,,rude,true,,
    2026-11-22T10:00:00.000Z,edited before,ada,,,,edited,true,,
    2026-11-22T10:00:00.000Z,edited later,ada,,,,edited,true,,
    2026-11-22T10:00:00.000Z,kept,ada,,,,hello,false,,
    2026-11-22T10:00:00.000Z,restored,ada,,,,edited,false,,
    ");
    assert_snapshot!(files[0][1], @"
    watch_timestamp,messages,senders
    2026-11-22T10:00:00.000Z,2,1
    ");
}

#[tokio::test]
async fn a_deletion_by_id_alone_restates_the_day_of_its_message() {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "rude")]).await;
    let job = show.app.job(&show.org, "event_chat_messages_a1").await;
    show.app.clock.advance_hours(48);
    show.app.keep_schedule().await;
    let reports = async || {
        let since = "2026-11-22T00:00:00Z";
        show.app.reports_from(&show.org, &job, since).await
    };
    assert_eq!(reports().await.len(), 1);
    show.send([deletes("m1", Some("10:01"))]).await;
    show.app.clock.advance_hours(1);
    show.app.keep_schedule().await;
    let reports = reports().await;
    assert_eq!(reports.len(), 2, "{reports:?}");
    let file = show.app.bulk_file(&show.org, &reports[0]).await;
    assert!(file.contains(",rude,true\n"), "{file}");
}
