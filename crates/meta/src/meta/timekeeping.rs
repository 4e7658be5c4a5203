//! Whether the clock can be trusted.

use super::Meta;
use crate::clock;
use crate::database::NewDoubt;
use crate::error::Error;

impl Meta {
    /// Refuses while the clock is more than an hour before the last transaction: what is live
    /// would be taken for records of days to come.
    pub async fn ensure_clock(&self) -> Result<(), Error> {
        let timekeeper = self.shared.database.timekeeper();
        let mut behind = timekeeper.behind();
        if behind.is_some() {
            // Another process may have confirmed the clock since.
            if let Some(committed_at) = self.ledger().await?.committed_at {
                timekeeper.note_commit(committed_at);
            }
            behind = timekeeper.behind();
        }
        let has_changed = timekeeper.note_behind(behind.is_some());
        let Some((now, committed_at)) = behind else {
            if has_changed {
                tracing::info!("the clock is right again");
            }
            return Ok(());
        };
        let error = Error::ClockBehind { now, committed_at };
        if has_changed {
            tracing::error!("{error}");
        }
        Err(error)
    }

    /// Whether the clock went forward by more than an hour, while this process ran or since the
    /// last transaction. For an hour then, or until an operator confirms it, nothing may be deleted
    /// because of its age, and nothing published because of the date.
    ///
    /// To be asked after the time was read by which something is old or due: a clock that goes
    /// forward in between is noticed then.
    pub async fn clock_in_doubt(&self) -> Result<bool, Error> {
        let database = &self.shared.database;
        let doubts = clock::find(database.readers()).await?;
        let now = self.shared.clock.now();
        let (is_in_doubt, new) = database.timekeeper().look(doubts.confirmations);
        if let Some(new) = new {
            self.keep_doubt(new).await?;
        }
        Ok(is_in_doubt || doubts.include(now))
    }

    /// Says that the clock is right, to every process: nothing waits for it any more.
    pub async fn confirm_clock(&self) -> Result<(), Error> {
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            clock::confirm(&mut write, self.shared.clock.now()).await?;
            // The commit puts the present time in its place, however late the former was.
            write.ledger.committed_at = None;
            write.commit().await
        };
        database.protect(write).await
    }

    /// Doubts the clock, if this process starts long after the last transaction.
    pub(super) async fn look_at_clock(&self) -> Result<(), Error> {
        let database = &self.shared.database;
        let doubts = clock::find(database.readers()).await?;
        let committed_at = self.ledger().await?.committed_at;
        let Some(committed_at) = committed_at else {
            return Ok(());
        };
        let timekeeper = database.timekeeper();
        timekeeper.note_commit(committed_at);
        match timekeeper.doubt_start(committed_at, doubts.confirmations) {
            Some(new) => self.keep_doubt(new).await,
            None => Ok(()),
        }
    }

    async fn keep_doubt(&self, new: NewDoubt) -> Result<(), Error> {
        tracing::warn!(
            until = %new.until,
            "the clock went forward by more than an hour, or nothing was written for as long: \
             nothing is deleted or published for an hour, or until `showreport clock confirm`"
        );
        let database = &self.shared.database;
        let write = || async move {
            let mut writer = database.writer().await;
            let mut write = writer.begin_protected().await?;
            clock::doubt(&mut write, new).await?;
            write.commit().await
        };
        database.protect(write).await
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::{Clock, ErrorKind, Failure};
    use tokio_util::sync::CancellationToken;

    use super::super::testing::{Fixture, collector, playback, sent};
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;

    async fn collect(meta: &Meta) -> Result<(), Error> {
        let shutdown = CancellationToken::new();
        let journal = meta.journal();
        let token = collector(meta).await;
        let append = async {
            let appended = journal
                .append(token, sent([playback("keynote", "p")]))
                .await;
            shutdown.cancel();
            appended
        };
        let writer = meta.journal_writer().run(shutdown.clone());
        let (ran, appended) = tokio::join!(writer, append);
        ran.unwrap();
        appended
    }

    #[tokio::test]
    async fn a_clock_before_the_last_transaction_takes_no_records_until_it_is_right_or_confirmed() {
        let show = Fixture::new().await;
        show.clock.set(-HOUR_MS);
        show.meta.ensure_clock().await.unwrap();
        show.clock.set(-1);
        let behind = show.meta.ensure_clock().await.unwrap_err();
        assert!(matches!(behind, Error::ClockBehind { .. }), "{behind}");
        assert_eq!(behind.kind(), ErrorKind::Busy);
        let refused = collect(&show.meta).await.unwrap_err();
        assert!(matches!(refused, Error::ClockBehind { .. }), "{refused}");
        // Other transactions are no proof that it is right.
        let other = show.reopen().await;
        let utc = showreport_model::Zone::utc();
        let org = showreport_model::OrgId::new("other").unwrap();
        other.create_org(&org, &utc).await.unwrap();
        for meta in [&show.meta, &other] {
            assert!(meta.ensure_clock().await.is_err());
        }
        show.clock.set(1);
        show.meta.ensure_clock().await.unwrap();

        show.clock.set(-DAY_MS);
        assert!(show.meta.ensure_clock().await.is_err());
        other.confirm_clock().await.unwrap();
        show.meta.ensure_clock().await.unwrap();
        collect(&other).await.unwrap();
    }

    #[tokio::test]
    async fn a_clock_that_jumps_forward_is_in_doubt_for_an_hour_by_the_monotonic_clock() {
        let show = Fixture::new().await;
        show.clock.advance(30 * DAY_MS);
        assert!(
            !show.meta.clock_in_doubt().await.unwrap(),
            "time has passed"
        );
        show.clock.set(HOUR_MS);
        assert!(!show.meta.clock_in_doubt().await.unwrap());
        show.clock.set(40 * DAY_MS);
        assert!(show.meta.clock_in_doubt().await.unwrap());
        // Neither a further jump, nor a restart, nor what is written meanwhile ends the doubt.
        show.clock.set(2 * DAY_MS);
        collect(&show.meta).await.unwrap();
        assert!(show.meta.clock_in_doubt().await.unwrap());
        assert!(show.reopen().await.clock_in_doubt().await.unwrap());
        show.clock.advance(HOUR_MS - 1);
        assert!(show.meta.clock_in_doubt().await.unwrap());
        show.clock.advance(1);
        assert!(!show.meta.clock_in_doubt().await.unwrap());
        show.clock.set(2 * HOUR_MS);
        assert!(show.meta.clock_in_doubt().await.unwrap(), "a new jump");
    }

    #[tokio::test]
    async fn a_clock_that_jumps_forward_and_back_leaves_nothing_behind() {
        let show = Fixture::new().await;
        show.clock.set(40 * DAY_MS);
        collect(&show.meta).await.unwrap();
        assert!(show.meta.clock_in_doubt().await.unwrap());
        show.clock.set(-40 * DAY_MS);
        show.meta.ensure_clock().await.unwrap();
        assert!(!show.meta.clock_in_doubt().await.unwrap());
        show.reopen().await.ensure_clock().await.unwrap();
    }

    #[tokio::test]
    async fn a_start_long_after_the_last_transaction_is_in_doubt_until_it_is_confirmed() {
        let show = Fixture::new().await;
        show.clock.advance(HOUR_MS);
        let soon = show.reopen().await;
        assert!(!soon.clock_in_doubt().await.unwrap());
        show.clock.advance(2 * HOUR_MS);
        let late = show.reopen().await;
        // A third that starts at once sees a new transaction, and the doubt all the same.
        let next = show.reopen().await;
        assert!(late.clock_in_doubt().await.unwrap());
        assert!(next.clock_in_doubt().await.unwrap());
        next.confirm_clock().await.unwrap();
        for meta in [&show.meta, &soon, &late, &next] {
            assert!(!meta.clock_in_doubt().await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_doubt_is_over_after_an_hour_in_every_process() {
        let show = Fixture::new().await;
        show.clock.advance(2 * HOUR_MS);
        let late = show.reopen().await;
        assert!(late.clock_in_doubt().await.unwrap());
        show.clock.advance(HOUR_MS);
        assert!(!late.clock_in_doubt().await.unwrap());
        let next = show.reopen().await;
        assert!(
            !next.clock_in_doubt().await.unwrap(),
            "{}",
            show.clock.now()
        );
    }
}
