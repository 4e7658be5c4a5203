//! The page for installing a player, and the page of the status.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::app::ndjson;
use crate::harness::show::{at, watches};
use crate::harness::visitor::{cells, section};
use crate::harness::{Response, Show};

/// Sends records as a page does: with the key in the address.
async fn play(show: &Show, key: &str, event: &str, mut records: Vec<Value>) -> Response {
    for record in &mut records {
        record["event_id"] = json!(event);
    }
    let request = Request::post(format!("/collect?key={key}"))
        .header("content-type", "text/plain")
        .header("origin", "https://page.example")
        .body(Body::from(ndjson(&records)));
    show.app.send(request.expect("a request")).await
}

#[tokio::test]
async fn an_admin_makes_a_key_and_the_light_turns_green_with_the_first_record() {
    let show = Show::new().await;
    let admin = show.app.visitor(&show.org, "admin").await;
    let made = admin
        .post("/install/key", &[("event_id", "key note")])
        .await;
    let path = made.is(303).header("location").to_owned();
    let (_, key) = path.split_once("&key=").expect("a key");
    assert!(
        path.starts_with("/install?event_id=key%20note&key=sr_"),
        "{path}"
    );
    let page = admin.page(&path).await;
    let line = section(&page, "script");
    assert!(
        line.contains(&format!(
            "data-key=&#34;{key}&#34; data-event=&#34;key note&#34;"
        )),
        "{line}"
    );
    let light = section(&page, "light");
    assert!(light.contains("Waiting for the first record") && light.contains("data-refresh"));
    assert!(page.contains("http-equiv=\"refresh\""));

    // A record of a back end, and one of another event, are not what is waited for.
    show.send([watches("ada", "tab", "10:00..10:01")]).await;
    assert!(section(&admin.page(&path).await, "light").contains("Waiting"));
    play(
        &show,
        key,
        "other",
        vec![watches("ada", "tab", "10:00..10:01")],
    )
    .await
    .is(202);
    assert!(
        section(&admin.page(&path).await, "light").contains("Records arrive for another event")
    );

    let views = vec![
        watches("ada", "tab", "10:00..10:01"),
        watches("bob", "tab2", "10:00..10:01"),
    ];
    play(&show, key, "key note", views).await.is(202);
    let page = admin.page(&path).await;
    let light = section(&page, "light");
    assert!(light.contains("Records of a player arrive"), "{light}");
    assert!(light.contains("2 so far"), "{light}");
    assert!(!light.contains("data-refresh") && !page.contains("http-equiv=\"refresh\""));
    // Another key is still waited for.
    let other = show.app.token(&show.org.id, "collect").await;
    let path = format!("/install?event_id=key%20note&key={other}");
    assert!(section(&admin.page(&path).await, "light").contains("Waiting"));
}

#[tokio::test]
async fn rejected_records_are_shown_without_their_content() {
    let show = Show::new().await;
    let key = show.app.token(&show.org.id, "collect").await;
    let visitor = show.app.visitor(&show.org, "report").await;
    assert!(
        visitor
            .page("/install")
            .await
            .contains("No record was rejected")
    );
    let secret = json!({"type": "chat", "message_id": "m1", "sent_at": at("10:00"),
        "text": "my secret", "customer_id": "Secret Ada", "role": "secret role"});
    play(
        &show,
        &key,
        "keynote",
        vec![secret, json!({"type": "beat"})],
    )
    .await
    .is(400);
    let page = visitor.page(&format!("/install?key={key}")).await;
    let rejected = section(&page, "rejected");
    assert!(!rejected.to_lowercase().contains("secret"), "{rejected}");
    let rows = cells(rejected);
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0][0].as_str(), rows[0][2].as_str()),
        ("UNKNOWN_VALUE", "role")
    );
    assert_eq!(
        (rows[1][0].as_str(), rows[1][3].as_str()),
        ("MISSING_FIELD", "1")
    );
    assert!(section(&page, "light").contains("Records arrive and are rejected"));
    let globex = show.app.org("globex", "UTC").await;
    let stranger = show.app.visitor(&globex, "admin").await;
    let page = stranger.page(&format!("/install?key={key}")).await;
    assert!(page.contains("No record was rejected") && page.contains("This is no valid key"));
}

#[tokio::test]
async fn a_key_that_may_do_more_is_refused_and_only_admins_make_keys() {
    let show = Show::new().await;
    let analyst = show.app.visitor(&show.org, "report").await;
    analyst
        .post("/install/key", &[("event_id", "keynote")])
        .await
        .is(403);
    let page = analyst.page("/install").await;
    assert!(page.contains("showreport token create --org acme --scope collect"));
    assert!(!page.contains("Make a new key"));
    let strong = show.app.token(&show.org.id, "collect,report").await;
    let page = analyst.page(&format!("/install?key={strong}")).await;
    assert!(section(&page, "key-problem").contains("has more scopes than collect"));
    assert!(!section(&page, "script").contains(&strong));
    let long = "e".repeat(129);
    let page = analyst.page(&format!("/install?event_id={long}")).await;
    assert!(section(&page, "event_id-problem").len() > 20);
}

#[tokio::test]
async fn the_status_is_for_admins_and_says_what_is_wrong() {
    let show = Show::new().await;
    show.app
        .visitor(&show.org, "report")
        .await
        .get("/status")
        .await
        .is(403);
    let admin = show.app.visitor(&show.org, "admin").await;
    let page = admin.page("/status").await;
    let status = show.app.get(&show.org, "/api/v1/status").await.ok();
    for name in [
        "version",
        "clock",
        "journal_rows",
        "queue_depth",
        "bulk_lag_milliseconds",
    ] {
        let value = crate::harness::visitor::figure(&page, name);
        assert_eq!(value, status[name].to_string(), "{name}");
    }
    assert!(
        !page.contains("look here") || status["disk_free_bytes"].as_u64() < Some(5_000_000_000)
    );
    show.app.clock.advance_millis(-7_200_000);
    let page = admin.page("/status").await;
    assert!(
        page.contains("The clock is before the newest transaction"),
        "{page}"
    );
}
