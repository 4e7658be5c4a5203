//! Our own paths for events and reports.

use serde_json::{Value, json};

use crate::harness::Show;
use crate::harness::reports::list;
use crate::harness::show::{at, watches};

fn watch_time() -> Value {
    json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []})
}

fn ids<'a>(response: &'a Value, name: &str) -> Vec<&'a str> {
    list(response, name)
        .iter()
        .map(|it| it["id"].as_str().expect("an id"))
        .collect()
}

#[tokio::test]
async fn the_latest_record_describes_the_event() {
    let show = Show::new().await;
    let titled = |title: &str, updated_at: Value| {
        json!({
            "type": "event", "kind": "live", "title": title, "updated_at": updated_at,
            "starts_at": at("10:00"), "ends_at": at("11:00"),
        })
    };
    let title = async || {
        let event = show.app.get(&show.org, "/api/v1/events/keynote").await.ok();
        event["title"].clone()
    };
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    assert_eq!(title().await, Value::Null);
    show.send([titled("Zebra", Value::Null)]).await;
    assert_eq!(title().await, "Zebra");
    show.send([titled("Middle", json!(at("09:00")))]).await;
    assert_eq!(
        title().await,
        "Middle",
        "without a time it is older than any"
    );
    show.send([
        titled("Early", json!(at("08:00"))),
        titled("Aardvark", json!(at("09:00"))),
    ])
    .await;
    assert_eq!(
        title().await,
        "Middle",
        "of two of one time the greater title holds"
    );
    show.send([titled("Late", json!(at("09:00:00.001")))]).await;
    let event = show.app.get(&show.org, "/api/v1/events/keynote").await.ok();
    assert_eq!(event["title"], "Late");
    assert_eq!(event["id"], "keynote");
    assert_eq!(event["kind"], "live");
    assert_eq!(event["starts_at"], "2026-11-22T10:00:00.000Z");
    assert_eq!(event["ends_at"], "2026-11-22T11:00:00.000Z");
}

#[tokio::test]
async fn events_are_listed_in_pages() {
    let show = Show::new().await;
    let names: Vec<String> = (0..7).map(|number| format!("event {number}")).collect();
    let records: Vec<Value> = names
        .iter()
        .map(|name| json!({"type": "event", "event_id": name, "kind": "vod", "title": name}))
        .collect();
    show.app.accept(&show.org, &records).await;
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let page = show
            .app
            .get(
                &show.org,
                &format!("/api/v1/events?page_size=3&page_token={token}"),
            )
            .await
            .ok();
        assert!(list(&page, "events").len() <= 3);
        found.extend(ids(&page, "events").into_iter().map(str::to_owned));
        token = page["next_page_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, names);
    show.app
        .get(&show.org, "/api/v1/events?page_token=nonsense")
        .await
        .refused(400);
    show.app
        .get(&show.org, "/api/v1/events?page_size=x")
        .await
        .refused(400);
    show.app
        .get(&show.org, "/api/v1/events/no-such")
        .await
        .refused(404);
}

#[tokio::test]
async fn reports_are_listed_newest_first() {
    let show = Show::new().await;
    let mut rehearsal = watches("ada", "tab", "10:00..10:01");
    rehearsal["event_id"] = json!("rehearsal");
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    show.app.accept(&show.org, &[rehearsal]).await;
    let mut created = Vec::new();
    for event in ["keynote", "rehearsal", "keynote", "keynote"] {
        let response = show
            .app
            .create(&show.org, event, &[watch_time()])
            .await
            .ok();
        created.push(
            response["reports"][0]["id"]
                .as_str()
                .expect("an id")
                .to_owned(),
        );
    }
    let all = show.app.get(&show.org, "/api/v1/reports").await.ok();
    let newest_first: Vec<&str> = created.iter().rev().map(String::as_str).collect();
    assert_eq!(ids(&all, "reports"), newest_first);
    let of_one = show
        .app
        .get(&show.org, "/api/v1/reports?event_id=rehearsal")
        .await
        .ok();
    assert_eq!(ids(&of_one, "reports"), [&created[1]]);
    let first = show
        .app
        .get(&show.org, "/api/v1/reports?page_size=3")
        .await
        .ok();
    assert_eq!(ids(&first, "reports"), newest_first[..3]);
    let token = first["next_page_token"].as_str().expect("another page");
    let second = show
        .app
        .get(
            &show.org,
            &format!("/api/v1/reports?page_size=3&page_token={token}"),
        )
        .await
        .ok();
    assert_eq!(ids(&second, "reports"), newest_first[3..]);
    show.app.work().await;
}

#[tokio::test]
async fn deleting_a_report_deletes_its_file() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let made = show
        .app
        .make(&show.org, "keynote", &[watch_time()])
        .await
        .remove(0);
    let path = format!(
        "/api/v1/reports/{}",
        made.report["id"].as_str().expect("an id")
    );
    let report = show.app.get(&show.org, &path).await.ok();
    assert_eq!(report["sha256"], made.report["sha256"]);
    let deleted = show.app.delete(&show.org, &path).await;
    assert!((200..300).contains(&deleted.status), "{}", deleted.status);
    show.app.get(&show.org, &path).await.refused(404);
    show.app.delete(&show.org, &path).await.refused(404);
    show.app.download(&made.report, "").await.refused(404);
    let left = std::fs::read_dir(show.app.data_dir().join("store/reports"));
    assert!(left.is_err() || files_below(&show.app.data_dir().join("store/reports")) == 0);
}

fn files_below(directory: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(directory).expect("a directory");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}

#[tokio::test]
async fn deleting_a_running_report_cancels_it() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    let created = show
        .app
        .create(&show.org, "keynote", &[watch_time()])
        .await
        .ok();
    let path = format!(
        "/api/v1/reports/{}",
        created["reports"][0]["id"].as_str().expect("an id")
    );
    let deleted = show.app.delete(&show.org, &path).await;
    assert!((200..300).contains(&deleted.status), "{}", deleted.status);
    assert_eq!(show.app.parts.meta.queue_depth().await.expect("count"), 0);
    show.app.get(&show.org, &path).await.refused(404);
}
