//! The keys that download links are signed with.
//!
//! One key signs. After a rotation the links of the previous key stay valid until they have
//! expired; the next rotation deletes that key.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use showreport_model::Timestamp;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::Meta;
use crate::database::{Stored, Transaction};
use crate::error::{Doing, Error};

/// How long a download link is valid, in milliseconds.
pub const LINK_LIFETIME_MS: i64 = 3_600_000;

/// The time from a rotation until the new key signs, in milliseconds. By then every process has
/// read the key, so no process gets a link of a key that it does not have.
const SIGNS_AFTER_MS: i64 = 2_000;

/// The age at which cached keys are read again.
const TIME_TO_LIVE: Duration = Duration::from_millis(750);

/// A key that download links are signed with. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// A key from the system's random bytes.
    fn generate() -> Result<Self, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(Error::Random)?;
        Ok(Self(key))
    }

    /// The bytes of the key.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// All keys of download links, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeys {
    /// Newest first, each with the time from which it signs.
    keys: Vec<(Timestamp, SigningKey)>,
}

impl SigningKeys {
    /// The key that signs at this time.
    pub fn signing(&self, now: Timestamp) -> &SigningKey {
        let begun = self.keys.iter().find(|(signs_from, _)| *signs_from <= now);
        // A clock that went back may be earlier than the oldest.
        let (_, key) = begun.unwrap_or_else(|| self.keys.last().expect("there is a key"));
        key
    }

    /// The keys with links that may be valid at this time, newest first.
    pub fn opening(&self, now: Timestamp) -> impl Iterator<Item = &SigningKey> {
        let signs_until = self.keys.iter().map(|(signs_from, _)| Some(*signs_from));
        std::iter::once(None)
            .chain(signs_until)
            .zip(&self.keys)
            .filter(move |(until, _)| until.is_none_or(|until| now < last_expiry(until)))
            .map(|(_, (_, key))| key)
    }
}

/// When the last link expires of a key that signed until then.
fn last_expiry(signs_until: Timestamp) -> Timestamp {
    signs_until.saturating_add_millis(LINK_LIFETIME_MS)
}

/// [`SigningKeys`] that were read less than a second ago.
#[derive(Debug, Default)]
pub(crate) struct SigningKeyCache(Mutex<Option<(Instant, Arc<SigningKeys>)>>);

impl SigningKeyCache {
    fn find(&self) -> Option<Arc<SigningKeys>> {
        let cached = self.lock();
        let (read_at, keys) = cached.as_ref()?;
        (read_at.elapsed() < TIME_TO_LIVE).then(|| keys.clone())
    }

    /// Caches keys. `read_at` is the instant before they were read.
    fn insert(&self, read_at: Instant, keys: SigningKeys) -> Arc<SigningKeys> {
        let keys = Arc::new(keys);
        *self.lock() = Some((read_at, keys.clone()));
        keys
    }

    fn clear(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Arc<SigningKeys>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SELECT: &str = "SELECT key, signs_from FROM link_keys ORDER BY signs_from DESC, id DESC";

const INSERT: &str = "INSERT INTO link_keys (key, signs_from) VALUES ($1, $2)";

/// The links of a key have expired if the next key began to sign before `$1`.
const DELETE_ENDED: &str = "DELETE FROM link_keys WHERE EXISTS (SELECT 1 FROM link_keys AS next
    WHERE next.id > link_keys.id AND next.signs_from <= $1)";

impl Meta {
    /// The keys of download links, at most a second old. The first call creates one.
    pub async fn signing_keys(&self) -> Result<Arc<SigningKeys>, Error> {
        let cache = &self.shared.signing_keys;
        if let Some(keys) = cache.find() {
            return Ok(keys);
        }
        let read_at = Instant::now();
        let keys = match find(self.readers()).await? {
            Some(keys) => keys,
            None => self.create_first_key().await?,
        };
        Ok(cache.insert(read_at, keys))
    }

    async fn create_first_key(&self) -> Result<SigningKeys, Error> {
        let create = async |tx: &mut Transaction<'_>| {
            // Another process may have created it since.
            if let Some(keys) = find(&mut **tx).await? {
                tx.discard();
                return Ok(keys);
            }
            insert(tx, &SigningKey::generate()?, Timestamp::MIN).await?;
            let keys = find(&mut **tx).await?;
            keys.ok_or_else(|| Error::damaged("the key of links that was just stored is missing"))
        };
        self.database().write(create).await
    }

    /// Creates a new key, and returns the time from which it signs. Links of the previous key stay
    /// valid until they expire.
    pub async fn rotate_signing_key(&self) -> Result<Timestamp, Error> {
        let now = self.now();
        let signs_from = now.saturating_add_millis(SIGNS_AFTER_MS);
        let meta = self.clone();
        self.database()
            .write(async move |tx| {
                delete_ended(tx, now).await?;
                insert(tx, &SigningKey::generate()?, signs_from).await?;
                tx.after_commit(move || meta.shared.signing_keys.clear());
                Ok(signs_from)
            })
            .await
    }
}

/// `None` before the first key was created.
async fn find(read: impl SqliteExecutor<'_>) -> Result<Option<SigningKeys>, Error> {
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

async fn insert(
    tx: &mut SqliteConnection,
    key: &SigningKey,
    signs_from: Timestamp,
) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(key.0.as_slice())
        .bind(signs_from.as_millis())
        .execute(tx)
        .await
        .doing("store a key of links")?;
    Ok(())
}

/// Deletes keys if their last link has expired.
async fn delete_ended(tx: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
    sqlx::query(DELETE_ENDED)
        .bind(now.saturating_add_millis(-LINK_LIFETIME_MS).as_millis())
        .execute(tx)
        .await
        .doing("delete keys of links")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use showreport_model::Clock;

    use super::*;
    use crate::meta::testing::Fixture;

    #[test]
    fn a_key_signs_until_the_next_and_its_links_stay_valid_until_they_expire() {
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

    #[tokio::test]
    async fn the_signing_key_is_created_once() {
        let show = Fixture::new().await;
        let other = show.reopen().await;
        let (here, there) = tokio::join!(show.meta.signing_keys(), other.signing_keys());
        let keys = here.unwrap();
        assert_eq!(keys, there.unwrap());
        assert_eq!(keys, show.reopen().await.signing_keys().await.unwrap());
        let key = keys.signing(show.clock.now());
        assert_eq!(format!("{key:?}"), "SigningKey");
    }

    #[tokio::test]
    async fn a_rotated_key_is_read_everywhere_before_it_signs_and_the_old_one_is_deleted() {
        let show = Fixture::new().await;
        let first = show.meta.signing_keys().await.unwrap();
        let first = first.signing(show.clock.now()).clone();
        let signs_from = show.meta.rotate_signing_key().await.unwrap();
        let keys = show.reopen().await.signing_keys().await.unwrap();
        let now = show.clock.now();
        assert_eq!(keys.signing(now), &first, "not yet");
        let second = keys.signing(signs_from).clone();
        assert_ne!(first, second);
        let opening: Vec<_> = keys.opening(now).cloned().collect();
        assert_eq!(opening, [second.clone(), first]);

        show.clock.advance(LINK_LIFETIME_MS + SIGNS_AFTER_MS);
        show.meta.rotate_signing_key().await.unwrap();
        let keys = show.meta.signing_keys().await.unwrap();
        let opening: Vec<_> = keys.opening(show.clock.now()).cloned().collect();
        assert_eq!(opening.len(), 2);
        assert_eq!(opening[1], second, "the links of the first have expired");
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM link_keys")
            .fetch_one(show.meta.readers())
            .await
            .unwrap();
        assert_eq!(count, 2, "and deleted");
    }
}
