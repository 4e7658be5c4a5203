//! A cache of the systems of user agents.
//!
//! A table of fixed size without locks. A slot holds the keyed hash of a text and a small number,
//! so that no user agent stays in memory. Clients do not know the key, and so cannot choose texts
//! that meet in one slot.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The number of slots: more than a large audience has user agents. They take 64 KiB.
const SLOTS: usize = 8192;

/// The bits of a slot that hold the value. The others hold those of the hash; the index of the slot
/// stands for the bits of the hash that the value takes.
const VALUE: u64 = 0xff;

/// A small number for each text.
pub(crate) struct Cache {
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    /// The value of the text, which `work` finds if it is not known. It is not 0, which marks an
    /// empty slot.
    pub(crate) fn get(&self, text: &str, work: impl FnOnce(&str) -> u8) -> u8 {
        let hash = self.hasher.hash_one(text);
        let index = usize::try_from(hash % SLOTS as u64).expect("less than the slots");
        let slot = &self.slots[index];
        let found = slot.load(Ordering::Relaxed);
        let value = found.to_le_bytes()[0];
        if value != 0 && (found ^ hash) & !VALUE == 0 {
            return value;
        }
        let value = work(text);
        slot.store((hash & !VALUE) | u64::from(value), Ordering::Relaxed);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_worked_out_once() {
        let cache = Cache::new();
        assert_eq!(cache.get("a", |_| 7), 7);
        assert_eq!(cache.get("a", |_| unreachable!("it is known")), 7);
    }

    #[test]
    fn each_text_has_its_own_value_however_many_there_are() {
        let cache = Cache::new();
        let value = |text: &str| u8::try_from(text.len()).unwrap();
        let texts: Vec<String> = (0..3 * SLOTS)
            .map(|n| "x".repeat(n % 250 + 1) + &n.to_string())
            .map(|text| text.chars().take(255).collect())
            .collect();
        for _ in 0..2 {
            for text in &texts {
                assert_eq!(cache.get(text, value), value(text), "{text}");
            }
        }
    }
}
