//! Checks before a group is stored, and the registration of its events.

use showreport_model::record::Record;
use showreport_model::{TokenId, Zone};

use super::*;
use crate::Scope;
use crate::quotas::{Quota, Quotas};

#[tokio::test]
async fn a_token_that_was_revoked_or_expired_while_it_waited_stores_nothing_and_others_are_stored()
{
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
    // Another process revokes the token while all four requests are in the queue of this one.
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
        .map(|row| Facts::decode(&row.decompress().unwrap()).unwrap());
    let stored: Vec<_> = stored.collect();
    assert_eq!(Facts::concat(&stored).batch(Table::Spans).num_rows(), 2);
}

/// Appends records of `acme`, and one record of `rival` in the same group.
async fn append_beside(
    meta: &Meta,
    (acme, rival): (TokenId, TokenId),
    playbacks: Vec<Record>,
) -> (Result<(), Error>, Result<(), Error>) {
    let mut beside = FactsBuilder::new(org("rival"));
    beside.push(playback("e", "p"));
    let journal = meta.journal();
    let shutdown = CancellationToken::new();
    let story = async {
        let both = futures::future::join(
            journal.append(acme, sent(playbacks)),
            journal.append(rival, beside),
        );
        let results = Box::pin(both).await;
        shutdown.cancel();
        results
    };
    let (ran, results) = tokio::join!(meta.journal_writer().run(shutdown.clone()), story);
    ran.unwrap();
    results
}

/// A database with these quotas, and tokens of `acme` and `rival`.
async fn with_quotas(quotas: Quotas) -> (Fixture, (TokenId, TokenId)) {
    let show = Fixture::with_quotas(quotas).await;
    let tokens = with_rival(&show).await;
    (show, tokens)
}

async fn with_rival(show: &Fixture) -> (TokenId, TokenId) {
    let rival = org("rival");
    show.meta.create_org(&rival, &Zone::utc()).await.unwrap();
    let token = show.meta.create_token(&rival, Scope::Collect.into(), None);
    (collector(&show.meta).await, token.await.unwrap().0)
}

#[tokio::test]
async fn an_organisation_cannot_exceed_its_quota_of_events_and_others_are_stored() {
    let quotas = Quotas {
        events_max: 3,
        ..Quotas::default()
    };
    let (show, tokens) = with_quotas(quotas).await;
    let send = async |records| append_beside(&show.reopen().await, tokens, records).await;
    let first = send(vec![playback("a", "p"), registration("b", "B", None)]).await;
    assert!(first.0.is_ok() && first.1.is_ok(), "{first:?}");
    // Two more are one too many, and none of them is stored.
    for records in [
        vec![playback("c", "p"), playback("d", "p")],
        vec![playback("c", "p"), registration("d", "D", None)],
    ] {
        let (refused, beside) = send(records).await;
        assert!(
            matches!(
                refused,
                Err(Error::QuotaExceeded {
                    quota: Quota::Events,
                    kept: 2,
                    max: 3
                })
            ),
            "{refused:?}"
        );
        beside.unwrap();
        let events = events_of(&show.meta, &show.org).await;
        assert_eq!(events.len(), 2);
    }
    // Records of existing events, and of a third, are accepted.
    let known = vec![
        playback("a", "q"),
        registration("b", "B!", None),
        playback("c", "p"),
    ];
    let (taken, _) = send(known).await;
    taken.unwrap();
}

#[tokio::test]
async fn an_organisation_cannot_exceed_its_quota_of_records_and_others_are_stored() {
    let quotas = Quotas {
        records_max: 3,
        ..Quotas::default()
    };
    let (show, tokens) = with_quotas(quotas).await;
    let send = async |records| append_beside(&show.reopen().await, tokens, records).await;
    let two = || vec![playback("a", "p"), playback("a", "q")];
    let (taken, beside) = send(two()).await;
    taken.and(beside).unwrap();
    let (refused, beside) = send(two()).await;
    beside.unwrap();
    let Err(Error::QuotaExceeded { quota, kept, max }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((quota, kept, max), (Quota::Records, 2, 3));
    // Refused records do not count.
    let (taken, beside) = send(vec![playback("a", "p")]).await;
    taken.and(beside).unwrap();
}

#[tokio::test]
async fn an_organisation_that_fills_its_share_of_the_journal_leaves_room_for_others() {
    let bytes_max = 40_000;
    let show = Fixture::with_journal_bytes_max(bytes_max).await;
    let tokens = with_rival(&show).await;
    let mut body = 0;
    let (mut own, mut refused) = (0, 0);
    while refused < 3 {
        let records = (0..20).map(|number| playback("e", &format!("{body}-{number}")));
        let meta = show.reopen().await;
        // A group of its own, so that no other organisation shares the row.
        let alone = append_all(&meta, vec![sent(records)]).await.remove(0);
        match alone {
            Ok(()) => own += 1,
            Err(Error::JournalShareFull { bytes, bytes_max }) => {
                assert_eq!(bytes_max, 30_000);
                assert!((20_000..=30_000).contains(&bytes), "{bytes}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
        body += 1;
    }
    assert!(own > 3);
    let (_, beside) = append_beside(&show.reopen().await, tokens, vec![]).await;
    beside.unwrap();
    // Once it is flushed, there is room again.
    let last = show.meta.journal_last().await.unwrap();
    let flushed: Vec<i64> = (1..=last).collect();
    let heads = moved(&Heads::from([(Table::Spans, 1)]));
    show.meta.move_heads(&heads, &flushed).await.unwrap();
    let again = append_all(&show.reopen().await, vec![sent([playback("e", "p")])]).await;
    again.into_iter().next().unwrap().unwrap();
}

#[tokio::test]
async fn the_size_of_the_journal_counts_the_text_of_its_events() {
    let bytes_max = 200_000;
    let show = Fixture::with_journal_bytes_max(bytes_max).await;
    let events = |number: usize| {
        let name = move |id| format!("event {number} of many that compress to nothing, {id}");
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
    // A refused group has registered no event.
    let stored = events_of(&show.meta, &show.org).await;
    assert_eq!(stored.len(), 500 * kept);
    // Event records are not stored in the journal, and are refused too.
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
async fn many_events_at_once_are_registered_like_one_by_one() {
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
    let stored = async |show: &Fixture| events_of(&show.meta, &show.org).await;
    let (many, few) = (stored(&at_once).await, stored(&one_by_one).await);
    assert_eq!((many.len(), few.len()), (2_500, 60));
    for event in &few {
        assert!(many.contains(event), "{event:?}");
    }
    at_once.meta.verify().await.unwrap();
}
