//! Share links: each shows one event, without an account, until it is revoked or expires.

use std::time::Instant;

use showreport_model::{EventId, OrgId, ShareId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::Meta;
use super::tokens::{FoundToken, TokenCache, TokenHash, TokenSecret};
use crate::database::{Stored, Sum, check_rows};
use crate::error::{Doing, Error};

/// Share links of one event. The list of them has no second page.
const SHARES_MAX: u32 = 100;

/// A share link as it is listed, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub id: ShareId,
    pub org: OrgId,
    pub event: EventId,
    pub rights: ShareRights,
    pub created_at: Timestamp,
    /// `None`: it does not expire.
    pub expires_at: Option<Timestamp>,
}

/// What a share link shows beside the figures of the event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShareRights {
    /// Names, ids and texts of people.
    pub people: bool,
    /// The figures of now.
    pub live: bool,
    /// Files of reports.
    pub downloads: bool,
}

/// [`Share`]s that were looked up less than a second ago.
pub(super) type ShareCache = TokenCache<Share>;

/// Selects all columns, with what follows `FROM shares`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, org, event_id, hash, people, live, downloads, created_at, expires_at, sum ",
            "FROM shares ",
            $rest
        )
    };
}

const INSERT: &str = "INSERT INTO shares
    (id, org, event_id, hash, people, live, downloads, created_at, expires_at, sum)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const COUNT: &str = "SELECT count(*) FROM shares WHERE org = $1 AND event_id = $2
    AND (expires_at IS NULL OR expires_at > $3)";

const SELECT: &str = select!("WHERE org = $1 AND (event_id = $2 OR $2 IS NULL) ORDER BY id");

const SELECT_BY_HANDLE: &str = select!("WHERE hash BETWEEN $1 AND $2");

const CHECK_ALL: &str = select!("");

const DELETE: &str =
    "DELETE FROM shares WHERE id = $1 AND org = $2 AND (event_id = $3 OR $3 IS NULL)";

const DELETE_EXPIRED: &str = "DELETE FROM shares WHERE expires_at <= $1";

impl Meta {
    /// Creates a share link of an event. Its secret is in the result and is not stored.
    pub async fn create_share(
        &self,
        org: &OrgId,
        event: &EventId,
        rights: ShareRights,
        expires_at: Option<Timestamp>,
    ) -> Result<(Share, TokenSecret), Error> {
        self.event(org, event).await?;
        let share = Share {
            id: ShareId::generate(),
            org: org.clone(),
            event: event.clone(),
            rights,
            created_at: self.now(),
            expires_at,
        };
        let secret = TokenSecret::generate()?;
        self.database()
            .write(async |tx| {
                ensure_room(tx, &share).await?;
                insert(tx, &share, &secret.hash()).await
            })
            .await?;
        Ok((share, secret))
    }

    /// The share links of an organisation, or of one of its events, oldest first. Expired ones are
    /// listed until they are deleted.
    pub async fn shares(&self, org: &OrgId, event: Option<&EventId>) -> Result<Vec<Share>, Error> {
        let rows = sqlx::query(SELECT)
            .bind(org.as_str())
            .bind(event.map(EventId::as_str))
            .fetch_all(self.readers())
            .await
            .doing("list share links")?;
        let share = |row| Ok(share_of(row)?.0);
        rows.iter().map(share).collect()
    }

    /// Revokes a share link: at once in this process, within a second in others.
    pub async fn revoke_share(
        &self,
        org: &OrgId,
        event: Option<&EventId>,
        id: ShareId,
    ) -> Result<(), Error> {
        let meta = self.clone();
        self.database()
            .write_protected(async |tx| {
                let done = sqlx::query(DELETE)
                    .bind(id.to_string())
                    .bind(org.as_str())
                    .bind(event.map(EventId::as_str))
                    .execute(&mut **tx);
                if done.await.doing("revoke a share link")?.rows_affected() == 0 {
                    return Err(Error::UnknownShare);
                }
                tx.after_commit(move || meta.shared.shares.clear());
                Ok(())
            })
            .await
    }

    /// The share link with this secret.
    pub async fn share(&self, secret: &str) -> Result<Share, Error> {
        let now = self.now();
        let secret = TokenSecret::parse(secret).ok_or(Error::UnknownShareLink)?;
        let hash = secret.hash();
        let look_up = async || find(self.readers(), hash, now).await;
        self.shared.shares.get(&hash, now, look_up).await
    }
}

/// Deletes share links that had expired by then. Returns their number.
pub(super) async fn delete_expired(
    tx: &mut SqliteConnection,
    expired_by: Timestamp,
) -> Result<u64, Error> {
    let done = sqlx::query(DELETE_EXPIRED)
        .bind(expired_by.as_millis())
        .execute(tx)
        .await
        .doing("delete old share links")?;
    Ok(done.rows_affected())
}

/// Fails if the event has as many share links as it may have.
async fn ensure_room(tx: &mut SqliteConnection, share: &Share) -> Result<(), Error> {
    let count: i64 = sqlx::query_scalar(COUNT)
        .bind(share.org.as_str())
        .bind(share.event.as_str())
        .bind(share.created_at.as_millis())
        .fetch_one(tx)
        .await
        .doing("count share links")?;
    if count >= SHARES_MAX.into() {
        return Err(Error::SharesFull { max: SHARES_MAX });
    }
    Ok(())
}

async fn insert(tx: &mut SqliteConnection, share: &Share, hash: &TokenHash) -> Result<(), Error> {
    let ShareRights {
        people,
        live,
        downloads,
    } = share.rights;
    sqlx::query(INSERT)
        .bind(share.id.to_string())
        .bind(share.org.as_str())
        .bind(share.event.as_str())
        .bind(hash.as_bytes())
        .bind(people)
        .bind(live)
        .bind(downloads)
        .bind(share.created_at.as_millis())
        .bind(share.expires_at.map(Timestamp::as_millis))
        .bind(sum(share, hash))
        .execute(tx)
        .await
        .doing("create a share link")?;
    Ok(())
}

async fn find(
    read: impl SqliteExecutor<'_>,
    hash: TokenHash,
    now: Timestamp,
) -> Result<FoundToken<Share>, Error> {
    let looked_up_at = Instant::now();
    let (least, greatest) = hash.handle().range();
    let row = sqlx::query(SELECT_BY_HANDLE)
        .bind(least.as_bytes())
        .bind(greatest.as_bytes())
        .fetch_optional(read)
        .await
        .doing("look up a share link")?;
    let found = row.as_ref().map(share_of).transpose()?;
    let (share, stored) = found.ok_or(Error::UnknownShareLink)?;
    if stored != hash {
        return Err(Error::UnknownShareLink);
    }
    if share.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::ShareExpired);
    }
    Ok(FoundToken {
        hash,
        expires_at: share.expires_at,
        access: share,
        looked_up_at,
    })
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, CHECK_ALL, |row| share_of(row).map(drop)).await
}

fn share_of(row: &SqliteRow) -> Result<(Share, TokenHash), Error> {
    let row = Stored(row);
    let hash: Vec<u8> = row.plain("hash")?;
    let hash = TokenHash::from_bytes(&hash)
        .ok_or_else(|| Error::damaged("the hash of a share link has not 32 bytes"))?;
    let share = Share {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        event: row.parsed("event_id")?,
        rights: ShareRights {
            people: row.plain("people")?,
            live: row.plain("live")?,
            downloads: row.plain("downloads")?,
        },
        created_at: row.time("created_at")?,
        expires_at: row.time_if_any("expires_at")?,
    };
    row.check("shares", sum(&share, &hash))?;
    Ok((share, hash))
}

fn sum(share: &Share, hash: &TokenHash) -> i64 {
    let ShareRights {
        people,
        live,
        downloads,
    } = share.rights;
    Sum::of("shares")
        .bytes(hash.as_bytes())
        .text(&share.id.to_string())
        .text(share.org.as_str())
        .text(share.event.as_str())
        .number(people.into())
        .number(live.into())
        .number(downloads.into())
        .number(share.created_at.as_millis())
        .number_if_any(share.expires_at.map(Timestamp::as_millis))
        .finish()
}

#[cfg(test)]
mod tests {
    use showreport_model::{Clock, Zone};

    use super::*;
    use crate::meta::testing::{Fixture, collector, event, org, registration, sent};

    async fn fixture() -> Fixture {
        let show = Fixture::new().await;
        let shutdown = tokio_util::sync::CancellationToken::new();
        let token = collector(&show.meta).await;
        let append = async {
            let facts = sent([registration("keynote", "The keynote", None)]);
            show.meta.journal().append(token, facts).await.unwrap();
            shutdown.cancel();
        };
        let writer = show.meta.journal_writer().run(shutdown.clone());
        let (ran, ()) = tokio::join!(writer, append);
        ran.unwrap();
        show
    }

    #[tokio::test]
    async fn a_share_link_opens_its_event_until_it_is_revoked_or_expires() {
        let show = Box::pin(fixture()).await;
        let meta = &show.meta;
        let keynote = event("keynote");
        let rights = ShareRights {
            live: true,
            ..ShareRights::default()
        };
        let in_a_second = show.clock.now().saturating_add_millis(1_000);
        let create = async |expires_at| {
            let created = meta.create_share(&show.org, &keynote, rights, expires_at);
            let (share, secret) = created.await.unwrap();
            (share, secret.expose().to_owned())
        };
        let (lasting, one) = create(None).await;
        let (brief, two) = create(Some(in_a_second)).await;
        assert_eq!(meta.share(&one).await.unwrap(), lasting);
        assert_eq!(meta.share(&two).await.unwrap(), brief);
        let listed = meta.shares(&show.org, Some(&keynote)).await.unwrap();
        assert_eq!(listed, [lasting.clone(), brief]);
        show.clock.advance(1_000);
        let expired = meta.share(&two).await;
        assert!(matches!(expired, Err(Error::ShareExpired)), "{expired:?}");

        let rival = org("rival");
        meta.create_org(&rival, &Zone::utc()).await.unwrap();
        for (org, event) in [(&rival, None), (&show.org, Some(&event("other")))] {
            let foreign = meta.revoke_share(org, event, lasting.id).await;
            assert!(matches!(foreign, Err(Error::UnknownShare)));
        }
        assert!(meta.shares(&rival, None).await.unwrap().is_empty());
        let unknown = meta.create_share(&rival, &keynote, rights, None).await;
        assert!(matches!(unknown, Err(Error::UnknownEvent { .. })));
        assert!(meta.session(&one).await.is_err() && meta.authenticate(&one).await.is_err());
        meta.verify().await.unwrap();

        meta.revoke_share(&show.org, None, lasting.id)
            .await
            .unwrap();
        let revoked = meta.share(&one).await;
        assert!(matches!(revoked, Err(Error::UnknownShareLink)));
        meta.delete_history(in_a_second).await.unwrap();
        assert!(meta.shares(&show.org, None).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn an_event_has_a_bounded_number_of_share_links() {
        let show = Box::pin(fixture()).await;
        let keynote = event("keynote");
        let rights = ShareRights::default();
        let create = || show.meta.create_share(&show.org, &keynote, rights, None);
        for _ in 0..SHARES_MAX {
            create().await.unwrap();
        }
        let full = create().await;
        assert!(matches!(full, Err(Error::SharesFull { .. })));
    }
}
