//! Opening a lake beside others.

use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_start_does_not_wait_for_a_process_that_changes_the_lake() {
    let world = World::new().await;
    let held = take_lock(&config(world.directory.path()).lock).unwrap();
    let opened = tokio::time::timeout(Duration::from_secs(30), world.other_process()).await;
    // Released first: a task that waits for it would keep the test from ending.
    drop(held);
    assert!(opened.is_ok(), "it waited for the lock");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_a_new_lake_at_the_same_time() {
    let directory = tempfile::tempdir().unwrap();
    let meta_config = showreport_meta::Config::new(directory.path().join("meta.sqlite"));
    let clock = Arc::new(showreport_model::SystemClock);
    let meta = Meta::open(&meta_config, clock).await.unwrap();
    let mut opening = JoinSet::new();
    for _ in 0..8 {
        let (config, meta) = (config(directory.path()), meta.clone());
        opening.spawn(async move { Lake::open(&config, meta).await });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap().unwrap();
    }
}
