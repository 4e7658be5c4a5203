use showreport_model::SystemClock;

use super::*;
use crate::config::Config;

async fn open(config: &Config) -> Result<Database, Error> {
    Database::open(config, Arc::new(SystemClock)).await
}

async fn write_nothing(database: &Database) -> Result<(), Error> {
    database.write(async |_| Ok(())).await
}

/// Runs statements in a transaction.
async fn execute(database: &Database, statements: &'static str) {
    let execute = async |tx: &mut Transaction<'_>| {
        sqlx::raw_sql(statements).execute(&mut **tx).await.unwrap();
        Ok(())
    };
    database.write(execute).await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_the_database_rolled_back_does_not_stop_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    for _ in 0..3 {
        let roll_back = async |tx: &mut Transaction<'_>| {
            // As on a full disk: the driver is not informed.
            sqlx::raw_sql("ROLLBACK").execute(&mut **tx).await.unwrap();
            tx.discard();
            Ok(())
        };
        database.write(roll_back).await.unwrap();
    }
    write_nothing(&database).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    execute(
        &database,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of a later version', TRUE, x'00', 0)",
    )
    .await;
    database.close().await;
    let error = open(&config).await.map(drop).unwrap_err();
    assert!(matches!(error, Error::NewerDatabase { migration: 9999 }));
    let message = error.to_string();
    assert!(message.contains("newer version"), "{message}");
}

#[tokio::test]
async fn every_connection_has_the_same_pragmas() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let mut reader = database.readers().acquire().await.unwrap();
    let check = async |connection: &mut SqliteConnection| {
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
    };
    let check_writer = async |tx: &mut Transaction<'_>| {
        check(&mut **tx).await;
        Ok(())
    };
    database.write(check_writer).await.unwrap();
    check(&mut *reader).await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut *reader)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test]
async fn a_checkpoint_does_not_wait_for_readers_and_restores_the_busy_timeout() {
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
    let read_timeout = async |tx: &mut Transaction<'_>| {
        let timeout = sqlx::query_scalar("PRAGMA busy_timeout");
        timeout.fetch_one(&mut **tx).await.doing("read a pragma")
    };
    let timeout: i64 = database.write(read_timeout).await.unwrap();
    assert_eq!(timeout, 60_000);
}

/// Writes a mebibyte, as many small transactions do in the end.
async fn write_much(database: &Database) {
    let insert = "INSERT INTO jobs (id, name, payload, unique_key, due_at, attempts, fence)
        VALUES (hex(randomblob(8)), 'test', $1, hex(randomblob(8)), 0, 0, 0)";
    let insert = async |tx: &mut Transaction<'_>| {
        let query = sqlx::query(insert).bind("x".repeat(1 << 20));
        query.execute(&mut **tx).await.unwrap();
        Ok(())
    };
    database.write(insert).await.unwrap();
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
    let begun = std::time::Instant::now();
    let write = async |_: &mut Transaction<'_>| {
        let waiting = write_nothing(&database);
        let stopping = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            database.stop_waiting();
        };
        let (refused, ()) = tokio::join!(waiting, stopping);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Busy);
        database.close().await;
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(15), "it took {took:?}");
        Ok(())
    };
    other.write(write).await.unwrap();
}

#[tokio::test]
async fn a_protected_write_uses_the_reserve_and_others_fail_until_it_is_whole_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    let other = open(&config).await.unwrap();
    // The disk is full as long as the reserve is whole.
    let write = async |_: &mut Transaction<'_>| {
        if database.reserve.is_whole() {
            return Err(Error::StorageFull { doing: "test" });
        }
        let refused = write_nothing(&other).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::StorageFull);
        Ok(())
    };
    database.write_protected(write).await.unwrap();
    let released = database.release_reserve().await;
    for collecting in [&database, &other] {
        let refused = write_nothing(collecting).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::StorageFull);
    }
    drop(released);
    write_nothing(&other).await.unwrap();
    assert!(database.reserve.is_whole());
}

/// Changes the database into one of an earlier version.
async fn remove_time(database: &Database) -> Ledger {
    let mut slot = database.writer.lock().await;
    let mut inner = slot.begin().await.unwrap();
    let mut ledger = Ledger::read(&mut *inner).await.unwrap();
    ledger.committed_at = None;
    ledger.write(&mut inner).await.unwrap();
    sqlx::raw_sql(
        "ALTER TABLE ledger DROP COLUMN committed_at;
        DROP TABLE clock;
        DELETE FROM _sqlx_migrations WHERE version = 6",
    )
    .execute(&mut *inner)
    .await
    .unwrap();
    inner.commit().await.unwrap();
    ledger
}

#[tokio::test]
async fn a_database_of_a_version_that_stored_no_time_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config::new(directory.path().join("meta.sqlite"));
    let database = open(&config).await.unwrap();
    write_much(&database).await;
    let ledger = remove_time(&database).await;
    database.close().await;

    let database = open(&config).await.unwrap();
    let read = Ledger::read(database.readers()).await.unwrap();
    assert_eq!(read, ledger);
    write_much(&database).await;
    let read = Ledger::read(database.readers()).await.unwrap();
    assert!(read.committed_at.is_some());
}
