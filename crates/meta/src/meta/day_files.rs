//! Files of days that are made at a request and downloaded by a link.

use showreport_model::report::ReportFile;
use showreport_model::{OrgId, ReportId, Timestamp};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::file_quotas::Addition;
use super::{Meta, file_quotas};
use crate::database::{Stored, Sum, check_rows, to_integer, to_json};
use crate::error::{Doing, Error};

/// A file of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFile {
    pub id: ReportId,
    pub org: OrgId,
    pub file: ReportFile,
    pub expires_at: Timestamp,
}

const INSERT: &str = "INSERT INTO day_files (id, org, file, expires_at, sum, file_bytes)
    VALUES ($1, $2, $3, $4, $5, $6)";

const SELECT: &str = "SELECT id, org, file, expires_at, sum FROM day_files WHERE id = $1";

const SELECT_EXPIRED: &str = "SELECT id, org, file, expires_at, sum FROM day_files
    WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2";

const SELECT_ALL: &str = "SELECT id, org, file, expires_at, sum FROM day_files";

const DELETE: &str = "DELETE FROM day_files WHERE id = $1";

impl Meta {
    /// Fails if the organisation may have no more files of days.
    pub async fn ensure_day_file_room(&self, org: &OrgId) -> Result<(), Error> {
        let mut read = self.database().snapshot().await?;
        file_quotas::ensure(&mut read, &self.shared.quotas, org, Addition::DayFile).await
    }

    /// Adds a file that was made at a request.
    pub async fn add_day_file(&self, file: &DayFile) -> Result<(), Error> {
        self.database()
            .write(async |tx| insert(tx, file).await)
            .await
    }

    /// A file that was made at a request, of any organisation: the caller has checked a signed
    /// link.
    pub async fn day_file(&self, id: ReportId) -> Result<Option<DayFile>, Error> {
        let row = sqlx::query(SELECT)
            .bind(id.to_string())
            .fetch_optional(self.readers())
            .await
            .doing("look up the file of a day")?;
        row.as_ref().map(day_file).transpose()
    }

    /// Expired files of days of all organisations. A damaged row is an error of its own.
    pub async fn expired_day_files(
        &self,
        limit: u32,
    ) -> Result<Vec<Result<DayFile, Error>>, Error> {
        let rows = sqlx::query(SELECT_EXPIRED)
            .bind(self.now().as_millis())
            .bind(limit)
            .fetch_all(self.readers())
            .await
            .doing("look for expired files of days")?;
        Ok(rows.iter().map(day_file).collect())
    }

    /// Removes a file of a day that was deleted.
    pub async fn remove_day_file(&self, id: ReportId) -> Result<(), Error> {
        self.database()
            .write_protected(async |tx| delete(tx, id).await)
            .await
    }
}

async fn insert(tx: &mut SqliteConnection, file: &DayFile) -> Result<(), Error> {
    sqlx::query(INSERT)
        .bind(file.id.to_string())
        .bind(file.org.as_str())
        .bind(to_json(&file.file))
        .bind(file.expires_at.as_millis())
        .bind(sum(file, &to_json(&file.file)))
        .bind(to_integer(file.file.stored_bytes()))
        .execute(tx)
        .await
        .doing("add the file of a day")?;
    Ok(())
}

async fn delete(tx: &mut SqliteConnection, id: ReportId) -> Result<(), Error> {
    sqlx::query(DELETE)
        .bind(id.to_string())
        .execute(tx)
        .await
        .doing("remove the file of a day")?;
    Ok(())
}

/// Checks every row of the table.
pub(super) async fn check_all(read: &mut SqliteConnection) -> Result<(), Error> {
    check_rows(read, SELECT_ALL, |row| day_file(row).map(drop)).await
}

fn sum(file: &DayFile, file_json: &str) -> i64 {
    Sum::of("day_files")
        .text(&file.id.to_string())
        .text(file.org.as_str())
        .text(file_json)
        .number(file.expires_at.as_millis())
        .finish()
}

fn day_file(row: &SqliteRow) -> Result<DayFile, Error> {
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
