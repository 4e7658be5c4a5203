//! [`Recent`]: a map of bounded size, from which the least recently used values leave first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// A map with a size for each value and a bound for their sum.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    size_max: usize,
    size: usize,
    values: HashMap<K, Entry<V>>,
    /// The keys by the number of their last use.
    by_use: BTreeMap<u64, K>,
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    size: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn new(size_max: usize) -> Self {
        Self {
            size_max,
            size: 0,
            values: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
        }
    }

    /// The value of a key, which is used by this.
    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        let entry = self.values.get_mut(key)?;
        self.uses += 1;
        let key = self.by_use.remove(&entry.used)?;
        entry.used = self.uses;
        self.by_use.insert(self.uses, key);
        Some(entry.value.clone())
    }

    /// Adds or replaces a value, and removes others until all are within the bound.
    pub(super) fn insert(&mut self, key: K, value: V, size: usize) {
        self.remove(&key);
        self.uses += 1;
        self.size += size;
        self.by_use.insert(self.uses, key.clone());
        let used = self.uses;
        self.values.insert(key, Entry { value, size, used });
        while self.size > self.size_max
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.values.remove(key) {
            self.size -= entry.size;
            self.by_use.remove(&entry.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_values_leave_first() {
        let mut recent = Recent::new(10);
        for (key, size) in [("a", 4), ("b", 3), ("c", 3)] {
            recent.insert(key, key, size);
        }
        assert_eq!(recent.get(&"a"), Some("a"));
        recent.insert("d", "d", 2);
        assert_eq!(recent.get(&"b"), None);
        assert_eq!(
            ["a", "c", "d"].map(|key| recent.get(&key).is_some()),
            [true; 3]
        );
        recent.insert("e", "e", 9);
        assert_eq!(
            ["a", "c", "d"].map(|key| recent.get(&key).is_some()),
            [false; 3]
        );
        assert_eq!((recent.get(&"e"), recent.size), (Some("e"), 9));
    }

    #[test]
    fn a_value_that_is_replaced_counts_once() {
        let mut recent = Recent::new(10);
        recent.insert("a", 1, 6);
        recent.insert("a", 2, 7);
        assert_eq!((recent.get(&"a"), recent.size), (Some(2), 7));
        assert_eq!(recent.by_use.len(), 1);
    }

    #[test]
    fn a_value_beyond_the_bound_is_not_kept() {
        let mut recent = Recent::new(10);
        recent.insert("a", 1, 11);
        assert_eq!((recent.get(&"a"), recent.size), (None, 0));
    }
}
