//! A process that stops waits for no other process.

use std::time::Duration;

use super::*;

/// Far longer than anything here takes, unless it waits for the lock.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_stop_ends_the_wait_for_the_flush_lock_and_what_waited_is_not_done_later() {
    let world = World::new().await;
    world.collect([viewing("a", 0, 10)]).await;
    let held = take_lock(&config(world.directory.path()).lock).unwrap();
    let flush = || {
        let lake = world.lake.clone();
        async move { lake.flush().await }
    };
    let mut waiting = JoinSet::new();
    // One waits for the other process, and one for the first.
    waiting.spawn(flush());
    waiting.spawn(flush());
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.lake.stop_waiting();
    waiting.spawn(flush());
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(tokio::time::timeout(PATIENCE, waiting.join_next()).await);
    }
    // Released first: a thread that waits for it would keep the test from ending.
    drop(held);
    for flushed in ended {
        let flushed = flushed.expect("it waited for the lock").unwrap().unwrap();
        assert!(matches!(flushed, Err(Error::ShuttingDown)), "{flushed:?}");
    }
    // The lock is free again once the thread that waited for it has given it back.
    drop(take_lock(&config(world.directory.path()).lock).unwrap());
    assert_eq!(world.meta.journal_depth().await.unwrap().rows, 1);
    let other = world.other_process().await;
    assert_eq!(other.flush().await.unwrap().journal_rows, 1);
    world.end().await;
}
