use showreport_model::Clock;

use super::*;
use crate::meta::testing::Fixture;
use crate::{Scope, Scopes};

/// A new token, and its secret.
async fn token(show: &Fixture, scopes: &str, expires_at: Option<Timestamp>) -> (TokenId, String) {
    let scopes = Scopes::parse(scopes).unwrap();
    let created = show.meta.create_token(&show.org, scopes, expires_at).await;
    let (id, secret) = created.unwrap();
    (id, secret.expose().to_owned())
}

async fn sign_in(show: &Fixture, token: &str) -> String {
    let (_, secret) = show.meta.sign_in_by_token(token).await.unwrap();
    secret.expose().to_owned()
}

async fn has_ended(meta: &Meta, secret: &str) -> bool {
    matches!(meta.session(secret).await, Err(Error::SessionEnded))
}

#[tokio::test]
async fn a_session_opens_its_organisation_with_the_role_of_its_token() {
    let show = Fixture::new().await;
    let (id, admin) = token(&show, "admin", None).await;
    let (session, secret) = show.meta.sign_in_by_token(&admin).await.unwrap();
    assert_eq!(
        (session.org.clone(), session.role, session.owner),
        (show.org.clone(), Role::Admin, SessionOwner::Token(id))
    );
    let found = show.meta.session(secret.expose()).await.unwrap();
    assert_eq!(found, session);
    let elsewhere = show.reopen().await;
    assert_eq!(elsewhere.session(secret.expose()).await.unwrap(), session);
    let (_, collector) = token(&show, "collect", None).await;
    let refused = show.meta.sign_in_by_token(&collector).await;
    assert!(matches!(refused, Err(Error::NoRole)), "{refused:?}");
}

#[tokio::test]
async fn the_secret_of_a_session_is_no_token_and_the_other_way_round() {
    let show = Fixture::new().await;
    let (_, token) = token(&show, "report", None).await;
    let session = sign_in(&show, &token).await;
    for _ in 0..2 {
        // The second time after both were cached.
        let access = show.meta.authenticate(&session).await;
        assert!(matches!(access, Err(Error::UnknownToken)), "{access:?}");
        assert!(has_ended(&show.meta, &token).await);
        show.meta.authenticate(&token).await.unwrap();
        show.meta.session(&session).await.unwrap();
    }
    assert!(!show.meta.is_revoked_collector(&session).await.unwrap());
    assert_eq!(show.meta.tokens(None).await.unwrap().len(), 1, "listed");
}

#[tokio::test]
async fn a_session_ends_by_itself_and_with_its_token() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let (id, token_secret) = token(&show, "report", None).await;
    let [ended, lasting] = [
        sign_in(&show, &token_secret).await,
        sign_in(&show, &token_secret).await,
    ];
    let session = meta.session(&ended).await.unwrap();
    meta.end_session(session.id).await.unwrap();
    meta.end_session(session.id).await.unwrap();
    assert!(has_ended(meta, &ended).await);
    meta.session(&lasting).await.unwrap();
    meta.revoke_token(id).await.unwrap();
    assert!(has_ended(meta, &lasting).await);

    let soon = show.clock.now().saturating_add_millis(1_000);
    let (_, brief) = token(&show, "report", Some(soon)).await;
    let brief = sign_in(&show, &brief).await;
    meta.session(&brief).await.unwrap();
    show.clock.advance(1_000);
    assert!(has_ended(meta, &brief).await, "its token has expired");
}

#[tokio::test]
async fn a_session_expires_when_it_is_idle_and_after_thirty_days_at_the_latest() {
    let show = Fixture::new().await;
    let (_, token) = token(&show, "report", None).await;
    let [used, idle] = [sign_in(&show, &token).await, sign_in(&show, &token).await];
    let step = SESSION_IDLE_MS - 1;
    for _ in 0..SESSION_LIFETIME_MS / step {
        show.clock.advance(step);
        use_again(&show, &used).await;
    }
    assert_eq!(rows(&show).await, 2);
    show.clock.advance(step);
    assert!(has_ended(&show.meta, &used).await);
    assert!(has_ended(&show.meta, &idle).await);
    show.meta.delete_history(Timestamp::MIN).await.unwrap();
    assert_eq!(rows(&show).await, 0);
}

/// Uses a session when its entry in the cache is old.
async fn use_again(show: &Fixture, secret: &str) {
    show.meta.shared.sessions.clear();
    show.meta.session(secret).await.unwrap();
}

async fn rows(show: &Fixture) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM tokens WHERE kind = 'session'");
    count.fetch_one(show.meta.readers()).await.unwrap()
}

#[tokio::test]
async fn a_session_without_a_request_for_twelve_hours_has_ended() {
    let show = Fixture::new().await;
    let (_, token) = token(&show, "report", None).await;
    let session = sign_in(&show, &token).await;
    show.clock.advance(SESSION_IDLE_MS - 1);
    use_again(&show, &session).await;
    show.clock.advance(SESSION_IDLE_MS - 1);
    use_again(&show, &session).await;
    show.clock.advance(SESSION_IDLE_MS);
    assert!(has_ended(&show.meta, &session).await);
}

#[tokio::test]
async fn a_token_has_a_bounded_number_of_sessions() {
    let show = Fixture::new().await;
    let (_, token) = token(&show, "report", None).await;
    let first = sign_in(&show, &token).await;
    let second = sign_in(&show, &token).await;
    for _ in 1..SESSIONS_MAX {
        sign_in(&show, &token).await;
    }
    assert!(has_ended(&show.meta, &first).await);
    show.meta.session(&second).await.unwrap();
}

#[tokio::test]
async fn a_changed_row_of_a_session_is_damage() {
    let show = Fixture::new().await;
    let (_, report) = token(&show, "report", None).await;
    let (admin, _) = token(&show, Scope::Admin.name(), None).await;
    let session = sign_in(&show, &report).await;
    let change = format!("UPDATE tokens SET parent = '{admin}' WHERE kind = 'session'");
    show.execute(&change).await;
    let error = show.meta.session(&session).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}
