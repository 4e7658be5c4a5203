//! The viewers with their devices and playbacks.
//!
//! The spans of a viewer are drawn in advance from a random stream of that viewer. They are few,
//! however long the viewer stays. The iterator over the records cuts them into beats.

use super::random::Random;
use super::recording::draw_recording;
use super::{ENDS_AT, MINUTE, Program, SECOND, STARTS_AT, STREAM_STARTS_AT};

/// A customer, or a viewer without a customer id.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    pub(super) customer: Option<String>,
    /// The display name in the chat.
    pub(super) name: String,
    pub(super) region: Option<&'static str>,
    pub(super) views: Vec<View>,
}

/// One playback.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) program: Program,
    /// The `playback_id` of its records.
    pub(super) playback: String,
    pub(super) device: Device,
    /// Ascending, disjoint and at least one.
    pub(super) stretches: Vec<Stretch>,
}

/// A span of uninterrupted play at one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Media position at `from`, in milliseconds.
    pub(super) position: i64,
    /// 100 is the normal speed.
    pub(super) rate_percent: i16,
}

impl Stretch {
    /// Media position at a time within the span.
    pub(super) fn position_at(self, at: i64) -> i64 {
        self.position + (at - self.from) * i64::from(self.rate_percent) / 100
    }

    const fn holds(self, at: i64) -> bool {
        self.from <= at && at < self.to
    }
}

#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) id: String,
    /// Operating system.
    pub(super) os: &'static str,
}

impl Viewer {
    /// Draws the viewer with this number.
    pub(super) fn draw(number: u64, seed: u64) -> Self {
        let mut random = Random::new(seed, number);
        let customer = (!random.chance(180)).then(|| format!("customer-{number:06}"));
        let name = if customer.is_some() {
            format!("{} {}.", random.pick(&NAMES), random.pick(&INITIALS))
        } else {
            format!("Guest {}", random.below(9000) + 1000)
        };
        let region = (!random.chance(25)).then(|| random.weighted(&REGIONS));
        let mut views = draw_views(&mut random, customer.is_some());
        // The first viewer always watches the recording, so that its event has a playback.
        if number == 0 || random.chance(RECORDING_PER_MILLE) {
            let device = views[0].device.clone();
            views.push(draw_recording(&mut random, device));
        }
        Self {
            customer,
            name,
            region,
            views,
        }
    }

    /// A view that is playing at this time.
    pub(super) fn watching(&self, at: i64) -> Option<&View> {
        let mut views = self.views.iter();
        views.find(|view| view.stretches.iter().any(|stretch| stretch.holds(at)))
    }
}

fn draw_views(random: &mut Random, signed_in: bool) -> Vec<View> {
    let device = draw_device(random);
    let from = draw_arrival(random);
    let to = draw_departure(random, from);
    // Some viewers continue on another device after a part of a long stay.
    let moves = signed_in && to - from > 12 * MINUTE && random.chance(90);
    let left_at = if moves {
        random.between(from + 5 * MINUTE..to - 5 * MINUTE)
    } else {
        to
    };
    let mut views = vec![draw_view(random, device.clone(), (from, left_at))];
    if moves {
        let back_at = left_at + random.between(30 * SECOND..4 * MINUTE);
        let other = draw_device(random);
        views.push(draw_view(
            random,
            other,
            (back_at, to.max(back_at + MINUTE)),
        ));
    }
    // A second tab on the same device gives two views of one customer that overlap.
    if signed_in && random.chance(40) {
        let opened_at = random.between(from..left_at);
        let closed_at = opened_at + MINUTE + random.wait(MINUTE, 8);
        views.push(draw_view(random, device, (opened_at, closed_at)));
    }
    views
}

/// Start of the first playback: most at the start of the show, then fewer and fewer, some late.
fn draw_arrival(random: &mut Random) -> i64 {
    let at = match random.below(100) {
        0..55 => random.around(STARTS_AT - 20 * SECOND, 3 * MINUTE),
        55..88 => STARTS_AT + random.wait(10 * SECOND, 60),
        _ => random.between(STARTS_AT..ENDS_AT - 5 * MINUTE),
    };
    at.clamp(STREAM_STARTS_AT, ENDS_AT - 2 * MINUTE)
}

/// End of the last playback: some after a few minutes, some during the show, most at its end.
fn draw_departure(random: &mut Random, from: i64) -> i64 {
    let exodus = random.around(ENDS_AT - 20 * SECOND, 75 * SECOND);
    let to = match random.below(100) {
        0..11 => from + random.between(15 * SECOND..4 * MINUTE),
        11..45 => from + random.wait(MINUTE, 38),
        _ => exodus,
    };
    to.clamp(from + 5 * SECOND, exodus.max(from + 5 * SECOND))
}

fn draw_device(random: &mut Random) -> Device {
    Device {
        id: format!("device-{:012x}", random.next() >> 16),
        os: random.weighted(&SYSTEMS),
    }
}

/// Draws a `playback_id`.
pub(super) fn draw_playback(random: &mut Random) -> String {
    format!("playback-{:016x}", random.next())
}

/// A playback of the live stream between two times, with interruptions.
fn draw_view(random: &mut Random, device: Device, (from, to): (i64, i64)) -> View {
    let playback = draw_playback(random);
    let live = |from, to| Stretch {
        from,
        to,
        position: from - STREAM_STARTS_AT,
        rate_percent: 100,
    };
    let mut stretches = Vec::new();
    let mut playing_from = from;
    loop {
        let stops_at = playing_from + 20 * SECOND + random.wait(MINUTE, 55);
        if stops_at >= to {
            break;
        }
        stretches.push(live(playing_from, stops_at));
        // A pause of the viewer, or a failure of the network.
        let away = if random.chance(600) {
            10 * SECOND + random.wait(20 * SECOND, 5)
        } else {
            random.between(3 * SECOND..75 * SECOND)
        };
        playing_from = stops_at + away;
    }
    if playing_from < to {
        stretches.push(live(playing_from, to));
    }
    View {
        program: Program::Live,
        playback,
        device,
        stretches,
    }
}

/// Share of the viewers that watch the recording too.
const RECORDING_PER_MILLE: u64 = 300;

const SYSTEMS: [(&str, u64); 9] = [
    ("Android", 26),
    ("iOS", 24),
    ("Windows", 23),
    ("macOS", 13),
    ("Android TV", 4),
    ("Tizen", 3),
    ("tvOS", 3),
    ("Linux", 2),
    ("webOS", 2),
];

const REGIONS: [(&str, u64); 24] = [
    ("US-CA", 90),
    ("TW-TPE", 80),
    ("JP-13", 75),
    ("US-NY", 60),
    ("DE-BE", 55),
    ("GB-LND", 55),
    ("IN-KA", 50),
    ("US-TX", 50),
    ("FR-IDF", 45),
    ("KR-11", 45),
    ("US-WA", 45),
    ("BR-SP", 40),
    ("DE-BY", 40),
    ("TW-KHH", 40),
    ("AU-NSW", 35),
    ("CA-ON", 35),
    ("ES-MD", 30),
    ("NL-NH", 30),
    ("SG", 30),
    ("IT-25", 25),
    ("MX-CMX", 25),
    ("SE-AB", 20),
    ("NG-LA", 15),
    ("ZA-GP", 15),
];

const NAMES: [&str; 32] = [
    "Ada", "Amara", "Ana", "Ben", "Chen", "Chloé", "Dev", "Elif", "Emma", "Fatima", "Giulia",
    "Haruki", "Ines", "Jonas", "José", "Kofi", "Lars", "Léa", "Lin", "Maja", "Mei", "Mohammed",
    "Nia", "Noah", "Olga", "Priya", "Rafael", "Sofía", "Søren", "Tariq", "Yuki", "Zoë",
];

const INITIALS: [&str; 20] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "J", "K", "L", "M", "N", "O", "P", "R", "S", "T", "W",
    "Z",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn viewers() -> Vec<Viewer> {
        (0..2000).map(|number| Viewer::draw(number, 1)).collect()
    }

    #[test]
    fn stretches_are_ascending_and_disjoint() {
        for view in viewers().iter().flat_map(|viewer| &viewer.views) {
            assert!(!view.stretches.is_empty());
            assert!(
                view.stretches
                    .iter()
                    .all(|stretch| stretch.from < stretch.to)
            );
            let mut pairs = view.stretches.windows(2);
            assert!(pairs.all(|pair| pair[0].to < pair[1].from));
        }
    }

    #[test]
    fn most_viewers_arrive_at_the_start_and_leave_at_the_end() {
        let viewers = viewers();
        let present = |at| {
            viewers
                .iter()
                .filter(|viewer| viewer.watching(at).is_some())
                .count()
        };
        assert!(present(STARTS_AT - 8 * MINUTE) < 100);
        assert!(present(STARTS_AT + 6 * MINUTE) > 800);
        assert!(present(ENDS_AT - 5 * MINUTE) > 700);
        assert!(present(ENDS_AT + 5 * MINUTE) < 50);
    }

    #[test]
    fn some_viewers_are_anonymous_pause_change_devices_or_open_two_tabs() {
        let viewers = viewers();
        let count =
            |test: &dyn Fn(&Viewer) -> bool| viewers.iter().filter(|viewer| test(viewer)).count();
        let overlap = |viewer: &Viewer| {
            viewer.views.iter().skip(1).any(|view| {
                view.device.id == viewer.views[0].device.id
                    && viewer.views[0].stretches.iter().any(|stretch| {
                        let mut others = view.stretches.iter();
                        others.any(|other| stretch.from < other.to && other.from < stretch.to)
                    })
            })
        };
        let moved = |viewer: &Viewer| {
            viewer
                .views
                .iter()
                .any(|view| view.device.id != viewer.views[0].device.id)
        };
        assert!(count(&|viewer| viewer.customer.is_none()) > 200);
        assert!(count(&|viewer| viewer.region.is_none()) > 20);
        assert!(count(&|viewer| viewer.views[0].stretches.len() > 1) > 300);
        assert!(count(&moved) > 50);
        assert!(count(&overlap) > 20);
    }
}
