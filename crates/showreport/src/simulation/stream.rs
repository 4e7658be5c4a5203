//! An iterator over all records of a show, sorted by time. Its memory grows with the number of
//! viewers, not of records.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use showreport_model::Timestamp;
use showreport_model::record::EventKind;

use super::audience::Viewer;
use super::chat::draw_chat;
use super::counts::RecordCounts;
use super::polls::draw_polls;
use super::wire::{At, EventRecord, PlaybackRecord, Record};
use super::{
    BEAT, CHAT_STREAM, DURATION, ENDS_AT, MINUTE, POLLS_STREAM, PUBLISHED_AT, Program, STARTS_AT,
    STREAM_STARTS_AT, Show, TITLE,
};

/// One simulated record; it serializes as one line of NDJSON.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SimulatedRecord {
    #[serde(skip)]
    program: Program,
    event_id: Arc<str>,
    #[serde(flatten)]
    record: Record,
}

impl SimulatedRecord {
    /// Whether it is of the live show.
    pub fn is_live(&self) -> bool {
        self.program == Program::Live
    }

    /// When it is sent.
    pub fn at(&self) -> Timestamp {
        let at = Timestamp::from_millis(self.record.at().0);
        at.expect("shows take place in this century")
    }

    pub(super) fn counts(&self) -> RecordCounts {
        let mut counts = RecordCounts::default();
        let count = match self.record {
            Record::Event(_) => &mut counts.events,
            Record::Playback(_) => &mut counts.playbacks,
            Record::Chat(_) => &mut counts.messages,
            Record::Poll(_) => &mut counts.polls,
            Record::Vote(_) => &mut counts.votes,
        };
        *count += 1;
        counts
    }
}

/// The records of a show, each once, sorted by time.
#[derive(Debug)]
pub struct Records {
    starts_at: i64,
    live: Arc<str>,
    recording: Arc<str>,
    viewers: Vec<Viewer>,
    /// All records but playbacks, latest first: the next one is popped from the end.
    others: Vec<(i64, Program, Record)>,
    /// The next beat of each stretch.
    beats: BinaryHeap<Reverse<Beat>>,
}

/// A part of a stretch that is sent as one record, ordered by its end.
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
        let viewers: Vec<Viewer> = (0..u64::from(show.viewers))
            .map(|number| Viewer::draw(number, show.seed))
            .collect();
        let mut of_live = event_records(show);
        of_live.extend(draw_chat(&viewers, &mut show.random(CHAT_STREAM)));
        of_live.extend(draw_polls(&viewers, &mut show.random(POLLS_STREAM)));
        let mut others: Vec<(i64, Program, Record)> = of_live
            .into_iter()
            .map(|(at, record)| (at, Program::Live, record))
            .collect();
        others.push(recording_record());
        others.sort_by_key(|&(at, ..)| Reverse(at));
        let mut beats = BinaryHeap::new();
        for (viewer, person) in viewers.iter().enumerate() {
            for (view, playback) in person.views.iter().enumerate() {
                for (stretch, span) in playback.stretches.iter().enumerate() {
                    beats.push(Reverse(Beat {
                        to: span.to.min(span.from + BEAT),
                        viewer,
                        view,
                        stretch,
                        from: span.from,
                    }));
                }
            }
        }
        Self {
            starts_at: show.starts_at.as_millis(),
            live: show.event(Program::Live).into(),
            recording: show.event(Program::Recording).into(),
            viewers,
            others,
            beats,
        }
    }

    /// Number of records that the iterator has not returned yet.
    pub fn left(&self) -> u64 {
        let beats = self.beats.iter().map(|Reverse(beat)| {
            let stretch = self.viewers[beat.viewer].views[beat.view].stretches[beat.stretch];
            // The next beat and those after it.
            1 + (stretch.to - beat.to + BEAT - 1) / BEAT
        });
        self.others.len() as u64 + beats.sum::<i64>().unsigned_abs()
    }

    fn next_beat(&mut self) -> Option<(Program, Record)> {
        let Reverse(beat) = self.beats.pop()?;
        let viewer = &self.viewers[beat.viewer];
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
            // Players leave out the rate at normal speed.
            rate: (stretch.rate_percent != 100).then(|| f64::from(stretch.rate_percent) / 100.0),
        });
        Some((view.program, record))
    }
}

impl Iterator for Records {
    type Item = SimulatedRecord;

    fn next(&mut self) -> Option<SimulatedRecord> {
        let beat_at = self.beats.peek().map_or(i64::MAX, |Reverse(beat)| beat.to);
        let other_is_next = self.others.last().is_some_and(|&(at, ..)| at <= beat_at);
        let (program, record) = if other_is_next {
            let (_, program, record) = self.others.pop()?;
            (program, record)
        } else {
            self.next_beat()?
        };
        let event_id = match program {
            Program::Live => &self.live,
            Program::Recording => &self.recording,
        };
        Some(SimulatedRecord {
            program,
            event_id: event_id.clone(),
            record: record.shifted(self.starts_at),
        })
    }
}

/// Two versions of the event: announced with a working title, then started with its final title.
fn event_records(show: Show) -> Vec<(i64, Record)> {
    let version = |at, title: &str| {
        let record = EventRecord {
            kind: EventKind::Live,
            title: title.to_owned(),
            starts_at: Some(At(STARTS_AT)),
            ends_at: Some(At(ENDS_AT)),
            duration_ms: ENDS_AT - STREAM_STARTS_AT,
            updated_at: At(at),
        };
        (at, Record::Event(record))
    };
    vec![
        version(STREAM_STARTS_AT - 60 * MINUTE, "Keynote (working title)"),
        version(STARTS_AT, show.title()),
    ]
}

/// The event of the recording.
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
