//! The records of a live show, in the order in which a server would get them.
//!
//! Ten-second playback records of many views: a crowd comes within the first hour, stays as
//! long as it likes (exponential, 38 minutes on average, three hours at most) and sends a
//! record every ten seconds. Every hundredth is sent twice, the copy ten seconds late. About
//! one customer for two views: so some watch on two devices at once. The same seed gives the
//! same bytes, and no more than the views themselves is held in memory.

use showreport_testkit::Random;
use std::collections::VecDeque;

/// When every show begins: a fixed hour, so that figures do not depend on the day.
pub(crate) const BEGINS_MS: u64 = 1_795_446_000_000;

const BEAT_MS: u64 = 10_000;
const BEATS_MEAN: u64 = 226;
const BEATS_MAX: u64 = 1_080;
const ARRIVALS_MS: u64 = 3_600_000;
const TWICE_EVERY: u64 = 100;

const SYSTEMS: [&str; 6] = ["Android", "iOS", "Linux", "macOS", "Windows", "tvOS"];
const COUNTRIES: [&str; 10] = ["TW", "US", "JP", "DE", "GB", "FR", "KR", "IN", "BR", "CA"];
const PROVINCES: [&str; 5] = ["", "-A", "-B", "-C", "-D"];

/// One show, not yet told.
pub(crate) struct Show {
    /// Views by the second of ten in which they send.
    turns: [Vec<View>; 10],
    arrivals: VecDeque<View>,
    second: u64,
    told: u64,
    copies: u64,
    late: VecDeque<(u64, Vec<u8>)>,
}

struct View {
    head: String,
    next_ms: u64,
    beats: u64,
}

impl Show {
    /// A show of `records` records, copies included, all about `event`.
    pub(crate) fn new(event: &str, seed: u64, records: u64) -> Self {
        let mut random = Random::new(seed);
        let copies = records / (TWICE_EVERY + 1);
        let mut left = records - copies;
        let customers = (left / (BEATS_MEAN * 2)).max(1);
        let mut arrivals = Vec::new();
        while left > 0 {
            let beats = random.exponential(BEATS_MEAN).clamp(1, BEATS_MAX).min(left);
            left -= beats;
            let head = head(event, arrivals.len(), customers, &mut random);
            let next_ms = random.below(ARRIVALS_MS);
            arrivals.push(View {
                head,
                next_ms,
                beats,
            });
        }
        arrivals.sort_by_key(|view| view.next_ms);
        Self {
            turns: Default::default(),
            arrivals: arrivals.into(),
            second: 0,
            told: 0,
            copies,
            late: VecDeque::new(),
        }
    }

    /// Appends the lines of the next second to `lines`; how many, or nothing once the show is over.
    pub(crate) fn tell(&mut self, lines: &mut Vec<u8>) -> Option<u64> {
        let turn = usize::try_from(self.second % 10).expect("below ten");
        let over = self.arrivals.is_empty() && self.turns.iter().all(Vec::is_empty);
        if over && self.late.is_empty() {
            return None;
        }
        let mut count = 0;
        while self
            .late
            .front()
            .is_some_and(|(due, _)| over || *due <= self.second)
        {
            let (_, line) = self.late.pop_front().expect("there is one");
            lines.extend(line);
            count += 1;
        }
        let until = (self.second + 1) * 1_000;
        while self
            .arrivals
            .front()
            .is_some_and(|view| view.next_ms < until)
        {
            self.turns[turn].extend(self.arrivals.pop_front());
        }
        let mut views = std::mem::take(&mut self.turns[turn]);
        for view in &mut views {
            let begin = lines.len();
            view.beat(lines);
            count += 1;
            self.told += 1;
            if self.copies > 0 && self.told.is_multiple_of(TWICE_EVERY) {
                self.copies -= 1;
                self.late
                    .push_back((self.second + 10, lines[begin..].to_vec()));
            }
        }
        views.retain(|view| view.beats > 0);
        self.turns[turn] = views;
        self.second += 1;
        Some(count)
    }
}

impl View {
    fn beat(&mut self, lines: &mut Vec<u8>) {
        let from = BEGINS_MS + self.next_ms;
        lines.extend(self.head.as_bytes());
        lines.extend(format!("{from},\"to\":{}}}\n", from + BEAT_MS).as_bytes());
        self.next_ms += BEAT_MS;
        self.beats -= 1;
    }
}

/// All of a view's records but their times.
fn head(event: &str, view: usize, customers: u64, random: &mut Random) -> String {
    let customer = random.below(customers);
    let device = customer * 2 + random.below(2);
    let pick = |list: &[&'static str], by: u64| {
        let length = u64::try_from(list.len()).expect("a short list");
        list[usize::try_from(by % length).expect("shorter still")]
    };
    let (country, province) = (pick(&COUNTRIES, customer), pick(&PROVINCES, customer / 10));
    format!(
        "{{\"type\":\"playback\",\"event_id\":\"{event}\",\"playback_id\":\"{:016x}{view:08x}\",\
         \"customer_id\":\"customer-{customer:08}\",\"device_id\":\"device-{device:08}\",\
         \"device_os\":\"{}\",\"geo_region\":\"{country}{province}\",\"from\":",
        random.next(),
        pick(&SYSTEMS, device),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(seed: u64, records: u64) -> (u64, Vec<u8>) {
        let (mut show, mut lines, mut count) = (Show::new("keynote", seed, records), Vec::new(), 0);
        while let Some(more) = show.tell(&mut lines) {
            count += more;
        }
        (count, lines)
    }

    #[test]
    fn the_count_is_the_one_asked_for() {
        for records in [1, 100, 101, 9_999, 20_200] {
            let (count, lines) = told(1, records);
            let newlines = lines.split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(
                (count, newlines),
                (records, usize::try_from(records).expect("small"))
            );
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(told(7, 5_000), told(7, 5_000));
        assert_ne!(told(7, 5_000), told(8, 5_000));
    }

    #[test]
    fn one_in_a_hundred_comes_twice() {
        let (_, lines) = told(1, 10_100);
        let mut lines: Vec<_> = lines.split(|byte| *byte == b'\n').collect();
        lines.sort_unstable();
        let twice = lines.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(twice, 100);
    }
}
