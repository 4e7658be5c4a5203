//! [`PerGroup`]: a value for each group of an aggregate.
//!
//! The values lie in blocks that never move. One vector would be copied each time that it grows,
//! with old and new memory held at once.

use std::ops::{Index, IndexMut};

use datafusion::logical_expr::EmitTo;

/// Values of a block. Small, so that a report with few groups takes little memory.
const BLOCK_VALUES: usize = 4096;

/// Indexed by the number of the group.
#[derive(Debug)]
pub(crate) struct PerGroup<T> {
    /// All but the last are full.
    blocks: Vec<Vec<T>>,
}

impl<T> Default for PerGroup<T> {
    fn default() -> Self {
        let blocks = Vec::new();
        Self { blocks }
    }
}

impl<T> PerGroup<T> {
    pub(crate) fn len(&self) -> usize {
        let full = self.blocks.len().saturating_sub(1) * BLOCK_VALUES;
        full + self.blocks.last().map_or(0, Vec::len)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks.iter().flatten()
    }

    /// Memory of the blocks, without heap memory of the values.
    pub(super) fn bytes(&self) -> usize {
        let values: usize = self.blocks.iter().map(Vec::capacity).sum();
        values * size_of::<T>()
    }

    /// Removes the groups that the engine asks for; those that remain are numbered from 0.
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
            Some(last) if last.len() < BLOCK_VALUES => last.push(value),
            _ => self.blocks.push(vec![value]),
        }
    }
}

impl<T: Default> PerGroup<T> {
    /// Adds default values up to this number of groups.
    pub(super) fn grow(&mut self, groups: usize) {
        for _ in self.len()..groups {
            self.push(T::default());
        }
    }
}

impl<T> Index<usize> for PerGroup<T> {
    type Output = T;

    fn index(&self, group: usize) -> &T {
        &self.blocks[group / BLOCK_VALUES][group % BLOCK_VALUES]
    }
}

impl<T> IndexMut<usize> for PerGroup<T> {
    fn index_mut(&mut self, group: usize) -> &mut T {
        &mut self.blocks[group / BLOCK_VALUES][group % BLOCK_VALUES]
    }
}

impl<T> IntoIterator for PerGroup<T> {
    type Item = T;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Vec<T>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.blocks.into_iter().flatten()
    }
}

impl<T> FromIterator<T> for PerGroup<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut all = Self::default();
        for value in values {
            all.push(value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_groups_are_taken_across_blocks() {
        let groups = 2 * BLOCK_VALUES + 1;
        let mut values: PerGroup<usize> = (0..groups).collect();
        values.grow(groups - 1);
        assert_eq!(values.len(), groups);
        let first = values.take(EmitTo::First(BLOCK_VALUES + 1));
        assert!(first.into_iter().eq(0..=BLOCK_VALUES));
        values.grow(values.len() + 1);
        values[0] += 1;
        let rest: Vec<usize> = values.take(EmitTo::All).into_iter().collect();
        assert_eq!(rest.len(), BLOCK_VALUES + 1);
        assert_eq!([rest[0], rest[1]], [BLOCK_VALUES + 2, BLOCK_VALUES + 2]);
        assert_eq!(rest.last(), Some(&0));
        assert_eq!((values.len(), values.bytes()), (0, 0));
    }
}
