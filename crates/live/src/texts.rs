//! [`Texts`]: the ids and attributes of an event, each stored once.
//!
//! A view has five texts, and systems and regions repeat for all of them. A number of four bytes
//! stands for each.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A text of [`Texts`]. Equal texts have equal numbers; the numbers are not in the order of the
/// texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TextId(u32);

impl TextId {
    /// Absent.
    pub(crate) const NONE: Self = Self(u32::MAX);
}

/// Distinct texts.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    bytes: String,
    /// Where each text ends in `bytes`.
    ends: Vec<u32>,
    numbers: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Texts {
    /// The number of a text, which is added if it is new; of an empty text [`TextId::NONE`].
    pub(crate) fn intern(&mut self, text: &str) -> TextId {
        if text.is_empty() {
            return TextId::NONE;
        }
        let hash = self.hasher.hash_one(text);
        let known = self.numbers.find(hash, |&number| self.text(number) == text);
        if let Some(&number) = known {
            return TextId(number);
        }
        let number = index_of(self.ends.len());
        self.bytes.push_str(text);
        self.ends.push(index_of(self.bytes.len()));
        let (bytes, ends, hasher) = (&self.bytes, &self.ends, &self.hasher);
        let rehash = |&number: &u32| hasher.hash_one(text_of(bytes, ends, number));
        self.numbers.insert_unique(hash, number, rehash);
        TextId(number)
    }

    /// The text; `None` if it is absent.
    pub(crate) fn get(&self, id: TextId) -> Option<&str> {
        (id != TextId::NONE).then(|| self.text(id.0))
    }

    /// The lesser of two texts by bytes. An absent one is greater than any.
    pub(crate) fn least(&self, one: TextId, other: TextId) -> TextId {
        let is_less = match (self.get(one), self.get(other)) {
            (Some(one), Some(other)) => one <= other,
            (one, _) => one.is_some(),
        };
        if is_less { one } else { other }
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let numbers = self.numbers.capacity() * (size_of::<u32>() + 1);
        self.bytes.capacity() + self.ends.capacity() * size_of::<u32>() + numbers
    }

    fn text(&self, number: u32) -> &str {
        text_of(&self.bytes, &self.ends, number)
    }
}

fn text_of<'t>(bytes: &'t str, ends: &[u32], number: u32) -> &'t str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start as usize..ends[number] as usize]
}

/// Numbers and offsets have 32 bits: a state is dropped long before it has 4 GiB of texts.
pub(crate) fn index_of(length: usize) -> u32 {
    u32::try_from(length).expect("the memory of a state is bounded")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_and_an_absent_text_is_the_greatest() {
        let mut texts = Texts::default();
        let ids: Vec<TextId> = (0..1_000)
            .map(|number| texts.intern(&format!("text-{}", number % 100)))
            .collect();
        assert_eq!(ids[7], ids[907]);
        assert_eq!(texts.get(ids[42]), Some("text-42"));
        assert_eq!(texts.intern(""), TextId::NONE);
        assert_eq!(texts.get(TextId::NONE), None);
        assert_eq!(texts.least(ids[3], ids[2]), ids[2]);
        assert_eq!(texts.least(TextId::NONE, ids[2]), ids[2]);
        assert_eq!(texts.least(ids[2], TextId::NONE), ids[2]);
        assert_eq!(texts.least(TextId::NONE, TextId::NONE), TextId::NONE);
    }
}
