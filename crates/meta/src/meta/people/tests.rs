use showreport_model::{Clock, Zone};

use super::*;
use crate::meta::testing::{Fixture, org};

fn email(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

async fn invite(show: &Fixture, address: &str, role: Role) -> (PersonId, String) {
    let invited = show
        .meta
        .invite_person(&show.org, &email(address), role)
        .await;
    let (id, secret) = invited.unwrap();
    (id, secret.expose().to_owned())
}

#[tokio::test]
async fn an_invitation_is_replaced_by_the_next_and_expires() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let (id, first) = invite(&show, "Ada@Example.com", Role::Reader).await;
    let person = meta.invited_person(&first).await.unwrap();
    assert_eq!((person.id, person.role), (id, Role::Reader));
    assert_eq!(person.email.as_str(), "ada@example.com");
    assert!(!person.has_password);
    let (again, second) = invite(&show, "ada@example.com", Role::Admin).await;
    assert_eq!(again, id);
    let replaced = meta.invited_person(&first).await;
    assert!(matches!(replaced, Err(Error::UnknownInvitation)));
    assert_eq!(
        meta.invited_person(&second).await.unwrap().role,
        Role::Admin
    );
    let until = show
        .clock
        .now()
        .saturating_add_millis(INVITATION_LIFETIME_MS);
    assert_eq!(
        meta.person(&show.org, id).await.unwrap().invited_until,
        Some(until)
    );
    show.clock.advance(INVITATION_LIFETIME_MS);
    let expired = meta.invited_person(&second).await;
    assert!(matches!(expired, Err(Error::InvitationExpired)));
    assert_eq!(
        meta.person(&show.org, id).await.unwrap().invited_until,
        None
    );
    meta.verify().await.unwrap();
}

#[tokio::test]
async fn a_person_of_another_organisation_is_unknown() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let rival = org("rival");
    meta.create_org(&rival, &Zone::utc()).await.unwrap();
    let (id, _) = invite(&show, "ada@example.com", Role::Reader).await;
    let theirs = meta
        .invite_person(&rival, &email("ada@example.com"), Role::Admin)
        .await;
    assert_ne!(theirs.unwrap().0, id);
    assert!(matches!(
        meta.person(&rival, id).await,
        Err(Error::UnknownPerson)
    ));
    assert!(matches!(
        meta.set_role(&rival, id, Role::Admin).await,
        Err(Error::UnknownPerson)
    ));
    assert!(matches!(
        meta.remove_person(&rival, id).await,
        Err(Error::UnknownPerson)
    ));
    let listed = meta.people(Some(&show.org)).await.unwrap();
    assert_eq!(
        listed
            .iter()
            .map(|person| (person.id, person.role))
            .collect::<Vec<_>>(),
        [(id, Role::Reader)]
    );
    assert_eq!(meta.people(None).await.unwrap().len(), 2);
    meta.set_role(&show.org, id, Role::Analyst).await.unwrap();
    assert_eq!(
        meta.person(&show.org, id).await.unwrap().role,
        Role::Analyst
    );
    meta.remove_person(&show.org, id).await.unwrap();
    assert!(meta.people(Some(&show.org)).await.unwrap().is_empty());
    let unknown = meta
        .invite_person(&org("unknown"), &email("a@b"), Role::Reader)
        .await;
    assert!(matches!(unknown, Err(Error::UnknownOrg { .. })));
}

#[tokio::test]
async fn a_changed_row_of_a_person_is_damage() {
    let show = Fixture::new().await;
    let (id, secret) = invite(&show, "ada@example.com", Role::Reader).await;
    show.execute("UPDATE people SET role = 'admin'").await;
    for error in [
        show.meta.person(&show.org, id).await.unwrap_err(),
        show.meta.invited_person(&secret).await.unwrap_err(),
        show.meta.verify().await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    }
}
