//! What is checked before a group is stored, and how its events are registered.

use super::*;

#[tokio::test]
async fn a_token_that_was_revoked_or_expired_while_it_waited_stores_nothing_and_harms_nobody() {
    let show = Fixture::new().await;
    let other = show.reopen().await;
    let (good, revoked) = (collector(&show.meta).await, collector(&show.meta).await);
    let expires_at = show.clock.now().saturating_add_millis(1_000);
    let scopes = || crate::Scope::Collect.into();
    let brief = show
        .meta
        .create_token(&show.org, scopes(), Some(expires_at));
    let brief = brief.await.unwrap().0;
    let journal = show.meta.journal();
    let append =
        |token, playback_id: &str| journal.append(token, sent([playback("e", playback_id)]));
    let shutdown = CancellationToken::new();
    let story = async {
        let appends = futures::future::join4(
            append(good, "kept"),
            append(revoked, "revoked"),
            append(brief, "expired"),
            append(good, "kept, too"),
        );
        let results = Box::pin(appends).await;
        shutdown.cancel();
        results
    };
    // Another process revokes: this one has not heard of it, and all four are in the queue.
    let mut story = Box::pin(story);
    assert!(futures::poll!(story.as_mut()).is_pending());
    other.revoke_token(revoked).await.unwrap();
    show.clock.advance(1_000);
    let (ran, results) = tokio::join!(show.meta.journal_writer().run(shutdown.clone()), story);
    ran.unwrap();
    assert!(results.0.is_ok() && results.3.is_ok(), "{results:?}");
    assert!(matches!(results.1, Err(Error::UnknownToken)), "{results:?}");
    assert!(matches!(results.2, Err(Error::UnknownToken)), "{results:?}");
    let rows = show.meta.journal_rows(0, u64::MAX).await.unwrap();
    let stored = rows
        .iter()
        .map(|row| Facts::decode(&row.unpack().unwrap()).unwrap());
    let stored: Vec<_> = stored.collect();
    assert_eq!(Facts::concat(&stored).batch(Table::Spans).num_rows(), 2);
}

#[tokio::test]
async fn the_bound_counts_the_events_that_facts_are_of() {
    let bytes_max = 200_000;
    let show = Fixture::with_journal_bytes_max(bytes_max).await;
    let events = |number: usize| {
        let name = move |id| format!("event {number} of many that pack to nothing, {id}");
        sent((0..500).map(move |id| playback(&name(id), "p")))
    };
    let mut kept = 0;
    while append_all(&show.reopen().await, vec![events(kept)]).await[0].is_ok() {
        kept += 1;
        let depth = show.meta.journal_depth().await.unwrap();
        assert!(depth.bytes > 500 * 40 * kept as u64, "{}", depth.bytes);
        assert!(depth.bytes <= bytes_max, "{}", depth.bytes);
    }
    assert!(kept > 1, "a row is far below the bound");
    // What was refused has registered nothing.
    let stored = show.meta.events(&show.org, None, 10_000).await.unwrap();
    assert_eq!(stored.len(), 500 * kept);
    // Records of what events are wait for no flush, and are refused all the same.
    let many =
        || sent((0..500).map(|id| registration(&format!("event {id}"), &"x".repeat(50), None)));
    let refused = append_all(&show.reopen().await, vec![many()])
        .await
        .remove(0);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Busy);
    let rows: Vec<i64> = (1..=show.meta.journal_last().await.unwrap()).collect();
    show.meta.move_heads(&NewHeads::new(), &rows).await.unwrap();
    let taken = append_all(&show.reopen().await, vec![many()])
        .await
        .remove(0);
    taken.unwrap();
}

#[tokio::test]
async fn many_events_at_once_are_registered_as_one_by_one() {
    let (at_once, one_by_one) = (Fixture::new().await, Fixture::new().await);
    // Every third event twice, every fifth with facts, in two orders.
    let records = |count: usize| {
        let titles = (0..count).flat_map(move |id| {
            let event = format!("event {id}");
            let mut records = vec![registration(&event, "first", Some(1_000))];
            if id % 3 == 0 {
                records.push(registration(&event, "second \u{1F600} \"'", Some(2_000)));
            }
            if id % 5 == 0 {
                records.push(playback(&event, "p"));
            }
            records
        });
        titles.collect::<Vec<_>>()
    };
    let heads = NewHeads::new();
    let all = [sent(records(2_500)).finish()];
    at_once
        .meta
        .load_heads(&heads, &at_once.org, &all)
        .await
        .unwrap();
    for record in records(60).into_iter().rev() {
        let one = [sent([record]).finish()];
        one_by_one
            .meta
            .load_heads(&heads, &one_by_one.org, &one)
            .await
            .unwrap();
    }
    let stored = async |show: &Fixture| show.meta.events(&show.org, None, 10_000).await.unwrap();
    let (many, few) = (stored(&at_once).await, stored(&one_by_one).await);
    assert_eq!((many.len(), few.len()), (2_500, 60));
    for event in &few {
        assert!(many.contains(event), "{event:?}");
    }
    at_once.meta.verify().await.unwrap();
}
