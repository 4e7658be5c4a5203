mod storing;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use showreport_model::facts::{Facts, FactsBuilder, Table};
use showreport_model::report::Heads;
use showreport_model::{Clock, ErrorKind, Failure};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::meta::heads::{self, NewHeads};
use crate::meta::testing::{
    Fixture, collector, event, events_of, moved, org, playback, registration, sent,
};

/// Appends all parts at the same time, with a writer that stops afterwards.
async fn append_all(meta: &Meta, parts: Vec<FactsBuilder>) -> Vec<Result<(), Error>> {
    let shutdown = CancellationToken::new();
    let token = collector(meta).await;
    let mut appends = JoinSet::new();
    for part in parts {
        let journal = meta.journal();
        appends.spawn(async move { journal.append(token, part).await });
    }
    let finish = async {
        let mut results = Vec::new();
        while let Some(result) = appends.join_next().await {
            results.push(result.unwrap());
        }
        shutdown.cancel();
        results
    };
    let (ran, results) = tokio::join!(meta.journal_writer().run(shutdown.clone()), finish);
    ran.unwrap();
    results
}

#[tokio::test]
async fn concurrent_appends_share_commits_and_all_are_stored() {
    let show = Fixture::new().await;
    let parts = (0..200).map(|i| sent([playback("keynote", &format!("p{i}"))]));
    let results = append_all(&show.meta, parts.collect()).await;
    assert!(results.iter().all(Result::is_ok));

    let rows = show.meta.journal_rows(0, u64::MAX).await.unwrap();
    assert!(rows.len() < 100, "{} commits for 200 appends", rows.len());
    let facts: Vec<_> = rows
        .iter()
        .map(|row| Facts::decode(&row.decompress().unwrap()).unwrap())
        .collect();
    assert_eq!(Facts::concat(&facts).batch(Table::Spans).num_rows(), 200);
    let depth = show.meta.journal_depth().await.unwrap();
    assert_eq!(depth.rows, rows.len() as u64);
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    assert_eq!(depth.bytes, bytes);
    assert_eq!(depth.oldest, Some(show.clock.now()));

    let mut registry = Registry::default();
    show.meta.metrics().register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("showreport_journal_records_total 200\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_dropped_append_does_not_affect_others() {
    let show = Fixture::new().await;
    let journal = show.meta.journal();
    let token = collector(&show.meta).await;
    for i in 0..20 {
        let part = sent([playback("keynote", &format!("gone{i}"))]);
        // Polled once, so that it is in the queue, then dropped.
        tokio::select! {
            biased;
            _ = journal.append(token, part) => unreachable!("no writer runs yet"),
            () = std::future::ready(()) => {}
        }
    }
    let results = append_all(&show.meta, vec![sent([playback("keynote", "kept")])]).await;
    assert!(results[0].is_ok());
    assert!(
        !show
            .meta
            .journal_rows(0, u64::MAX)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn after_shutdown_appending_fails() {
    let show = Fixture::new().await;
    append_all(&show.meta, vec![]).await;
    let token = collector(&show.meta).await;
    let late = sent([playback("e", "p")]);
    let refused = show.meta.journal().append(token, late).await;
    assert!(matches!(refused, Err(Error::JournalClosed)));
}

#[tokio::test]
async fn a_journal_takes_facts_up_to_its_limit_and_never_more() {
    let bytes_max = 10_000;
    let show = Fixture::with_journal_bytes_max(bytes_max).await;
    let mut kept = 0;
    let refused = loop {
        let meta = show.reopen().await;
        let parts = vec![sent([playback("e", &format!("p{kept}"))])];
        match append_all(&meta, parts).await.remove(0) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Busy);
    let depth = show.meta.journal_depth().await.unwrap();
    assert_eq!(depth.rows, kept);
    assert!(depth.bytes <= bytes_max, "{} bytes", depth.bytes);
    assert!(kept > 1, "a row is far below the limit");
}

#[tokio::test]
async fn an_event_with_facts_in_the_journal_is_pending_until_the_heads_move() {
    let show = Fixture::new().await;
    assert_eq!(show.meta.journal_last().await.unwrap(), 0);
    append_all(&show.meta, vec![sent([playback("keynote", "p")])]).await;
    let last = show.meta.journal_last().await.unwrap();
    assert_eq!(last, 1);
    let is_pending = async |org: &str, event_id: &str, up_to| {
        let (org, event) = (self::org(org), event(event_id));
        show.meta
            .pending_rows_of_event(&org, &event, up_to)
            .await
            .unwrap()
            .is_some()
    };
    assert!(is_pending("acme", "keynote", last).await);
    assert!(!is_pending("acme", "keynote", last - 1).await);
    assert!(!is_pending("acme", "other", last).await);
    assert!(!is_pending("rival", "keynote", last).await);

    let heads = Heads::from([(Table::Spans, 3)]);
    show.meta.move_heads(&moved(&heads), &[last]).await.unwrap();
    assert!(!is_pending("acme", "keynote", last).await);
    assert_eq!(show.meta.heads().await.unwrap(), heads);
    assert_eq!(show.meta.journal_depth().await.unwrap().bytes, 0);
    assert_eq!(show.meta.journal_last().await.unwrap(), last);
    // Numbers are never given twice.
    let again = show.reopen().await;
    append_all(&again, vec![sent([playback("keynote", "q")])]).await;
    assert_eq!(again.journal_last().await.unwrap(), last + 1);
}

#[tokio::test]
async fn heads_do_not_move_back_and_then_no_row_is_deleted() {
    let show = Fixture::new().await;
    append_all(&show.meta, vec![sent([playback("keynote", "p")])]).await;
    let ahead = Heads::from([(Table::Chat, 1), (Table::Spans, 7)]);
    show.meta.move_heads(&moved(&ahead), &[]).await.unwrap();
    let back = Heads::from([(Table::Chat, 2), (Table::Spans, 6)]);
    let refused = show.meta.move_heads(&moved(&back), &[1]).await;
    assert!(matches!(
        refused,
        Err(Error::HeadMovedBack {
            table: Table::Spans,
            version: 6
        })
    ));
    assert_eq!(show.meta.heads().await.unwrap(), ahead);
    assert_eq!(show.meta.journal_depth().await.unwrap().rows, 1);
    // A flush without rows of a table moves its head to the same version.
    show.meta.move_heads(&moved(&ahead), &[1]).await.unwrap();
}

#[tokio::test]
async fn rows_are_read_oldest_first_within_the_bytes_and_at_least_one() {
    let show = Fixture::new().await;
    for i in 0..3 {
        let meta = show.reopen().await;
        append_all(&meta, vec![sent([playback("e", &format!("p{i}"))])]).await;
    }
    let numbers = async |after, bytes_max| {
        let rows = show.meta.journal_rows(after, bytes_max).await.unwrap();
        rows.iter().map(|row| row.seq).collect::<Vec<_>>()
    };
    // Compressed, the rows differ by some bytes.
    let rows = show.meta.journal_rows(0, u64::MAX).await.unwrap();
    let [first, second, third] = [0, 1, 2].map(|row| rows[row].bytes);
    assert_eq!(numbers(0, 0).await, [1]);
    assert_eq!(numbers(0, first + second).await, [1, 2]);
    assert_eq!(numbers(0, u64::MAX).await, [1, 2, 3]);
    assert_eq!(numbers(1, 0).await, [2], "the oldest after that one");
    assert_eq!(numbers(1, second + third).await, [2, 3]);
    assert!(numbers(3, u64::MAX).await.is_empty());
}

#[tokio::test]
async fn waiting_for_growth_reads_the_size_from_the_database() {
    let show = Fixture::new().await;
    append_all(&show.meta, vec![sent([playback("e", "p")])]).await;
    let journal = show.meta.journal();
    journal.grown_to(1).await;
    // Another process flushes, which this one has not seen.
    let other = show.reopen().await;
    other.move_heads(&NewHeads::new(), &[1]).await.unwrap();
    let mut waiting = Box::pin(journal.grown_to(1));
    let waits = tokio::time::timeout(std::time::Duration::from_millis(50), &mut waiting);
    assert!(waits.await.is_err());
    show.meta.journal().announce_size(0);
    other.close().await;
}

#[tokio::test]
async fn the_same_event_record_is_kept_in_any_order_of_arrival() {
    let versions = [
        registration("keynote", "old but dated", Some(1_000)),
        registration("keynote", "a", Some(2_000)),
        registration("keynote", "b", Some(2_000)),
        registration("keynote", "undated and great: zzz", None),
    ];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let show = Fixture::new().await;
        let parts = order.map(|i| sent([versions[i].clone()]).finish());
        let heads = NewHeads::new();
        // Facts of the event come before, between and after the event records.
        let touch = sent([playback("keynote", "p")]).finish();
        for part in &parts {
            let both = [touch.clone(), part.clone()];
            show.meta
                .load_heads(&heads, &show.org, &both)
                .await
                .unwrap();
        }
        show.meta
            .load_heads(&heads, &show.org, &[touch])
            .await
            .unwrap();
        let event = show.meta.event(&show.org, &event("keynote")).await.unwrap();
        assert_eq!(event.title.as_deref(), Some("b"), "{order:?}");
    }
}

#[tokio::test]
async fn records_of_one_title_and_time_are_ordered_by_their_json() {
    for order in [[0, 1], [1, 0]] {
        let show = Fixture::new().await;
        for i in order {
            let mut record = registration("e", "same", Some(2_000));
            if let showreport_model::record::Record::Event(record) = &mut record {
                record.duration_ms = Some([5, 6][i]);
            }
            let parts = [sent([record]).finish()];
            show.meta
                .load_heads(&NewHeads::new(), &show.org, &parts)
                .await
                .unwrap();
        }
        let event = show.meta.event(&show.org, &event("e")).await.unwrap();
        assert_eq!(event.duration_ms, Some(6));
    }
}

#[tokio::test]
async fn event_records_alone_make_no_journal_row() {
    let show = Fixture::new().await;
    let results = append_all(
        &show.meta,
        vec![sent([registration(
            "keynote",
            "nul \0 and \u{1F600}",
            None,
        )])],
    )
    .await;
    assert!(results[0].is_ok());
    assert_eq!(show.meta.journal_last().await.unwrap(), 0);
    let event = show.meta.event(&show.org, &event("keynote")).await.unwrap();
    assert_eq!(event.title.as_deref(), Some("nul \0 and \u{1F600}"));
}

#[tokio::test]
async fn events_are_listed_for_their_organisation_alone() {
    let show = Fixture::new().await;
    show.meta
        .create_org(&org("rival"), &showreport_model::Zone::utc())
        .await
        .unwrap();
    let parts = [sent(["c", "a", "b", "B"].map(|id| playback(id, "p"))).finish()];
    show.meta
        .load_heads(&NewHeads::new(), &show.org, &parts)
        .await
        .unwrap();
    let stored = events_of(&show.meta, &show.org).await;
    let ids: Vec<&str> = stored.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(ids, ["B", "a", "b", "c"]);
    assert!(events_of(&show.meta, &org("rival")).await.is_empty());
    let foreign = show.meta.event(&org("rival"), &event("a")).await;
    assert_eq!(foreign.unwrap_err().kind(), ErrorKind::NotFound);
    let nowhere = show
        .meta
        .load_heads(&NewHeads::new(), &org("unknown"), &parts)
        .await;
    assert!(matches!(nowhere, Err(Error::UnknownOrg { .. })));
}

#[tokio::test]
async fn a_full_disk_refuses_records_until_there_is_room() {
    let show = Fixture::new().await;
    let journal = show.meta.journal();
    let token = collector(&show.meta).await;
    let shutdown = CancellationToken::new();
    let story = async {
        show.meta.database().limit_pages(60).await;
        let mut kept = 0_usize;
        let refused = loop {
            let records = (0..400).map(|i| playback("e", &format!("p{kept}-{i}")));
            match journal.append(token, sent(records)).await {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        // It stays full, and reading goes on.
        for _ in 0..3 {
            let records = (0..800).map(|i| playback("e", &format!("q{kept}-{i}")));
            let refused = journal.append(token, sent(records)).await;
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::StorageFull);
        }
        show.meta.zone(&show.org).await.unwrap();
        show.meta.database().limit_pages(100_000).await;
        let records = (0..400).map(|i| playback("e", &format!("r{i}")));
        journal.append(token, sent(records)).await.unwrap();
        let rows = show.meta.journal_rows(0, u64::MAX).await.unwrap();
        assert_eq!(rows.len(), kept + 1);
        shutdown.cancel();
    };
    let writer = show.meta.journal_writer();
    let (ran, ()) = tokio::join!(writer.run(shutdown.clone()), story);
    ran.unwrap();
}

#[tokio::test]
async fn the_log_is_moved_into_the_database_when_it_has_grown() {
    let show = Fixture::new().await;
    let log_bytes = || {
        std::fs::metadata(show.path().with_extension("sqlite-wal"))
            .unwrap()
            .len()
    };
    let journal = show.meta.journal();
    let token = collector(&show.meta).await;
    let shutdown = CancellationToken::new();
    let story = async {
        let part = || sent((0..40_000).map(|i| playback("e", &format!("playback-{i}"))));
        let mut biggest = 0;
        for _ in 0..12 {
            journal.append(token, part()).await.unwrap();
            biggest = biggest.max(log_bytes());
        }
        shutdown.cancel();
        biggest
    };
    let writer = show.meta.journal_writer();
    let (ran, biggest) = tokio::join!(writer.run(shutdown.clone()), story);
    ran.unwrap();
    assert!(biggest < 40 << 20, "the log grew to {biggest} bytes");
    show.meta.checkpoint().await.unwrap();
    assert_eq!(log_bytes(), 0);
    assert_eq!(show.meta.journal_depth().await.unwrap().rows, 12);
}

#[tokio::test]
async fn the_entries_of_the_heads_are_kept_with_them() {
    let show = Fixture::new().await;
    let before = show.meta.known_lake().await.unwrap();
    assert_eq!((before.heads.len(), before.entries.len()), (0, 0));
    let first = Heads::from([(Table::Spans, 3), (Table::Chat, 1)]);
    show.meta.move_heads(&moved(&first), &[]).await.unwrap();
    let second = moved(&Heads::from([(Table::Spans, 4)]));
    show.meta
        .load_heads(&second, &show.org, &[sent([]).finish()])
        .await
        .unwrap();
    let known = show.meta.known_lake().await.unwrap();
    assert_eq!(known.heads, show.meta.heads().await.unwrap());
    let entries = [(Table::Spans, [4; 32]), (Table::Chat, [1; 32])];
    assert_eq!(known.entries, entries.into());
    assert_eq!(known.commits, before.commits + 2);
    let announced = show.meta.announce_versions().await.unwrap();
    assert_eq!(announced.commits, known.commits + 1);
    assert_eq!(show.meta.known_lake().await.unwrap(), announced);

    for damage in [
        "UPDATE head_entries SET sha256 = zeroblob(32)",
        "UPDATE head_entries SET version = version + 1",
        "UPDATE ledger SET heads = replace(heads, '4', '5')",
    ] {
        let show = Fixture::new().await;
        show.meta.move_heads(&second, &[]).await.unwrap();
        let read = async |tx: &mut Transaction<'_>| {
            sqlx::query(damage).execute(&mut **tx).await.unwrap();
            let ledger = Ledger::read(&mut **tx).await?;
            heads::known(tx, ledger).await
        };
        let read = show.meta.database().write(read).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Damaged, "{damage}");
    }
}
