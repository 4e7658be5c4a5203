use super::*;

#[tokio::test]
async fn pinned_heads_have_exactly_the_facts_of_their_state_while_others_come() {
    let world = World::new().await;
    world.collect([viewing("0", 0, 10)]).await;
    let first = world.meta.event_snapshot(&org(), &event()).await.unwrap();
    let collecting = async {
        for number in 1..60 {
            let id = number.to_string();
            world.collect([viewing(&id, 0, 10)]).await;
        }
    };
    // Each commit has one view, and the clock stands still: so the state counts the views.
    let pinning = async {
        let mut seen = 0;
        for _ in 0..12 {
            let pinned = world.lake.pin_event(&org(), &event()).await.unwrap();
            let commits = pinned.changed_at.as_millis() - first.changed_at.as_millis() + 1;
            let views = world.spans(&pinned.heads).await.len();
            assert_eq!(i64::try_from(views).unwrap(), commits);
            assert!(views >= seen, "{views} after {seen}");
            assert_eq!(pinned.pending, None);
            seen = views;
        }
    };
    tokio::join!(collecting, pinning);
    let pinned = world.lake.pin_event(&org(), &event()).await.unwrap();
    assert_eq!(world.spans(&pinned.heads).await.len(), 60);
    // Nothing is pending, so nothing is flushed.
    let again = world.lake.pin_event(&org(), &event()).await.unwrap();
    assert_eq!(again, pinned);
    world.end().await;
}

#[tokio::test]
async fn a_snapshot_of_an_event_without_facts_flushes_nothing() {
    let world = World::new().await;
    world.collect([viewing("a", 0, 10)]).await;
    let other = EventId::new("other").unwrap();
    let missing = world.lake.pin_event(&org(), &other).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(world.meta.journal_depth().await.unwrap().rows, 1);
    world.end().await;
}
