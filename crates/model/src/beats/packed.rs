//! [`Packed`]: ascending beats as bytes, with what they claim.

use crate::claims::{Beat, CLAIM_MS_MAX, are_rivals, claim_until};
use crate::span::{Span, SpanSet};

/// Ascending beats that differ, as bytes.
///
/// A playing beat with the next number has two bytes, the milliseconds since the one before; so has
/// one without a number after another. All others are [`OTHER`] and two differences of [`Place`]s.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    pub(super) count: usize,
    pub(super) first: Option<Beat>,
    pub(super) last: Option<Beat>,
    /// What the beats claim, unless there are rivals among them. It grows with each beat, so that
    /// the beats of most views are never unpacked.
    pub(super) claims: SpanSet,
    pub(super) has_rivals: bool,
}

/// Whether these milliseconds are written in two bytes: those that a beat can claim.
#[inline]
pub(super) fn is_step(millis: i64) -> bool {
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
    pub(super) fn push(&mut self, beat: Beat) {
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
    pub(super) fn push_steady(&mut self, seq: i64, at: &[i64]) {
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

    pub(super) fn of(mut beats: Vec<Beat>) -> Self {
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
    pub(super) fn joined(parts: &mut Vec<Self>) -> Self {
        match parts.len() {
            0 | 1 => parts.pop().unwrap_or_default(),
            _ => Self::of(parts.drain(..).flat_map(|part| part.to_vec()).collect()),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<Beat> {
        self.iter().collect()
    }

    /// Adds beats that are greater than all others.
    pub(super) fn append(&mut self, mut other: Self) {
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

    pub(super) fn heap_bytes(&self) -> usize {
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

    pub(super) fn write(&mut self, numbers: &mut Vec<i64>) {
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
    pub(super) fn read(numbers: &[i64]) -> Option<Self> {
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
