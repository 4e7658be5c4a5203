use showreport_model::Zone;

use super::*;
use crate::Role;
use crate::meta::testing::{Fixture, org};

const PASSWORD: &str = "correct horse battery";
const OTHER: &str = "staple of paper clips";

fn ada() -> EmailAddress {
    "ada@example.com".parse().unwrap()
}

fn new(password: &str) -> NewPassword {
    let valid = NewPassword::new(password, password, &ada());
    valid.map_err(|problem| problem.to_string()).unwrap()
}

/// Ada with a password in an organisation. Returns her first session.
async fn join(show: &Fixture, org: &OrgId, role: Role, password: &str) -> (Session, String) {
    let (_, invitation) = show.meta.invite_person(org, &ada(), role).await.unwrap();
    let accepted = show
        .meta
        .accept_invitation(invitation.expose(), new(password));
    let (session, secret) = accepted.await.unwrap();
    let again = show
        .meta
        .accept_invitation(invitation.expose(), new(password));
    assert!(matches!(again.await, Err(Error::UnknownInvitation)));
    (session, secret.expose().to_owned())
}

async fn has_ended(show: &Fixture, secret: &str) -> bool {
    matches!(show.meta.session(secret).await, Err(Error::SessionEnded))
}

#[tokio::test]
async fn a_password_signs_in_with_the_role_of_the_person() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let (session, secret) = join(&show, &show.org, Role::Reader, PASSWORD).await;
    assert_eq!(session.role, Role::Reader);
    let SessionOwner::Person(person) = session.owner else {
        panic!("{session:?}");
    };
    let ada = ada();
    let signed_in = meta.sign_in_by_password(&ada, None, PASSWORD).await;
    assert_ne!(signed_in.unwrap().0.id, session.id);
    for wrong in ["", OTHER, "correct horse batter"] {
        let refused = meta.sign_in_by_password(&ada, None, wrong).await;
        assert!(matches!(refused, Err(Error::WrongPassword)), "{wrong}");
    }
    meta.set_role(&show.org, person, Role::Admin).await.unwrap();
    assert_eq!(meta.session(&secret).await.unwrap().role, Role::Admin);
    meta.remove_person(&show.org, person).await.unwrap();
    assert!(has_ended(&show, &secret).await);
    let refused = meta.sign_in_by_password(&ada, None, PASSWORD).await;
    assert!(matches!(refused, Err(Error::WrongPassword)));
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let (_, first) = join(&show, &show.org, Role::Reader, PASSWORD).await;
    let (session, second) = join(&show, &show.org, Role::Reader, PASSWORD).await;
    assert!(has_ended(&show, &first).await, "an invitation was accepted");
    let ada = ada();
    let (_, third) = meta
        .sign_in_by_password(&ada, None, PASSWORD)
        .await
        .unwrap();
    let refused = meta.change_password(&session, OTHER, new(OTHER)).await;
    assert!(matches!(refused, Err(Error::WrongPassword)));
    meta.change_password(&session, PASSWORD, new(OTHER))
        .await
        .unwrap();
    meta.session(&second).await.unwrap();
    assert!(has_ended(&show, third.expose()).await);
    meta.sign_in_by_password(&ada, None, OTHER).await.unwrap();
    meta.end_sessions_of(session.owner).await.unwrap();
    assert!(has_ended(&show, &second).await);
    meta.verify().await.unwrap();
}

#[tokio::test]
async fn an_address_in_two_organisations_has_a_password_in_each() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let rival = org("rival");
    meta.create_org(&rival, &Zone::utc()).await.unwrap();
    join(&show, &show.org, Role::Reader, PASSWORD).await;
    join(&show, &rival, Role::Admin, OTHER).await;
    let ada = ada();
    for (password, org, role) in [
        (PASSWORD, &show.org, Role::Reader),
        (OTHER, &rival, Role::Admin),
    ] {
        let (session, _) = meta
            .sign_in_by_password(&ada, None, password)
            .await
            .unwrap();
        assert_eq!((&session.org, session.role), (org, role));
    }
    let refused = meta.sign_in_by_password(&ada, Some(&rival), PASSWORD).await;
    assert!(matches!(refused, Err(Error::WrongPassword)));
    // The same password in both: the organisation decides, and without it the oldest.
    join(&show, &rival, Role::Admin, PASSWORD).await;
    for (given, found) in [(None, &show.org), (Some(&rival), &rival)] {
        let (session, _) = meta
            .sign_in_by_password(&ada, given, PASSWORD)
            .await
            .unwrap();
        assert_eq!(&session.org, found);
    }
}

#[tokio::test]
async fn no_password_is_in_the_file() {
    let show = Fixture::new().await;
    join(&show, &show.org, Role::Reader, PASSWORD).await;
    show.meta.checkpoint().await.unwrap();
    let file = std::fs::read(show.path()).unwrap();
    let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(!holds(PASSWORD.as_bytes()));
    assert!(holds(b"$argon2id$v=19$m=19456,t=2,p=1$"));
}
