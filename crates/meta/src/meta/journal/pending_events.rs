//! [`PendingEvents`]: the events that have facts in the journal.
//!
//! They are kept in memory, and read from the rows of the journal. An index in the database would
//! be as fast. But `SQLite` does not notice a lost index entry, and a report would then leave out
//! acknowledged facts.

use std::collections::hash_map::{Entry, HashMap, RandomState};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::BuildHasher;
use std::sync::Mutex;

use futures::TryStreamExt;
use showreport_model::{EventId, OrgId};
use sqlx::SqliteConnection;

use super::RowHead;
use crate::database::{JournalRange, Stored};
use crate::error::{Doing, Error};

/// The events of the rows up to some row. Other processes append rows too, so it catches up with
/// the ledger before each lookup.
#[derive(Debug)]
pub(crate) struct PendingEvents {
    state: Mutex<State>,
    hasher: RandomState,
}

/// Rows of the journal to be flushed before a report can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRows {
    /// Oldest first; more may follow once they are flushed.
    pub rows: Vec<i64>,
    /// Whether they are to be flushed ahead, because many more bytes of others come before them.
    /// They then stay in the journal until the flush in order reaches them: facts that are in the
    /// lake twice count once.
    pub is_far_behind: bool,
}

/// Events with an entry of their own. When there are as many, further ones share the entry of their
/// organisation. This limits the memory to about 20 MB.
const EVENTS_MAX: usize = 500_000;

/// Bytes that a flush in order may take beyond twice the pending bytes. Such a flush takes little
/// time, and the next reports need no other.
const IN_ORDER_BYTES: u64 = 256 << 10;

/// Bytes that are flushed ahead at once.
const AHEAD_BYTES: u64 = 4 << 20;

#[derive(Debug)]
struct State {
    /// The last row that was added.
    last: i64,
    /// The oldest row of the journal, by the newest ledger that was seen.
    first: i64,
    rows: BTreeMap<i64, Row>,
    /// Rows that were flushed ahead: they are in the lake, and not removed yet.
    flushed: BTreeSet<i64>,
    /// By a keyed hash of organisation and event. Two events with the same hash are pending as long
    /// as either is: that costs a flush, and misses no facts.
    events: HashMap<u64, RowRange>,
    events_max: usize,
    orgs: HashMap<OrgId, OrgRows>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    bytes: u64,
    /// Whether all its facts are of one organisation.
    has_one_org: bool,
}

/// The rows that have facts of an organisation.
#[derive(Debug, Clone, Default)]
struct OrgRows {
    /// Oldest first.
    rows: VecDeque<i64>,
    /// Bytes of the rows that have facts of no other organisation.
    own_bytes: u64,
    /// The rows with facts of events that have no entry of their own.
    others: Option<RowRange>,
}

/// All rows with facts of an event are within.
#[derive(Debug, Clone, Copy)]
struct RowRange {
    /// May be flushed already.
    oldest: i64,
    newest: i64,
}

/// Rows of one query.
const READ_ROWS: i64 = 1_000;

const SELECT: &str = "SELECT seq, appended_at, rows, bytes, payload_sum, sum, events FROM journal
    WHERE seq BETWEEN $1 AND $2 ORDER BY seq";

impl Default for PendingEvents {
    fn default() -> Self {
        Self {
            state: Mutex::new(State::new(EVENTS_MAX)),
            hasher: RandomState::new(),
        }
    }
}

impl PendingEvents {
    /// Adds the newest rows of the journal: of each its bytes and its events.
    pub(crate) fn add(&self, range: JournalRange, added: &[(u64, BTreeSet<(OrgId, EventId)>)]) {
        let mut state = self.lock();
        state.remove_before(range.first);
        let count = i64::try_from(added.len()).expect("a group is bounded");
        let first = range.last - count + 1;
        // If rows before them are missing here, they are all read later.
        if state.next() != first {
            return;
        }
        for (seq, (bytes, events)) in (first..).zip(added) {
            state.add((seq, *bytes), self.hashed(events));
        }
    }

    /// The rows to be flushed until none up to `up_to` is left that has facts of the event. `None`:
    /// there is none. It may return rows for an event that has no facts, if there are more than
    /// [`EVENTS_MAX`] events and its organisation has facts of others.
    pub(crate) async fn rows_of_event(
        &self,
        read: &mut SqliteConnection,
        range: JournalRange,
        event: &(OrgId, EventId),
        up_to: i64,
    ) -> Result<Option<PendingRows>, Error> {
        self.catch_up(read, range).await?;
        let state = self.lock();
        let ends = self.ends(&state, event, up_to);
        Ok(ends.and_then(|(from, to)| state.pending(&event.0, from, to)))
    }

    /// The first and the last row, up to `up_to`, that may have facts of the event.
    fn ends(&self, state: &State, event: &(OrgId, EventId), up_to: i64) -> Option<(i64, i64)> {
        let hash = self.hasher.hash_one(event);
        let ranges = state.of_event(&event.0, hash).into_iter().flatten();
        let ends = ranges.map(|rows| (rows.oldest, rows.newest.min(up_to)));
        ends.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }

    /// All rows that may have facts of the event, those that were flushed ahead too.
    pub(crate) async fn all_rows_of_event(
        &self,
        read: &mut SqliteConnection,
        range: JournalRange,
        event: &(OrgId, EventId),
    ) -> Result<Vec<i64>, Error> {
        self.catch_up(read, range).await?;
        let state = self.lock();
        let ends = self.ends(&state, event, i64::MAX);
        let of_org = state.orgs.get(&event.0);
        let (Some((from, to)), Some(of_org)) = (ends, of_org) else {
            return Ok(Vec::new());
        };
        let rows = of_org.rows.iter().copied();
        Ok(rows.filter(|row| (from..=to).contains(row)).collect())
    }

    /// The rows to be flushed until none up to `up_to` is left that has facts of the organisation.
    pub(crate) async fn rows_of_org(
        &self,
        read: &mut SqliteConnection,
        range: JournalRange,
        org: &OrgId,
        up_to: i64,
    ) -> Result<Option<PendingRows>, Error> {
        self.catch_up(read, range).await?;
        Ok(self.lock().pending(org, 0, up_to))
    }

    /// Bytes of the rows that have facts of an organisation and of no other.
    pub(crate) fn bytes_of(&self, org: &OrgId) -> u64 {
        let state = self.lock();
        state.orgs.get(org).map_or(0, |of_org| of_org.own_bytes)
    }

    /// Those of these rows that are not in the lake yet.
    pub(crate) fn unflushed(&self, rows: &[i64]) -> Vec<i64> {
        let state = self.lock();
        let unflushed = rows.iter().filter(|&&row| state.is_pending(row));
        unflushed.copied().collect()
    }

    /// Notes that these rows were flushed ahead. Call it after the heads have moved.
    pub(crate) fn note_flushed_ahead(&self, rows: &[i64]) {
        self.lock().flushed.extend(rows);
    }

    /// Reads the rows that were not added yet.
    pub(crate) async fn catch_up(
        &self,
        read: &mut SqliteConnection,
        range: JournalRange,
    ) -> Result<(), Error> {
        loop {
            let from = {
                let mut state = self.lock();
                state.remove_before(range.first);
                state.next()
            };
            if from > range.last {
                return Ok(());
            }
            let to = range.last.min(from + READ_ROWS - 1);
            self.read(read, from, to).await?;
        }
    }

    /// Reads these rows one by one: each may have thousands of events.
    async fn read(&self, read: &mut SqliteConnection, from: i64, to: i64) -> Result<(), Error> {
        let doing = "read the events of the journal";
        let mut rows = sqlx::query(SELECT).bind(from).bind(to).fetch(read);
        for seq in from..=to {
            let row = rows.try_next().await.doing(doing)?;
            let row = row.ok_or_else(|| super::missing(seq))?;
            let head = RowHead::read(&row, seq)?;
            let events: Vec<(OrgId, EventId)> = Stored(&row).json("events")?;
            let bytes = head.bytes.unsigned_abs();
            self.lock().add((seq, bytes), self.hashed(&events));
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

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no code panics while it is locked")
    }
}

impl State {
    fn new(events_max: usize) -> Self {
        Self {
            last: 0,
            first: 0,
            rows: BTreeMap::new(),
            flushed: BTreeSet::new(),
            events: HashMap::new(),
            events_max,
            orgs: HashMap::new(),
        }
    }

    /// The row to be added next.
    fn next(&self) -> i64 {
        self.first.max(self.last + 1)
    }

    fn add<'e>(
        &mut self,
        (seq, bytes): (i64, u64),
        events: impl IntoIterator<Item = (&'e OrgId, u64)>,
    ) {
        // Two tasks may have read the same row.
        if seq < self.next() {
            return;
        }
        let mut orgs = BTreeSet::new();
        for (org, event) in events {
            let has_entry = self.note_event(event, seq);
            if !self.orgs.contains_key(org) {
                self.orgs.insert(org.clone(), OrgRows::default());
            }
            let of_org = self.orgs.get_mut(org).expect("it was just added");
            if of_org.rows.back() != Some(&seq) {
                of_org.rows.push_back(seq);
            }
            if !has_entry {
                of_org.others.get_or_insert(RowRange::of(seq)).newest = seq;
            }
            orgs.insert(org);
        }
        let has_one_org = orgs.len() == 1;
        if has_one_org && let Some(of_org) = orgs.first().and_then(|&org| self.orgs.get_mut(org)) {
            of_org.own_bytes += bytes;
        }
        self.rows.insert(seq, Row { bytes, has_one_org });
        self.last = seq;
    }

    /// Adds the row to the entry of the event. Returns false if there are too many entries.
    fn note_event(&mut self, event: u64, seq: i64) -> bool {
        let has_room = self.events.len() < self.events_max;
        match self.events.entry(event) {
            Entry::Occupied(mut rows) => rows.get_mut().newest = seq,
            Entry::Vacant(none) if has_room => {
                none.insert(RowRange::of(seq));
            }
            Entry::Vacant(_) => return false,
        }
        true
    }

    /// The rows that have, or may have, facts of an event.
    fn of_event(&self, org: &OrgId, event: u64) -> [Option<RowRange>; 2] {
        let others = self.orgs.get(org).and_then(|of_org| of_org.others);
        [self.events.get(&event).copied(), others]
    }

    /// Whether a row is not in the lake yet.
    fn is_pending(&self, row: i64) -> bool {
        row >= self.first && !self.flushed.contains(&row)
    }

    /// The rows of an organisation within these numbers that are not in the lake yet.
    fn pending(&self, org: &OrgId, from: i64, to: i64) -> Option<PendingRows> {
        let of_org = self.orgs.get(org)?;
        let begin = of_org.rows.partition_point(|&row| row < from);
        let rows = of_org.rows.range(begin..).copied();
        let rows = rows.take_while(|&row| row <= to);
        let (mut pending, mut bytes) = (Vec::new(), 0);
        for row in rows.filter(|&row| self.is_pending(row)) {
            let of_row = self.rows.get(&row).map_or(0, |row| row.bytes);
            if !pending.is_empty() && bytes + of_row > AHEAD_BYTES {
                break;
            }
            bytes += of_row;
            pending.push(row);
        }
        let &last = pending.last()?;
        // If the rows before them have few bytes, a flush in order serves other reports too.
        let mut room = 2 * bytes + IN_ORDER_BYTES;
        let is_far_behind = self.rows.range(..=last).any(|(_, of_row)| {
            let left = room.checked_sub(of_row.bytes);
            room = left.unwrap_or(0);
            left.is_none()
        });
        Some(PendingRows {
            rows: pending,
            is_far_behind,
        })
    }

    fn remove_before(&mut self, first: i64) {
        if first <= self.first {
            return;
        }
        self.first = first;
        let left = self.rows.split_off(&first);
        let removed = std::mem::replace(&mut self.rows, left);
        self.flushed = self.flushed.split_off(&first);
        self.events.retain(|_, rows| rows.newest >= first);
        self.orgs.retain(|_, of_org| {
            let flushed = of_org.rows.partition_point(|&row| row < first);
            let flushed = of_org
                .rows
                .drain(..flushed)
                .filter_map(|row| removed.get(&row));
            let own = flushed.filter(|row| row.has_one_org);
            of_org.own_bytes -= own.map(|row| row.bytes).sum::<u64>();
            of_org.others = of_org.others.filter(|rows| rows.newest >= first);
            !of_org.rows.is_empty()
        });
    }
}

impl RowRange {
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

    fn pending(state: &State, org: &OrgId, event: u64, up_to: i64) -> Option<PendingRows> {
        let mut rows = state.of_event(org, event).into_iter().flatten();
        rows.find_map(|rows| state.pending(org, rows.oldest, rows.newest.min(up_to)))
    }

    fn is_pending(state: &State, org: &OrgId, event: u64, up_to: i64) -> bool {
        pending(state, org, event, up_to).is_some()
    }

    #[test]
    fn an_event_is_pending_from_its_oldest_row_until_its_newest_is_flushed() {
        let mut all = State::new(10);
        let acme = org("acme");
        all.remove_before(5);
        assert_eq!(all.next(), 5);
        all.add((5, 1), []);
        all.add((6, 1), [(&acme, 1)]);
        all.add((6, 1), []);
        all.add((7, 1), [(&acme, 1)]);
        assert_eq!(all.next(), 8);
        assert!(!is_pending(&all, &acme, 1, 5));
        assert!(is_pending(&all, &acme, 1, 6));
        assert!(!is_pending(&all, &acme, 2, 7), "another event");
        all.remove_before(7);
        assert!(is_pending(&all, &acme, 1, 7));
        assert!(
            !is_pending(&all, &acme, 1, 6),
            "no row up to there is pending"
        );
        all.remove_before(8);
        assert!(all.events.is_empty() && all.orgs.is_empty() && all.rows.is_empty());
        assert_eq!(all.next(), 8);
    }

    #[test]
    fn events_past_the_limit_share_the_entry_of_their_organisation() {
        let mut all = State::new(2);
        let (acme, rival) = (org("acme"), org("rival"));
        all.remove_before(1);
        all.add((1, 1), [(&acme, 1), (&acme, 2)]);
        all.add((2, 1), [(&acme, 3), (&acme, 4), (&acme, 5)]);
        all.add((3, 1), [(&rival, 6), (&acme, 1)]);
        assert_eq!(all.events.len(), 2);
        for (org, event) in [(&acme, 3), (&acme, 5), (&rival, 6), (&acme, 1)] {
            assert!(is_pending(&all, org, event, 3), "{org} {event}");
        }
        // An event without facts is pending as long as the others of its organisation.
        assert!(is_pending(&all, &acme, 9, 3));
        assert!(!is_pending(&all, &acme, 9, 1));
        all.remove_before(3);
        assert!(!is_pending(&all, &acme, 3, 3));
        assert!(is_pending(&all, &rival, 6, 3));
        // There is room again.
        all.add((4, 1), [(&acme, 3)]);
        assert!(is_pending(&all, &acme, 3, 4));
        assert!(!is_pending(&all, &acme, 9, 4));
    }

    #[test]
    fn few_rows_behind_many_of_others_go_ahead_of_them() {
        let mut all = State::new(10);
        let (small, large) = (org("small"), org("large"));
        all.remove_before(1);
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
            Some(PendingRows {
                rows,
                is_far_behind,
            })
        };
        let ahead = |rows: &[i64]| found(rows, true);
        assert_eq!(pending(&all, &small, 2, 40), ahead(&[20, 40]));
        let of_large = pending(&all, &large, 1, 40).unwrap();
        assert!(!of_large.is_far_behind && of_large.rows.len() == 38);
        all.flushed.insert(20);
        assert_eq!(pending(&all, &small, 2, 40), ahead(&[40]));
        assert_eq!(pending(&all, &small, 2, 39), None, "it is in the lake");
        // Few bytes of the others are left.
        all.remove_before(39);
        assert_eq!(pending(&all, &small, 2, 40), found(&[40], false));
    }
}
