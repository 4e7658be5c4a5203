//! Claims: the spans in which a playback was playing, by what its beats say.
//!
//! A beat says that the player was playing at an instant, or that it was not. A playing beat claims
//! the time up to the next beat of its playback. If beats are lost, less is claimed than was played,
//! never more.

use crate::span::{Span, SpanSet};

/// The longest claim: browsers wake the timers of hidden pages once a minute.
pub const CLAIM_MS_MAX: i64 = 65_000;

/// What the player of one playback said at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beat {
    /// Its number, from 0. The beat that follows has the next number.
    pub seq: Option<i64>,
    /// Milliseconds since 1970.
    pub at: i64,
    pub playing: bool,
}

/// The spans that the beats of one playback claim. The beats are ascending and differ.
///
/// A beat with a number claims up to the earliest beat with the next number that is not before it.
/// Beats without a number claim up to the next later one. Those of one instant are one beat, which
/// is not playing if any of them is not.
pub fn claims(beats: &[Beat]) -> SpanSet {
    let numbered = beats.partition_point(|beat| beat.seq.is_none());
    let (unnumbered, numbered) = beats.split_at(numbered);
    let mut claimed = SpanSet::new();
    let mut instants = unnumbered
        .chunk_by(|one, next| one.at == next.at)
        .peekable();
    while let Some(instant) = instants.next() {
        let is_playing = instant.iter().all(|beat| beat.playing);
        if let (true, Some(next)) = (is_playing, instants.peek()) {
            claimed.extend(claim(instant[0].at, next[0].at));
        }
    }
    let mut numbers = numbered
        .chunk_by(|one, next| one.seq == next.seq)
        .peekable();
    while let Some(number) = numbers.next() {
        let successors = numbers.peek().filter(|next| is_next(number[0], next[0]));
        let mut successors = successors.copied().unwrap_or_default();
        for beat in number {
            // Both are sorted by time, so the successor of a later beat is not earlier.
            let earlier = successors.partition_point(|next| next.at < beat.at);
            successors = &successors[earlier..];
            if let (true, Some(successor)) = (beat.playing, successors.first()) {
                claimed.extend(claim(beat.at, successor.at));
            }
        }
    }
    claimed
}

/// The end of a playback's beats: what a beat after all others needs to be added, without the
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    last: Beat,
    /// Of the beats of the last instant if they have no number, else of the last beat.
    is_playing: bool,
    /// Whether no other beat has the number of the last one.
    is_alone: bool,
}

/// What a further beat changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the last one again.
    Known,
    /// It comes after all others, and this claim is new.
    Claims(Option<Span>),
    /// It may change earlier claims: work out all of them.
    Unclear,
}

impl Tail {
    /// The end of beats that are ascending and differ. `None` if there are none.
    pub fn of(beats: &[Beat]) -> Option<Self> {
        let (&last, before) = beats.split_last()?;
        let mut same = before.iter().rev().take_while(|beat| beat.seq == last.seq);
        let is_playing = if last.seq.is_some() {
            last.playing
        } else {
            let mut instant = same.clone().take_while(|beat| beat.at == last.at);
            last.playing && instant.all(|beat| beat.playing)
        };
        Some(Self {
            last,
            is_playing,
            is_alone: same.next().is_none(),
        })
    }

    /// Adds a beat.
    pub fn step(&mut self, beat: Beat) -> Step {
        if beat == self.last {
            return Step::Known;
        }
        if beat < self.last {
            return Step::Unclear;
        }
        let playing = self.is_playing;
        let claimed = match (self.last.seq, beat.seq) {
            (None, None) if beat.at == self.last.at => {
                // Only "playing" comes after "not playing", which decides for the instant.
                self.last = beat;
                return Step::Claims(None);
            }
            (Some(last), Some(seq)) if seq == last => return Step::Unclear,
            (Some(_), Some(_)) if is_next(self.last, beat) && !self.is_alone => {
                return Step::Unclear;
            }
            _ => claim_until(
                Beat {
                    playing,
                    ..self.last
                },
                beat,
            ),
        };
        *self = Self {
            last: beat,
            is_playing: beat.playing,
            is_alone: true,
        };
        Step::Claims(claimed)
    }
}

/// What a beat claims, if `next` comes after it in order and neither has a rival.
pub(crate) fn claim_until(beat: Beat, next: Beat) -> Option<Span> {
    let follows = match next.seq {
        Some(_) => is_next(beat, next),
        None => true,
    };
    let claims = beat.playing && follows;
    claims.then(|| claim(beat.at, next.at)).flatten()
}

/// Whether two beats have the same number, or no number and the same instant. Then one of them
/// alone does not say what is claimed.
pub(crate) fn are_rivals(one: Beat, other: Beat) -> bool {
    one.seq == other.seq && (one.seq.is_some() || one.at == other.at)
}

fn is_next(beat: Beat, other: Beat) -> bool {
    let next = beat.seq.and_then(|seq| seq.checked_add(1));
    next.is_some() && next == other.seq
}

fn claim(from: i64, to: i64) -> Option<Span> {
    Span::new(from, to).filter(|span| span.millis() <= CLAIM_MS_MAX)
}

#[cfg(test)]
pub(crate) mod testing {
    use proptest::prelude::*;

    use super::Beat;

    /// Beats of a playback as they arrive: numbers are repeated, reused, missing or absent, times
    /// collide and go back, and some gaps are longer than a claim may be.
    pub(crate) fn streams() -> impl Strategy<Value = Vec<Beat>> {
        let seq = prop_oneof![2 => Just(None), 5 => (0i64..12).prop_map(Some)];
        let at = prop_oneof![4 => 0i64..60, 2 => 0i64..400];
        let beat = (seq, at, any::<bool>()).prop_map(|(seq, at, playing)| Beat {
            seq,
            at: at * 1_000,
            playing,
        });
        prop::collection::vec(beat, 0..40)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::testing::streams;
    use super::*;

    proptest! {
        #[test]
        fn a_tail_adds_the_claims_that_all_beats_together_have(
            mut beats in streams(), is_shuffled in any::<bool>()
        ) {
            if !is_shuffled {
                beats.sort_unstable_by_key(|beat| (beat.seq, beat.at));
            }
            let mut all: BTreeSet<Beat> = BTreeSet::new();
            let (mut tail, mut claimed) = (None::<Tail>, SpanSet::new());
            for beat in beats {
                all.insert(beat);
                let sorted: Vec<Beat> = all.iter().copied().collect();
                match tail.as_mut().map_or(Step::Unclear, |tail| tail.step(beat)) {
                    Step::Known => {}
                    Step::Claims(claim) => claimed.extend(claim),
                    Step::Unclear => {
                        claimed = claims(&sorted);
                        tail = Tail::of(&sorted);
                    }
                }
                let mut wanted = claims(&sorted);
                prop_assert_eq!(claimed.settle(), wanted.settle());
            }
        }
    }

    fn beat(seq: impl Into<Option<i64>>, at: i64, playing: bool) -> Beat {
        let seq = seq.into();
        Beat { seq, at, playing }
    }

    fn claimed(beats: &[Beat]) -> Vec<(i64, i64)> {
        let beats: BTreeSet<Beat> = beats.iter().copied().collect();
        let beats: Vec<Beat> = beats.into_iter().collect();
        let mut claimed = claims(&beats);
        let spans = claimed.settle().iter();
        spans.map(|span| (span.from(), span.to())).collect()
    }

    /// The definition, beat by beat, over beats in any order.
    fn naive(beats: &[Beat]) -> SpanSet {
        let mut claimed = SpanSet::new();
        for beat in beats {
            let ends = beats.iter().filter(|other| match beat.seq {
                Some(seq) => other.seq == Some(seq + 1) && other.at >= beat.at,
                None => other.seq.is_none() && other.at > beat.at,
            });
            let is_playing = match beat.seq {
                Some(_) => beat.playing,
                None => beats
                    .iter()
                    .all(|other| other.seq.is_some() || other.at != beat.at || other.playing),
            };
            let end = ends.map(|other| other.at).min();
            let end = end.filter(|end| is_playing && end - beat.at <= 65_000);
            claimed.extend(end.and_then(|end| Span::new(beat.at, end)));
        }
        claimed
    }

    proptest! {
        #[test]
        fn claims_follow_the_definition_for_any_stream(beats in streams()) {
            let sorted: BTreeSet<Beat> = beats.iter().copied().collect();
            let sorted: Vec<Beat> = sorted.into_iter().collect();
            let (mut claims, mut naive) = (claims(&sorted), naive(&beats));
            prop_assert_eq!(claims.settle(), naive.settle());
        }

        #[test]
        fn lost_beats_with_numbers_never_claim_what_was_not_played(
            steps in prop::collection::vec((1i64..90_000, any::<bool>(), any::<bool>()), 0..30),
        ) {
            let (mut at, mut played, mut kept) = (0, SpanSet::new(), Vec::new());
            for (seq, (millis, playing, is_kept)) in (0..).zip(steps) {
                if playing {
                    played.extend(Span::new(at, at + millis));
                }
                if is_kept {
                    kept.push(beat(seq, at, playing));
                }
                at += millis;
            }
            let mut both = played.clone();
            both.extend(claims(&kept).settle().to_vec());
            prop_assert_eq!(both.settle(), played.settle());
        }
    }

    #[test]
    fn a_claim_lasts_to_the_next_beat_and_at_most_65_seconds() {
        let playing = [
            beat(0, 0, true),
            beat(1, 65_000, true),
            beat(2, 130_001, false),
        ];
        assert_eq!(claimed(&playing), [(0, 65_000)]);
        let unnumbered = [
            beat(None, 0, true),
            beat(None, 65_000, true),
            beat(None, 130_001, true),
        ];
        assert_eq!(claimed(&unnumbered), [(0, 65_000)]);
    }

    #[test]
    fn a_beat_without_its_successor_claims_nothing() {
        assert_eq!(claimed(&[beat(4, 0, true)]), []);
        assert_eq!(claimed(&[beat(4, 0, true), beat(6, 10, true)]), []);
        assert_eq!(claimed(&[beat(4, 0, true), beat(5, -1, true)]), []);
        assert_eq!(claimed(&[beat(4, 0, true), beat(None, 10, false)]), []);
        assert_eq!(claimed(&[beat(i64::MAX, 0, true), beat(0, 10, true)]), []);
    }

    #[test]
    fn a_number_that_is_used_again_begins_anew() {
        // The page was loaded again: the numbers begin at 0, and each run claims for itself.
        let reused = [
            beat(0, 0, true),
            beat(1, 10_000, true),
            beat(0, 50_000, true),
            beat(1, 60_000, false),
        ];
        assert_eq!(claimed(&reused), [(0, 10_000), (50_000, 60_000)]);
    }

    #[test]
    fn a_late_beat_may_take_time_away() {
        let early = [beat(0, 0, true), beat(1, 30_000, false)];
        assert_eq!(claimed(&early), [(0, 30_000)]);
        assert_eq!(
            claimed(&[early[0], early[1], beat(1, 5_000, false)]),
            [(0, 5_000)]
        );
        assert_eq!(claimed(&[early[0], early[1], beat(1, 0, false)]), []);
        let unnumbered = [beat(None, 0, true), beat(None, 30_000, true)];
        assert_eq!(claimed(&unnumbered), [(0, 30_000)]);
        assert_eq!(
            claimed(&[unnumbered[0], unnumbered[1], beat(None, 0, false)]),
            []
        );
    }
}
