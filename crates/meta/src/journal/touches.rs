//! [`Touches`]: which events the rows that wait have facts of.
//!
//! It lies in memory and is read from the rows themselves. An index of the
//! database would answer as fast, but an entry that vanished from it would be missed by
//! nobody, and a report would leave out what was acknowledged.

use std::collections::BTreeMap;
use std::sync::Mutex;

use showreport_model::{EventId, OrgId};
use sqlx::SqliteConnection;

use super::RowHead;
use crate::database::{Ledger, Stored};
use crate::error::{Doing, Error};

/// Which events the rows have facts of, up to some row. Other processes append too, so it is
/// brought up to the ledger before each answer.
#[derive(Debug, Default)]
pub(crate) struct Touches {
    waits: Mutex<Waits>,
}

#[derive(Debug, Default)]
struct Waits {
    /// The row up to which all is known.
    known_to: i64,
    /// The oldest row that waits, as far as anybody has heard.
    first: i64,
    events: BTreeMap<(OrgId, EventId), Rows>,
}

/// Rows that have facts of one event.
#[derive(Debug, Clone, Copy)]
struct Rows {
    /// The oldest; perhaps it is flushed already.
    oldest: i64,
    newest: i64,
}

/// Rows that are read at once.
const READ_ROWS: i64 = 1_000;

const SELECT: &str = "SELECT seq, appended_at, rows, bytes, payload_sum, sum, touched FROM journal
    WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

impl Touches {
    /// Takes in a row that was just added, the newest of this ledger.
    pub(crate) fn note<'e>(
        &self,
        ledger: &Ledger,
        events: impl IntoIterator<Item = &'e (OrgId, EventId)>,
    ) {
        let mut waits = self.waits();
        waits.forget_before(ledger.journal_first);
        // Where rows before it are not known yet, it is read with them later.
        if waits.next() == ledger.journal_last {
            waits.add(ledger.journal_last, events.into_iter().cloned());
        }
    }

    /// Whether a row up to that number waits that has facts of the event.
    pub(crate) async fn event(
        &self,
        read: &mut SqliteConnection,
        ledger: &Ledger,
        event: &(OrgId, EventId),
        up_to: i64,
    ) -> Result<bool, Error> {
        self.bring_up(read, ledger).await?;
        let waits = self.waits();
        let rows = waits.events.get(event);
        Ok(rows.is_some_and(|rows| rows.wait(ledger.journal_first, up_to)))
    }

    /// Whether a row up to that number waits that has facts of the organisation.
    pub(crate) async fn org(
        &self,
        read: &mut SqliteConnection,
        ledger: &Ledger,
        org: &OrgId,
        up_to: i64,
    ) -> Result<bool, Error> {
        self.bring_up(read, ledger).await?;
        let waits = self.waits();
        let mut of_org = waits.events.iter().filter(|((whose, _), _)| whose == org);
        Ok(of_org.any(|(_, rows)| rows.wait(ledger.journal_first, up_to)))
    }

    /// Reads the rows that are not known yet.
    pub(crate) async fn bring_up(
        &self,
        read: &mut SqliteConnection,
        ledger: &Ledger,
    ) -> Result<(), Error> {
        loop {
            let from = {
                let mut waits = self.waits();
                waits.forget_before(ledger.journal_first);
                waits.next()
            };
            if from > ledger.journal_last {
                return Ok(());
            }
            let to = ledger.journal_last.min(from + READ_ROWS - 1);
            let rows = sqlx::query(SELECT)
                .bind(from)
                .bind(to)
                .fetch_all(&mut *read)
                .await
                .doing("read what the journal is about")?;
            for seq in from..=to {
                let place = usize::try_from(seq - from).expect("few are read at once");
                let row = rows.get(place).ok_or_else(|| super::missing(seq))?;
                RowHead::read(row, seq)?;
                let events: Vec<(OrgId, EventId)> = Stored(row).json("touched")?;
                self.waits().add(seq, events);
            }
        }
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().expect("nothing panics while it is held")
    }
}

impl Waits {
    /// The row that has to be read next.
    fn next(&self) -> i64 {
        self.first.max(self.known_to + 1)
    }

    fn add(&mut self, seq: i64, events: impl IntoIterator<Item = (OrgId, EventId)>) {
        // Two may have read the same row.
        if seq < self.next() {
            return;
        }
        for event in events {
            let new = Rows {
                oldest: seq,
                newest: seq,
            };
            self.events.entry(event).or_insert(new).newest = seq;
        }
        self.known_to = seq;
    }

    fn forget_before(&mut self, first: i64) {
        if first > self.first {
            self.first = first;
            self.events.retain(|_, rows| rows.newest >= first);
        }
    }
}

impl Rows {
    /// Whether one of them waits and is not past `up_to`. Where only later ones do, it may still
    /// say so; then a flush too many is made, until none up to there waits at all.
    fn wait(self, first: i64, up_to: i64) -> bool {
        self.newest >= first && self.oldest.max(first) <= up_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_waits_from_its_oldest_row_until_its_newest_is_flushed() {
        let mut waits = Waits::default();
        let event = (
            OrgId::new("acme").unwrap(),
            EventId::new("keynote").unwrap(),
        );
        waits.forget_before(5);
        assert_eq!(waits.next(), 5);
        waits.add(5, []);
        waits.add(6, [event.clone()]);
        waits.add(6, []);
        waits.add(7, [event.clone()]);
        assert_eq!(waits.next(), 8);
        let wait = |waits: &Waits, first, up_to| waits.events[&event].wait(first, up_to);
        assert!(!wait(&waits, 5, 5));
        assert!(wait(&waits, 5, 6));
        assert!(wait(&waits, 7, 7));
        assert!(!wait(&waits, 7, 6), "no row up to there waits");
        waits.forget_before(8);
        assert!(waits.events.is_empty());
        assert_eq!(waits.next(), 8);
    }
}
