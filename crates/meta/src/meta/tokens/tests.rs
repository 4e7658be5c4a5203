use showreport_model::{Clock, ErrorKind, Failure, Zone};

use super::*;
use crate::meta::testing::{Fixture, org};

#[tokio::test]
async fn a_token_opens_its_own_organisation_and_no_other() {
    let show = Fixture::new().await;
    show.meta
        .create_org(&org("rival"), &Zone::utc())
        .await
        .unwrap();
    let collect = Scopes::from(Scope::Collect);
    let (ours, secret) = show
        .meta
        .create_token(&show.org, collect.clone(), None)
        .await
        .unwrap();
    let (theirs, other) = show
        .meta
        .create_token(&org("rival"), Scopes::from(Scope::Admin), None)
        .await
        .unwrap();
    let access = show.meta.authenticate(secret.expose()).await.unwrap();
    assert_eq!(
        access,
        Access {
            token: ours,
            org: show.org.clone(),
            scopes: collect
        }
    );
    let access = show.meta.authenticate(other.expose()).await.unwrap();
    assert_eq!((access.token, access.org), (theirs, org("rival")));
    let listed = show.meta.tokens(Some(&show.org)).await.unwrap();
    assert_eq!(
        listed.iter().map(|token| token.id).collect::<Vec<_>>(),
        [ours]
    );
    assert_eq!(show.meta.tokens(None).await.unwrap().len(), 2);
    let unknown = show
        .meta
        .create_token(&org("unknown"), Scope::Admin.into(), None)
        .await;
    assert!(matches!(unknown, Err(Error::UnknownOrg { .. })));
}

#[tokio::test]
async fn unknown_expired_and_revoked_tokens_open_nothing() {
    let show = Fixture::new().await;
    let unknown = TokenSecret::generate().unwrap();
    let refused = async |secret: &TokenSecret| {
        let access = show.meta.authenticate(secret.expose()).await;
        matches!(access, Err(Error::UnknownToken))
    };
    assert!(refused(&unknown).await);
    assert!(matches!(
        show.meta.authenticate("").await,
        Err(Error::UnknownToken)
    ));

    let expires_at = show.clock.now().saturating_add_millis(1_000);
    let scopes = Scopes::from(Scope::Report);
    let (_, brief) = show
        .meta
        .create_token(&show.org, scopes.clone(), Some(expires_at))
        .await
        .unwrap();
    assert!(!refused(&brief).await);
    show.clock.advance(1_000);
    assert!(refused(&brief).await);

    let (id, secret) = show
        .meta
        .create_token(&show.org, scopes, None)
        .await
        .unwrap();
    show.meta.revoke_token(id).await.unwrap();
    assert!(refused(&secret).await);
    let first = show.meta.tokens(None).await.unwrap();
    show.clock.advance(1_000);
    show.meta.revoke_token(id).await.unwrap();
    assert_eq!(show.meta.tokens(None).await.unwrap(), first);
    let unknown = show.meta.revoke_token(TokenId::generate()).await;
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_hash_that_agrees_in_part_opens_nothing() {
    let show = Fixture::new().await;
    let (_, secret) = show
        .meta
        .create_token(&show.org, Scope::Report.into(), None)
        .await
        .unwrap();
    // The last byte alone is another, so that an index may find the row.
    let bend = "UPDATE tokens SET hash = CAST(substr(hash, 1, 31) || CASE substr(hash, 32)
        WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)";
    show.execute(bend).await;
    let access = show.meta.authenticate(secret.expose()).await;
    assert!(matches!(access, Err(Error::UnknownToken)), "{access:?}");
}

#[tokio::test]
async fn no_secret_is_in_the_file() {
    let show = Fixture::new().await;
    let (_, secret) = show
        .meta
        .create_token(&show.org, Scope::Collect.into(), None)
        .await
        .unwrap();
    show.meta.checkpoint().await.unwrap();
    let file = std::fs::read(show.path()).unwrap();
    let random = &secret.expose().as_bytes()[3..33];
    assert!(!file.windows(random.len()).any(|window| window == random));
}

#[tokio::test]
async fn the_secret_of_viewer_tokens_opens_nothing_and_is_listed_as_others() {
    let show = Fixture::new().await;
    let viewer = Scopes::from(Scope::Viewer);
    let created = show.meta.create_token(&show.org, viewer.clone(), None);
    let (id, secret) = created.await.unwrap();
    let access = show.meta.authenticate(secret.expose()).await;
    let error = access.unwrap_err();
    assert!(matches!(error, Error::SigningToken), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    let listed = show.meta.tokens(Some(&show.org)).await.unwrap();
    assert_eq!((listed[0].id, &listed[0].scopes), (id, &viewer));
    assert!(!format!("{listed:?}").contains(secret.expose()));
}

#[tokio::test]
async fn an_organisation_has_a_bounded_number_of_viewer_secrets() {
    let show = Fixture::new().await;
    let create = |scope: Scope| show.meta.create_token(&show.org, scope.into(), None);
    let (first, _) = create(Scope::Viewer).await.unwrap();
    for _ in 1..VIEWER_SECRETS_MAX {
        create(Scope::Viewer).await.unwrap();
    }
    let error = create(Scope::Viewer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    create(Scope::Collect).await.unwrap();
    show.meta.revoke_token(first).await.unwrap();
    create(Scope::Viewer).await.unwrap();
}
