//! Files that are made at a request, and had by its link only.

use showreport_model::report::ReportFile;
use showreport_model::{OrgId, ReportId, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{SqliteConnection, SqliteExecutor};

use crate::database::{Stored, Sum, check_rows, to_integer, to_json};
use crate::error::{Doing, Error};

/// A file of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFile {
    /// Where it lies.
    pub id: ReportId,
    /// Whose it is.
    pub org: OrgId,
    /// What it is.
    pub file: ReportFile,
    /// When it is deleted.
    pub expires_at: Timestamp,
}

const INSERT: &str = "INSERT INTO day_files (id, org, file, expires_at, sum, file_bytes)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const SELECT: &str = "SELECT id, org, file, expires_at, sum FROM day_files WHERE id = ?1";

const SELECT_EXPIRED: &str = "SELECT id, org, file, expires_at, sum FROM day_files
    WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";

const SELECT_ALL: &str = "SELECT id, org, file, expires_at, sum FROM day_files";

const DELETE: &str = "DELETE FROM day_files WHERE id = ?1";

/// Adds a file.
pub(crate) async fn insert(write: &mut SqliteConnection, file: &DayFile) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(file.id.to_string())
        .bind(file.org.as_str())
        .bind(to_json(&file.file))
        .bind(file.expires_at.as_millis())
        .bind(sum(file, &to_json(&file.file)))
        .bind(to_integer(file.file.stored_bytes()))
        .execute(write)
        .await
        .doing("note the file of a day")?;
    Ok(())
}

/// A file, whosever it is: who asks has a signed link.
pub(crate) async fn find(
    read: impl SqliteExecutor<'_>,
    id: ReportId,
) -> Result<Option<DayFile>, Error> {
    let row = sqlx::query(SELECT)
        .bind(id.to_string())
        .fetch_optional(read)
        .await
        .doing("look up the file of a day")?;
    row.as_ref().map(file).transpose()
}

/// Files past their time, of all organisations.
pub(crate) async fn expired(
    read: impl SqliteExecutor<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DayFile>, Error> {
    let rows = sqlx::query(SELECT_EXPIRED)
        .bind(now.as_millis())
        .bind(limit)
        .fetch_all(read)
        .await
        .doing("look for expired files of days")?;
    rows.iter().map(file).collect()
}

/// Removes a file.
pub(crate) async fn delete(write: &mut SqliteConnection, id: ReportId) -> Result<(), Error> {
    sqlx::query(DELETE)
        .bind(id.to_string())
        .execute(write)
        .await
        .doing("forget the file of a day")?;
    Ok(())
}

/// Reads every file's row, so that one that is damaged is found.
pub(crate) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| file(row).map(drop)).await
}

fn sum(file: &DayFile, file_json: &str) -> i64 {
    Sum::of("day_files")
        .text(&file.id.to_string())
        .text(file.org.as_str())
        .text(file_json)
        .number(file.expires_at.as_millis())
        .finish()
}

fn file(row: &SqliteRow) -> Result<DayFile, Error> {
    let row = Stored(row);
    let file = DayFile {
        id: row.parsed("id")?,
        org: row.parsed("org")?,
        file: row.json("file")?,
        expires_at: row.time("expires_at")?,
    };
    row.check("day_files", sum(&file, &row.plain::<String>("file")?))?;
    Ok(file)
}
