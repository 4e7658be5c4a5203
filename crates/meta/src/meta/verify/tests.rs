use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use showreport_model::bulk::{DirtyDay, ReportType};
use showreport_model::report::Pins;
use showreport_model::{Failure, SystemClock};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::Config;
use crate::database::Transaction;
use crate::meta::testing::{Fixture, collector, event, playback, registration, sent};

/// Boxed, because the future is large.
fn collect<'a>(meta: &'a Meta, playback_id: &'a str) -> BoxFuture<'a, ()> {
    let collected = async move {
        let shutdown = CancellationToken::new();
        let journal = meta.journal();
        let token = collector(meta).await;
        let append = async {
            let facts = sent([
                playback("keynote", playback_id),
                registration("keynote", "The keynote", Some(1_000)),
            ]);
            journal.append(token, facts).await.unwrap();
            shutdown.cancel();
        };
        let writer = meta.journal_writer().run(shutdown.clone());
        let (ran, ()) = tokio::join!(writer, append);
        ran.unwrap();
    };
    collected.boxed()
}

#[track_caller]
fn names<T: std::fmt::Debug>(found: Result<T, Error>, file: &str) {
    let error = found.unwrap_err();
    let damage = error
        .damage()
        .unwrap_or_else(|| panic!("no damage: {error:?}"));
    assert_eq!(damage.file, file, "{damage}");
}

async fn ordered(show: &Fixture) -> showreport_model::ReportId {
    let order = show.order("keynote");
    let created = show.meta.create_reports(&show.org, &[order], None).await;
    created.unwrap()[0].id
}

#[tokio::test]
async fn a_changed_value_is_found_at_the_start_and_when_its_row_is_read() {
    for statement in [
        "UPDATE orgs SET zone = 'Asia/Tokyo'",
        "UPDATE orgs SET require_viewer_tokens = 1",
        "UPDATE events SET title = 'The keynose'",
        "UPDATE events SET kind = 'vod'",
        "UPDATE journal SET events = '[[\"acme\",\"keynose\"]]'",
        "UPDATE journal SET seq = 2",
        "DELETE FROM journal",
        "UPDATE reports SET journal_last = 0",
        "UPDATE reports SET ordered = replace(ordered, 'csv', 'ndjson')",
    ] {
        let show = Fixture::new().await;
        collect(&show.meta, "p").await;
        let id = ordered(&show).await;
        show.meta.verify().await.unwrap();
        show.execute(statement).await;
        names(show.reopen().await.verify().await, "meta.sqlite");

        // Every row that is read is compared with its checksum.
        let met = [
            show.meta.zone(&show.org).await.err(),
            show.meta.event(&show.org, &event("keynote")).await.err(),
            show.meta.journal_rows(0, u64::MAX).await.err(),
            show.meta.report_task(id).await.err(),
        ];
        assert!(met.iter().any(Option::is_some), "{statement}");
    }
}

#[tokio::test]
async fn a_changed_fact_is_found_when_it_is_flushed() {
    let show = Fixture::new().await;
    collect(&show.meta, "p").await;
    let flip = "UPDATE journal SET payload =
        CAST(substr(payload, 1, 20) || x'00' || substr(payload, 22) AS BLOB)";
    show.execute(flip).await;
    names(show.meta.journal_rows(0, u64::MAX).await, "meta.sqlite");
}

#[tokio::test]
async fn a_missing_row_of_the_journal_is_noticed_wherever_it_was() {
    for (gone, read_after) in [(1, 0), (2, 0), (3, 0), (3, 2)] {
        let show = Fixture::new().await;
        for number in 0..3 {
            collect(&show.reopen().await, &format!("p{number}")).await;
        }
        show.execute(&format!("DELETE FROM journal WHERE seq = {gone}"))
            .await;
        let mut after = read_after;
        let met = loop {
            match show.meta.journal_rows(after, 0).await {
                Ok(rows) if rows.is_empty() => break Ok(()),
                Ok(rows) => after = rows[0].seq,
                Err(error) => break Err(error),
            }
        };
        names(met, "meta.sqlite");
        names(show.meta.verify().await, "meta.sqlite");
    }
}

#[tokio::test]
async fn the_ledger_and_the_pins_of_reports_are_compared() {
    for statement in [
        "UPDATE ledger SET heads = '{\"spans\":1}'",
        "UPDATE ledger SET journal_first = 2",
        "UPDATE ledger SET commits = 0",
    ] {
        let show = Fixture::new().await;
        collect(&show.meta, "p").await;
        // Within the transaction, because a commit writes the whole ledger.
        let read = async |tx: &mut Transaction<'_>| {
            sqlx::query(statement).execute(&mut **tx).await.unwrap();
            Ledger::read(&mut **tx).await
        };
        names(show.meta.database().write(read).await, "meta.sqlite");
    }
    let show = Fixture::new().await;
    collect(&show.meta, "p").await;
    let id = ordered(&show).await;
    let pins = Pins {
        heads: show.meta.heads().await.unwrap(),
        zone: show.meta.zone(&show.org).await.unwrap(),
        event: show.meta.event(&show.org, &event("keynote")).await.unwrap(),
    };
    show.meta.pin_report(id, &pins).await.unwrap();
    show.execute("UPDATE reports SET pins = replace(pins, 'UTC', 'GMT')")
        .await;
    names(show.meta.report_task(id).await, "meta.sqlite");
}

/// Copies an open database in the state that a crash would leave.
fn copy(from: &Path, to: &Path) {
    for name in ["meta.sqlite", "meta.sqlite-wal", "meta.acknowledged"] {
        std::fs::copy(from.with_file_name(name), to.with_file_name(name)).unwrap();
    }
}

async fn open(path: &Path) -> Result<Meta, Error> {
    Meta::open(&Config::new(path), Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_log_that_lost_acknowledged_transactions_is_not_opened() {
    let show = Fixture::new().await;
    collect(&show.meta, "p").await;
    let log = std::fs::metadata(show.path().with_file_name("meta.sqlite-wal"));
    let bytes = log.unwrap().len();
    for byte in [8, 33, bytes / 2, bytes - 1] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.sqlite");
        copy(&show.path(), &path);
        let log = path.with_file_name("meta.sqlite-wal");
        let mut damaged = std::fs::read(&log).unwrap();
        damaged[usize::try_from(byte).unwrap()] ^= 1;
        std::fs::write(&log, damaged).unwrap();
        let opened = open(&path).await;
        let refused = opened.unwrap_err();
        let file = refused.damage().map(|damage| damage.file.clone());
        assert_eq!(file.as_deref(), Some("meta.sqlite-wal"), "byte {byte}");
        // Nor is it the next time, when SQLite has discarded the rest.
        assert!(open(&path).await.is_err(), "byte {byte}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.sqlite");
    copy(&show.path(), &path);
    open(&path).await.unwrap().verify().await.unwrap();
}

#[tokio::test]
async fn a_changed_schema_is_damage() {
    let show = Fixture::new().await;
    show.meta.checkpoint().await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.sqlite");
    let whole = std::fs::read(show.path()).unwrap();
    let mut refused = 0;
    for name in ["supersedes", "journal_last", "CREATE TABLE"] {
        for at in 0..whole.len() - name.len() {
            if !whole[at..].starts_with(name.as_bytes()) {
                continue;
            }
            copy(&show.path(), &path);
            let mut damaged = whole.clone();
            damaged[at + name.len() - 1] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let opened = match open(&path).await {
                Ok(meta) => meta.verify().await,
                Err(error) => Err(error),
            };
            // Old copies of the text in the file are not read.
            if opened.is_err() {
                names(opened, "meta.sqlite");
                refused += 1;
            }
        }
    }
    assert!(refused >= 3, "{refused} were refused");
}

#[tokio::test]
async fn a_damaged_report_job_does_not_stop_the_others() {
    let show = Fixture::new().await;
    let meta = &show.meta;
    let give = async |report_type| {
        let given = meta.create_report_job(&show.org, report_type, "daily");
        let report_job = given.await.unwrap();
        let day = report_job.first_day;
        meta.mark_days_dirty(report_job.id, &[day]).await.unwrap();
        DirtyDay {
            report_job: report_job.id,
            day,
        }
    };
    let damaged = give(ReportType::WatchTime).await;
    let whole = give(ReportType::Customers).await;
    show.execute("UPDATE report_jobs SET name = 'x' WHERE report_type = 'event_watch_time_a1'")
        .await;
    let (read, failed): (Vec<_>, Vec<_>) = meta
        .report_jobs_in_force()
        .await
        .unwrap()
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!(read.len(), 1);
    names(failed.into_iter().next().unwrap(), "meta.sqlite");
    assert!(meta.bulk_report_task(&whole).await.unwrap().is_some());
    names(meta.bulk_report_task(&damaged).await, "meta.sqlite");
}
