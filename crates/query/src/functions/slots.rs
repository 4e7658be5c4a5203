//! [`Slots`]: a place for something of every group.
//!
//! They lie in blocks that stay where they are. One vector of them all would be
//! moved, and its old place given back, each time that it is full.

use std::ops::{Index, IndexMut};

use datafusion::logical_expr::EmitTo;

/// Few enough that a question with few groups is small.
const BLOCK_SLOTS: usize = 4096;

/// A value for each group, by the group's number.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    /// All but the last are full.
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        let blocks = Vec::new();
        Self { blocks }
    }
}

impl<T> Slots<T> {
    pub(crate) fn len(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * BLOCK_SLOTS;
        full + self.blocks.last().map_or(0, Vec::len)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    /// Memory of the slots themselves.
    pub(super) fn bytes(&self) -> usize {
        let slots: usize = self.blocks.iter().map(Vec::capacity).sum();
        slots * size_of::<T>()
    }

    /// Takes out what the engine asks for; the groups after it are numbered anew.
    pub(super) fn take(&mut self, emit_to: EmitTo) -> Self {
        let all = std::mem::take(self);
        match emit_to {
            EmitTo::All => all,
            EmitTo::First(count) => {
                let mut all = all.into_iter();
                let first = all.by_ref().take(count).collect();
                *self = all.collect();
                first
            }
        }
    }

    fn push(&mut self, value: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < BLOCK_SLOTS => last.push(value),
            _ => self.blocks.push(vec![value]),
        }
    }
}

impl<T: Default> Slots<T> {
    /// Makes slots for so many groups, if there are not as many yet.
    pub(super) fn grow(&mut self, groups: usize) {
        for _ in self.len()..groups {
            self.push(T::default());
        }
    }
}

impl<T> Index<usize> for Slots<T> {
    type Output = T;

    fn index(&self, group: usize) -> &T {
        &self.blocks[group / BLOCK_SLOTS][group % BLOCK_SLOTS]
    }
}

impl<T> IndexMut<usize> for Slots<T> {
    fn index_mut(&mut self, group: usize) -> &mut T {
        &mut self.blocks[group / BLOCK_SLOTS][group % BLOCK_SLOTS]
    }
}

impl<T> IntoIterator for Slots<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.blocks.into_iter().flatten()
    }
}

impl<T> FromIterator<T> for Slots<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut slots = Self::default();
        for value in values {
            slots.push(value);
        }
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_what_comes_first_whatever_the_blocks() {
        let groups = 2 * BLOCK_SLOTS + 1;
        let mut slots: Slots<usize> = (0..groups).collect();
        slots.grow(groups - 1);
        assert_eq!(slots.len(), groups);
        let first = slots.take(EmitTo::First(BLOCK_SLOTS + 1));
        assert!(first.into_iter().eq(0..=BLOCK_SLOTS));
        slots.grow(slots.len() + 1);
        slots[0] += 1;
        let rest: Vec<usize> = slots.take(EmitTo::All).into_iter().collect();
        assert_eq!(rest.len(), BLOCK_SLOTS + 1);
        assert_eq!([rest[0], rest[1]], [BLOCK_SLOTS + 2, BLOCK_SLOTS + 2]);
        assert_eq!(rest.last(), Some(&0));
        assert_eq!((slots.len(), slots.bytes()), (0, 0));
    }
}
