//! [`State`]: the facts of one event in memory, as far as live figures need them.
//!
//! Facts are sets: what is added twice, or in another order, gives the same state. So rows of the
//! journal and of the lake may overlap.

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes::Int64Type;
use hashbrown::HashMap;
use showreport_model::claims::Beat;
use showreport_model::concurrency::Edge;
use showreport_model::facts::{Facts, NEVER_SENT_MS, Table};
use showreport_model::record::Choice;
use showreport_model::table::Value;
use showreport_model::{EventId, OrgId, Span, Timestamp};

use crate::audience::{Attributes, Audience};
use crate::columns::{flags, integers, lists, sorted_texts, texts, times};
use crate::figures::{LiveFigures, LiveOption, LivePoll, ViewerCounts, Viewers, ViewersOfValue};
use crate::messages::{Messages, Version};
use crate::polls::{Ballot, Counted, PollOption, PollVersion, Polls, Voter};
use crate::texts::{TextId, Texts};

/// The facts of one event.
#[derive(Debug, Default)]
pub(crate) struct State {
    texts: Texts,
    audience: Audience,
    messages: Messages,
    polls: Polls,
}

/// Players send a record every ten seconds; a few seconds later it is here.
const SETTLED_AFTER_MS: i64 = 15_000;

/// How far the clock of a player may be ahead.
const AHEAD_MS: i64 = 1_000;

const MINUTE_MS: i64 = 60_000;

impl State {
    /// Adds the rows of the event among facts of the journal.
    pub(crate) fn add_facts(&mut self, org: &OrgId, event: &EventId, facts: &Facts) {
        for &table in Table::ALL {
            let batch = facts.batch(table);
            let [orgs, events] = ["org", "event_id"].map(|column| texts(batch, column));
            let is_ours =
                |row: &usize| events.get(*row) == event.as_str() && orgs.get(*row) == org.as_str();
            self.add_rows(table, batch, (0..batch.num_rows()).filter(is_ours));
        }
        self.settle();
    }

    /// Adds all rows of a batch of the lake. Call [`State::settle`] after the last one.
    pub(crate) fn add_batch(&mut self, table: Table, batch: &RecordBatch) {
        self.add_rows(table, batch, 0..batch.num_rows());
    }

    /// Adds packed beats: a row has some beats of one view.
    pub(crate) fn add_packed_beats(&mut self, batch: &RecordBatch) {
        let lists = lists(batch, "beats");
        let numbers = lists.values().as_primitive::<Int64Type>();
        let views = ViewColumns::of(batch);
        for row in 0..batch.num_rows() {
            let (playback, attributes) = views.read(&mut self.texts, row);
            let offsets = &lists.value_offsets()[row..=row + 1];
            let [start, end] = [0, 1].map(|at| usize::try_from(offsets[at]).unwrap_or(0));
            let beats = &numbers.values()[start..end];
            self.audience
                .add_beats(&self.texts, playback, attributes, beats);
        }
    }

    /// Works out what changes have left open.
    pub(crate) fn settle(&mut self) {
        self.audience.settle();
    }

    fn add_rows(&mut self, table: Table, batch: &RecordBatch, rows: impl Iterator<Item = usize>) {
        match table {
            Table::Spans => self.add_spans(batch, rows),
            Table::Beats => self.add_beats(batch, rows),
            Table::Chat => self.add_chat(batch, rows),
            Table::Polls => self.add_polls(batch, rows),
            Table::Votes => self.add_votes(batch, rows),
            Table::Coverage => {}
        }
    }

    fn add_spans(&mut self, batch: &RecordBatch, rows: impl Iterator<Item = usize>) {
        let views = ViewColumns::of(batch);
        let [from, to] = ["from_time", "to_time"].map(|column| times(batch, column));
        for row in rows {
            let (playback, attributes) = views.read(&mut self.texts, row);
            if let Some(span) = Span::new(from.get(row), to.get(row)) {
                self.audience
                    .add_span(&self.texts, playback, attributes, span);
            }
        }
    }

    fn add_beats(&mut self, batch: &RecordBatch, rows: impl Iterator<Item = usize>) {
        let views = ViewColumns::of(batch);
        let (seq, at) = (integers(batch, "seq"), times(batch, "at"));
        let playing = flags(batch, "playing");
        for row in rows {
            let (playback, attributes) = views.read(&mut self.texts, row);
            let beat = Beat {
                seq: seq.is_valid(row).then(|| seq.value(row)),
                at: at.get(row),
                playing: playing.value(row),
            };
            self.audience
                .add_beat(&self.texts, playback, attributes, beat);
        }
    }

    fn add_chat(&mut self, batch: &RecordBatch, rows: impl Iterator<Item = usize>) {
        let ids = texts(batch, "message_id");
        let [sent_at, updated_at] = ["sent_at", "updated_at"].map(|column| times(batch, column));
        let deleted = flags(batch, "deleted");
        let others = ["text", "name", "role", "customer_id", "device_id"];
        let others = others.map(|column| texts(batch, column));
        for row in rows {
            let id = self.texts.intern(ids.get(row));
            if sent_at.get(row) == NEVER_SENT_MS {
                self.messages.delete(id, updated_at.get(row));
                continue;
            }
            let version = Version {
                updated_at: updated_at.get(row),
                deleted: deleted.value(row),
                texts: others.map(|texts| texts.get(row)).join("\0").into(),
                sent_at: sent_at.get(row),
            };
            self.messages.add(id, version);
        }
    }

    fn add_polls(&mut self, batch: &RecordBatch, rows: impl Iterator<Item = usize>) {
        let [ids, question, choice, status, record] =
            ["poll_id", "question", "choice", "status", "record"]
                .map(|column| texts(batch, column));
        let [updated_at, started_at, ended_at] =
            ["updated_at", "started_at", "ended_at"].map(|column| times(batch, column));
        let options = lists(batch, "options");
        for row in rows {
            let version = PollVersion {
                updated_at: updated_at.get_any(row),
                question: question.get(row).to_owned(),
                record: record.get(row).to_owned(),
                is_single: choice.get(row) == Choice::Single.name(),
                choice: choice.get(row).to_owned(),
                status: status.get(row).to_owned(),
                started_at: started_at.get_any(row),
                ended_at: ended_at.get_any(row),
                options: options_of(options.value(row).as_struct()),
            };
            self.polls.add_poll(ids.get(row), version);
        }
    }

    fn add_votes(&mut self, batch: &RecordBatch, rows: impl Iterator<Item = usize>) {
        let [polls, vote_ids, customers, devices] =
            ["poll_id", "vote_id", "customer_id", "device_id"].map(|column| texts(batch, column));
        let voted_at = times(batch, "voted_at");
        let options = lists(batch, "option_ids");
        for row in rows {
            let voter = match customers.get(row) {
                "" => Voter::Device(self.texts.intern(devices.get(row))),
                customer => Voter::Customer(self.texts.intern(customer)),
            };
            let vote = vote_ids.get(row);
            let ballot = Ballot {
                voted_at: voted_at.get(row),
                vote: (!vote.is_empty()).then(|| vote.into()),
                options: sorted_texts(options, row),
            };
            self.polls.add_vote(polls.get(row), voter, ballot);
        }
    }
}

/// The columns of spans and beats that say which view a row is of.
struct ViewColumns<'b>([crate::columns::Texts<'b>; 5]);

impl<'b> ViewColumns<'b> {
    fn of(batch: &'b RecordBatch) -> Self {
        let names = [
            "playback_id",
            "customer_id",
            "device_id",
            "device_os",
            "geo_region",
        ];
        Self(names.map(|column| texts(batch, column)))
    }

    fn read(&self, texts: &mut Texts, row: usize) -> (TextId, Attributes) {
        let [playback, customer, device, os, region] = self.0.map(|it| texts.intern(it.get(row)));
        let attributes = Attributes {
            customer,
            device,
            os,
            region,
        };
        (playback, attributes)
    }
}

/// The options of a poll, sorted by id.
fn options_of(options: &StructArray) -> Vec<PollOption> {
    let [ids, words] = [0, 1].map(|column| options.column(column).as_string::<i32>());
    let correct = options.column(2).as_boolean();
    let option = |row: usize| PollOption {
        id: ids.value(row).to_owned(),
        text: words.value(row).to_owned(),
        is_correct: correct.value(row),
    };
    let mut options: Vec<PollOption> = (0..options.len()).map(option).collect();
    options.sort_unstable();
    options
}

impl State {
    /// The figures at an instant.
    pub(crate) fn figures(&mut self, at: Timestamp) -> LiveFigures {
        let now = at.as_millis();
        let settled = now - SETTLED_AFTER_MS;
        let level = self.audience.level(settled);
        let minute_before = |end: i64| Span::new(end - MINUTE_MS, end).expect("a minute");
        let minute = minute_before(settled);
        let present = self.audience.present(settled, now + AHEAD_MS);
        LiveFigures {
            at,
            settled_until: at.saturating_add_millis(-SETTLED_AFTER_MS),
            viewers: level.viewers.unsigned_abs(),
            viewers_now: present.now,
            joined_last_minute: self.audience.count(Edge::Start, minute),
            left_last_minute: self.audience.count(Edge::End, minute),
            peak_viewers: level.peak.map_or(0, |peak| peak.viewers.unsigned_abs()),
            peak_at: level.peak.and_then(|peak| timestamp(peak.at)),
            by_device_os: self.most_first(present.systems),
            by_geo_region: self.most_first(present.regions),
            messages_last_minute: self.messages.count_within(minute_before(now)),
            messages: self.messages.count(),
            polls: self.polls.counted().map(live_poll).collect(),
        }
    }

    /// The viewers up to the settled instant, before and after the end of the event.
    pub(crate) fn viewer_counts(
        &mut self,
        at: Timestamp,
        ends_at: Option<Timestamp>,
    ) -> ViewerCounts {
        let settled = at.saturating_add_millis(-SETTLED_AFTER_MS);
        let ended = ends_at.filter(|end| *end <= settled);
        let live_until = ended.unwrap_or(settled);
        let mut viewers = |from: Option<Timestamp>, until: Timestamp, instant: i64| Viewers {
            concurrent: self.audience.level(instant).viewers.unsigned_abs(),
            total: Span::new(
                from.map_or(i64::MIN, Timestamp::as_millis),
                until.as_millis(),
            )
            .map_or(0, |within| self.audience.viewers_within(within)),
            at: until,
        };
        // The last instant of an event that is over is the one before its end.
        let last = match ended {
            Some(end) => end.as_millis() - 1,
            None => settled.as_millis(),
        };
        let live = viewers(None, live_until, last);
        // Until the end all viewers are those of the live event.
        let (mut recorded, mut all) = (
            Viewers {
                total: 0,
                concurrent: 0,
                ..live
            },
            live,
        );
        if let Some(end) = ended {
            recorded = viewers(Some(end), settled, settled.as_millis());
            all = Viewers {
                concurrent: live.concurrent,
                ..viewers(None, settled, settled.as_millis())
            };
        }
        ViewerCounts {
            live,
            recorded,
            all,
        }
    }

    /// The number of views.
    pub(crate) const fn views(&self) -> usize {
        self.audience.views()
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        let audience = self.texts.heap_bytes() + self.audience.heap_bytes();
        size_of::<Self>() + audience + self.messages.heap_bytes() + self.polls.heap_bytes()
    }

    fn most_first(&self, viewers: HashMap<TextId, u64>) -> Vec<ViewersOfValue> {
        let value = |(value, viewers)| ViewersOfValue {
            value: self.texts.get(value).map(str::to_owned),
            viewers,
        };
        let mut values: Vec<ViewersOfValue> = viewers.into_iter().map(value).collect();
        values.sort_unstable_by(|one, other| {
            let by_viewers = other.viewers.cmp(&one.viewers);
            by_viewers.then_with(|| one.value.cmp(&other.value))
        });
        values
    }
}

fn live_poll(poll: Counted<'_>) -> LivePoll {
    let version = poll.version;
    let options = version.options.iter().map(|option| {
        let votes = poll.votes_of(option);
        LiveOption {
            option_id: option.id.clone(),
            option_text: option.text.clone(),
            correct: option.is_correct,
            votes,
            share: share(votes, poll.voters),
        }
    });
    let options: Vec<LiveOption> = options.collect();
    LivePoll {
        poll_id: poll.id.to_owned(),
        question: version.question.clone(),
        choice: version.choice.clone(),
        status: version.status.clone(),
        started_at: version.started_at.and_then(timestamp),
        ended_at: version.ended_at.and_then(timestamp),
        votes: options.iter().map(|option| option.votes).sum(),
        voters: poll.voters,
        options,
    }
}

/// The part of the voters that chose an option.
fn share(chosen_by: u64, voters: u64) -> Option<f64> {
    let counts = [chosen_by, voters].map(|it| i64::try_from(it).unwrap_or(i64::MAX));
    match Value::quotient(counts[0], counts[1], 4) {
        Value::Number(share) => Some(share),
        _ => None,
    }
}

fn timestamp(millis: i64) -> Option<Timestamp> {
    Timestamp::from_millis(millis).ok()
}
