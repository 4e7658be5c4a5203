//! Whether the clock can be trusted, as all processes on the database see it.

use showreport_model::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use super::Meta;
use crate::database::{ClockCheck, NewDoubt, Stored, Sum};
use crate::error::{Doing, Error};

/// The stored state of the clock. The default is that of a clock that was never in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Doubts {
    /// The clock is in doubt from the first time until the second.
    period: Option<(Timestamp, Timestamp)>,
    /// How often an operator has confirmed the clock.
    confirmations: i64,
}

const SELECT: &str =
    "SELECT doubted_from, doubted_until, confirmations, sum FROM clock WHERE id = 1";

const UPSERT: &str = "INSERT INTO clock (id, doubted_from, doubted_until, confirmations, sum)
    VALUES (1, $1, $2, $3, $4)
    ON CONFLICT (id) DO UPDATE SET doubted_from = excluded.doubted_from,
        doubted_until = excluded.doubted_until, confirmations = excluded.confirmations,
        sum = excluded.sum";

impl Meta {
    /// Fails while the clock is more than an hour before the last transaction: records of live
    /// events would be stored as records of the future.
    pub async fn ensure_clock(&self) -> Result<(), Error> {
        let timekeeper = self.database().timekeeper();
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
    /// last transaction. Then, for an hour or until an operator confirms the clock, nothing may be
    /// deleted because of its age, and nothing published because of the date.
    ///
    /// Call it after reading the time that decides what is old or due. A clock that goes forward
    /// in between is then noticed.
    pub async fn is_clock_in_doubt(&self) -> Result<bool, Error> {
        let doubts = find(self.readers()).await?;
        let now = self.now();
        let check = self.database().timekeeper().check(doubts.confirmations);
        if let ClockCheck::DoubtBegins(new) = check {
            self.store_doubt(new).await?;
        }
        Ok(check != ClockCheck::Trusted || doubts.include(now))
    }

    /// Confirms that the clock is right: every doubt ends, in every process.
    pub async fn confirm_clock(&self) -> Result<(), Error> {
        self.database()
            .write_protected(async |tx| {
                confirm(tx, self.now()).await?;
                // The commit stores the present time instead, even if it is earlier.
                tx.ledger.committed_at = None;
                Ok(())
            })
            .await
    }

    /// Puts the clock in doubt if this process starts long after the last transaction.
    pub(super) async fn check_clock_at_start(&self) -> Result<(), Error> {
        let doubts = find(self.readers()).await?;
        let Some(committed_at) = self.ledger().await?.committed_at else {
            return Ok(());
        };
        let timekeeper = self.database().timekeeper();
        timekeeper.note_commit(committed_at);
        match timekeeper.doubt_start(committed_at, doubts.confirmations) {
            Some(new) => self.store_doubt(new).await,
            None => Ok(()),
        }
    }

    async fn store_doubt(&self, new: NewDoubt) -> Result<(), Error> {
        tracing::warn!(
            until = %new.until,
            "the clock went forward by more than an hour, or nothing was written for as long: \
             nothing is deleted or published for an hour, or until `showreport clock confirm`"
        );
        self.database()
            .write_protected(async |tx| doubt(tx, new).await)
            .await
    }
}

impl Doubts {
    /// Whether the clock is in doubt at this time. A clock that has gone back since is not.
    fn include(&self, now: Timestamp) -> bool {
        self.period
            .is_some_and(|(from, until)| from <= now && now < until)
    }
}

async fn find(read: impl SqliteExecutor<'_>) -> Result<Doubts, Error> {
    let row = sqlx::query(SELECT)
        .fetch_optional(read)
        .await
        .doing("read the state of the clock")?;
    row.as_ref().map_or(Ok(Doubts::default()), doubts)
}

fn doubts(row: &SqliteRow) -> Result<Doubts, Error> {
    let row = Stored(row);
    let (from, until) = (row.time("doubted_from")?, row.time("doubted_until")?);
    let confirmations = row.plain("confirmations")?;
    row.check("clock", sum(from, until, confirmations))?;
    Ok(Doubts {
        period: Some((from, until)),
        confirmations,
    })
}

async fn doubt(tx: &mut SqliteConnection, new: NewDoubt) -> Result<(), Error> {
    let confirmations = find(&mut *tx).await?.confirmations;
    store(tx, (new.from, new.until), confirmations).await
}

async fn confirm(tx: &mut SqliteConnection, now: Timestamp) -> Result<(), Error> {
    let confirmations = find(&mut *tx).await?.confirmations;
    store(tx, (now, now), confirmations + 1).await
}

async fn store(
    tx: &mut SqliteConnection,
    (from, until): (Timestamp, Timestamp),
    confirmations: i64,
) -> Result<(), Error> {
    sqlx::query(UPSERT)
        .bind(from.as_millis())
        .bind(until.as_millis())
        .bind(confirmations)
        .bind(sum(from, until, confirmations))
        .execute(tx)
        .await
        .doing("store the state of the clock")?;
    Ok(())
}

fn sum(from: Timestamp, until: Timestamp, confirmations: i64) -> i64 {
    Sum::of("clock")
        .number(from.as_millis())
        .number(until.as_millis())
        .number(confirmations)
        .finish()
}

#[cfg(test)]
mod tests {
    use showreport_model::{Clock, ErrorKind, Failure};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::meta::testing::{Fixture, collector, playback, sent};

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
    async fn a_clock_before_the_last_transaction_refuses_records_until_it_is_right_or_confirmed() {
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
            !show.meta.is_clock_in_doubt().await.unwrap(),
            "time has passed"
        );
        show.clock.set(HOUR_MS);
        assert!(!show.meta.is_clock_in_doubt().await.unwrap());
        show.clock.set(40 * DAY_MS);
        assert!(show.meta.is_clock_in_doubt().await.unwrap());
        // Neither a further jump, nor a restart, nor what is written meanwhile ends the doubt.
        show.clock.set(2 * DAY_MS);
        collect(&show.meta).await.unwrap();
        assert!(show.meta.is_clock_in_doubt().await.unwrap());
        assert!(show.reopen().await.is_clock_in_doubt().await.unwrap());
        show.clock.advance(HOUR_MS - 1);
        assert!(show.meta.is_clock_in_doubt().await.unwrap());
        show.clock.advance(1);
        assert!(!show.meta.is_clock_in_doubt().await.unwrap());
        show.clock.set(2 * HOUR_MS);
        assert!(show.meta.is_clock_in_doubt().await.unwrap(), "a new jump");
    }

    #[tokio::test]
    async fn a_clock_that_jumps_forward_and_back_leaves_nothing_behind() {
        let show = Fixture::new().await;
        show.clock.set(40 * DAY_MS);
        collect(&show.meta).await.unwrap();
        assert!(show.meta.is_clock_in_doubt().await.unwrap());
        show.clock.set(-40 * DAY_MS);
        show.meta.ensure_clock().await.unwrap();
        assert!(!show.meta.is_clock_in_doubt().await.unwrap());
        show.reopen().await.ensure_clock().await.unwrap();
    }

    #[tokio::test]
    async fn a_start_long_after_the_last_transaction_is_in_doubt_until_it_is_confirmed() {
        let show = Fixture::new().await;
        show.clock.advance(HOUR_MS);
        let soon = show.reopen().await;
        assert!(!soon.is_clock_in_doubt().await.unwrap());
        show.clock.advance(2 * HOUR_MS);
        let late = show.reopen().await;
        // A third that starts at once sees a new transaction, and the doubt all the same.
        let next = show.reopen().await;
        assert!(late.is_clock_in_doubt().await.unwrap());
        assert!(next.is_clock_in_doubt().await.unwrap());
        next.confirm_clock().await.unwrap();
        for meta in [&show.meta, &soon, &late, &next] {
            assert!(!meta.is_clock_in_doubt().await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_doubt_is_over_after_an_hour_in_every_process() {
        let show = Fixture::new().await;
        show.clock.advance(2 * HOUR_MS);
        let late = show.reopen().await;
        assert!(late.is_clock_in_doubt().await.unwrap());
        show.clock.advance(HOUR_MS);
        assert!(!late.is_clock_in_doubt().await.unwrap());
        let next = show.reopen().await;
        assert!(
            !next.is_clock_in_doubt().await.unwrap(),
            "{}",
            show.clock.now()
        );
    }
}
