//! The same torment several times at once.

use std::thread::{self, ScopedJoinHandle};

use showreport_testkit::Random;

/// Does it for each number below `count` at the same time, with a chance of its own, and gives what each
/// has found.
pub(super) fn side_by_side<T: Send>(
    count: usize,
    random: &mut Random,
    torment: impl Fn(usize, Random) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let seeds: Vec<u64> = (0..count).map(|_| random.next()).collect();
    let torment = &torment;
    let found = thread::scope(|scope| {
        let lanes = (0..count).zip(seeds);
        let lanes = lanes.map(|(lane, seed)| scope.spawn(move || torment(lane, Random::new(seed))));
        let lanes: Vec<_> = lanes.collect();
        let found = lanes.into_iter().map(ScopedJoinHandle::join);
        found.collect::<Vec<_>>()
    });
    let found = found.into_iter();
    found
        .map(|found| found.expect("a lane does not panic"))
        .collect()
}
