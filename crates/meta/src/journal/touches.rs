//! [`Touches`]: which events the rows that wait have facts of.
//!
//! It lies in memory and is read from the rows themselves. An index of the
//! database would answer as fast, but an entry that vanished from it would be missed by
//! nobody, and a report would leave out what was acknowledged.

use std::collections::hash_map::{Entry, HashMap, RandomState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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

/// What has to be flushed before facts are in the lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Rows of the journal, oldest first; perhaps not all.
    pub rows: Vec<i64>,
    /// Whether far more of others waits before them, so that they are to be flushed ahead of it. They stay
    /// in the journal until their turn comes: facts that are in the lake twice are the same facts.
    pub is_far_behind: bool,
}

/// Events that are kept apart. Those that come when there are as many are known by their organisation
/// alone, so that the journal takes no more memory than this, whatever it holds: about 20 MB.
const EVENTS_MAX: usize = 500_000;

/// Bytes of the journal up to which it is flushed in order: that is soon done, and serves all reports
/// that come next, too.
const IN_ORDER_BYTES: u64 = 256 << 10;

/// Bytes of the journal that are flushed ahead at once.
const AHEAD_BYTES: u64 = 4 << 20;

#[derive(Debug)]
struct Waits {
    /// The row up to which all is known.
    known_to: i64,
    /// The oldest row that waits, as far as anybody has heard.
    first: i64,
    /// Each row that waits.
    rows: BTreeMap<i64, RowOf>,
    /// Rows that were flushed ahead of their turn: they are in the lake, and wait only to be removed.
    flushed: BTreeSet<i64>,
    /// By a keyed hash of organisation and event. Where two share one, both are taken to wait as
    /// long as either does: that costs a flush, and leaves nothing out.
    events: HashMap<u64, Rows>,
    events_max: usize,
    orgs: HashMap<OrgId, OfOrg>,
}

/// A row that waits.
#[derive(Debug, Clone, Copy)]
struct RowOf {
    bytes: u64,
    /// Whether all its facts are of one organisation.
    has_one_org: bool,
}

/// Rows that have facts of an organisation.
#[derive(Debug, Clone, Default)]
struct OfOrg {
    /// All of them, in their order.
    rows: VecDeque<i64>,
    /// Bytes of those that have facts of no other.
    own_bytes: u64,
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

const SELECT: &str = "SELECT seq, appended_at, rows, bytes, payload_sum, sum, events FROM journal
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
    /// Takes in rows that were just added, the newest of this ledger: of each its bytes and its events.
    pub(crate) fn note<'r>(
        &self,
        ledger: &Ledger,
        added: &[(u64, impl IntoIterator<Item = &'r (OrgId, EventId)> + Clone)],
    ) {
        let mut waits = self.waits();
        waits.forget_before(ledger.journal_first);
        let count = i64::try_from(added.len()).expect("a group is bounded");
        let first = ledger.journal_last - count + 1;
        // Where rows before them are not known yet, they are read with those later.
        if waits.next() != first {
            return;
        }
        for (seq, (bytes, events)) in (first..).zip(added) {
            waits.add((seq, *bytes), self.hashed(events.clone()));
        }
    }

    /// What has to be flushed until no row up to that number waits that has facts of the event; nothing
    /// if none does. It may name something for an event that has no facts, where there are too many
    /// events to be kept apart, or its organisation has sent facts of others.
    pub(crate) async fn event(
        &self,
        read: &mut SqliteConnection,
        ledger: &Ledger,
        event: &(OrgId, EventId),
        up_to: i64,
    ) -> Result<Option<Waiting>, Error> {
        self.bring_up(read, ledger).await?;
        let waits = self.waits();
        let hash = self.hasher.hash_one(event);
        let rows = waits.of_event(&event.0, hash).into_iter().flatten();
        // What is asked of the organisation's rows covers all that the event's may be.
        let ends = rows.map(|rows| (rows.oldest, rows.newest.min(up_to)));
        let ends = ends.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        Ok(ends.and_then(|(from, to)| waits.waiting(&event.0, from, to)))
    }

    /// What has to be flushed until no row up to that number waits that has facts of the organisation.
    pub(crate) async fn org(
        &self,
        read: &mut SqliteConnection,
        ledger: &Ledger,
        org: &OrgId,
        up_to: i64,
    ) -> Result<Option<Waiting>, Error> {
        self.bring_up(read, ledger).await?;
        Ok(self.waits().waiting(org, 0, up_to))
    }

    /// Bytes of the rows that have facts of an organisation and of no other, as far as they are known.
    pub(crate) fn bytes_of(&self, org: &OrgId) -> u64 {
        let waits = self.waits();
        waits.orgs.get(org).map_or(0, |of_org| of_org.own_bytes)
    }

    /// Those of these rows that are not in the lake yet.
    pub(crate) fn unflushed(&self, rows: &[i64]) -> Vec<i64> {
        let waits = self.waits();
        let unflushed = rows.iter().filter(|&&row| waits.waits(row));
        unflushed.copied().collect()
    }

    /// Takes these rows for flushed. To be told once the heads have moved.
    pub(crate) fn flushed_ahead(&self, rows: &[i64]) {
        self.waits().flushed.extend(rows);
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
            let head = RowHead::read(&row, seq)?;
            let events: Vec<(OrgId, EventId)> = Stored(&row).json("events")?;
            let bytes = head.bytes.unsigned_abs();
            self.waits().add((seq, bytes), self.hashed(&events));
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
            rows: BTreeMap::new(),
            flushed: BTreeSet::new(),
            events: HashMap::new(),
            events_max,
            orgs: HashMap::new(),
        }
    }

    /// The row that has to be read next.
    fn next(&self) -> i64 {
        self.first.max(self.known_to + 1)
    }

    fn add<'e>(
        &mut self,
        (seq, bytes): (i64, u64),
        events: impl IntoIterator<Item = (&'e OrgId, u64)>,
    ) {
        // Two may have read the same row.
        if seq < self.next() {
            return;
        }
        let mut orgs = BTreeSet::new();
        for (org, event) in events {
            let is_kept_apart = self.note_event(event, seq);
            if !self.orgs.contains_key(org) {
                self.orgs.insert(org.clone(), OfOrg::default());
            }
            let of_org = self.orgs.get_mut(org).expect("it was just added");
            if of_org.rows.back() != Some(&seq) {
                of_org.rows.push_back(seq);
            }
            if !is_kept_apart {
                of_org.others.get_or_insert(Rows::of(seq)).newest = seq;
            }
            orgs.insert(org);
        }
        let has_one_org = orgs.len() == 1;
        if has_one_org && let Some(of_org) = orgs.first().and_then(|&org| self.orgs.get_mut(org)) {
            of_org.own_bytes += bytes;
        }
        self.rows.insert(seq, RowOf { bytes, has_one_org });
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

    /// Whether a row is not in the lake yet.
    fn waits(&self, row: i64) -> bool {
        row >= self.first && !self.flushed.contains(&row)
    }

    /// What has to be flushed until none of an organisation's rows within these numbers waits.
    fn waiting(&self, org: &OrgId, from: i64, to: i64) -> Option<Waiting> {
        let of_org = self.orgs.get(org)?;
        let begin = of_org.rows.partition_point(|&row| row < from);
        let rows = of_org.rows.range(begin..).copied();
        let rows = rows.take_while(|&row| row <= to);
        let (mut waiting, mut bytes) = (Vec::new(), 0);
        for row in rows.filter(|&row| self.waits(row)) {
            let of_row = self.rows.get(&row).map_or(0, |row| row.bytes);
            if !waiting.is_empty() && bytes + of_row > AHEAD_BYTES {
                break;
            }
            bytes += of_row;
            waiting.push(row);
        }
        let &last = waiting.last()?;
        // Where what waits before them is not much more, flushing in order does it once for all.
        let mut room = 2 * bytes + IN_ORDER_BYTES;
        let is_far_behind = self.rows.range(..=last).any(|(_, of_row)| {
            let left = room.checked_sub(of_row.bytes);
            room = left.unwrap_or(0);
            left.is_none()
        });
        Some(Waiting {
            rows: waiting,
            is_far_behind,
        })
    }

    fn forget_before(&mut self, first: i64) {
        if first <= self.first {
            return;
        }
        self.first = first;
        let waiting = self.rows.split_off(&first);
        let gone = std::mem::replace(&mut self.rows, waiting);
        self.flushed = self.flushed.split_off(&first);
        self.events.retain(|_, rows| rows.newest >= first);
        self.orgs.retain(|_, of_org| {
            let flushed = of_org.rows.partition_point(|&row| row < first);
            let flushed = of_org
                .rows
                .drain(..flushed)
                .filter_map(|row| gone.get(&row));
            let own = flushed.filter(|row| row.has_one_org);
            of_org.own_bytes -= own.map(|row| row.bytes).sum::<u64>();
            of_org.others = of_org.others.filter(|rows| rows.newest >= first);
            !of_org.rows.is_empty()
        });
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(name: &str) -> OrgId {
        OrgId::new(name).unwrap()
    }

    fn waiting(waits: &Waits, org: &OrgId, event: u64, up_to: i64) -> Option<Waiting> {
        let mut rows = waits.of_event(org, event).into_iter().flatten();
        rows.find_map(|rows| waits.waiting(org, rows.oldest, rows.newest.min(up_to)))
    }

    fn waits(waits: &Waits, org: &OrgId, event: u64, up_to: i64) -> bool {
        waiting(waits, org, event, up_to).is_some()
    }

    #[test]
    fn an_event_waits_from_its_oldest_row_until_its_newest_is_flushed() {
        let mut all = Waits::new(10);
        let acme = org("acme");
        all.forget_before(5);
        assert_eq!(all.next(), 5);
        all.add((5, 1), []);
        all.add((6, 1), [(&acme, 1)]);
        all.add((6, 1), []);
        all.add((7, 1), [(&acme, 1)]);
        assert_eq!(all.next(), 8);
        assert!(!waits(&all, &acme, 1, 5));
        assert!(waits(&all, &acme, 1, 6));
        assert!(!waits(&all, &acme, 2, 7), "another event");
        all.forget_before(7);
        assert!(waits(&all, &acme, 1, 7));
        assert!(!waits(&all, &acme, 1, 6), "no row up to there waits");
        all.forget_before(8);
        assert!(all.events.is_empty() && all.orgs.is_empty() && all.rows.is_empty());
        assert_eq!(all.next(), 8);
    }

    #[test]
    fn events_past_the_bound_wait_with_their_organisation_and_none_is_left_out() {
        let mut all = Waits::new(2);
        let (acme, rival) = (org("acme"), org("rival"));
        all.forget_before(1);
        all.add((1, 1), [(&acme, 1), (&acme, 2)]);
        all.add((2, 1), [(&acme, 3), (&acme, 4), (&acme, 5)]);
        all.add((3, 1), [(&rival, 6), (&acme, 1)]);
        assert_eq!(all.events.len(), 2);
        for (org, event) in [(&acme, 3), (&acme, 5), (&rival, 6), (&acme, 1)] {
            assert!(waits(&all, org, event, 3), "{org} {event}");
        }
        // An event that has no facts waits for the others of its organisation, and no longer.
        assert!(waits(&all, &acme, 9, 3));
        assert!(!waits(&all, &acme, 9, 1));
        all.forget_before(3);
        assert!(!waits(&all, &acme, 3, 3));
        assert!(waits(&all, &rival, 6, 3));
        // There is room again.
        all.add((4, 1), [(&acme, 3)]);
        assert!(waits(&all, &acme, 3, 4));
        assert!(!waits(&all, &acme, 9, 4));
    }

    #[test]
    fn few_rows_behind_many_of_others_go_ahead_of_them() {
        let mut all = Waits::new(10);
        let (small, large) = (org("small"), org("large"));
        all.forget_before(1);
        for row in 1..=40 {
            let (of_row, event) = if row % 20 == 0 {
                (&small, 2)
            } else {
                (&large, 1)
            };
            let bytes = if row % 20 == 0 { 1_000 } else { 100_000 };
            all.add((row, bytes), [(of_row, event)]);
        }
        let found = |rows: &[i64], is_far_behind| {
            let rows = rows.to_vec();
            Some(Waiting {
                rows,
                is_far_behind,
            })
        };
        let ahead = |rows: &[i64]| found(rows, true);
        assert_eq!(waiting(&all, &small, 2, 40), ahead(&[20, 40]));
        let of_large = waiting(&all, &large, 1, 40).unwrap();
        assert!(!of_large.is_far_behind && of_large.rows.len() == 38);
        all.flushed.insert(20);
        assert_eq!(waiting(&all, &small, 2, 40), ahead(&[40]));
        assert_eq!(waiting(&all, &small, 2, 39), None, "it is in the lake");
        // What is left of the others is soon flushed.
        all.forget_before(39);
        assert_eq!(waiting(&all, &small, 2, 40), found(&[40], false));
    }
}
