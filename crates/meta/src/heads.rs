//! Heads: the version of each table of the lake that counts.

use showreport_model::facts::Table;
use showreport_model::report::Heads;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, to_integer};
use crate::error::{Doing, Error};

const SELECT: &str = "SELECT lake_table, version FROM heads";

const ADVANCE: &str = "INSERT INTO heads (lake_table, version) VALUES (?1, ?2)
    ON CONFLICT (lake_table) DO UPDATE SET version = excluded.version
    WHERE excluded.version >= heads.version";

/// The heads of all tables that have one.
pub(crate) async fn find(read: impl SqliteExecutor<'_>) -> Result<Heads, Error> {
    let rows = sqlx::query(SELECT)
        .fetch_all(read)
        .await
        .doing("read the heads")?;
    rows.iter()
        .map(|row| {
            let row = Stored(row);
            let table = row.named("lake_table", Table::from_name)?;
            Ok((table, row.number("version")?))
        })
        .collect()
}

/// Moves these heads, never backwards: facts that were in a report stay in it.
pub(crate) async fn advance(write: &mut SqliteConnection, heads: &Heads) -> Result<(), Error> {
    for (&table, &version) in heads {
        let done = sqlx::query(ADVANCE)
            .bind(table.name())
            .bind(to_integer(version))
            .execute(&mut *write)
            .await
            .doing("move a head")?;
        if done.rows_affected() == 0 {
            return Err(Error::HeadMovedBack { table, version });
        }
    }
    Ok(())
}
