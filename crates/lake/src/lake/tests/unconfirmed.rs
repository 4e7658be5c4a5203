//! Versions that were committed and never became a head do not count.

use super::*;

/// The rows of the newest version of the table, as another Delta reader finds them.
async fn newest_spans(world: &World) -> Vec<(String, i64, i64)> {
    let known = world.meta.known_lake().await.unwrap();
    let store = world.lake.shared.store.clone();
    let newest = Newest::load(store.clone(), &known).await.unwrap();
    let version = newest.version(Table::Spans).unwrap();
    let files = Files::new(store);
    let heads = Heads::from([(Table::Spans, version)]);
    let (org, event) = (org(), event());
    let files = files.find(&heads, Table::Spans, sought(&org, &event));
    read_spans(&world.lake, files.await.unwrap()).await
}

/// Commits to the tables what a load would, and stops before the heads are moved.
async fn load_and_stop(world: &World, viewings: impl IntoIterator<Item = Viewing>) {
    let (meta, facts) = (world.meta.clone(), testing::facts("acme", viewings));
    let work = move |mut newest: NewestGuard| async move {
        flush::append_and_stop(&meta, &mut newest, vec![facts]).await
    };
    world.lake.shared.exclusive.run(work).await.unwrap();
}

#[tokio::test]
async fn a_load_that_stopped_before_the_heads_is_undone_by_the_next_version() {
    let world = World::new().await;
    // Also where it was the first that ever came.
    load_and_stop(&world, [viewing("dead", 0, 5)]).await;
    load_and_stop(&world, [viewing("dead", 50, 55)]).await;
    world.collect_and_flush([viewing("a", 0, 10)]).await;
    assert_eq!(world.present_spans().await, [span("a", 0, 10)]);

    load_and_stop(&world, [viewing("dead", 0, 5)]).await;
    assert_eq!(newest_spans(&world).await.len(), 2);
    let loaded = testing::collected("acme", [viewing("b", 0, 10)]);
    world
        .other_process()
        .await
        .load(&org(), &[loaded])
        .await
        .unwrap();
    let spans = [span("a", 0, 10), span("b", 0, 10)];
    assert_eq!(world.present_spans().await, spans);
    assert_eq!(newest_spans(&world).await, spans);

    // What is sent again, counts.
    let again = testing::collected("acme", [viewing("dead", 0, 5)]);
    world.lake.load(&org(), &[again]).await.unwrap();
    assert_eq!(world.present_spans().await.len(), 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_takes_nothing_of_an_unconfirmed_load_along() {
    let world = World::new().await;
    world.flush_four_files().await;
    let spans = world.present_spans().await;
    load_and_stop(&world, [viewing("dead", 0, 5)]).await;
    assert_eq!(world.lake.compact().await.unwrap().files_in, 4);
    assert_eq!(world.present_spans().await, spans);
    assert_eq!(newest_spans(&world).await, spans);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_stopped_before_the_heads_is_undone() {
    let world = World::new().await;
    world.flush_four_files().await;
    let shared = world.lake.shared.clone();
    let merge_and_stop = move |mut newest: NewestGuard| async move {
        let (meta, store) = (&shared.meta, &shared.store);
        let plans = compact::plan(meta, &mut newest, &shared.config, store, Table::Spans).await?;
        let merged = compact::merge(&plans[0], store, 1 << 20).await?;
        let now_ms = meta.clock().now().as_millis();
        compact::commit(meta, &mut newest, &plans[0], merged, 1 << 20, now_ms).await
    };
    let stopped = world.lake.shared.exclusive.run(merge_and_stop).await;
    assert!(stopped.unwrap().is_some());
    let mut spans = world.present_spans().await;
    world.collect_and_flush([viewing("b", 0, 10)]).await;
    spans.push(span("b", 0, 10));
    let heads = world.meta.heads().await.unwrap();
    assert_eq!(world.files(&heads).await.len(), 5);
    assert_eq!(world.present_spans().await, spans);
    assert_eq!(newest_spans(&world).await, spans);
    // The merge can be done again, and what is removed later is none of what counts.
    assert_eq!(world.lake.compact().await.unwrap().files_in, 5);
    world.put_clock_forward(2 * DAY_MS);
    assert!(world.lake.vacuum().await.unwrap() >= 5);
    assert_eq!(world.present_spans().await, spans);
    world.end().await;
}
