//! Playbacks of the recording, between one hour after the show and the end of the day.

use super::audience::{Device, Stretch, View, draw_playback};
use super::random::Random;
use super::{DURATION, MINUTE, PUBLISHED_AT, Program, RECORDING_ENDS_AT, SECOND};

/// One playback of the recording. It begins at position 0; most stop before the end, some skip a
/// part, some play faster.
pub(super) fn draw_recording(random: &mut Random, device: Device) -> View {
    let playback = draw_playback(random);
    let rate_percent = random.weighted(&RATES);
    let leaves_at = if random.chance(350) {
        DURATION
    } else {
        (20 * SECOND + random.wait(MINUTE, 30)).min(DURATION)
    };
    let mut position = 0;
    let mut at = PUBLISHED_AT + random.wait(MINUTE, 35);
    at = at.min(RECORDING_ENDS_AT - 2 * MINUTE);
    let mut stretches = Vec::new();
    while position < leaves_at && at < RECORDING_ENDS_AT {
        let plays = 30 * SECOND + random.wait(MINUTE, 25);
        let left = (leaves_at - position) * 100 / i64::from(rate_percent);
        let to = (at + plays.min(left).max(SECOND)).min(RECORDING_ENDS_AT);
        let stretch = Stretch {
            from: at,
            to,
            position,
            rate_percent,
        };
        position = stretch.position_at(to);
        stretches.push(stretch);
        at = to + random.between(3 * SECOND..4 * MINUTE);
        if random.chance(300) {
            position += random.between(30 * SECOND..10 * MINUTE);
        }
    }
    View {
        program: Program::Recording,
        playback,
        device,
        stretches,
    }
}

/// Rates in percent with their weights.
const RATES: [(i16, u64); 4] = [(100, 80), (125, 7), (150, 9), (200, 4)];

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        Device {
            id: "device".to_owned(),
            os: "Linux",
        }
    }

    #[test]
    fn playbacks_lie_between_publication_and_end_of_day_and_within_the_recording() {
        for number in 0..500 {
            let view = draw_recording(&mut Random::new(7, number), device());
            let first = view.stretches.first().expect("it plays");
            assert!(first.from >= PUBLISHED_AT && first.position == 0);
            for stretch in &view.stretches {
                assert!(stretch.from < stretch.to && stretch.to <= RECORDING_ENDS_AT);
                assert!(stretch.position < DURATION, "{stretch:?}");
            }
        }
    }

    #[test]
    fn fewer_playbacks_reach_later_positions() {
        let views: Vec<View> = (0..1000)
            .map(|number| draw_recording(&mut Random::new(7, number), device()))
            .collect();
        let reach = |position| {
            let reaches = |view: &&View| {
                let mut stretches = view.stretches.iter();
                stretches.any(|stretch| {
                    stretch.position <= position && position < stretch.position_at(stretch.to)
                })
            };
            views.iter().filter(reaches).count()
        };
        let curve = [1, 20, 50, 80].map(|minute| reach(minute * MINUTE));
        assert!(curve.windows(2).all(|pair| pair[0] > pair[1]), "{curve:?}");
        assert!(curve[0] > 800 && curve[3] > 100, "{curve:?}");
    }
}
