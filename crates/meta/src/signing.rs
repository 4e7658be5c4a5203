//! The key that download links are signed with.

use std::fmt;

use sqlx::{SqliteConnection, SqliteExecutor};

use crate::error::{Doing, Error};

/// The key that download links are signed with. It prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// A key that nobody has seen.
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

const SELECT: &str = "SELECT key FROM signing_keys WHERE id = 1";

const INSERT: &str = "INSERT INTO signing_keys (id, key) VALUES (1, ?1)";

/// The key, once there is one.
pub(crate) async fn find(read: impl SqliteExecutor<'_>) -> Result<Option<SigningKey>, Error> {
    let key: Option<Vec<u8>> = sqlx::query_scalar(SELECT)
        .fetch_optional(read)
        .await
        .doing("read the signing key")?;
    key.map(|key| {
        let key = key
            .try_into()
            .map_err(|_| Error::damaged("the key that signs links has not 32 bytes"))?;
        Ok(SigningKey(key))
    })
    .transpose()
}

/// Keeps the key for good.
pub(crate) async fn insert(write: &mut SqliteConnection, key: &SigningKey) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(key.0.as_slice())
        .execute(write)
        .await
        .doing("keep the signing key")?;
    Ok(())
}
