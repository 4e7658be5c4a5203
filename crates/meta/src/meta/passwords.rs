//! Passwords of people: set by an invitation, checked to sign in, changed.
//!
//! A password is stored as its hash of Argon2id with the parameters that OWASP recommends: 19 MiB
//! of memory, two passes, one lane. A check takes as long for an unknown address.

mod rules;

use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Argon2, PasswordHash};
use showreport_model::{OrgId, PersonId};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use rules::{NewPassword, PASSWORD_CHARACTERS_MIN, PasswordProblem};

use super::people::{EmailAddress, StoredPerson};
use super::sessions::{Session, SessionOwner};
use super::tokens::TokenSecret;
use super::{Meta, people, sessions};
use crate::error::Error;

/// Hashes that are computed at one time. Each takes 19 MiB and a processor.
const HASHING_MAX: usize = 2;

const SALT_BYTES: usize = 16;

/// Bounds the memory of hashes, also of requests that were dropped: their threads go on.
#[derive(Debug, Clone)]
pub(super) struct Hashing(Arc<Semaphore>);

impl Default for Hashing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(HASHING_MAX)))
    }
}

impl Hashing {
    /// Runs `work` on a thread for blocking work when there is room for a hash.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.0.clone().acquire_owned().await;
        let permit = permit.expect("it is never closed");
        let done = spawn_blocking(move || {
            let _held = permit;
            work()
        });
        Ok(done.await.expect("hashing does not panic"))
    }

    async fn hash(&self, password: String) -> Result<String, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(Error::Random)?;
        let hash = move || {
            let hash: PasswordHash = Argon2::default()
                .hash_password_with_salt(password.as_bytes(), &salt)
                .expect("a salt of 16 bytes and a bounded password are valid");
            hash.to_string()
        };
        self.run(hash).await
    }

    /// The places of the hashes that are of this password. All are compared, and one at least, so
    /// that the time does not depend on what is found.
    async fn matching(
        &self,
        password: String,
        hashes: Vec<Option<String>>,
    ) -> Result<Vec<usize>, Error> {
        let compare = move || {
            if hashes.is_empty() {
                matches(&password, None);
            }
            let places = hashes.iter().enumerate();
            let found = places.filter(|(_, hash)| matches(&password, hash.as_deref()));
            found.map(|(place, _)| place).collect()
        };
        self.run(compare).await
    }
}

/// Whether a hash is of this password. Takes as long without a hash.
fn matches(password: &str, hash: Option<&str>) -> bool {
    let Some(hash) = hash else {
        let mut unused = [0; 32];
        let salt = [0; SALT_BYTES];
        let hashed = Argon2::default().hash_password_into(password.as_bytes(), &salt, &mut unused);
        // Nothing has this hash.
        return hashed.is_err() && unused != [0; 32];
    };
    Argon2::default()
        .verify_password(password.as_bytes(), hash)
        .is_ok()
}

impl Meta {
    /// Begins a session of the person with this address and password. `org` is needed only to choose
    /// between organisations in which the person has the same password; else the oldest is taken.
    pub async fn sign_in_by_password(
        &self,
        email: &EmailAddress,
        org: Option<&OrgId>,
        password: &str,
    ) -> Result<(Session, TokenSecret), Error> {
        let mut found = people::of_address(self.readers(), email, org).await?;
        let hashes = found.iter().map(|person| person.password.clone()).collect();
        let password = rules::normalized(password);
        let matching = self.shared.hashing.matching(password, hashes).await?;
        let place = *matching.first().ok_or(Error::WrongPassword)?;
        self.begin_session_of(found.swap_remove(place)).await
    }

    /// Sets the password of the person that was invited, ends all sessions of the person, and begins
    /// one. The invitation cannot be accepted again.
    pub async fn accept_invitation(
        &self,
        secret: &str,
        password: NewPassword,
    ) -> Result<(Session, TokenSecret), Error> {
        let now = self.now();
        // Before the password is hashed, which takes long.
        people::invited(self.readers(), secret, now).await?;
        let hash = self.shared.hashing.hash(password.into_text()).await?;
        let meta = self.clone();
        let person = self.database().write(async |tx| {
            let person = people::invited(&mut **tx, secret, now).await?;
            let person = person.with_password(hash);
            people::update(tx, &person).await?;
            sessions::delete_of(tx, SessionOwner::Person(person.id), None).await?;
            tx.after_commit(move || meta.shared.sessions.clear());
            Ok(person)
        });
        self.begin_session_of(person.await?).await
    }

    /// Changes the password of a person, given the present one. All sessions of the person end
    /// but `session`.
    pub async fn change_password(
        &self,
        session: &Session,
        present: &str,
        new: NewPassword,
    ) -> Result<(), Error> {
        let SessionOwner::Person(id) = session.owner else {
            return Err(Error::UnknownPerson);
        };
        self.ensure_password(id, present).await?;
        let hash = self.shared.hashing.hash(new.into_text()).await?;
        let meta = self.clone();
        let changed = self.database().write(async |tx| {
            let person = people::find(&mut **tx, id).await?;
            let person = person.ok_or(Error::UnknownPerson)?;
            people::update(tx, &person.with_password(hash)).await?;
            sessions::delete_of(tx, session.owner, Some(session.id)).await?;
            tx.after_commit(move || meta.shared.sessions.clear());
            Ok(())
        });
        changed.await
    }

    async fn ensure_password(&self, id: PersonId, password: &str) -> Result<(), Error> {
        let person = people::find(self.readers(), id).await?;
        let hash = person.ok_or(Error::UnknownPerson)?.password;
        let password = rules::normalized(password);
        let matching = self.shared.hashing.matching(password, vec![hash]).await?;
        if matching.is_empty() {
            return Err(Error::WrongPassword);
        }
        Ok(())
    }

    async fn begin_session_of(
        &self,
        person: StoredPerson,
    ) -> Result<(Session, TokenSecret), Error> {
        let owner = SessionOwner::Person(person.id);
        self.begin_session(person.org, person.role, owner).await
    }
}

#[cfg(test)]
mod tests;
