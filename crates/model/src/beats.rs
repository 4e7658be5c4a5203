//! [`Beats`]: the beats of one playback as a set, in two bytes each.
//!
//! A late beat may take time away, so all beats are kept until the claims are worked out. Players
//! number their beats and report at even intervals: then a beat is stored as the milliseconds since
//! the one before.

mod packed;

use crate::claims::{Beat, claims};
use crate::span::SpanSet;
use packed::{Packed, is_step};

/// A set of beats of one playback.
///
/// Beats that come in order are packed at once. Others wait in a list, which is sorted and packed
/// once it has doubled the set, so repetitions take no memory.
#[derive(Debug, Clone, Default)]
pub struct Beats {
    packed: Packed,
    /// Other sets that were added. Those that do not overlap are joined without unpacking them.
    parts: Vec<Packed>,
    unsettled: Vec<Beat>,
}

/// Fewer beats than this that came out of order are not sorted and packed yet.
const UNSETTLED_MIN: usize = 32;

/// Sets that wait to be joined.
const PARTS_MAX: usize = 64;

impl Beats {
    /// Adds a beat.
    #[inline]
    pub fn insert(&mut self, beat: Beat) {
        match self.packed.last {
            Some(last) if beat == last => return,
            Some(last) if beat < last => {}
            _ => return self.packed.push(beat),
        }
        self.insert_unsettled(beat);
    }

    /// Adds numbered beats in any order, given by columns. Those that come as a player sends them
    /// take little time.
    #[inline]
    pub fn insert_numbered(&mut self, seq: &[i64], at: &[i64], playing: impl Fn(usize) -> bool) {
        let mut row = 0;
        while row < seq.len() {
            let beat = Beat {
                seq: Some(seq[row]),
                at: at[row],
                playing: playing(row),
            };
            self.insert(beat);
            let mut last = row;
            if self.packed.last == Some(beat) && beat.playing {
                while last + 1 < seq.len()
                    && seq[last].checked_add(1) == Some(seq[last + 1])
                    && is_step(at[last + 1] - at[last])
                    && playing(last + 1)
                {
                    last += 1;
                }
                self.packed.push_steady(seq[last], &at[row..=last]);
            }
            row = last + 1;
        }
    }

    fn insert_unsettled(&mut self, beat: Beat) {
        self.unsettled.push(beat);
        if self.unsettled.len() > self.packed.count.max(UNSETTLED_MIN) {
            self.settle();
        }
    }

    /// Adds the beats that [`Beats::append_numbers`] appended.
    pub fn extend(&mut self, numbers: &[i64]) {
        let Some(other) = Packed::read(numbers) else {
            return;
        };
        if self.packed.count == 0 {
            self.packed = other;
            return;
        }
        self.parts.push(other);
        if self.parts.len() > PARTS_MAX {
            self.settle();
        }
    }

    /// Appends the set as numbers, for [`Beats::extend`]; none for an empty set.
    pub fn append_numbers(&mut self, numbers: &mut Vec<i64>) {
        self.settle();
        self.packed.write(numbers);
    }

    /// The spans that the beats claim.
    pub fn claims(&mut self) -> SpanSet {
        self.settle();
        if self.packed.has_rivals {
            claims(&self.to_vec())
        } else {
            self.packed.claims.clone()
        }
    }

    /// All beats, ascending.
    pub fn to_vec(&mut self) -> Vec<Beat> {
        self.settle();
        self.packed.to_vec()
    }

    /// Whether there is no beat.
    pub fn is_empty(&self) -> bool {
        self.packed.count == 0
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let unsettled = self.unsettled.capacity() * size_of::<Beat>();
        let parts = self.parts.capacity() * size_of::<Packed>();
        let packed = self.parts.iter().chain([&self.packed]);
        packed.map(Packed::heap_bytes).sum::<usize>() + parts + unsettled
    }

    fn settle(&mut self) {
        if self.unsettled.is_empty() && self.parts.is_empty() {
            return;
        }
        let mut parts = std::mem::take(&mut self.parts);
        parts.push(std::mem::take(&mut self.packed));
        parts.push(Packed::of(std::mem::take(&mut self.unsettled)));
        parts.sort_unstable_by_key(|part| part.first);
        let mut overlapping: Vec<Packed> = Vec::new();
        for part in parts {
            let last = overlapping.iter().map(|part| part.last).max().flatten();
            if part.first > last {
                self.packed.append(Packed::joined(&mut overlapping));
            }
            overlapping.push(part);
        }
        self.packed.append(Packed::joined(&mut overlapping));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::claims::testing::streams;

    fn set(beats: impl IntoIterator<Item = Beat>) -> Beats {
        let mut set = Beats::default();
        beats.into_iter().for_each(|beat| set.insert(beat));
        set
    }

    fn numbers_of(set: &mut Beats) -> Vec<i64> {
        let mut numbers = Vec::new();
        set.append_numbers(&mut numbers);
        numbers
    }

    proptest! {
        #[test]
        fn a_set_holds_each_beat_once_and_in_order(beats in streams()) {
            let wanted: BTreeSet<Beat> = beats.iter().copied().collect();
            let mut set = set(beats);
            prop_assert!(set.to_vec().into_iter().eq(wanted));
        }

        #[test]
        fn order_repetition_and_division_change_nothing(beats in streams(), split in 0usize..40) {
            let mut whole = set(beats.clone());
            let split = split.min(beats.len());
            let mut parts = set(beats[split..].iter().rev().copied());
            parts.extend(&numbers_of(&mut set(beats[..split].iter().copied())));
            parts.extend(&numbers_of(&mut set(beats.clone())));
            let mut adopted = Beats::default();
            adopted.extend(&numbers_of(&mut parts));
            prop_assert_eq!(numbers_of(&mut whole), numbers_of(&mut adopted));
            let (mut of_whole, mut of_parts) = (whole.claims(), parts.claims());
            prop_assert_eq!(of_whole.settle(), of_parts.settle());
        }

        #[test]
        fn any_number_and_any_instant_of_a_timestamp_are_read_back(
            beats in prop::collection::btree_set(
                (prop::option::of(0i64..=i64::MAX), -(1i64 << 50)..(1 << 50), any::<bool>()),
                0..20,
            )
        ) {
            let beat = |(seq, at, playing)| Beat { seq, at, playing };
            let beats: Vec<Beat> = beats.into_iter().map(beat).collect();
            prop_assert_eq!(set(beats.iter().rev().copied()).to_vec(), beats);
        }
    }

    proptest! {
        #[test]
        fn beats_of_columns_are_those_added_one_by_one(
            steps in prop::collection::vec(
                (
                    prop_oneof![8 => Just(1i64), 1 => Just(0i64), 1 => -3i64..9],
                    prop_oneof![8 => 0i64..20_000, 1 => -90_000i64..90_000],
                    prop::bool::weighted(0.8),
                ),
                0..60,
            ),
            split in 0usize..60,
        ) {
            let (mut seq, mut at) = (200, 0);
            let beats = steps.into_iter().map(|(numbers, millis, playing)| {
                (seq, at) = (seq + numbers, at + millis);
                Beat { seq: Some(seq), at, playing }
            });
            let beats: Vec<Beat> = beats.collect();
            let mut of_columns = Beats::default();
            for part in [&beats[..split.min(beats.len())], &beats[split.min(beats.len())..]] {
                let seq: Vec<i64> = part.iter().filter_map(|beat| beat.seq).collect();
                let at: Vec<i64> = part.iter().map(|beat| beat.at).collect();
                of_columns.insert_numbered(&seq, &at, |row| part[row].playing);
            }
            let mut one_by_one = set(beats.clone());
            prop_assert_eq!(numbers_of(&mut of_columns), numbers_of(&mut one_by_one));
            let sorted: BTreeSet<Beat> = beats.into_iter().collect();
            let sorted: Vec<Beat> = sorted.into_iter().collect();
            let (mut of_set, mut of_all) = (of_columns.claims(), claims(&sorted));
            prop_assert_eq!(of_set.settle(), of_all.settle());
        }

        #[test]
        fn sets_that_follow_each_other_or_overlap_are_joined_in_any_order(
            beats in streams(),
            cuts in prop::collection::vec(0usize..40, 0..5),
            is_sorted in prop::bool::weighted(0.7),
            seed in 0usize..5,
        ) {
            let mut beats = beats;
            if is_sorted {
                beats.sort();
            }
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(beats.len())).collect();
            cuts.extend([0, beats.len()]);
            cuts.sort_unstable();
            let parts = cuts.windows(2).map(|cut| &beats[cut[0]..cut[1]]);
            let mut parts: Vec<Vec<i64>> = parts
                .map(|part| numbers_of(&mut set(part.iter().copied())))
                .collect();
            let turn = seed % parts.len();
            parts.rotate_left(turn);
            let mut joined = Beats::default();
            for part in &parts {
                joined.extend(part);
            }
            let mut whole = set(beats);
            prop_assert_eq!(numbers_of(&mut joined), numbers_of(&mut whole));
            let (mut of_joined, mut of_all) = (joined.claims(), claims(&whole.to_vec()));
            prop_assert_eq!(of_joined.settle(), of_all.settle());
        }

        #[test]
        fn the_claims_of_a_set_are_those_of_its_beats(beats in streams()) {
            let sorted: BTreeSet<Beat> = beats.iter().copied().collect();
            let sorted: Vec<Beat> = sorted.into_iter().collect();
            let (mut of_set, mut of_all) = (set(beats).claims(), claims(&sorted));
            prop_assert_eq!(of_set.settle(), of_all.settle());
        }
    }

    #[test]
    fn an_empty_set_has_no_numbers_and_nothing_is_read_from_none() {
        let mut set = Beats::default();
        set.extend(&numbers_of(&mut Beats::default()));
        assert!(set.is_empty() && set.claims().settle().is_empty());
    }

    #[test]
    fn repetitions_cost_no_memory() {
        let mut set = Beats::default();
        for round in 0..10_000 {
            set.insert(Beat {
                seq: Some(round % 7),
                at: round % 7 * 10_000,
                playing: true,
            });
        }
        assert!(set.heap_bytes() < 8_192, "{}", set.heap_bytes());
        assert_eq!(set.to_vec().len(), 7);
    }

    #[test]
    fn beats_at_even_intervals_take_two_bytes_each() {
        let beats = (0..1_000).map(|seq| Beat {
            seq: Some(seq),
            at: 1_795_305_600_000 + seq * 10_000 + seq * 7_919 % 23,
            playing: true,
        });
        let set = set(beats);
        assert!(set.packed.bytes.len() < 2_020, "{}", set.packed.bytes.len());
    }
}
