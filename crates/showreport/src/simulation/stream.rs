//! All records of a show in the order of their instants, without ever holding
//! more than a little for each viewer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use showreport_model::record::EventKind;

use super::audience::Viewer;
use super::chat::draw_chat;
use super::polls::draw_polls;
use super::tally::Tally;
use super::wire::{At, EventRecord, PlaybackRecord, Record};
use super::{
    BEAT, CHAT_STREAM, DOORS_AT, ENDS_AT, EVENT, MINUTE, POLLS_STREAM, STARTS_AT, Show, TITLE,
};

/// One simulated record; it serializes as one line of NDJSON.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(transparent)]
pub struct SimulatedRecord(Record);

impl SimulatedRecord {
    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let count = match self.0 {
            Record::Event(_) => &mut tally.events,
            Record::Playback(_) => &mut tally.playbacks,
            Record::Chat(_) => &mut tally.messages,
            Record::Poll(_) => &mut tally.polls,
            Record::Vote(_) => &mut tally.votes,
        };
        *count += 1;
        tally
    }
}

/// The records of a show, each once, in the order of their instants.
#[derive(Debug)]
pub struct Records {
    crowd: Vec<Viewer>,
    /// What is said once, latest first, so that the next one is taken from the end.
    once: Vec<(i64, Record)>,
    /// The beat that each stretch of playing sends next.
    beats: BinaryHeap<Reverse<Beat>>,
}

/// A part of a stretch that is sent as one record, ordered by when that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Beat {
    to: i64,
    viewer: usize,
    view: usize,
    stretch: usize,
    from: i64,
}

impl Records {
    pub(super) fn new(show: Show) -> Self {
        let crowd: Vec<Viewer> = (0..u64::from(show.viewers))
            .map(|number| Viewer::draw(number, show.seed))
            .collect();
        let mut once = event_records();
        once.extend(draw_chat(&crowd, &mut show.random(CHAT_STREAM)));
        once.extend(draw_polls(&crowd, &mut show.random(POLLS_STREAM)));
        once.sort_by_key(|&(at, _)| Reverse(at));
        let mut beats = BinaryHeap::new();
        for (viewer, person) in crowd.iter().enumerate() {
            for (view, playback) in person.views.iter().enumerate() {
                for (stretch, &(from, until)) in playback.stretches.iter().enumerate() {
                    beats.push(Reverse(Beat {
                        to: until.min(from + BEAT),
                        viewer,
                        view,
                        stretch,
                        from,
                    }));
                }
            }
        }
        Self { crowd, once, beats }
    }

    /// How many records are still to come.
    pub fn left(&self) -> u64 {
        let beats = self.beats.iter().map(|Reverse(beat)| {
            let (_, until) = self.crowd[beat.viewer].views[beat.view].stretches[beat.stretch];
            // The beat that is due, and those that follow it.
            1 + (until - beat.to + BEAT - 1) / BEAT
        });
        self.once.len() as u64 + beats.sum::<i64>().unsigned_abs()
    }

    fn next_beat(&mut self) -> Option<Record> {
        let Reverse(beat) = self.beats.pop()?;
        let viewer = &self.crowd[beat.viewer];
        let view = &viewer.views[beat.view];
        let (_, until) = view.stretches[beat.stretch];
        if beat.to < until {
            self.beats.push(Reverse(Beat {
                from: beat.to,
                to: until.min(beat.to + BEAT),
                ..beat
            }));
        }
        Some(Record::Playback(PlaybackRecord {
            event_id: EVENT,
            playback_id: view.playback.clone(),
            from: At(beat.from),
            to: At(beat.to),
            device_id: view.device.id.clone(),
            customer_id: viewer.customer.clone(),
            device_os: view.device.os,
            geo_region: viewer.region,
            position_ms: beat.from - DOORS_AT,
        }))
    }
}

impl Iterator for Records {
    type Item = SimulatedRecord;

    fn next(&mut self) -> Option<SimulatedRecord> {
        let beat_at = self.beats.peek().map_or(i64::MAX, |Reverse(beat)| beat.to);
        let once_is_next = self.once.last().is_some_and(|&(at, _)| at <= beat_at);
        let record = if once_is_next {
            self.once.pop().map(|(_, record)| record)
        } else {
            self.next_beat()
        };
        record.map(SimulatedRecord)
    }
}

/// The event as it was announced, and under the title it got when it began.
fn event_records() -> Vec<(i64, Record)> {
    let version = |at, title| {
        let record = EventRecord {
            event_id: EVENT,
            kind: EventKind::Live,
            title,
            starts_at: At(STARTS_AT),
            ends_at: At(ENDS_AT),
            duration_ms: ENDS_AT - STARTS_AT,
            updated_at: At(at),
        };
        (at, Record::Event(record))
    };
    vec![
        version(DOORS_AT - 60 * MINUTE, "Spring Keynote (working title)"),
        version(STARTS_AT, TITLE),
    ]
}
