//! One whole live event, made up: who watched, what was said, what was voted.
//!
//! The same show every time: for a start, a number of viewers and a seed the records are
//! the same on every machine, byte for byte. Viewers come in a rush, pause, lose
//! the network, come back on another device and leave as it ends; they chat and
//! vote in three polls; later some watch the recording; and some of what is sent is sent twice,
//! or late. Nothing here sends anything, and memory grows with viewers, not with records.

mod random;
mod wire;
mod recording;
mod audience;
mod chat;
mod polls;
mod tally;
mod stream;
mod delivery;

pub use delivery::{BATCH_RECORDS, Batch, Batches, Delivery};
pub use stream::{Records, SimulatedRecord};
pub use tally::Tally;

use showreport_model::Timestamp;

use random::Random;

/// The event's title.
pub const TITLE: &str = "Northlight Keynote";

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
/// How often a player says that it is playing.
const BEAT: i64 = 10 * SECOND;
/// Instants in here count from the start of the show; a record gets the date when it is taken.
const STARTS_AT: i64 = 0;
/// A quarter of an hour before, a countdown begins to play.
const DOORS_AT: i64 = STARTS_AT - 15 * MINUTE;
const DURATION: i64 = 90 * MINUTE;
const ENDS_AT: i64 = STARTS_AT + DURATION;
/// When the recording is there.
const PUBLISHED_AT: i64 = ENDS_AT + 60 * MINUTE;
/// When its last viewer has left.
const RECORDING_ENDS_AT: i64 = STARTS_AT + 6 * 60 * MINUTE;

/// Numbers of the streams that belong to no viewer: above any number of viewers.
const CHAT_STREAM: u64 = 1 << 40;
const POLLS_STREAM: u64 = CHAT_STREAM + 1;
const DELIVERY_STREAM: u64 = CHAT_STREAM + 2;

/// What is watched: the live show, or its recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The show as it happens.
    Live,
    /// The video on demand that is made of it.
    Recording,
}

/// Which show is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Show {
    starts_at: Timestamp,
    viewers: u32,
    seed: u64,
}

impl Show {
    /// The show that so many people come to; at least one does.
    ///
    /// Everything happens from an hour and a quarter before its start until six hours after it.
    pub fn new(starts_at: Timestamp, viewers: u32) -> Self {
        Self {
            starts_at,
            viewers: viewers.max(1),
            seed: 20_260_312,
        }
    }

    /// The id of an event. Shows with other numbers of viewers are other events.
    pub fn event(self, program: Program) -> String {
        match program {
            Program::Live => format!("keynote-{}", self.viewers),
            Program::Recording => format!("keynote-{}-vod", self.viewers),
        }
    }

    /// The date of the show, in UTC.
    pub fn day(self) -> String {
        self.starts_at.to_string().chars().take(10).collect()
    }

    /// How many people come.
    pub const fn viewers(self) -> u32 {
        self.viewers
    }

    /// Every record once, in the order of their instants.
    pub fn records(self) -> Records {
        Records::new(self)
    }

    /// The records as they are sent: in batches, some of them twice, some late.
    pub fn batches(self) -> Batches {
        Batches::new(self)
    }

    fn random(self, stream: u64) -> Random {
        Random::new(self.seed, stream)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn at(time: &str) -> Timestamp {
        time.parse().expect("a time")
    }

    fn show(viewers: u32) -> Show {
        Show::new(at("2026-03-12T18:00:00Z"), viewers)
    }

    fn lines(show: Show) -> Vec<String> {
        show.records()
            .map(|record| serde_json::to_string(&record).expect("plain fields"))
            .collect()
    }

    #[test]
    fn the_same_show_sends_the_same_bytes() {
        let bodies =
            |show: Show| -> Vec<Vec<u8>> { show.batches().map(|batch| batch.body).collect() };
        let other = Show {
            seed: 1,
            ..show(50)
        };
        assert_eq!(bodies(show(50)), bodies(show(50)));
        assert_ne!(bodies(show(50)), bodies(other));
    }

    #[test]
    fn it_happens_within_the_day_on_which_it_starts() {
        let mut ends = Vec::new();
        for line in lines(show(300)) {
            let record: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            for (field, value) in record.as_object().expect("an object") {
                let Some(time) = value
                    .as_str()
                    .filter(|_| field == "to" || field.ends_with("_at"))
                else {
                    continue;
                };
                let time = at(time);
                assert!(time >= at("2026-03-12T16:45:00Z"), "{line}");
                assert!(time <= at("2026-03-13T00:00:00Z"), "{line}");
                if field == "to" {
                    ends.push((record["event_id"].clone(), time));
                }
            }
        }
        let events: BTreeSet<_> = ends.iter().map(|(event, _)| event.to_string()).collect();
        assert_eq!(events.len(), 2, "{events:?}");
    }

    #[test]
    fn another_number_of_viewers_is_another_event() {
        let events =
            |viewers| [Program::Live, Program::Recording].map(|it| show(viewers).event(it));
        let all: BTreeSet<_> = [events(20), events(30)].concat().into_iter().collect();
        assert_eq!(all.len(), 4, "{all:?}");
    }

    #[test]
    fn what_is_sent_is_what_happened_some_of_it_twice() {
        let show = show(600);
        let happened: BTreeSet<String> = lines(show).into_iter().collect();
        let mut sent = BTreeSet::new();
        let mut again = 0;
        let mut late = 0;
        let mut batches = 0;
        for batch in show.batches() {
            let body = String::from_utf8(batch.body).expect("UTF-8");
            let count = body.lines().count();
            assert_eq!(u64::try_from(count).expect("small"), batch.tally.total());
            again += usize::from(batch.delivery == Delivery::Again);
            late += usize::from(batch.delivery == Delivery::Late);
            batches += 1;
            sent.extend(body.lines().map(str::to_owned));
        }
        assert_eq!(sent, happened);
        assert!((1..batches / 10).contains(&again), "{again} of {batches}");
        assert!((1..batches / 10).contains(&late), "{late} of {batches}");
    }

    #[test]
    fn it_is_known_how_many_records_there_will_be() {
        let mut records = show(30).records();
        let announced = records.left();
        assert!(records.by_ref().take(1000).count() == 1000);
        assert_eq!(records.left(), announced - 1000);
        assert_eq!(
            u64::try_from(records.count()).expect("small"),
            announced - 1000
        );
    }

    #[test]
    fn one_viewer_is_a_show() {
        assert!(show(0).records().count() > 10);
    }

    #[test]
    fn a_beat_is_ten_seconds_at_most() {
        for line in lines(show(40)) {
            let record: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            if record["type"] != "playback" {
                continue;
            }
            let millis = |field: &str| at(record[field].as_str().expect("a time")).as_millis();
            let length = millis("to") - millis("from");
            assert!((1..=BEAT).contains(&length), "{line}");
            assert!(record["name"].is_string(), "{line}");
            assert!(
                record["position_ms"]
                    .as_i64()
                    .is_some_and(|position| position >= 0)
            );
        }
    }
}
