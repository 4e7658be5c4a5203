//! The people that sign in, each of one organisation, and their invitations.
//!
//! An e-mail address may be in several organisations. Each is a person of its own with a password
//! of its own, so that the admin of one organisation learns nothing of another and cannot set a
//! password there.

mod email;

use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OrgId, PersonId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

pub use email::{EmailAddress, EmailError};

use super::roles::Role;
use super::tokens::{TokenHash, TokenSecret};
use super::{Meta, orgs};
use crate::database::{Stored, Sum, check_rows};
use crate::error::{Doing, Error};

/// How long an invitation can be accepted.
const INVITATION_LIFETIME_MS: i64 = MILLIS_PER_DAY;

/// People of one organisation. The page that lists them has no second page.
const PEOPLE_MAX: u32 = 1_000;

/// Organisations of one e-mail address that signing in looks at. Each costs the check of a password.
const ORGS_OF_ADDRESS_MAX: u32 = 8;

/// A person as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    pub org: OrgId,
    pub email: EmailAddress,
    pub role: Role,
    pub created_at: Timestamp,
    /// Whether the person has accepted an invitation.
    pub has_password: bool,
    /// The end of the invitation that can be accepted, if there is one.
    pub invited_until: Option<Timestamp>,
}

/// A row. It has no `Debug`, since it holds hashes.
#[derive(Clone)]
pub(super) struct StoredPerson {
    pub(super) id: PersonId,
    pub(super) org: OrgId,
    pub(super) email: EmailAddress,
    pub(super) role: Role,
    created_at: Timestamp,
    pub(super) password: Option<String>,
    invitation: Option<Invitation>,
}

#[derive(Clone)]
struct Invitation {
    hash: TokenHash,
    until: Timestamp,
}

/// Selects all columns, with what follows `FROM people`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, email, role, created_at, password, invitation, invited_until, sum ",
            "FROM people ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO people
    (id, org, email, role, created_at, password, invitation, invited_until, sum)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const UPDATE: &str = "UPDATE people
    SET role = $2, password = $3, invitation = $4, invited_until = $5, sum = $6 WHERE id = $1";

const DELETE: &str = "DELETE FROM people WHERE id = $1 AND org = $2";

const COUNT: &str = "SELECT count(*) FROM people WHERE org = $1";

const SELECT_ALL: &str = select!("WHERE org = $1 OR $1 IS NULL ORDER BY org, email");

const CHECK_ALL: &str = select!("");

const SELECT: &str = select!("WHERE id = $1");

const SELECT_BY_ADDRESS: &str =
    select!("WHERE email = $1 AND (org = $2 OR $2 IS NULL) ORDER BY created_at, id LIMIT $3");

const SELECT_BY_INVITATION: &str = select!("WHERE invitation BETWEEN $1 AND $2");

impl Meta {
    /// Invites a person, or again: the new invitation replaces the one before, and the person gets
    /// the role at once. A password that was set stays until the invitation is accepted.
    ///
    /// Returns the secret of the invitation, which is not stored.
    pub async fn invite_person(
        &self,
        org: &OrgId,
        email: &EmailAddress,
        role: Role,
    ) -> Result<(PersonId, TokenSecret), Error> {
        let secret = TokenSecret::generate()?;
        let now = self.now();
        let invitation = Some(Invitation {
            hash: secret.hash(),
            until: now.saturating_add_millis(INVITATION_LIFETIME_MS),
        });
        let meta = self.clone();
        let id = self.database().write(async move |tx| {
            orgs::zone(&mut **tx, org).await?;
            let known = of_address(&mut **tx, email, Some(org)).await?.pop();
            let id = known.as_ref().map_or_else(PersonId::generate, |it| it.id);
            if let Some(known) = known {
                let changed = StoredPerson {
                    role,
                    invitation,
                    ..known
                };
                update(tx, &changed).await?;
                tx.after_commit(move || meta.shared.sessions.clear());
            } else {
                ensure_room(tx, org).await?;
                let person = StoredPerson {
                    id,
                    org: org.clone(),
                    email: email.clone(),
                    role,
                    created_at: now,
                    password: None,
                    invitation,
                };
                insert(tx, &person).await?;
            }
            Ok(id)
        });
        Ok((id.await?, secret))
    }

    /// The people of one organisation, or of all, by their addresses.
    pub async fn people(&self, org: Option<&OrgId>) -> Result<Vec<Person>, Error> {
        let rows = sqlx::query(SELECT_ALL)
            .bind(org.map(OrgId::as_str))
            .fetch_all(self.readers())
            .await
            .doing("list people")?;
        let now = self.now();
        let person = |row| Ok(person_of(row)?.listed(now));
        rows.iter().map(person).collect()
    }

    /// A person of an organisation.
    pub async fn person(&self, org: &OrgId, id: PersonId) -> Result<Person, Error> {
        let found = find_in(self.readers(), org, id).await?;
        Ok(found.listed(self.now()))
    }

    /// Gives a person another role: at once in this process, within a second in others.
    pub async fn set_role(&self, org: &OrgId, id: PersonId, role: Role) -> Result<(), Error> {
        let meta = self.clone();
        self.database()
            .write_protected(async |tx| {
                let found = find_in(&mut **tx, org, id).await?;
                update(tx, &StoredPerson { role, ..found }).await?;
                tx.after_commit(move || meta.shared.sessions.clear());
                Ok(())
            })
            .await
    }

    /// Removes a person, with all sessions: at once in this process, within a second in others.
    pub async fn remove_person(&self, org: &OrgId, id: PersonId) -> Result<(), Error> {
        let meta = self.clone();
        self.database()
            .write_protected(async |tx| {
                let done = sqlx::query(DELETE)
                    .bind(id.to_string())
                    .bind(org.as_str())
                    .execute(&mut **tx);
                if done.await.doing("remove a person")?.rows_affected() == 0 {
                    return Err(Error::UnknownPerson);
                }
                tx.after_commit(move || meta.shared.sessions.clear());
                Ok(())
            })
            .await
    }

    /// The person that an invitation is for.
    pub async fn invited_person(&self, secret: &str) -> Result<Person, Error> {
        let now = self.now();
        let found = invited(self.readers(), secret, now).await?;
        Ok(found.listed(now))
    }
}

impl StoredPerson {
    /// The same with a password, and without an invitation.
    pub(super) fn with_password(self, hash: String) -> Self {
        Self {
            password: Some(hash),
            invitation: None,
            ..self
        }
    }

    pub(super) fn listed(self, now: Timestamp) -> Person {
        let until = self.invitation.map(|invitation| invitation.until);
        Person {
            id: self.id,
            org: self.org,
            email: self.email,
            role: self.role,
            created_at: self.created_at,
            has_password: self.password.is_some(),
            invited_until: until.filter(|until| now < *until),
        }
    }

    fn sum(&self) -> i64 {
        let invitation = self.invitation.as_ref();
        let hash = invitation.map(|it| it.hash.as_bytes());
        let sum = Sum::of("people")
            .text(&self.id.to_string())
            .text(self.org.as_str())
            .text(self.email.as_str())
            .text(self.role.name())
            .number(self.created_at.as_millis())
            .text_if_any(self.password.as_deref())
            .number_if_any(invitation.map(|it| it.until.as_millis()));
        match hash {
            Some(hash) => sum.bytes(hash).finish(),
            None => sum.finish(),
        }
    }
}

/// Fails if an organisation has as many people as it may have.
async fn ensure_room(tx: &mut SqliteConnection, org: &OrgId) -> Result<(), Error> {
    let count: i64 = sqlx::query_scalar(COUNT)
        .bind(org.as_str())
        .fetch_one(tx)
        .await
        .doing("count people")?;
    if count >= PEOPLE_MAX.into() {
        return Err(Error::PeopleFull { max: PEOPLE_MAX });
    }
    Ok(())
}

async fn insert(tx: &mut SqliteConnection, person: &StoredPerson) -> Result<(), Error> {
    let invitation = person.invitation.as_ref();
    sqlx::query(INSERT)
        .bind(person.id.to_string())
        .bind(person.org.as_str())
        .bind(person.email.as_str())
        .bind(person.role.name())
        .bind(person.created_at.as_millis())
        .bind(person.password.as_deref())
        .bind(invitation.map(|it| it.hash.as_bytes()))
        .bind(invitation.map(|it| it.until.as_millis()))
        .bind(person.sum())
        .execute(tx)
        .await
        .doing("store a person")?;
    Ok(())
}

pub(super) async fn update(tx: &mut SqliteConnection, person: &StoredPerson) -> Result<(), Error> {
    let invitation = person.invitation.as_ref();
    sqlx::query(UPDATE)
        .bind(person.id.to_string())
        .bind(person.role.name())
        .bind(person.password.as_deref())
        .bind(invitation.map(|it| it.hash.as_bytes()))
        .bind(invitation.map(|it| it.until.as_millis()))
        .bind(person.sum())
        .execute(tx)
        .await
        .doing("change a person")?;
    Ok(())
}

/// `None` if the person was removed.
pub(super) async fn find(
    read: impl SqliteExecutor<'_>,
    id: PersonId,
) -> Result<Option<StoredPerson>, Error> {
    let row = sqlx::query(SELECT)
        .bind(id.to_string())
        .fetch_optional(read)
        .await
        .doing("look up a person")?;
    row.as_ref().map(person_of).transpose()
}

/// A person of an organisation. One of another is unknown.
async fn find_in(
    read: impl SqliteExecutor<'_>,
    org: &OrgId,
    id: PersonId,
) -> Result<StoredPerson, Error> {
    let found = find(read, id).await?.filter(|found| found.org == *org);
    found.ok_or(Error::UnknownPerson)
}

/// The people with this address, in one organisation or in any, oldest first.
pub(super) async fn of_address(
    read: impl SqliteExecutor<'_>,
    email: &EmailAddress,
    org: Option<&OrgId>,
) -> Result<Vec<StoredPerson>, Error> {
    let rows = sqlx::query(SELECT_BY_ADDRESS)
        .bind(email.as_str())
        .bind(org.map(OrgId::as_str))
        .bind(ORGS_OF_ADDRESS_MAX)
        .fetch_all(read)
        .await
        .doing("look up an address")?;
    rows.iter().map(person_of).collect()
}

/// The person with the invitation of this secret, if it can be accepted.
pub(super) async fn invited(
    read: impl SqliteExecutor<'_>,
    secret: &str,
    now: Timestamp,
) -> Result<StoredPerson, Error> {
    let secret = TokenSecret::parse(secret).ok_or(Error::UnknownInvitation)?;
    let hash = secret.hash();
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_BY_INVITATION)
        .bind(least.as_bytes())
        .bind(greatest.as_bytes())
        .fetch_optional(read)
        .await
        .doing("look up an invitation")?;
    let person = row.as_ref().map(person_of).transpose()?;
    let person = person.ok_or(Error::UnknownInvitation)?;
    match &person.invitation {
        Some(invitation) if invitation.hash == hash => {
            if invitation.until <= now {
                return Err(Error::InvitationExpired);
            }
            Ok(person)
        }
        _ => Err(Error::UnknownInvitation),
    }
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, CHECK_ALL, |row| person_of(row).map(drop)).await
}

fn person_of(row: &SqliteRow) -> Result<StoredPerson, Error> {
    let row = Stored(row);
    let invitation: Option<Vec<u8>> = row.plain("invitation")?;
    let invitation = match invitation {
        Some(bytes) => Some(Invitation {
            hash: TokenHash::from_bytes(&bytes)
                .ok_or_else(|| Error::damaged("the hash of an invitation has not 32 bytes"))?,
            until: row.time("invited_until")?,
        }),
        None => None,
    };
    let person = StoredPerson {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        email: row.parsed("email")?,
        role: row.parsed("role")?,
        created_at: row.time("created_at")?,
        password: row.plain("password")?,
        invitation,
    };
    row.check("people", person.sum())?;
    Ok(person)
}

#[cfg(test)]
mod tests;
