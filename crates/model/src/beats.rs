//! [`Beats`]: the beats of one playback as a set, in a few bytes each.
//!
//! A late beat may take time away, so all beats are kept until the claims are worked out. A beat is
//! stored as its difference from the one before: players report at even intervals, and then the
//! interval differs from the last one by little.

use crate::claims::{Beat, claims};
use crate::span::SpanSet;

/// A set of beats of one playback.
///
/// Beats that come in order are packed at once. Others wait in a list, which is sorted and packed
/// once it has doubled the set, so repetitions take no memory.
#[derive(Debug, Clone, Default)]
pub struct Beats {
    packed: Packed,
    unsettled: Vec<Beat>,
}

/// Fewer beats than this that came out of order are not sorted and packed yet.
const UNSETTLED_MIN: usize = 32;

impl Beats {
    /// Adds a beat.
    pub fn insert(&mut self, beat: Beat) {
        match self.packed.last {
            Some(last) if beat == last => return,
            Some(last) if beat < last => {}
            _ => return self.packed.push(beat),
        }
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
        if self.packed.count == 0 && self.unsettled.is_empty() {
            self.packed = other;
        } else {
            other.iter().for_each(|beat| self.insert(beat));
        }
    }

    /// Appends the set as numbers, for [`Beats::extend`]; none for an empty set.
    pub fn append_numbers(&mut self, numbers: &mut Vec<i64>) {
        self.settle();
        self.packed.write(numbers);
    }

    /// The spans that the beats claim.
    pub fn claims(&mut self) -> SpanSet {
        claims(&self.to_vec())
    }

    /// All beats, ascending.
    pub fn to_vec(&mut self) -> Vec<Beat> {
        self.settle();
        self.packed.iter().collect()
    }

    /// Whether there is no beat.
    pub fn is_empty(&self) -> bool {
        self.packed.count == 0
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.packed.bytes.capacity() + self.unsettled.capacity() * size_of::<Beat>()
    }

    fn settle(&mut self) {
        if self.unsettled.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.unsettled);
        all.extend(self.packed.iter());
        all.sort_unstable();
        all.dedup();
        self.packed = Packed::default();
        for beat in all {
            self.packed.push(beat);
        }
    }
}

/// Ascending beats that differ, as bytes.
///
/// A number is written with seven bits in each byte, the lowest first. A beat begins with how much
/// its interval differs from the last one; the lowest bit says that its number is not the next one,
/// and then the difference of the numbers follows.
#[derive(Debug, Clone, Default)]
struct Packed {
    bytes: Vec<u8>,
    count: usize,
    last: Option<Beat>,
    /// From the instant before the last to the last one, as [`Place`]s are counted.
    interval: i64,
}

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

impl Packed {
    /// Adds a beat that is greater than all others.
    fn push(&mut self, beat: Beat) {
        let last = self.last.map_or(Place::FIRST, Place::of);
        let place = Place::of(beat);
        let interval = place.instant - last.instant;
        let step = place.seq.wrapping_sub(last.seq);
        let change = zigzag(interval - self.interval);
        write_number(&mut self.bytes, change << 1 | u64::from(step != 1));
        if step != 1 {
            write_number(&mut self.bytes, zigzag(step));
        }
        self.interval = interval;
        self.last = Some(beat);
        self.count += 1;
    }

    fn iter(&self) -> impl Iterator<Item = Beat> + '_ {
        let (mut bytes, mut last, mut interval) = (self.bytes.as_slice(), Place::FIRST, 0_i64);
        std::iter::from_fn(move || {
            let change = read_number(&mut bytes)?;
            let step = if change & 1 == 0 {
                1
            } else {
                unzigzag(read_number(&mut bytes)?)
            };
            interval += unzigzag(change >> 1);
            last = Place {
                seq: last.seq.wrapping_add(step),
                instant: last.instant + interval,
            };
            Some(last.beat())
        })
    }

    fn write(&self, numbers: &mut Vec<i64>) {
        let Some(last) = self.last.map(Place::of) else {
            return;
        };
        let length = |count: usize| i64::try_from(count).expect("what is in memory can be counted");
        let (count, bytes) = (length(self.count), length(self.bytes.len()));
        numbers.extend([count, last.seq, last.instant, self.interval, bytes]);
        let words = self.bytes.chunks(WORD_BYTES).map(|chunk| {
            let mut word = [0; WORD_BYTES];
            word[..chunk.len()].copy_from_slice(chunk);
            i64::from_le_bytes(word)
        });
        numbers.extend(words);
    }

    /// `None` if the numbers are not those of [`Packed::write`].
    fn read(numbers: &[i64]) -> Option<Self> {
        let (&[count, seq, instant, interval, length], words) = numbers.split_first_chunk()?;
        let length = usize::try_from(length).ok()?;
        let mut bytes = Vec::with_capacity(words.len() * WORD_BYTES);
        for word in words {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.truncate(length);
        Some(Self {
            bytes,
            count: usize::try_from(count).ok()?,
            last: Some(Place { seq, instant }.beat()),
            interval,
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
