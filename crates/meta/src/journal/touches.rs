//! [`Touches`]: which events the rows that wait have facts of.
//!
//! It lies in memory and is read from the rows themselves. An index of the
//! database would answer as fast, but an entry that vanished from it would be missed by
//! nobody, and a report would leave out what was acknowledged.

use std::collections::hash_map::{Entry, HashMap, RandomState};
use std::hash::BuildHasher;
use std::sync::Mutex;

use futures::TryStreamExt;
use showreport_model::{EventId, OrgId};
use sqlx::SqliteConnection;

use super::RowHead;
use crate::database::{Ledger, Stored};
use crate::error::{Doing, Error};

/// Which events the rows have facts of, up to some row. Other processes append too, so it is
/// brought up to the ledger before each answer.
#[derive(Debug)]
pub(crate) struct Touches {
    waits: Mutex<Waits>,
    hasher: RandomState,
}

/// Events that are kept apart. Those that come when there are as many are known by their organisation
/// alone, so that the journal takes no more memory than this, whatever it holds: about 20 MB.
const EVENTS_MAX: usize = 500_000;

#[derive(Debug)]
struct Waits {
    /// The row up to which all is known.
    known_to: i64,
    /// The oldest row that waits, as far as anybody has heard.
    first: i64,
    /// By a keyed hash of organisation and event. Where two share one, both are taken to wait as
    /// long as either does: that costs a flush, and leaves nothing out.
    events: HashMap<u64, Rows>,
    events_max: usize,
    orgs: HashMap<OrgId, OfOrg>,
}

/// Rows that have facts of an organisation.
#[derive(Debug, Clone, Copy)]
struct OfOrg {
    all: Rows,
    /// Those that may have facts of events that are not kept apart.
    others: Option<Rows>,
}

/// Rows that have facts of something.
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

impl Default for Touches {
    fn default() -> Self {
        Self {
            waits: Mutex::new(Waits::new(EVENTS_MAX)),
            hasher: RandomState::new(),
        }
    }
}

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
            waits.add(ledger.journal_last, self.hashed(events));
        }
    }

    /// Whether a row up to that number waits that has facts of the event. It may say so of an event
    /// that has none, where there are too many to be kept apart.
    pub(crate) async fn event(
        &self,
        read: &mut SqliteConnection,
        ledger: &Ledger,
        event: &(OrgId, EventId),
        up_to: i64,
    ) -> Result<bool, Error> {
        self.bring_up(read, ledger).await?;
        let rows = self.waits().of_event(&event.0, self.hasher.hash_one(event));
        let mut rows = rows.into_iter().flatten();
        Ok(rows.any(|rows| rows.wait(ledger.journal_first, up_to)))
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
        let rows = self.waits().orgs.get(org).map(|of_org| of_org.all);
        Ok(rows.is_some_and(|rows| rows.wait(ledger.journal_first, up_to)))
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
            self.read(read, from, to).await?;
        }
    }

    /// Reads these rows one after the other: each may name thousands of events.
    async fn read(&self, read: &mut SqliteConnection, from: i64, to: i64) -> Result<(), Error> {
        let doing = "read what the journal is about";
        let mut rows = sqlx::query(SELECT).bind(from).bind(to).fetch(read);
        for seq in from..=to {
            let row = rows.try_next().await.doing(doing)?;
            let row = row.ok_or_else(|| super::missing(seq))?;
            RowHead::read(&row, seq)?;
            let events: Vec<(OrgId, EventId)> = Stored(&row).json("touched")?;
            self.waits().add(seq, self.hashed(&events));
        }
        Ok(())
    }

    fn hashed<'e>(
        &self,
        events: impl IntoIterator<Item = &'e (OrgId, EventId)>,
    ) -> impl Iterator<Item = (&'e OrgId, u64)> {
        let events = events.into_iter();
        events.map(|event| (&event.0, self.hasher.hash_one(event)))
    }

    fn waits(&self) -> std::sync::MutexGuard<'_, Waits> {
        self.waits.lock().expect("nothing panics while it is held")
    }
}

impl Waits {
    fn new(events_max: usize) -> Self {
        Self {
            known_to: 0,
            first: 0,
            events: HashMap::new(),
            events_max,
            orgs: HashMap::new(),
        }
    }

    /// The row that has to be read next.
    fn next(&self) -> i64 {
        self.first.max(self.known_to + 1)
    }

    fn add<'e>(&mut self, seq: i64, events: impl IntoIterator<Item = (&'e OrgId, u64)>) {
        // Two may have read the same row.
        if seq < self.next() {
            return;
        }
        for (org, event) in events {
            let is_kept_apart = self.note_event(event, seq);
            let Some(of_org) = self.orgs.get_mut(org) else {
                let of_org = OfOrg {
                    all: Rows::of(seq),
                    others: (!is_kept_apart).then(|| Rows::of(seq)),
                };
                self.orgs.insert(org.clone(), of_org);
                continue;
            };
            of_org.all.newest = seq;
            if !is_kept_apart {
                of_org.others.get_or_insert(Rows::of(seq)).newest = seq;
            }
        }
        self.known_to = seq;
    }

    /// Notes the event by itself, unless there are too many.
    fn note_event(&mut self, event: u64, seq: i64) -> bool {
        let has_room = self.events.len() < self.events_max;
        match self.events.entry(event) {
            Entry::Occupied(mut rows) => rows.get_mut().newest = seq,
            Entry::Vacant(none) if has_room => {
                none.insert(Rows::of(seq));
            }
            Entry::Vacant(_) => return false,
        }
        true
    }

    /// The rows that have, or may have, facts of an event.
    fn of_event(&self, org: &OrgId, event: u64) -> [Option<Rows>; 2] {
        let others = self.orgs.get(org).and_then(|of_org| of_org.others);
        [self.events.get(&event).copied(), others]
    }

    fn forget_before(&mut self, first: i64) {
        if first <= self.first {
            return;
        }
        self.first = first;
        self.events.retain(|_, rows| rows.newest >= first);
        self.orgs.retain(|_, of_org| of_org.all.newest >= first);
        for of_org in self.orgs.values_mut() {
            of_org.others = of_org.others.filter(|rows| rows.newest >= first);
        }
    }
}

impl Rows {
    /// The one row.
    const fn of(seq: i64) -> Self {
        Self {
            oldest: seq,
            newest: seq,
        }
    }

    /// Whether one of them waits and is not past `up_to`. Where only later ones do, it may still
    /// say so; then a flush too many is made, until none up to there waits at all.
    fn wait(self, first: i64, up_to: i64) -> bool {
        self.newest >= first && self.oldest.max(first) <= up_to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::new(name).unwrap()
    }

    fn waits(waits: &Waits, org: &OrgId, event: u64, first: i64, up_to: i64) -> bool {
        let mut rows = waits.of_event(org, event).into_iter().flatten();
        rows.any(|rows| rows.wait(first, up_to))
    }

    #[test]
    fn an_event_waits_from_its_oldest_row_until_its_newest_is_flushed() {
        let mut all = Waits::new(10);
        let acme = org("acme");
        all.forget_before(5);
        assert_eq!(all.next(), 5);
        all.add(5, []);
        all.add(6, [(&acme, 1)]);
        all.add(6, []);
        all.add(7, [(&acme, 1)]);
        assert_eq!(all.next(), 8);
        assert!(!waits(&all, &acme, 1, 5, 5));
        assert!(waits(&all, &acme, 1, 5, 6));
        assert!(waits(&all, &acme, 1, 7, 7));
        assert!(!waits(&all, &acme, 1, 7, 6), "no row up to there waits");
        assert!(!waits(&all, &acme, 2, 5, 7), "another event");
        all.forget_before(8);
        assert!(all.events.is_empty() && all.orgs.is_empty());
        assert_eq!(all.next(), 8);
    }

    #[test]
    fn events_past_the_bound_wait_with_their_organisation_and_none_is_left_out() {
        let mut all = Waits::new(2);
        let (acme, rival) = (org("acme"), org("rival"));
        all.forget_before(1);
        all.add(1, [(&acme, 1), (&acme, 2)]);
        all.add(2, [(&acme, 3), (&acme, 4), (&acme, 5)]);
        all.add(3, [(&rival, 6), (&acme, 1)]);
        assert_eq!(all.events.len(), 2);
        for (org, event) in [(&acme, 3), (&acme, 5), (&rival, 6), (&acme, 1)] {
            assert!(waits(&all, org, event, 1, 3), "{org} {event}");
        }
        // An event that has no facts waits for the others of its organisation, and no longer.
        assert!(waits(&all, &acme, 9, 1, 3));
        assert!(!waits(&all, &acme, 9, 1, 1));
        all.forget_before(3);
        assert!(!waits(&all, &acme, 3, 3, 3));
        assert!(waits(&all, &rival, 6, 3, 3));
        // There is room again.
        all.add(4, [(&acme, 3)]);
        assert!(waits(&all, &acme, 3, 3, 4));
        assert!(!waits(&all, &acme, 9, 3, 4));
    }
}
