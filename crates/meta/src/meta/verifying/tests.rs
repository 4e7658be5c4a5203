use std::path::Path;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use showreport_model::bulk::{DirtyDay, ReportType};
use showreport_model::report::Pins;
use showreport_model::{Damage, SystemClock};
use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;

use super::super::testing::{Fixture, collector, event, playback, registration, sent};
use super::*;
use crate::Config;

/// Boxed, since rows on their way are large.
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

/// Changes the database as a bad disk would: behind the back of every checksum.
async fn damage(meta: &Meta, statement: &str) {
    let mut writer = meta.shared.database.writer().await;
    let mut write = writer.begin().await.unwrap();
    let done = sqlx::query(AssertSqlSafe(statement.to_owned()))
        .execute(&mut *write)
        .await
        .unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
    write.commit().await.unwrap();
}

#[track_caller]
fn names<T: std::fmt::Debug>(found: Result<T, Error>, file: &str) {
    let error = found.unwrap_err();
    let damage = Damage::below(&error).unwrap_or_else(|| panic!("no damage: {error:?}"));
    assert_eq!(damage.file, file, "{damage}");
}

async fn ordered(show: &Fixture) -> showreport_model::ReportId {
    let order = show.order("keynote");
    let created = show.meta.create_reports(&show.org, &[order], None).await;
    created.unwrap()[0].id
}

#[tokio::test]
async fn a_changed_value_is_found_at_the_start_and_whenever_its_row_is_read() {
    for statement in [
        "UPDATE orgs SET zone = 'Asia/Tokyo'",
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
        damage(&show.meta, statement).await;
        names(show.reopen().await.verify().await, "meta.sqlite");

        // What was known before is not asked again, but every row that is read is compared.
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
    damage(&show.meta, flip).await;
    names(show.meta.journal_rows(0, u64::MAX).await, "meta.sqlite");
}

#[tokio::test]
async fn a_row_of_the_journal_that_vanished_is_missed_wherever_it_was() {
    for (gone, read_after) in [(1, 0), (2, 0), (3, 0), (3, 2)] {
        let show = Fixture::new().await;
        for number in 0..3 {
            collect(&show.reopen().await, &format!("p{number}")).await;
        }
        damage(
            &show.meta,
            &format!("DELETE FROM journal WHERE seq = {gone}"),
        )
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
async fn the_ledger_and_what_a_report_is_made_from_are_compared() {
    for statement in [
        "UPDATE ledger SET heads = '{\"spans\":1}'",
        "UPDATE ledger SET journal_first = 2",
        "UPDATE ledger SET commits = 0",
    ] {
        let show = Fixture::new().await;
        collect(&show.meta, "p").await;
        let mut writer = show.meta.shared.database.writer().await;
        let mut write = writer.begin().await.unwrap();
        sqlx::query(statement).execute(&mut *write).await.unwrap();
        // Within the transaction, since its end would make the ledger good again.
        names(Ledger::read(&mut *write).await, "meta.sqlite");
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
    damage(
        &show.meta,
        "UPDATE reports SET pins = replace(pins, 'UTC', 'GMT')",
    )
    .await;
    names(show.meta.report_task(id).await, "meta.sqlite");
}

/// Copies a database that is open, as a crash would leave it.
fn leave(from: &Path, to: &Path) {
    for name in ["meta.sqlite", "meta.sqlite-wal", "meta.acknowledged"] {
        std::fs::copy(from.with_file_name(name), to.with_file_name(name)).unwrap();
    }
}

async fn open(path: &Path) -> Result<Meta, Error> {
    Meta::open(&Config::new(path), Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_log_that_lost_what_was_acknowledged_is_not_taken_for_the_end_of_a_crash() {
    let show = Fixture::new().await;
    collect(&show.meta, "p").await;
    let log = std::fs::metadata(show.path().with_file_name("meta.sqlite-wal"));
    let bytes = log.unwrap().len();
    for byte in [8, 33, bytes / 2, bytes - 1] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("meta.sqlite");
        leave(&show.path(), &path);
        let log = path.with_file_name("meta.sqlite-wal");
        let mut damaged = std::fs::read(&log).unwrap();
        damaged[usize::try_from(byte).unwrap()] ^= 1;
        std::fs::write(&log, damaged).unwrap();
        let opened = open(&path).await;
        let file = Damage::below(&opened.unwrap_err()).map(|damage| damage.file);
        assert_eq!(file.as_deref(), Some("meta.sqlite-wal"), "byte {byte}");
        // Nor is it the next time, when SQLite has thrown the rest away.
        assert!(open(&path).await.is_err(), "byte {byte}");
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.sqlite");
    leave(&show.path(), &path);
    open(&path).await.unwrap().verify().await.unwrap();
}

#[tokio::test]
async fn a_table_that_describes_itself_in_other_words_is_damaged() {
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
            leave(&show.path(), &path);
            let mut damaged = whole.clone();
            damaged[at + name.len() - 1] ^= 1;
            std::fs::write(&path, damaged).unwrap();
            let opened = match open(&path).await {
                Ok(meta) => meta.verify().await,
                Err(error) => Err(error),
            };
            // Some of it was written over since, and is read by nobody.
            if opened.is_err() {
                names(opened, "meta.sqlite");
                refused += 1;
            }
        }
    }
    assert!(refused >= 3, "{refused} were refused");
}

#[tokio::test]
async fn a_report_job_that_is_damaged_keeps_none_of_the_others() {
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
    damage(
        meta,
        "UPDATE report_jobs SET name = 'x' WHERE report_type = 'event_watch_time_a1'",
    )
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
