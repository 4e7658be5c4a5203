//! All records of a show in the order of their instants, without ever holding
//! more than a little for each viewer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use showreport_model::record::EventKind;

use super::audience::Viewer;
use super::chat::draw_chat;
use super::polls::draw_polls;
use super::tally::Tally;
use super::wire::{At, EventRecord, PlaybackRecord, Record};
use super::{
    BEAT, CHAT_STREAM, DOORS_AT, DURATION, ENDS_AT, MINUTE, POLLS_STREAM, PUBLISHED_AT, Program,
    STARTS_AT, Show, TITLE,
};

/// One simulated record; it serializes as one line of NDJSON.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SimulatedRecord {
    event_id: Arc<str>,
    #[serde(flatten)]
    record: Record,
}

impl SimulatedRecord {
    pub(super) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        let count = match self.record {
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
    starts_at: i64,
    live: Arc<str>,
    recording: Arc<str>,
    crowd: Vec<Viewer>,
    /// What is said once, latest first, so that the next one is taken from the end.
    once: Vec<(i64, Program, Record)>,
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
        let mut said = event_records();
        said.extend(draw_chat(&crowd, &mut show.random(CHAT_STREAM)));
        said.extend(draw_polls(&crowd, &mut show.random(POLLS_STREAM)));
        let mut once: Vec<(i64, Program, Record)> = said
            .into_iter()
            .map(|(at, record)| (at, Program::Live, record))
            .collect();
        once.push(recording_record());
        once.sort_by_key(|&(at, ..)| Reverse(at));
        let mut beats = BinaryHeap::new();
        for (viewer, person) in crowd.iter().enumerate() {
            for (view, playback) in person.views.iter().enumerate() {
                for (stretch, plays) in playback.stretches.iter().enumerate() {
                    beats.push(Reverse(Beat {
                        to: plays.to.min(plays.from + BEAT),
                        viewer,
                        view,
                        stretch,
                        from: plays.from,
                    }));
                }
            }
        }
        Self {
            starts_at: show.starts_at.as_millis(),
            live: show.event(Program::Live).into(),
            recording: show.event(Program::Recording).into(),
            crowd,
            once,
            beats,
        }
    }

    /// How many records are still to come.
    pub fn left(&self) -> u64 {
        let beats = self.beats.iter().map(|Reverse(beat)| {
            let stretch = self.crowd[beat.viewer].views[beat.view].stretches[beat.stretch];
            // The beat that is due, and those that follow it.
            1 + (stretch.to - beat.to + BEAT - 1) / BEAT
        });
        self.once.len() as u64 + beats.sum::<i64>().unsigned_abs()
    }

    fn next_beat(&mut self) -> Option<(Program, Record)> {
        let Reverse(beat) = self.beats.pop()?;
        let viewer = &self.crowd[beat.viewer];
        let view = &viewer.views[beat.view];
        let stretch = view.stretches[beat.stretch];
        if beat.to < stretch.to {
            self.beats.push(Reverse(Beat {
                from: beat.to,
                to: stretch.to.min(beat.to + BEAT),
                ..beat
            }));
        }
        let record = Record::Playback(PlaybackRecord {
            playback_id: view.playback.clone(),
            from: At(beat.from),
            to: At(beat.to),
            device_id: view.device.id.clone(),
            customer_id: viewer.customer.clone(),
            device_os: view.device.os,
            geo_region: viewer.region,
            name: viewer.name.clone(),
            position_ms: stretch.position_at(beat.from),
            // A player that plays at its usual speed tells none.
            rate: (stretch.rate_percent != 100).then(|| f64::from(stretch.rate_percent) / 100.0),
        });
        Some((view.program, record))
    }
}

impl Iterator for Records {
    type Item = SimulatedRecord;

    fn next(&mut self) -> Option<SimulatedRecord> {
        let beat_at = self.beats.peek().map_or(i64::MAX, |Reverse(beat)| beat.to);
        let once_is_next = self.once.last().is_some_and(|&(at, ..)| at <= beat_at);
        let (program, record) = if once_is_next {
            let (_, program, record) = self.once.pop()?;
            (program, record)
        } else {
            self.next_beat()?
        };
        let event_id = match program {
            Program::Live => &self.live,
            Program::Recording => &self.recording,
        };
        Some(SimulatedRecord {
            event_id: event_id.clone(),
            record: record.moved(self.starts_at),
        })
    }
}

/// The event as it was announced, and under the title it got when it began.
fn event_records() -> Vec<(i64, Record)> {
    let version = |at, title: &str| {
        let record = EventRecord {
            kind: EventKind::Live,
            title: title.to_owned(),
            starts_at: Some(At(STARTS_AT)),
            ends_at: Some(At(ENDS_AT)),
            duration_ms: ENDS_AT - DOORS_AT,
            updated_at: At(at),
        };
        (at, Record::Event(record))
    };
    vec![
        version(DOORS_AT - 60 * MINUTE, "Keynote (working title)"),
        version(STARTS_AT, TITLE),
    ]
}

/// The recording as it is published.
fn recording_record() -> (i64, Program, Record) {
    let record = EventRecord {
        kind: EventKind::Vod,
        title: format!("{TITLE} (recording)"),
        starts_at: None,
        ends_at: None,
        duration_ms: DURATION,
        updated_at: At(PUBLISHED_AT),
    };
    (PUBLISHED_AT, Program::Recording, Record::Event(record))
}
