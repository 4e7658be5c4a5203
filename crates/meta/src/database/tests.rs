use showreport_model::SystemClock;

use super::*;
use crate::config::Config;

async fn open(config: &Config) -> Result<Database, Error> {
    Database::open(config, Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_transaction_that_the_database_undid_by_itself_does_not_stop_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    for _ in 0..3 {
        let mut writer = database.writer().await;
        let mut write = writer.begin().await.unwrap();
        // As on a full disk: the driver does not learn of it.
        sqlx::raw_sql("ROLLBACK")
            .execute(&mut *write)
            .await
            .unwrap();
    }
    let mut writer = database.writer().await;
    writer.begin().await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let mut writer = database.writer().await;
    let mut write = writer.begin().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a later version', TRUE, x'00', 0)",
    )
    .execute(&mut *write)
    .await
    .unwrap();
    write.commit().await.unwrap();
    drop(writer);
    database.close().await;
    let error = open(&config).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::NewerDatabase { migration: 9999 }));
    let message = error.to_string();
    assert!(message.contains("newer version"), "{message}");
}

#[tokio::test]
async fn every_connection_is_as_careful() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let mut writer = database.writer().await;
    let mut write = writer.begin().await.unwrap();
    let mut reader = database.readers().acquire().await.unwrap();
    for connection in [&mut *write, &mut *reader] {
        for (pragma, expected) in [
            ("PRAGMA synchronous", 2),
            ("PRAGMA wal_autocheckpoint", 0),
            ("PRAGMA foreign_keys", 1),
            ("PRAGMA busy_timeout", 60_000),
        ] {
            let found: i64 = sqlx::query_scalar(pragma)
                .fetch_one(&mut *connection)
                .await
                .unwrap();
            assert_eq!(found, expected, "{pragma}");
        }
    }
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_checkpoint_waits_for_no_reader_and_leaves_the_writer_patient() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let mut reader = database.readers().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM orgs")
        .execute(&mut *reader)
        .await
        .unwrap();
    database.checkpoint().await.unwrap();
    assert!(database.log.bytes() > 0);
    // Dropped, it would end some time later.
    reader.rollback().await.unwrap();
    database.checkpoint().await.unwrap();
    assert_eq!(database.log.bytes(), 0);
    let mut writer = database.writer().await;
    let mut write = writer.begin().await.unwrap();
    let timeout: i64 = sqlx::query_scalar("PRAGMA busy_timeout")
        .fetch_one(&mut *write)
        .await
        .unwrap();
    assert_eq!(timeout, 60_000);
}

/// Writes a mebibyte, as many small transactions do in the end.
async fn write_much(database: &Database) {
    let mut writer = database.writer().await;
    let mut write = writer.begin().await.unwrap();
    let insert = "INSERT INTO jobs (id, name, payload, unique_key, due_at, attempts, fence)
        VALUES (hex(randomblob(8)), 'test', ?1, hex(randomblob(8)), 0, 0, 0)";
    sqlx::query(insert)
        .bind("x".repeat(1 << 20))
        .execute(&mut *write)
        .await
        .unwrap();
    write.commit().await.unwrap();
}

#[tokio::test]
async fn every_writer_keeps_the_log_small() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let mut largest = 0;
    for _ in 0..40 {
        write_much(&database).await;
        largest = largest.max(database.log.bytes());
    }
    assert!(largest < 20 << 20, "the log grew to {largest} bytes");
}

#[tokio::test]
async fn readers_that_follow_each_other_do_not_keep_the_log_growing() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let read = async || {
        loop {
            let mut read = database.snapshot().await.unwrap();
            sqlx::query("SELECT count(*) FROM orgs")
                .execute(&mut *read)
                .await
                .unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            read.rollback().await.unwrap();
        }
    };
    let write = async {
        let mut largest = 0;
        for _ in 0..160 {
            write_much(&database).await;
            largest = largest.max(database.log.bytes());
        }
        largest
    };
    let largest = tokio::select! {
        largest = write => largest,
        () = async { tokio::join!(read(), read(), read()); } => unreachable!("they read for ever"),
    };
    assert!(largest < 84 << 20, "the log grew to {largest} bytes");
}

#[tokio::test]
async fn a_stop_bounds_the_wait_for_another_process_that_writes() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let other = open(&config).await.unwrap();
    let mut theirs = other.writer().await;
    let write = theirs.begin().await.unwrap();
    let begun = std::time::Instant::now();
    let waiting = async {
        let mut ours = database.writer().await;
        ours.begin().await.map(drop)
    };
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        database.stop_waiting();
    };
    let (refused, ()) = tokio::join!(waiting, stopping);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Busy);
    database.close().await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(15), "it took {took:?}");
    write.commit().await.unwrap();
}

#[tokio::test]
async fn a_write_that_frees_has_the_room_in_reserve_and_others_wait_until_it_is_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let other = open(&config).await.unwrap();
    let database = &database;
    let other = &other;
    // The disk is full as long as the room is kept.
    let write = || async move {
        if database.reserve.is_whole() {
            return Err(Error::StorageFull { doing: "test" });
        }
        for collecting in [database, other] {
            let mut writer = collecting.writer().await;
            let refused = writer.begin().await.map(drop);
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::StorageFull);
        }
        let mut writer = database.writer().await;
        writer.begin_protected().await?.commit().await
    };
    database.protect(write).await.unwrap();
    let mut writer = other.writer().await;
    writer.begin().await.unwrap().commit().await.unwrap();
    assert!(database.reserve.is_whole());
}

/// Makes of the database what an earlier version of the program has left.
async fn forget_time(database: &Database) -> Ledger {
    let mut writer = database.writer().await;
    let mut write = writer.begin().await.unwrap();
    write.ledger.committed_at = None;
    let ledger = write.ledger.clone();
    ledger.write(&mut write.transaction).await.unwrap();
    sqlx::raw_sql(
        "ALTER TABLE ledger DROP COLUMN committed_at;
        DROP TABLE clock;
        DELETE FROM _sqlx_migrations WHERE version = 6",
    )
    .execute(&mut *write)
    .await
    .unwrap();
    write.transaction.commit().await.unwrap();
    ledger
}

#[tokio::test]
async fn a_database_that_does_not_know_when_it_was_written_to_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    write_much(&database).await;
    let ledger = forget_time(&database).await;
    database.close().await;

    let database = open(&config).await.unwrap();
    let read = Ledger::read(database.readers()).await.unwrap();
    assert_eq!(read, ledger);
    write_much(&database).await;
    let read = Ledger::read(database.readers()).await.unwrap();
    assert!(read.committed_at.is_some());
}
