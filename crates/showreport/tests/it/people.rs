//! People: invitations, passwords, roles, and the page of the organisation.

use axum::http::Request;
use showreport_meta::{EmailAddress, Role};

use crate::command_line::{acme, command, printed};
use crate::harness::{Response, Show};
use crate::sessions::{cookie, form, get, send, session, sign_in};

const PASSWORD: &str = "correct+horse+battery";

/// The path of a new invitation.
async fn invitation(show: &Show, address: &str, role: Role) -> String {
    let email: EmailAddress = address.parse().expect("an address");
    let meta = &show.app.parts.meta;
    let invited = meta.invite_person(&show.org.id, &email, role).await;
    let (_, secret) = invited.expect("invite");
    format!("/invitations/{}", secret.expose())
}

async fn accept(show: &Show, path: &str, password: &str) -> Response {
    let body = format!("password={password}&again={password}");
    send(show, form(path), &body).await
}

/// A person with [`PASSWORD`]. Returns the cookie of the first session.
async fn join(show: &Show, address: &str, role: Role) -> String {
    let path = invitation(show, address, role).await;
    cookie(&accept(show, &path, PASSWORD).await)
}

async fn by_password(show: &Show, address: &str, password: &str) -> Response {
    let body = format!("email={address}&password={password}");
    send(show, form("/sign-in"), &body).await
}

#[tokio::test]
async fn an_invitation_sets_a_password_once_and_the_password_signs_in() {
    let show = Show::new().await;
    let path = invitation(&show, "ada@example.com", Role::Reader).await;
    for _ in 0..2 {
        // Previews of links open them too.
        let page = get(&show, &path, "").await;
        let text = page.is(200).text();
        assert!(text.contains("ada@example.com") && text.contains("acme"));
    }
    for (password, again) in [
        ("short", "short"),
        ("password1234", "password1234"),
        ("one+good+password", "another+password"),
    ] {
        let body = format!("password={password}&again={again}");
        let refused = send(&show, form(&path), &body).await;
        assert!(refused.is(400).text().contains("role=\"alert\""));
        assert_eq!(refused.header("set-cookie"), "");
    }
    let first = cookie(&accept(&show, &path, PASSWORD).await);
    get(&show, "/api/v1/events", &first).await.is(200);
    for response in [
        get(&show, &path, "").await,
        accept(&show, &path, PASSWORD).await,
        get(&show, "/invitations/garbage", "").await,
    ] {
        assert_eq!(response.refused(404), "LINK_NOT_FOUND");
    }
    let second = cookie(&by_password(&show, "Ada@Example.com", PASSWORD).await);
    assert_ne!(first, second);
    let account = get(&show, "/account", &second).await;
    assert!(account.is(200).text().contains("ada@example.com"));
    let late = invitation(&show, "bob@example.com", Role::Reader).await;
    show.app.clock.advance_hours(24);
    assert_eq!(get(&show, &late, "").await.refused(403), "LINK_EXPIRED");
}

#[tokio::test]
async fn five_wrong_passwords_are_answered_and_then_none_for_a_while() {
    let show = Show::new().await;
    join(&show, "ada@example.com", Role::Reader).await;
    for address in ["ada@example.com", "unknown@example.com"] {
        for _ in 0..5 {
            let refused = by_password(&show, address, "wrong").await;
            assert!(refused.is(401).text().contains("role=\"alert\""));
            assert!(!refused.header("www-authenticate").is_empty());
        }
        let refused = by_password(&show, address, PASSWORD).await;
        let seconds: u32 = refused
            .is(429)
            .header("retry-after")
            .parse()
            .expect("seconds");
        assert!((1..=901).contains(&seconds), "{seconds}");
    }
    // Another address is not affected.
    join(&show, "bob@example.com", Role::Reader).await;
    by_password(&show, "bob@example.com", PASSWORD)
        .await
        .is(303);
    show.app.clock.advance_hours(1);
    by_password(&show, "ada@example.com", PASSWORD)
        .await
        .is(303);
}

#[tokio::test]
async fn a_person_changes_the_password_and_signs_out_everywhere() {
    let show = Show::new().await;
    let here = join(&show, "ada@example.com", Role::Reader).await;
    let there = cookie(&by_password(&show, "ada@example.com", PASSWORD).await);
    let change = async |present: &str, new: &str| {
        let request = form("/account/password").header("cookie", &here);
        let body = format!("present={present}&password={new}&again={new}");
        send(&show, request, &body).await
    };
    change("wrong", "another+long+one").await.is(403);
    change(PASSWORD, "short").await.is(400);
    get(&show, "/account", &there).await.is(200);
    change(PASSWORD, "another+long+one").await.is(303);
    get(&show, "/account", &here).await.is(200);
    get(&show, "/account", &there).await.is(303);
    by_password(&show, "ada@example.com", PASSWORD)
        .await
        .is(401);
    let again = cookie(&by_password(&show, "ada@example.com", "another+long+one").await);
    let everywhere = form("/account/sign-out-everywhere").header("cookie", &here);
    send(&show, everywhere, "").await.is(303);
    for cookie in [here, again] {
        get(&show, "/account", &cookie).await.is(303);
    }
}

#[tokio::test]
async fn an_admin_invites_changes_and_removes_people() {
    let show = Show::new().await;
    let admin = join(&show, "ada@example.com", Role::Admin).await;
    let post =
        async |path: &str, body: &str| send(&show, form(path).header("cookie", &admin), body).await;
    post("/organisation/people", "email=nonsense&role=reader")
        .await
        .is(400);
    post("/organisation/people", "email=bob@example.com&role=owner")
        .await
        .is(400);
    let invited = post("/organisation/people", "email=bob@example.com&role=reader").await;
    assert_eq!(invited.is(303).header("location"), "/organisation");
    let page = get(&show, "/organisation", &admin).await;
    let (_, rest) = page
        .text()
        .split_once("http://showreport.test")
        .expect("the link");
    let (path, _) = rest.split_once('<').expect("its end");
    let again = get(&show, "/organisation", &admin).await;
    assert!(!again.text().contains(path), "the link is shown once");
    assert_eq!(page.header("cache-control"), "no-store");
    let bob = cookie(&accept(&show, path, PASSWORD).await);
    get(&show, "/organisation", &bob).await.refused(403);

    let people = show
        .app
        .parts
        .meta
        .people(Some(&show.org.id))
        .await
        .expect("people");
    let [ada, person] = people.as_slice() else {
        panic!("{people:?}");
    };
    let of = |act: &str| format!("/organisation/people/{}/{act}", person.id);
    post(&of("role"), "role=admin").await.is(303);
    get(&show, "/organisation", &bob).await.is(200);
    post(&of("sign-out"), "").await.is(303);
    get(&show, "/organisation", &bob).await.is(303);
    let bob = cookie(&by_password(&show, "bob@example.com", PASSWORD).await);
    post(&of("remove"), "").await.is(303);
    get(&show, "/organisation", &bob).await.is(303);
    by_password(&show, "bob@example.com", PASSWORD)
        .await
        .is(401);
    post(&of("remove"), "").await.refused(404);
    for act in ["remove", "role"] {
        let own = format!("/organisation/people/{}/{act}", ada.id);
        post(&own, "role=reader").await.refused(409);
    }
}

#[tokio::test]
async fn an_admin_creates_tokens_and_changes_the_organisation() {
    let show = Show::new().await;
    let admin = session(&show, "admin").await;
    let post =
        async |path: &str, body: &str| send(&show, form(path).header("cookie", &admin), body).await;
    for wrong in [
        "",
        "viewer=on&admin=on",
        "report=on&expires_days=0",
        "report=on&expires_days=x",
    ] {
        post("/organisation/tokens", wrong).await.is(400);
    }
    post("/organisation/tokens", "report=on&expires_days=1")
        .await
        .is(303);
    let page = get(&show, "/organisation", &admin).await;
    let (_, rest) = page.text().split_once("<pre>sr_").expect("the token");
    let token = format!("sr_{}", rest.split('<').next().expect("its end"));
    let again = get(&show, "/organisation", &admin).await;
    assert!(!again.text().contains(&token));
    let bearer = async || {
        let request = Request::get("/api/v1/events");
        let request = request.header("authorization", format!("Bearer {token}"));
        send(&show, request, "").await.status
    };
    assert_eq!(bearer().await, 200);
    let listed = show
        .app
        .parts
        .meta
        .tokens(Some(&show.org.id))
        .await
        .expect("tokens");
    let id = listed.last().expect("a token").id;
    post(&format!("/organisation/tokens/{id}/revoke"), "")
        .await
        .is(303);
    assert_eq!(bearer().await, 401);

    post("/organisation/time-zone", "time_zone=Asia%2FTaipei")
        .await
        .is(303);
    post("/organisation/time-zone", "time_zone=Mars")
        .await
        .is(400);
    post("/organisation/viewer-tokens", "require=on")
        .await
        .is(303);
    post("/organisation/viewer-tokens", "require=maybe")
        .await
        .is(400);
    let org = show
        .app
        .parts
        .meta
        .org(&show.org.id)
        .await
        .expect("the organisation");
    assert_eq!(org.zone.name(), "Asia/Taipei");
    assert_eq!(org.viewer_tokens, showreport_meta::ViewerTokens::Required);
}

#[tokio::test]
async fn what_belongs_to_another_organisation_is_unknown_to_an_admin() {
    let show = Show::new().await;
    join(&show, "ada@example.com", Role::Reader).await;
    let meta = &show.app.parts.meta;
    let person = meta.people(Some(&show.org.id)).await.expect("people")[0].id;
    let token = meta.tokens(Some(&show.org.id)).await.expect("tokens")[0].id;
    let rival = show.app.org("globex", "UTC").await;
    let admin = cookie(&sign_in(&show, &rival.token).await);
    let unknown = "019a1c2e-7f3a-7cc1-9d0b-0f1e2d3c4b5a";
    for (foreign, path) in [
        (person.to_string(), "/organisation/people/{id}/role"),
        (person.to_string(), "/organisation/people/{id}/remove"),
        (person.to_string(), "/organisation/people/{id}/sign-out"),
        (token.to_string(), "/organisation/tokens/{id}/revoke"),
    ] {
        let post = async |id: &str| {
            let request = form(&path.replace("{id}", id)).header("cookie", &admin);
            send(&show, request, "role=admin").await
        };
        let refused = post(&foreign).await;
        refused.refused(404);
        assert_eq!(
            refused.text().replace(&foreign, unknown),
            post(unknown).await.text()
        );
    }
    let page = get(&show, "/organisation", &admin).await;
    assert!(!page.is(200).text().contains("ada@example.com"));
    // The same address is another person there.
    let invite = form("/organisation/people").header("cookie", &admin);
    send(&show, invite, "email=ada@example.com&role=admin")
        .await
        .is(303);
    by_password(&show, "ada@example.com", PASSWORD)
        .await
        .is(303);
}

#[test]
fn the_command_line_invites_lists_and_removes() {
    let data = acme();
    let data = data.path();
    let invite = "person invite Ada@Example.com --org acme --role admin";
    let link = printed(data, invite);
    assert!(
        link.starts_with("http://127.0.0.1:8470/invitations/sr_"),
        "{link}"
    );
    assert_eq!(link.trim_end().lines().count(), 1);
    let link = printed(data, &format!("{invite} --public-url https://a.example/b"));
    assert!(
        link.starts_with("https://a.example/b/invitations/sr_"),
        "{link}"
    );
    let listed = printed(data, "person list --org acme");
    assert!(
        listed.starts_with("ada@example.com  acme  admin  made "),
        "{listed}"
    );
    assert!(listed.contains("invited until") && listed.lines().count() == 1);
    printed(data, "person remove ada@example.com --org acme");
    assert_eq!(printed(data, "person list"), "");
    for (line, code) in [
        ("person remove ada@example.com --org acme", 1),
        (
            "person invite ada@example.com --org unknown --role admin",
            1,
        ),
        ("person invite ada --org acme --role admin", 2),
        ("person invite a@b --org acme --role owner", 2),
    ] {
        let output = command(data, line).output().expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{line}");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(code == 2 || !log.contains("INFO"), "{log}");
    }
}
