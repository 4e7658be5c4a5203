//! [`Beats`]: the beats of one playback as a set, in two bytes each.
//!
//! A late beat may take time away, so all beats are kept until the claims are worked out. Players
//! number their beats and report at even intervals: then a beat is stored as the milliseconds since
//! the one before.

use crate::claims::{Beat, CLAIM_MS_MAX, are_rivals, claim_until, claims};
use crate::span::{Span, SpanSet};

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

/// Ascending beats that differ, as bytes.
///
/// A playing beat with the next number has two bytes, the milliseconds since the one before; so has
/// one without a number after another. All others are [`OTHER`] and two differences of [`Place`]s.
#[derive(Debug, Clone, Default)]
struct Packed {
    bytes: Vec<u8>,
    count: usize,
    first: Option<Beat>,
    last: Option<Beat>,
    /// What the beats claim, unless there are rivals among them. It grows with each beat, so that
    /// the beats of most views are never unpacked.
    claims: SpanSet,
    has_rivals: bool,
}

/// Whether these milliseconds are written in two bytes: those that a beat can claim.
#[inline]
fn is_step(millis: i64) -> bool {
    (0..=CLAIM_MS_MAX).contains(&millis)
}

/// More than any step.
const OTHER: u16 = u16::MAX;

/// A beat as two numbers in the same order. An absent number is -1; the instant is counted in halves
/// of a millisecond, of which the second is a playing beat. Instants are those of timestamps, so
/// that sums and differences of a few of them are far below 2^62.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    seq: i64,
    instant: i64,
}

impl Place {
    /// Where the differences begin.
    const FIRST: Self = Self {
        seq: -1,
        instant: 0,
    };

    fn of(beat: Beat) -> Self {
        Self {
            seq: beat.seq.unwrap_or(-1),
            instant: 2 * beat.at + i64::from(beat.playing),
        }
    }

    fn beat(self) -> Beat {
        Beat {
            seq: (self.seq >= 0).then_some(self.seq),
            at: self.instant >> 1,
            playing: self.instant & 1 == 1,
        }
    }
}

/// The playing beat this many milliseconds after another, with the next number if that has one.
fn after(last: Beat, step: i64) -> Beat {
    Beat {
        seq: last.seq.map(|seq| seq.wrapping_add(1)),
        at: last.at + step,
        playing: true,
    }
}

impl Packed {
    /// Adds a beat that is greater than all others.
    fn push(&mut self, beat: Beat) {
        let mut before = Place::FIRST;
        match self.last {
            None => self.first = Some(beat),
            Some(last) => {
                before = Place::of(last);
                if are_rivals(last, beat) {
                    self.has_rivals = true;
                } else {
                    self.claims.extend(claim_until(last, beat));
                }
            }
        }
        let step = self.last.map(|last| beat.at - last.at);
        match step.filter(|step| is_step(*step)) {
            Some(step) if self.last.map(|last| after(last, step)) == Some(beat) => {
                self.bytes.extend_from_slice(&step.to_le_bytes()[..2]);
            }
            _ => {
                let place = Place::of(beat);
                self.bytes.extend_from_slice(&OTHER.to_le_bytes());
                write_number(&mut self.bytes, zigzag(place.seq.wrapping_sub(before.seq)));
                write_number(&mut self.bytes, zigzag(place.instant - before.instant));
            }
        }
        self.last = Some(beat);
        self.count += 1;
    }

    /// Adds playing beats at these instants, each a step after the one before and with the next
    /// number. The first is the last beat, the last gets this number.
    fn push_steady(&mut self, seq: i64, at: &[i64]) {
        let (Some(&first), Some(&last)) = (at.first(), at.last()) else {
            return;
        };
        let (begin, steps) = (self.bytes.len(), at.len() - 1);
        self.bytes.resize(begin + 2 * steps, 0);
        let bytes = self.bytes[begin..].chunks_exact_mut(2);
        for (bytes, pair) in bytes.zip(at.windows(2)) {
            bytes.copy_from_slice(&(pair[1] - pair[0]).to_le_bytes()[..2]);
        }
        self.claims.extend(Span::new(first, last));
        self.count += steps;
        self.last = Some(Beat {
            seq: Some(seq),
            at: last,
            playing: true,
        });
    }

    fn of(mut beats: Vec<Beat>) -> Self {
        // The stable sort merges stretches that are ascending.
        beats.sort();
        beats.dedup();
        let mut packed = Self::default();
        for beat in beats {
            packed.push(beat);
        }
        packed
    }

    /// Takes sets that overlap, or one.
    fn joined(parts: &mut Vec<Self>) -> Self {
        match parts.len() {
            0 | 1 => parts.pop().unwrap_or_default(),
            _ => Self::of(parts.drain(..).flat_map(|part| part.to_vec()).collect()),
        }
    }

    fn to_vec(&self) -> Vec<Beat> {
        self.iter().collect()
    }

    /// Adds beats that are greater than all others.
    fn append(&mut self, mut other: Self) {
        let Some(first) = other.first else {
            return;
        };
        // Only the first of them is written by its difference from none.
        let mut rest = &other.bytes[size_of_val(&OTHER)..];
        for _ in 0..2 {
            read_number(&mut rest);
        }
        self.push(first);
        self.bytes.extend_from_slice(rest);
        self.claims.extend(other.claims.settle().iter().copied());
        self.has_rivals |= other.has_rivals;
        self.last = other.last;
        self.count += other.count - 1;
    }

    fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.claims.heap_bytes()
    }

    fn iter(&self) -> impl Iterator<Item = Beat> + '_ {
        let (mut bytes, mut last) = (self.bytes.as_slice(), None);
        std::iter::from_fn(move || {
            let (step, rest) = bytes.split_first_chunk()?;
            bytes = rest;
            let beat = match (u16::from_le_bytes(*step), last) {
                (step, Some(last)) if step != OTHER => after(last, i64::from(step)),
                _ => {
                    let before = last.map_or(Place::FIRST, Place::of);
                    let seq = before.seq.wrapping_add(unzigzag(read_number(&mut bytes)?));
                    let instant = before.instant + unzigzag(read_number(&mut bytes)?);
                    Place { seq, instant }.beat()
                }
            };
            last = Some(beat);
            last
        })
    }

    fn write(&mut self, numbers: &mut Vec<i64>) {
        let (Some(first), Some(last)) = (self.first.map(Place::of), self.last.map(Place::of))
        else {
            return;
        };
        let length = |count: usize| i64::try_from(count).expect("what is in memory can be counted");
        let claims: &[Span] = if self.has_rivals {
            &[]
        } else {
            self.claims.settle()
        };
        numbers.extend([length(self.count), length(self.bytes.len())]);
        numbers.extend([first.seq, first.instant, last.seq, last.instant]);
        numbers.extend([i64::from(self.has_rivals), length(claims.len())]);
        numbers.extend(claims.iter().flat_map(|claim| [claim.from(), claim.to()]));
        let (words, rest) = self.bytes.as_chunks();
        numbers.extend(words.iter().map(|word| i64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; WORD_BYTES];
            word[..rest.len()].copy_from_slice(rest);
            numbers.push(i64::from_le_bytes(word));
        }
    }

    /// `None` if the numbers are not those of [`Packed::write`].
    fn read(numbers: &[i64]) -> Option<Self> {
        let (&[count, length], numbers) = numbers.split_first_chunk()?;
        let (&[first_seq, first, last_seq, last], numbers) = numbers.split_first_chunk()?;
        let (&[has_rivals, claims], numbers) = numbers.split_first_chunk()?;
        let (claims, words) = numbers.split_at_checked(2 * usize::try_from(claims).ok()?)?;
        let claims = claims
            .chunks_exact(2)
            .filter_map(|ends| Span::new(ends[0], ends[1]));
        let mut bytes = Vec::with_capacity(words.len() * WORD_BYTES);
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.truncate(usize::try_from(length).ok()?);
        let beat = |seq, instant| Some(Place { seq, instant }.beat());
        Some(Self {
            bytes,
            count: usize::try_from(count).ok()?,
            first: beat(first_seq, first),
            last: beat(last_seq, last),
            claims: claims.collect(),
            has_rivals: has_rivals != 0,
        })
    }
}

const WORD_BYTES: usize = size_of::<i64>();

/// Small numbers for small differences of either sign.
fn zigzag(number: i64) -> u64 {
    (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Writes a number with seven bits in each byte, the lowest first.
fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte <= 0x7f {
            return Some(number);
        }
        shift += 7;
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
