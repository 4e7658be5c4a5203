//! History is bounded: what is long over is forgotten, a little at a time.

use showreport_model::Timestamp;

use super::Meta;
use crate::error::Error;
use crate::{reports, tokens};

/// Rows deleted in one transaction: others wait for the connection meanwhile.
const ROWS: u32 = 500;

/// Transactions in one call. A million rows of an earlier version go within a day.
const TRANSACTIONS_MAX: u32 = 100;

impl Meta {
    /// Forgets reports that have no file and ended by then, tokens that opened nothing since
    /// then, and idempotency keys past their time. Gives how many reports it forgot.
    pub async fn forget_history(&self, ended_by: Timestamp) -> Result<u64, Error> {
        self.forget_keys_and_tokens(ended_by).await?;
        let mut forgotten = 0;
        for _ in 0..TRANSACTIONS_MAX {
            let rows = self.forget_some(ended_by).await?;
            forgotten += rows;
            if rows < ROWS.into() {
                break;
            }
        }
        Ok(forgotten)
    }

    async fn forget_some(&self, ended_by: Timestamp) -> Result<u64, Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let rows = reports::forget(&mut write, ended_by, ROWS).await?;
            if rows > 0 {
                write.commit().await?;
            }
            Ok(rows)
        };
        database.protect(write).await
    }

    async fn forget_keys_and_tokens(&self, ended_by: Timestamp) -> Result<(), Error> {
        let now = self.shared.clock.now();
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            let keys = reports::forget_old_keys(&mut write, now).await?;
            let tokens = tokens::forget(&mut write, ended_by).await?;
            // Most of the time there is nothing to make durable.
            if keys + tokens > 0 {
                write.commit().await?;
            }
            Ok(())
        };
        database.protect(write).await
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::report::{ReportFailure, ReportFile};
    use showreport_model::{Clock, ErrorKind, Failure, ReportId};
    use tokio_util::sync::CancellationToken;

    use super::super::testing::{Fixture, collector, registration, sent};
    use crate::{Idempotency, Scope};

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
        assert!(ended.unwrap());
    }

    async fn is_known(show: &Fixture, id: ReportId) -> bool {
        match show.meta.report(&show.org, id).await {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn a_report_is_forgotten_a_while_after_its_end_and_never_before_its_file() {
        let show = Box::pin(fixture()).await;
        let failed = create(&show, "a").await;
        end(&show, failed, false).await;
        let kept = create(&show, "b").await;
        end(&show, kept, true).await;
        let expired = create(&show, "c").await;
        end(&show, expired, true).await;
        show.meta.forget_file(expired).await.unwrap();
        let running = create(&show, "d").await;

        let ended_at = show.clock.now();
        let before = ended_at.saturating_add_millis(-1);
        assert_eq!(show.meta.forget_history(before).await.unwrap(), 0);
        show.clock.advance(YEAR_MS);
        assert_eq!(show.meta.forget_history(ended_at).await.unwrap(), 2);
        for (id, stays) in [
            (failed, false),
            (kept, true),
            (expired, false),
            (running, true),
        ] {
            assert_eq!(is_known(&show, id).await, stays);
        }
        show.meta.forget_file(kept).await.unwrap();
        assert_eq!(show.meta.forget_history(ended_at).await.unwrap(), 1);
        show.meta.verify().await.unwrap();
    }

    #[tokio::test]
    async fn keys_and_tokens_that_do_nothing_any_more_are_forgotten() {
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
            let count: i64 = count
                .fetch_one(show.meta.shared.database.readers())
                .await
                .unwrap();
            count
        };
        let just_before = now.saturating_add_millis(-1);
        show.meta.forget_history(just_before).await.unwrap();
        assert_eq!((left().await.len(), keys().await), (4, 1));
        show.clock.advance(YEAR_MS);
        show.meta.forget_history(brief).await.unwrap();
        assert_eq!(left().await, [tokens[0], tokens[3]]);
        assert_eq!(keys().await, 0);
    }
}
