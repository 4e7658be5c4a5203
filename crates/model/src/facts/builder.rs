//! Fills the batches from the records of one organisation.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;

use super::Facts;
use super::appending::{BeatsBuilder, ChatBuilder, PollsBuilder, VotesBuilder};
use super::chat::ChatVersion;
use super::columns::{EMPTY, Table};
use super::coverage::CoverageBuilder;
use super::registrations::Registrations;
use super::rows::Rows;
use super::spans::SpansBuilder;
use crate::ids::{EventId, OrgId};
use crate::record::{PlaybackRef, Record};

/// The facts and event records of one request of an organisation.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    pub facts: Facts,
    pub registrations: Registrations,
    /// The events of the rows.
    pub touched: BTreeSet<EventId>,
    /// Number of records.
    pub records: usize,
}

/// Fills the batches from one organisation's records.
#[derive(Debug)]
pub struct FactsBuilder {
    org: OrgId,
    spans: SpansBuilder,
    chat: Rows<ChatBuilder>,
    polls: Rows<PollsBuilder>,
    votes: Rows<VotesBuilder>,
    beats: Rows<BeatsBuilder>,
    coverage: CoverageBuilder,
    registrations: Registrations,
    touched: BTreeSet<EventId>,
    /// Memory of `touched`.
    touched_bytes: usize,
    last_touched: Option<EventId>,
    records: usize,
}

impl FactsBuilder {
    /// An empty builder for the records of an organisation.
    pub fn new(org: OrgId) -> Self {
        Self {
            org,
            spans: SpansBuilder::default(),
            chat: Rows::default(),
            polls: Rows::default(),
            votes: Rows::default(),
            beats: Rows::default(),
            coverage: CoverageBuilder::default(),
            registrations: Registrations::default(),
            touched: BTreeSet::new(),
            touched_bytes: 0,
            last_touched: None,
            records: 0,
        }
    }

    /// Adds a playback. True if it became a new row; false if it only lengthened rows of its view.
    pub fn push_playback(&mut self, playback: &PlaybackRef<'_>) -> bool {
        self.records += 1;
        self.touch(playback.event);
        self.push_intervals(playback)
    }

    fn push_intervals(&mut self, playback: &PlaybackRef<'_>) -> bool {
        let is_new_span = self.spans.push(playback);
        let is_new_coverage = self.coverage.push(playback);
        is_new_span || is_new_coverage
    }

    /// Adds a record. True unless it only lengthened rows.
    pub fn push(&mut self, record: Record) -> bool {
        self.records += 1;
        if !matches!(record, Record::Event(_)) {
            self.touch(record.event().as_str());
        }
        let org = self.org.as_str();
        match record {
            Record::Event(record) => self.registrations.push(record),
            Record::Playback(record) => return self.push_intervals(&record.borrowed()),
            Record::Chat(record) => self.chat.building().push(org, &ChatVersion::from(&record)),
            Record::ChatDeletion(record) => {
                self.chat.building().push(org, &ChatVersion::from(&record));
            }
            Record::Poll(record) => self.polls.building().push(org, &record),
            Record::Vote(record) => self.votes.building().push(org, &record),
            Record::Beat(record) => self.beats.building().push(org, &record),
        }
        true
    }

    fn touch(&mut self, event: &str) {
        // Consecutive records are nearly always of the same event.
        if self.last_touched.as_ref().map(EventId::as_str) != Some(event) {
            let event = EventId::new(event).expect("the event of a record was checked");
            if self.touched.insert(event.clone()) {
                self.touched_bytes += TOUCHED_BYTES + event.as_str().len();
            }
            self.last_touched = Some(event);
        }
    }

    /// Adds rows that have the columns of their table.
    pub(super) fn add_rows(&mut self, table: Table, rows: RecordBatch) {
        match table {
            Table::Spans => self.spans.add(&rows),
            Table::Chat => self.chat.add(rows),
            Table::Polls => self.polls.add(rows),
            Table::Votes => self.votes.add(rows),
            Table::Beats => self.beats.add(rows),
            Table::Coverage => self.coverage.add(&rows),
        }
    }

    /// Adds the contents of another builder of the same organisation, which keeps them.
    pub fn absorb(&mut self, other: &mut Self) {
        debug_assert_eq!(self.org, other.org, "facts of one organisation");
        self.spans.absorb(&other.spans);
        self.chat.absorb(&mut other.chat);
        self.polls.absorb(&mut other.polls);
        self.votes.absorb(&mut other.votes);
        self.beats.absorb(&mut other.beats);
        self.coverage.absorb(&other.coverage);
        self.registrations.absorb(&other.registrations);
        self.touched.extend(other.touched.iter().cloned());
        self.touched_bytes += other.touched_bytes;
        self.records += other.records;
    }

    pub const fn org(&self) -> &OrgId {
        &self.org
    }

    /// The event of the last record that is a fact.
    pub const fn last_event(&self) -> Option<&EventId> {
        self.last_touched.as_ref()
    }

    /// Approximate bytes in memory.
    pub fn memory_bytes(&mut self) -> usize {
        let merged = self.spans.memory_bytes() + self.coverage.memory_bytes();
        let chat_and_polls = self.chat.memory_bytes() + self.polls.memory_bytes();
        let votes_and_beats = self.votes.memory_bytes() + self.beats.memory_bytes();
        let events = self.registrations.memory_bytes() + self.touched_bytes;
        merged + chat_and_polls + votes_and_beats + events
    }

    /// The number of events with a record, plus the number of events with rows.
    pub fn events(&self) -> usize {
        self.registrations.len() + self.touched.len()
    }

    /// The number of events with a record.
    pub fn registered(&self) -> usize {
        self.registrations.len()
    }

    /// The number of records added since the last [`FactsBuilder::finish`].
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Returns the contents and leaves the builder empty.
    pub fn finish(&mut self) -> Collected {
        self.last_touched = None;
        self.touched_bytes = 0;
        let [no_spans, no_chat, no_polls, no_votes, no_beats, no_coverage] = &*EMPTY;
        let spans = self.spans.finish(&self.org);
        let coverage = self.coverage.finish(&self.org);
        let batches = [
            spans.unwrap_or_else(|| no_spans.clone()),
            self.chat.finish(no_chat),
            self.polls.finish(no_polls),
            self.votes.finish(no_votes),
            self.beats.finish(no_beats),
            coverage.unwrap_or_else(|| no_coverage.clone()),
        ];
        Collected {
            facts: Facts { batches },
            registrations: std::mem::take(&mut self.registrations),
            touched: std::mem::take(&mut self.touched),
            records: std::mem::take(&mut self.records),
        }
    }
}

/// Memory of an event in a set, without its text.
const TOUCHED_BYTES: usize = 2 * size_of::<EventId>() + 16;
