//! One whole live event, made up: who watched, what was said, what was voted.
//!
//! The same show every time: for a number of viewers and a seed the records are
//! the same on every machine, byte for byte. Viewers come in a rush, pause, lose
//! the network, come back on another device and leave as it ends; they chat and
//! vote in three polls; and some of what is sent is sent twice, or late. Nothing
//! here sends anything, and memory grows with viewers, not with records.

mod random;
mod wire;
mod audience;
mod chat;
mod polls;
mod tally;
mod stream;
mod delivery;

pub use delivery::{BATCH_RECORDS, Batch, Batches, Delivery};
pub use stream::{Records, SimulatedRecord};
pub use tally::Tally;

use random::Random;

/// The event's id.
pub const EVENT: &str = "demo-keynote";
/// The event's title.
pub const TITLE: &str = "Northlight Spring Keynote";

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
/// How often a player says that it is playing.
const BEAT: i64 = 10 * SECOND;
/// 2026-03-12T18:00:00Z.
const STARTS_AT: i64 = 1_773_338_400_000;
/// A quarter of an hour before, a countdown begins to play.
const DOORS_AT: i64 = STARTS_AT - 15 * MINUTE;
const ENDS_AT: i64 = STARTS_AT + 90 * MINUTE;

/// Numbers of the streams that belong to no viewer: above any number of viewers.
const CHAT_STREAM: u64 = 1 << 40;
const POLLS_STREAM: u64 = CHAT_STREAM + 1;
const DELIVERY_STREAM: u64 = CHAT_STREAM + 2;

/// Which show is made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Show {
    viewers: u32,
    seed: u64,
}

impl Show {
    /// The show that so many people come to; at least one does.
    pub fn new(viewers: u32) -> Self {
        Self::seeded(viewers, 20_260_312)
    }

    /// Another evening with as many.
    pub fn seeded(viewers: u32, seed: u64) -> Self {
        Self {
            viewers: viewers.max(1),
            seed,
        }
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

    use showreport_model::Timestamp;

    use super::*;

    fn lines(show: Show) -> Vec<String> {
        show.records()
            .map(|record| serde_json::to_string(&record).expect("plain fields"))
            .collect()
    }

    #[test]
    fn the_same_show_sends_the_same_bytes() {
        let bodies =
            |show: Show| -> Vec<Vec<u8>> { show.batches().map(|batch| batch.body).collect() };
        assert_eq!(bodies(Show::new(50)), bodies(Show::new(50)));
        assert_ne!(bodies(Show::new(50)), bodies(Show::seeded(50, 1)));
    }

    #[test]
    fn it_starts_when_it_says() {
        let start: Timestamp = "2026-03-12T18:00:00Z".parse().expect("a time");
        assert_eq!(start.as_millis(), STARTS_AT);
    }

    #[test]
    fn what_is_sent_is_what_happened_some_of_it_twice() {
        let show = Show::new(600);
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
        let mut records = Show::new(30).records();
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
        assert!(Show::new(0).records().count() > 10);
    }

    #[test]
    fn a_beat_is_ten_seconds_at_most() {
        for line in lines(Show::new(40)) {
            let record: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            if record["type"] != "playback" {
                continue;
            }
            let at = |field: &str| -> i64 {
                let text = record[field].as_str().expect("a time");
                text.parse::<Timestamp>().expect("a time").as_millis()
            };
            assert!((1..=BEAT).contains(&(at("to") - at("from"))), "{line}");
            assert!(
                record["position_ms"]
                    .as_i64()
                    .is_some_and(|position| position >= 0)
            );
        }
    }
}
