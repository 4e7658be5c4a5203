//! What beats claim.

use super::facts::Span;

/// A beat: its number, its instant, and whether the player was playing.
pub(crate) type Beat = (Option<i64>, i64, bool);

/// The longest time from a beat to the one after it.
const SILENCE_MAX: i64 = 65_000;

/// The spans that the beats of a view claim.
pub(crate) fn claims(beats: &[Beat]) -> Vec<Span> {
    let mut claimed = Vec::new();
    for &(number, at, playing) in beats {
        let end = match number {
            Some(number) => beats
                .iter()
                .filter(|other| other.0 == Some(number + 1) && other.1 >= at)
                .map(|other| other.1)
                .min(),
            None => beats
                .iter()
                .filter(|other| other.0.is_none() && other.1 > at)
                .map(|other| other.1)
                .min(),
        };
        // Beats without a number of one instant are one beat: all of them have to be playing.
        let contradicted = number.is_none() && beats.contains(&(None, at, false));
        if let Some(end) = end
            && playing
            && !contradicted
            && at < end
            && end - at <= SILENCE_MAX
        {
            claimed.push((at, end));
        }
    }
    claimed
}

#[test]
fn the_oracle_claims_up_to_the_next_beat() {
    let numbered = [
        (Some(7), 0, true),
        (Some(8), 10, true),
        (Some(10), 20, true),
    ];
    assert_eq!(claims(&numbered), [(0, 10)]);
    let unnumbered = [
        (None, 0, true),
        (None, 10, true),
        (None, 10, false),
        (None, 12, true),
    ];
    assert_eq!(claims(&unnumbered), [(0, 10)]);
    assert_eq!(claims(&[(None, 0, true), (None, 65_001, true)]), []);
}
