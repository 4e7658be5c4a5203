//! Share links: made, listed, opened, revoked.

use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::show::says;
use crate::harness::{Response, Show};
use crate::sessions::{form, get, send, session};

const SHARES: &str = "/api/v1/events/keynote/shares";

async fn show() -> Show {
    let show = Show::new().await;
    show.send([says("ada", "m1", "10:00", "hello")]).await;
    show
}

async fn share(show: &Show, body: Value) -> Response {
    show.app.post(&show.org, SHARES, &body).await
}

/// The path of a new link, and its id.
async fn link(show: &Show, body: Value) -> (String, String) {
    let made = share(show, body).await.ok();
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    let uri = text("uri");
    let path = uri.strip_prefix("http://showreport.test").expect("a link");
    (path.to_owned(), text("id"))
}

#[tokio::test]
async fn a_link_shows_its_event_without_an_account() {
    let show = show().await;
    let (path, id) = link(&show, json!({})).await;
    let page = get(&show, &path, "").await;
    let text = page.is(200).text();
    assert!(
        text.contains("data-figure=\"messages\" data-value=\"1\""),
        "{text}"
    );
    assert!(!text.contains("ada"), "a name is hidden");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("x-robots-tag"), "noindex");
    let listed = show.app.get(&show.org, SHARES).await;
    let share = &listed.ok()["shares"][0];
    assert_eq!(share["id"], id.as_str());
    assert_eq!(
        (&share["people"], &share["live"], &share["expires_at"]),
        (&json!("hidden"), &json!(false), &Value::Null)
    );
    let (_, secret) = path.rsplit_once('/').expect("a secret");
    assert!(!listed.text().contains(secret));
    // It is neither a token nor a session.
    let as_token = Request::get(SHARES).header("authorization", format!("Bearer {secret}"));
    send(&show, as_token, "").await.refused(401);
    get(&show, SHARES, &format!("showreport_session={secret}"))
        .await
        .refused(401);
}

#[tokio::test]
async fn a_link_ends_when_it_is_revoked_or_expires() {
    let show = show().await;
    let (path, id) = link(
        &show,
        json!({"people": "shown", "live": true, "downloads": true}),
    )
    .await;
    let in_an_hour = show.app.now().saturating_add_millis(3_600_000).to_string();
    let (brief, _) = link(&show, json!({"expires_at": in_an_hour})).await;
    get(&show, &path, "").await.is(200);
    get(&show, &brief, "").await.is(200);
    let one = format!("{SHARES}/{id}");
    show.app.delete(&show.org, &one).await.is(204);
    assert_eq!(get(&show, &path, "").await.refused(404), "LINK_NOT_FOUND");
    show.app.delete(&show.org, &one).await.refused(404);
    show.app.clock.advance_hours(1);
    assert_eq!(get(&show, &brief, "").await.refused(403), "LINK_EXPIRED");
    get(&show, "/s/garbage", "").await.refused(404);
}

#[tokio::test]
async fn wrong_fields_and_foreign_events_are_refused() {
    let show = show().await;
    for (body, field) in [
        (json!({"people": "some"}), "people"),
        (json!({"live": "yes"}), "live"),
        (json!({"downloads": 1}), "downloads"),
        (json!({"expires_at": "2020-01-01T00:00:00Z"}), "expires_at"),
        (json!({"expires_at": "soon"}), "expires_at"),
        (json!({"expires_at": 5}), "expires_at"),
        (json!({"name": "x"}), "name"),
        (json!([]), "body"),
    ] {
        assert_eq!(share(&show, body).await.bad_fields(), [field]);
    }
    let rival = show.app.org("globex", "UTC").await;
    let (_, id) = link(&show, json!({})).await;
    let one = format!("{SHARES}/{id}");
    show.app.post(&rival, SHARES, &json!({})).await.refused(404);
    show.app.get(&rival, SHARES).await.refused(404);
    show.app.delete(&rival, &one).await.refused(404);
    let cookie = session(&show, "admin").await;
    let by_cookie = Request::post(SHARES)
        .header("content-type", "application/json")
        .header("cookie", cookie);
    send(&show, by_cookie, "{}").await.refused(401);
}

#[tokio::test]
async fn the_page_of_share_links_makes_shows_once_and_revokes() {
    let show = show().await;
    let cookie = session(&show, "report").await;
    let page = "/events/keynote/shares";
    let post = async |path: &str, body: &str| {
        send(&show, form(path).header("cookie", &cookie), body).await
    };
    post(page, "expires_days=never").await.is(400);
    let made = post(page, "people=on&expires_days=7").await;
    assert_eq!(made.is(303).header("location"), page);
    let shown = get(&show, page, &cookie).await;
    let (_, rest) = shown
        .text()
        .split_once("http://showreport.test/s/")
        .expect("a link");
    let secret = rest.split('<').next().expect("its end");
    get(&show, &format!("/s/{secret}"), "").await.is(200);
    let again = get(&show, page, &cookie).await;
    assert!(!again.text().contains(secret) && again.text().contains("figures, people"));
    let listed = show.app.get(&show.org, SHARES).await.ok();
    let id = listed["shares"][0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let admin = session(&show, "admin").await;
    let organisation = get(&show, "/organisation", &admin).await;
    assert!(organisation.is(200).text().contains(&id));
    post(&format!("{page}/{id}/revoke"), "").await.is(303);
    get(&show, &format!("/s/{secret}"), "").await.refused(404);
    get(&show, "/events/unknown/shares", &cookie)
        .await
        .refused(404);
}
