//! Runs the same work several times at once.

use std::thread::{self, ScopedJoinHandle};

use showreport_testkit::Random;

/// Runs the work for each number below `count` on a thread of its own, each with its own random
/// generator, and gives the results in order.
pub(super) fn in_parallel<T: Send>(
    count: usize,
    random: &mut Random,
    work: impl Fn(usize, Random) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    let generators: Vec<Random> = (0..count).map(|_| random.fork()).collect();
    let work = &work;
    let results = thread::scope(|scope| {
        let threads = (0..count).zip(generators);
        let threads = threads.map(|(number, random)| scope.spawn(move || work(number, random)));
        let threads: Vec<_> = threads.collect();
        let results = threads.into_iter().map(ScopedJoinHandle::join);
        results.collect::<Vec<_>>()
    });
    let results = results.into_iter();
    results
        .map(|result| result.expect("the work does not panic"))
        .collect()
}
