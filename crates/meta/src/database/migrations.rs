//! The migrations: what brings the tables from one version of the program to the next.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::slot::WriterSlot;
use crate::error::{Doing, Error};

/// Number, name and statements of each. Missing numbers were never used.
const MIGRATIONS: [(i64, &str, &str); 18] = [
    (
        1,
        "first",
        include_str!("../../migrations/sqlite/0001_first.sql"),
    ),
    (
        2,
        "bulk reports",
        include_str!("../../migrations/sqlite/0002_bulk_reports.sql"),
    ),
    (
        4,
        "memory",
        include_str!("../../migrations/sqlite/0004_memory.sql"),
    ),
    (
        5,
        "turns",
        include_str!("../../migrations/sqlite/0005_turns.sql"),
    ),
    (
        6,
        "clock",
        include_str!("../../migrations/sqlite/0006_clock.sql"),
    ),
    (
        7,
        "growth",
        include_str!("../../migrations/sqlite/0007_growth.sql"),
    ),
    (
        8,
        "head entries",
        include_str!("../../migrations/sqlite/0008_head_entries.sql"),
    ),
    (
        9,
        "quotas",
        include_str!("../../migrations/sqlite/0009_quotas.sql"),
    ),
    (
        10,
        "org totals",
        include_str!("../../migrations/sqlite/0010_org_totals.sql"),
    ),
    (
        11,
        "held jobs",
        include_str!("../../migrations/sqlite/0011_held_jobs.sql"),
    ),
    (
        12,
        "plain words",
        include_str!("../../migrations/sqlite/0012_plain_words.sql"),
    ),
    (
        13,
        "bulk zones",
        include_str!("../../migrations/sqlite/0013_bulk_zones.sql"),
    ),
    (
        15,
        "viewer names",
        include_str!("../../migrations/sqlite/0015_viewer_names.sql"),
    ),
    (
        16,
        "beats and coverage",
        include_str!("../../migrations/sqlite/0016_beats_and_coverage.sql"),
    ),
    (
        17,
        "viewer tokens",
        include_str!("../../migrations/sqlite/0017_viewer_tokens.sql"),
    ),
    (
        18,
        "changed events",
        include_str!("../../migrations/sqlite/0018_changed_events.sql"),
    ),
    (
        19,
        "people",
        include_str!("../../migrations/sqlite/0019_people.sql"),
    ),
    (
        20,
        "shares",
        include_str!("../../migrations/sqlite/0020_shares.sql"),
    ),
];

/// Brings the tables to this version of the program.
pub(super) async fn run(writer: &mut WriterSlot) -> Result<(), Error> {
    // One transaction around all, so that two processes that start at the
    // same time do it one after the other.
    let mut write = writer.begin().await?;
    let migrations = MIGRATIONS.map(|(number, name, statements)| {
        let statements = statements.into_sql_str();
        Migration::new(
            number,
            name.into(),
            MigrationType::Simple,
            statements,
            false,
        )
    });
    Migrator::with_migrations(migrations.to_vec())
        .run_direct(None, &mut *write, false)
        .await
        .map_err(Error::from_migrate)?;
    write.commit().await.doing("migrate the database")
}
