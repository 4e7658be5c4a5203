//! The records of a live show, in the order in which a server would receive them.
//!
//! Playback records of ten seconds each. All views begin within the first hour; their lengths are
//! exponential, 38 minutes on average and three hours at most. Every hundredth record is sent
//! twice, the copy ten seconds later. There is one customer for two views, so some watch on two
//! devices at once. The same seed gives the same bytes. Memory grows with the views, not with the
//! records.

use std::collections::VecDeque;

use showreport_testkit::Random;

/// The start of every show: fixed, so that figures do not depend on the day.
pub(crate) const BEGINS_MS: u64 = 1_795_446_000_000;

const BEAT_MS: u64 = 10_000;
/// Beats come less than this late.
const LATE_MS: u64 = 23;
const BEATS_MEAN: u64 = 226;
const BEATS_MAX: u64 = 1_080;
const ARRIVALS_MS: u64 = 3_600_000;
const TWICE_EVERY: u64 = 100;

const SYSTEMS: [&str; 6] = ["Android", "iOS", "Linux", "macOS", "Windows", "tvOS"];
const COUNTRIES: [&str; 10] = ["TW", "US", "JP", "DE", "GB", "FR", "KR", "IN", "BR", "CA"];
const PROVINCES: [&str; 5] = ["", "-A", "-B", "-C", "-D"];

/// The form in which views are sent. Both forms of a show have the same watch time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A playback record for each ten seconds.
    Spans,
    /// A beat for the beginning of each ten seconds, and one that is not playing at the end. As
    /// from players, those between the first and the last come some milliseconds late.
    Beats,
}

/// A show that makes its records second by second.
pub(crate) struct Show {
    form: Form,
    /// Views by the second of ten in which they send.
    turns: [Vec<View>; 10],
    arrivals: VecDeque<View>,
    second: u64,
    sent: u64,
    copies: u64,
    late: VecDeque<(u64, Vec<u8>)>,
}

struct View {
    head: String,
    next_ms: u64,
    beats: u64,
    sent: u64,
}

impl Show {
    /// A show of `records` records, copies included, all about `event`.
    pub(crate) fn new(event: &str, seed: u64, records: u64) -> Self {
        Self::of_form(Form::Spans, event, seed, records)
    }

    /// The same show as beats: one more for each view.
    pub(crate) fn of_beats(event: &str, seed: u64, records: u64) -> Self {
        Self::of_form(Form::Beats, event, seed, records)
    }

    fn of_form(form: Form, event: &str, seed: u64, records: u64) -> Self {
        let mut random = Random::with_seed(seed);
        let copies = records / (TWICE_EVERY + 1);
        let mut left = records - copies;
        let customers = (left / (BEATS_MEAN * 2)).max(1);
        let mut arrivals = Vec::new();
        while left > 0 {
            let beats = exponential(&mut random, BEATS_MEAN)
                .clamp(1, BEATS_MAX)
                .min(left);
            left -= beats;
            let head = head(form, event, arrivals.len(), customers, &mut random);
            let next_ms = random.u64(..ARRIVALS_MS);
            arrivals.push(View {
                head,
                next_ms,
                beats,
                sent: 0,
            });
        }
        arrivals.sort_by_key(|view| view.next_ms);
        Self {
            form,
            turns: Default::default(),
            arrivals: arrivals.into(),
            second: 0,
            sent: 0,
            copies,
            late: VecDeque::new(),
        }
    }

    /// Appends the lines of the next second; their number, or `None` once the show is over.
    pub(crate) fn next_second(&mut self, lines: &mut Vec<u8>) -> Option<u64> {
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
            view.beat(self.form, lines);
            count += 1;
            self.sent += 1;
            if self.copies > 0 && self.sent.is_multiple_of(TWICE_EVERY) {
                self.copies -= 1;
                self.late
                    .push_back((self.second + 10, lines[begin..].to_vec()));
            }
            if self.form == Form::Beats && view.beats == 0 {
                view.stop(lines);
                count += 1;
            }
        }
        views.retain(|view| view.beats > 0);
        self.turns[turn] = views;
        self.second += 1;
        Some(count)
    }
}

impl View {
    fn beat(&mut self, form: Form, lines: &mut Vec<u8>) {
        let (from, number) = (BEGINS_MS + self.next_ms, self.sent);
        lines.extend(self.head.as_bytes());
        let rest = match form {
            Form::Spans => format!("{from},\"to\":{}}}\n", from + BEAT_MS),
            Form::Beats => {
                let late = if number == 0 {
                    0
                } else {
                    self.next_ms / 7 % LATE_MS
                };
                format!("{},\"seq\":{number},\"playing\":true}}\n", from + late)
            }
        };
        lines.extend(rest.as_bytes());
        self.next_ms += BEAT_MS;
        self.beats -= 1;
        self.sent += 1;
    }

    /// The last beat of a view.
    fn stop(&self, lines: &mut Vec<u8>) {
        let (at, number) = (BEGINS_MS + self.next_ms, self.sent);
        lines.extend(self.head.as_bytes());
        lines.extend(format!("{at},\"seq\":{number},\"playing\":false}}\n").as_bytes());
    }
}

/// The part that is the same in all records of a view.
fn head(form: Form, event: &str, view: usize, customers: u64, random: &mut Random) -> String {
    let customer = random.u64(..customers);
    let device = customer * 2 + random.u64(..2);
    let pick = |list: &[&'static str], by: u64| {
        let length = u64::try_from(list.len()).expect("a short list");
        list[usize::try_from(by % length).expect("shorter still")]
    };
    let (country, province) = (pick(&COUNTRIES, customer), pick(&PROVINCES, customer / 10));
    let (record, time) = match form {
        Form::Spans => ("playback", "from"),
        Form::Beats => ("beat", "at"),
    };
    format!(
        "{{\"type\":\"{record}\",\"event_id\":\"{event}\",\"playback_id\":\"{:016x}{view:08x}\",\
         \"customer_id\":\"customer-{customer:08}\",\"device_id\":\"device-{device:08}\",\
         \"device_os\":\"{}\",\"geo_region\":\"{country}{province}\",\"{time}\":",
        random.u64(..),
        pick(&SYSTEMS, device),
    )
}

/// A random number with this mean, mostly small and rarely large.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length needs no last digit, and is never negative"
)]
fn exponential(random: &mut Random, mean: u64) -> u64 {
    (-(mean as f64) * (1.0 - random.f64()).ln()).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records_of(seed: u64, count: u64) -> (u64, Vec<u8>) {
        let (mut show, mut lines, mut count) = (Show::new("keynote", seed, count), Vec::new(), 0);
        while let Some(more) = show.next_second(&mut lines) {
            count += more;
        }
        (count, lines)
    }

    #[test]
    fn a_show_has_as_many_records_as_it_was_made_with() {
        for records in [1, 100, 101, 9_999, 20_200] {
            let (count, lines) = records_of(1, records);
            let newlines = lines.split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(
                (count, newlines),
                (records, usize::try_from(records).expect("small"))
            );
        }
    }

    #[test]
    fn a_show_as_beats_has_one_more_for_each_view() {
        let (mut show, mut lines) = (Show::of_beats("keynote", 1, 9_999), Vec::new());
        while show.next_second(&mut lines).is_some() {}
        let lines = String::from_utf8(lines).expect("text");
        let playing = lines.matches("\"playing\":true").count();
        let stopped = lines.matches("\"playing\":false").count();
        assert_eq!((playing, playing + stopped), (9_999, lines.lines().count()));
        let (_, spans) = records_of(1, 9_999);
        let views = |text: &str| {
            let ids = text
                .lines()
                .filter_map(|line| line.split("\"playback_id\"").nth(1));
            ids.map(|rest| rest[..26].to_owned())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(views(&lines), views(str::from_utf8(&spans).expect("text")));
        assert_eq!(views(&lines).len(), stopped);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        assert_eq!(records_of(7, 5_000), records_of(7, 5_000));
        assert_ne!(records_of(7, 5_000), records_of(8, 5_000));
    }

    #[test]
    fn one_record_in_a_hundred_is_sent_twice() {
        let (_, lines) = records_of(1, 10_100);
        let mut lines: Vec<_> = lines.split(|byte| *byte == b'\n').collect();
        lines.sort_unstable();
        let twice = lines.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert_eq!(twice, 100);
    }
}
