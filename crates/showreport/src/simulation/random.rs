//! A pseudo-random generator, `SplitMix64`, that is the same on every machine.
//!
//! It uses integers only, because floating-point results may differ between machines and a second
//! run must send the same records. A library would draw other numbers, and the figures of the demo in
//! the documentation and in tests follow from these.

use std::ops::Range;

/// A stream of pseudo-random numbers.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// The stream with this number. Streams of one seed are independent, so a change in what one
    /// viewer draws does not change the others.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut mixer = Self(seed);
        let offset = mixer.next();
        let mut random = Self(offset ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    /// Any 64-bit number.
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the upper half of 128 bits")
    }

    /// A number of the range; its start where the range is empty.
    pub(super) fn between(&mut self, range: Range<i64>) -> i64 {
        let width = u64::try_from(range.end - range.start).unwrap_or(0);
        range.start + i64::try_from(self.below(width)).expect("the width came from there")
    }

    /// True with a probability of `per_mille` / 1000.
    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// A number with about a normal distribution: the sum of twelve uniform draws, which has this
    /// standard deviation.
    pub(super) fn around(&mut self, mean: i64, deviation: i64) -> i64 {
        let half = deviation / 2;
        mean + (0..12).map(|_| self.between(-half..half)).sum::<i64>()
    }

    /// A waiting time with a geometric distribution, `mean_steps` steps of this length on average.
    pub(super) fn wait(&mut self, step: i64, mean_steps: u64) -> i64 {
        let mut whole = 0;
        while self.below(mean_steps + 1) > 0 {
            whole += step;
        }
        whole + self.between(0..step)
    }

    /// An index below the length.
    pub(super) fn index(&mut self, length: usize) -> usize {
        let bound = u64::try_from(length).expect("a length fits 64 bits");
        usize::try_from(self.below(bound)).expect("below a length")
    }

    /// One of the items.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.index(items.len())]
    }

    /// One of the items, with probabilities in proportion to their weights.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(T, u64)]) -> T {
        let mut rest = self.below(items.iter().map(|(_, weight)| weight).sum());
        for (item, weight) in items {
            match rest.checked_sub(*weight) {
                Some(less) => rest = less,
                None => return *item,
            }
        }
        unreachable!("the draw is below the sum of the weights")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first outputs for the seed 1234567, as the author of SplitMix64 published them.
        let mut random = Random(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn draws_stay_within_their_bounds() {
        let mut random = Random::new(7, 1);
        for _ in 0..10_000 {
            assert!((-5..5).contains(&random.between(-5..5)));
            assert!((40_000..160_000).contains(&random.around(100_000, 10_000)));
            assert!(random.wait(1000, 3) >= 0);
            assert_ne!(random.weighted(&[("never", 0), ("always", 1)]), "never");
        }
        assert_eq!(random.between(3..3), 3);
    }

    #[test]
    fn streams_differ() {
        assert_ne!(Random::new(7, 1).next(), Random::new(7, 2).next());
        assert_ne!(Random::new(7, 1).next(), Random::new(8, 1).next());
    }
}
