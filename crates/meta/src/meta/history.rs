//! Deletes old reports, tokens, sessions, share links and idempotency keys, some rows at a time.

use showreport_model::Timestamp;

use super::{Meta, reports, sessions, shares, tokens};
use crate::error::Error;

/// Rows that one transaction deletes. Other writers wait meanwhile.
const ROWS_MAX: u32 = 500;

/// Transactions of one call. A million old rows are deleted within a day.
const TRANSACTIONS_MAX: u32 = 100;

impl Meta {
    /// Deletes reports without a file that ended by then, tokens that were revoked or expired by
    /// then, share links that had expired by then, and sessions and idempotency keys that have expired. Returns the number of reports.
    pub async fn delete_history(&self, ended_by: Timestamp) -> Result<u64, Error> {
        self.delete_keys_and_tokens(ended_by).await?;
        let mut deleted = 0;
        for _ in 0..TRANSACTIONS_MAX {
            let rows = self.delete_some_reports(ended_by).await?;
            deleted += rows;
            if rows < ROWS_MAX.into() {
                break;
            }
        }
        Ok(deleted)
    }

    async fn delete_some_reports(&self, ended_by: Timestamp) -> Result<u64, Error> {
        self.database()
            .write_protected(async |tx| {
                let rows = reports::delete_ended(tx, ended_by, ROWS_MAX).await?;
                if rows == 0 {
                    tx.discard();
                }
                Ok(rows)
            })
            .await
    }

    async fn delete_keys_and_tokens(&self, ended_by: Timestamp) -> Result<(), Error> {
        let now = self.now();
        self.database()
            .write_protected(async |tx| {
                let keys = reports::delete_old_keys(tx, now).await?;
                let tokens = tokens::delete_ended(tx, ended_by).await?;
                let sessions = sessions::delete_ended(tx, now).await?;
                let shares = shares::delete_expired(tx, ended_by).await?;
                if keys + tokens + sessions + shares == 0 {
                    tx.discard();
                }
                Ok(())
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::report::{ReportFailure, ReportFile};
    use showreport_model::{Clock, ErrorKind, Failure, ReportId};
    use tokio_util::sync::CancellationToken;

    use crate::meta::testing::{Fixture, collector, registration, sent};
    use crate::{Idempotency, ReportEnd, Scope};

    const YEAR_MS: i64 = 365 * 86_400_000;

    async fn fixture() -> Fixture {
        let show = Fixture::new().await;
        let shutdown = CancellationToken::new();
        let token = collector(&show.meta).await;
        let journal = show.meta.journal();
        let append = async {
            let facts = sent([registration("keynote", "The keynote", None)]);
            journal.append(token, facts).await.unwrap();
            shutdown.cancel();
        };
        let writer = show.meta.journal_writer().run(shutdown.clone());
        let (ran, ()) = tokio::join!(writer, append);
        ran.unwrap();
        show
    }

    async fn create(show: &Fixture, key: &str) -> ReportId {
        let order = show.order("keynote");
        let idempotency = Idempotency {
            key: key.to_owned(),
            body_sha256: [0; 32],
        };
        let created = show
            .meta
            .create_reports(&show.org, &[order], Some(&idempotency))
            .await;
        created.unwrap()[0].id
    }

    /// Makes a report end, with a file or without.
    async fn end(show: &Fixture, id: ReportId, with_file: bool) {
        let job = show.meta.claim_job(1_000).await.unwrap().unwrap();
        assert_eq!(job.payload, id.to_string());
        let ended = if with_file {
            let file = ReportFile {
                attempt: 1,
                row_count: 1,
                size_bytes: 1,
                raw_size_bytes: None,
                sha256: String::new(),
            };
            let expires_at = show.clock.now().saturating_add_millis(1_000);
            show.meta.publish_report(&job, id, &file, expires_at).await
        } else {
            let failure = ReportFailure {
                reason: "NO_LUCK".to_owned(),
                message: String::new(),
            };
            show.meta.fail_report(&job, id, &failure).await
        };
        assert_eq!(ended.unwrap(), ReportEnd::Ended);
    }

    async fn is_stored(show: &Fixture, id: ReportId) -> bool {
        match show.meta.report(&show.org, id).await {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_report_is_deleted_some_time_after_its_end_and_never_before_its_file() {
        let show = Box::pin(fixture()).await;
        let failed = create(&show, "a").await;
        end(&show, failed, false).await;
        let kept = create(&show, "b").await;
        end(&show, kept, true).await;
        let expired = create(&show, "c").await;
        end(&show, expired, true).await;
        show.meta.clear_report_file(expired).await.unwrap();
        let running = create(&show, "d").await;

        let ended_at = show.clock.now();
        let before = ended_at.saturating_add_millis(-1);
        assert_eq!(show.meta.delete_history(before).await.unwrap(), 0);
        show.clock.advance(YEAR_MS);
        assert_eq!(show.meta.delete_history(ended_at).await.unwrap(), 2);
        for (id, stays) in [
            (failed, false),
            (kept, true),
            (expired, false),
            (running, true),
        ] {
            assert_eq!(is_stored(&show, id).await, stays);
        }
        show.meta.clear_report_file(kept).await.unwrap();
        assert_eq!(show.meta.delete_history(ended_at).await.unwrap(), 1);
        show.meta.verify().await.unwrap();
    }

    #[tokio::test]
    async fn old_keys_and_invalid_tokens_are_deleted() {
        let show = Box::pin(fixture()).await;
        create(&show, "old").await;
        let now = show.clock.now();
        let brief = now.saturating_add_millis(1_000);
        let mut tokens = Vec::new();
        for expires_at in [
            None,
            Some(brief),
            None,
            Some(now.saturating_add_millis(2 * YEAR_MS)),
        ] {
            let scopes = Scope::Collect.into();
            let token = show.meta.create_token(&show.org, scopes, expires_at).await;
            tokens.push(token.unwrap().0);
        }
        show.meta.revoke_token(tokens[2]).await.unwrap();
        let left = async || {
            let listed = show.meta.tokens(None).await.unwrap();
            let ids = listed.iter().map(|token| token.id);
            ids.filter(|id| tokens.contains(id)).collect::<Vec<_>>()
        };
        let keys = async || {
            let count = sqlx::query_scalar("SELECT count(*) FROM idempotency_keys");
            let count: i64 = count.fetch_one(show.meta.readers()).await.unwrap();
            count
        };
        let just_before = now.saturating_add_millis(-1);
        show.meta.delete_history(just_before).await.unwrap();
        assert_eq!((left().await.len(), keys().await), (4, 1));
        show.clock.advance(YEAR_MS);
        show.meta.delete_history(brief).await.unwrap();
        assert_eq!(left().await, [tokens[0], tokens[3]]);
        assert_eq!(keys().await, 0);
    }
}
