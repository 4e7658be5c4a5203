//! The keys that download links are signed with.
//!
//! One key signs. After a rotation the one before opens links until those it signed have
//! ended, and is deleted with the next rotation.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use showreport_model::Timestamp;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::Stored;
use crate::error::{Doing, Error};

/// How long a download link opens, in milliseconds.
pub const LINK_LIFETIME_MS: i64 = 3_600_000;

/// How soon after a rotation the new key signs, in milliseconds. By then every process has
/// read it, so no process is given a link whose key it does not have.
pub(crate) const SIGNS_AFTER_MS: i64 = 2_000;

/// How long keys are used before they are read again.
const KNOWN_FOR: Duration = Duration::from_millis(750);

/// A key that download links are signed with. It prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// A key from the system's random bytes.
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::Random)?;
        Ok(Self(key))
    }

    /// The key itself.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The keys of links, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys {
    /// The newest first, each with the time from which it signs.
    keys: Vec<(Timestamp, SigningKey)>,
}

impl SigningKeys {
    /// The key that signs at this time.
    pub fn signing(&self, now: Timestamp) -> &SigningKey {
        let begun = self.keys.iter().find(|(signs_from, _)| *signs_from <= now);
        // The clock may have gone back to before the oldest.
        let (_, key) = begun.unwrap_or_else(|| self.keys.last().expect("there is a key"));
        key
    }

    /// The keys whose links open at this time, the newest first.
    pub fn opening(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        let signs_until = self.keys.iter().map(|(signs_from, _)| Some(*signs_from));
        std::iter::once(None)
            .chain(signs_until)
            .zip(&self.keys)
            .filter(move |(until, _)| until.is_none_or(|until| now < end_of_links(until)))
            .map(|(_, (_, key))| key)
    }
}

/// When the last link has ended that a key signed which signed until then.
fn end_of_links(signs_until: Timestamp) -> Timestamp {
    signs_until.saturating_add_millis(LINK_LIFETIME_MS)
}

/// The keys as they were last read.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys(Mutex<Option<(Instant, Arc<SigningKeys>)>>);

impl KnownKeys {
    /// The keys, unless they have to be read again.
    pub(crate) fn find(&self) -> Option<Arc<SigningKeys>> {
        let known = self.lock();
        let (read_at, keys) = known.as_ref()?;
        (read_at.elapsed() < KNOWN_FOR).then(|| keys.clone())
    }

    /// Keeps keys whose reading began at that instant.
    pub(crate) fn remember(&self, read_at: Instant, keys: SigningKeys) -> Arc<SigningKeys> {
        let keys = Arc::new(keys);
        *self.lock() = Some((read_at, keys.clone()));
        keys
    }

    /// Has them read again at the next use.
    pub(crate) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<SigningKeys>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SELECT: &str = "SELECT key, signs_from FROM link_keys ORDER BY signs_from DESC, id DESC";

const INSERT: &str = "INSERT INTO link_keys (key, signs_from) VALUES (?1, ?2)";

/// A key is over when the next one began to sign before `?1`.
const DELETE_ENDED: &str = "DELETE FROM link_keys WHERE EXISTS (SELECT 1 FROM link_keys AS next
    WHERE next.id > link_keys.id AND next.signs_from <= ?1)";

/// The keys, once there is one.
pub(crate) async fn find(read: impl SqliteExecutor<'_>) -> Result<Option<SigningKeys>, Error> {
    let rows = sqlx::query(SELECT)
        .fetch_all(read)
        .await
        .doing("read the keys of links")?;
    let keys = rows.iter().map(|row| {
        let row = Stored(row);
        let key: Vec<u8> = row.plain("key")?;
        let key = key
            .try_into()
            .map_err(|_| Error::damaged("a key that signs links has not 32 bytes"))?;
        Ok((row.time("signs_from")?, SigningKey(key)))
    });
    let keys: Vec<_> = keys.collect::<Result<_, Error>>()?;
    Ok((!keys.is_empty()).then_some(SigningKeys { keys }))
}

/// Keeps a key, which signs from then on.
pub(crate) async fn insert(
    write: &mut SqliteConnection,
    key: &SigningKey,
    signs_from: Timestamp,
) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(key.0.as_slice())
        .bind(signs_from.as_millis())
        .execute(write)
        .await
        .doing("keep a key of links")?;
    Ok(())
}

/// Deletes keys whose last link has ended.
pub(crate) async fn delete_ended(
    write: &mut SqliteConnection,
    now: Timestamp,
) -> Result<(), Error> {
    sqlx::query(DELETE_ENDED)
        .bind(now.saturating_add_millis(-LINK_LIFETIME_MS).as_millis())
        .execute(write)
        .await
        .doing("delete keys of links")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_signs_until_the_next_and_opens_for_the_life_of_a_link_more() {
        let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
        let [old, new] = [1, 2].map(|byte| SigningKey([byte; 32]));
        let keys = SigningKeys {
            keys: vec![(at(10_000), new.clone()), (at(1_000), old.clone())],
        };
        let opening = |now| keys.opening(at(now)).cloned().collect::<Vec<_>>();
        assert_eq!(keys.signing(at(0)), &old, "the clock went back");
        assert_eq!(keys.signing(at(9_999)), &old);
        assert_eq!(keys.signing(at(10_000)), &new);
        // Another process may sign with the new one a little earlier than this clock says.
        assert_eq!(opening(9_000), [new.clone(), old.clone()]);
        assert_eq!(opening(10_000 + LINK_LIFETIME_MS - 1), [new.clone(), old]);
        assert_eq!(opening(10_000 + LINK_LIFETIME_MS), [new]);
    }
}
