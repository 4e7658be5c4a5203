//! A simulated live event with playbacks, chat and polls, and its recording.
//!
//! The start, the number of viewers and the seed determine every byte of the records, on every
//! machine. Most viewers arrive at the start and leave at the end. They pause, lose the network,
//! change devices, chat and vote in three polls, and some watch the recording later. Some records
//! are sent twice or late. This module only generates records; the caller sends them. Memory grows
//! with the number of viewers, not of records.

mod random;
mod wire;
mod recording;
mod audience;
mod chat;
mod polls;
mod counts;
mod stream;
mod delivery;

pub use counts::RecordCounts;
pub use delivery::{BATCH_RECORDS, Batch, Batches, Delivery};
pub use stream::{Records, SimulatedRecord};

use showreport_model::Timestamp;

use random::Random;

/// The event's title.
pub const TITLE: &str = "Northlight Keynote";

/// The title of the event that takes place while it is sent.
const TITLE_ON_NOW: &str = "Northlight Keynote, live";

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
/// Maximum length of the span in one playback record.
const BEAT: i64 = 10 * SECOND;
/// Times in this module are milliseconds from the start of the show. `Records` adds the date.
const STARTS_AT: i64 = 0;
/// Start of the stream, which shows a countdown until the show starts.
const STREAM_STARTS_AT: i64 = STARTS_AT - 15 * MINUTE;
const DURATION: i64 = 90 * MINUTE;
const ENDS_AT: i64 = STARTS_AT + DURATION;
/// When the recording is published.
const PUBLISHED_AT: i64 = ENDS_AT + 60 * MINUTE;
/// End of the last playback of the recording.
const RECORDING_ENDS_AT: i64 = STARTS_AT + 6 * 60 * MINUTE;

/// Numbers of the random streams that belong to no viewer, above the number of any viewer.
const CHAT_STREAM: u64 = 1 << 40;
const POLLS_STREAM: u64 = CHAT_STREAM + 1;
const DELIVERY_STREAM: u64 = CHAT_STREAM + 2;

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The live show.
    Live,
    /// The video on demand that is made of the show.
    Recording,
}

/// The parameters of a simulated show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Show {
    starts_at: Timestamp,
    viewers: u32,
    seed: u64,
    is_on_now: bool,
}

impl Show {
    /// A show with this number of viewers, at least one.
    ///
    /// All records lie between 75 minutes before the start and six hours after it.
    pub fn new(starts_at: Timestamp, viewers: u32) -> Self {
        Self {
            starts_at,
            viewers: viewers.max(1),
            seed: 20_260_312,
            is_on_now: false,
        }
    }

    /// A show that is sent while it takes place, of an event of its own.
    ///
    /// Each start draws other views, since views of an earlier run have other times.
    pub fn on_now(starts_at: Timestamp, viewers: u32) -> Self {
        Self {
            seed: starts_at.as_millis().unsigned_abs(),
            is_on_now: true,
            ..Self::new(starts_at, viewers)
        }
    }

    /// The title of the event.
    pub const fn title(self) -> &'static str {
        if self.is_on_now { TITLE_ON_NOW } else { TITLE }
    }

    /// The id of the event. It holds the number of viewers, so that different shows are different
    /// events.
    pub fn event(self, program: Program) -> String {
        let name = if self.is_on_now {
            "keynote-live".to_owned()
        } else {
            format!("keynote-{}", self.viewers)
        };
        match program {
            Program::Live => name,
            Program::Recording => format!("{name}-replay"),
        }
    }

    /// The date of the show, in UTC.
    pub fn day(self) -> String {
        self.starts_at.to_string().chars().take(10).collect()
    }

    /// The number of viewers.
    pub const fn viewers(self) -> u32 {
        self.viewers
    }

    /// Every record once, sorted by time.
    pub fn records(self) -> Records {
        Records::new(self)
    }

    /// The records in batches as they are sent, some of them twice and some late.
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
    fn all_records_lie_within_the_day_of_the_start() {
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
    fn a_show_that_is_on_now_has_records_of_every_minute_and_another_start_has_other_views() {
        let start = at("2026-03-12T18:00:00Z");
        let views = |show: Show| -> BTreeSet<String> {
            let mut views = BTreeSet::new();
            let mut before = at("2026-03-12T16:00:00Z");
            for record in show.records().filter(SimulatedRecord::is_live) {
                assert!(record.at() >= before, "they are sorted by time");
                before = record.at();
                let line = serde_json::to_value(&record).expect("plain fields");
                assert_eq!(line["event_id"], "keynote-live");
                views.extend(line["playback_id"].as_str().map(str::to_owned));
            }
            views
        };
        let first = views(Show::on_now(start, 20));
        let second = views(Show::on_now(start.saturating_add_millis(MINUTE), 20));
        assert!(first.len() >= 20 && first.is_disjoint(&second));
    }

    #[test]
    fn every_record_is_sent_and_some_twice_or_late() {
        let show = show(600);
        let expected: BTreeSet<String> = lines(show).into_iter().collect();
        let mut sent = BTreeSet::new();
        let mut again = 0;
        let mut late = 0;
        let mut batches = 0;
        for batch in show.batches() {
            let body = String::from_utf8(batch.body).expect("UTF-8");
            let count = body.lines().count();
            assert_eq!(u64::try_from(count).expect("small"), batch.records.total());
            again += usize::from(batch.delivery == Delivery::Again);
            late += usize::from(batch.delivery == Delivery::Late);
            batches += 1;
            sent.extend(body.lines().map(str::to_owned));
        }
        assert_eq!(sent, expected);
        assert!((1..batches / 10).contains(&again), "{again} of {batches}");
        assert!((1..batches / 10).contains(&late), "{late} of {batches}");
    }

    #[test]
    fn the_number_of_records_left_is_exact() {
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
    fn a_show_has_at_least_one_viewer() {
        assert!(show(0).records().count() > 10);
    }

    #[test]
    fn the_span_of_a_record_is_at_most_ten_seconds() {
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
