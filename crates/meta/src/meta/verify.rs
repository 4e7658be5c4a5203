//! Checks the whole database once.

use fail::fail_point;
use sqlx::SqliteConnection;

use super::{
    Meta, bulk_reports, day_files, dirty_days, events, orgs, people, report_jobs, reports, shares,
};
use crate::database::Ledger;
use crate::error::{Doing, Error};

/// Returns `ok`, or the first problem. Only `SQLite` has it.
const CHECK_PAGES: &str = "PRAGMA integrity_check(1)";

impl Meta {
    /// Checks that the pages of the database are consistent, that every row matches its checksum,
    /// and that no row of the journal is missing.
    ///
    /// Each row is checked again when it is read. Only this check finds a row that a damaged page
    /// hides. The facts in the journal are checked when they are flushed.
    pub async fn verify(&self) -> Result<(), Error> {
        fail_point!("verify-begun");
        let database = self.database();
        // The journal comes first: it is small, and reports depend on it.
        let mut read = database.snapshot().await?;
        let range = Ledger::read(&mut *read).await?.journal_range();
        let pending = self.shared.journal.pending_events();
        pending.catch_up(&mut read, range).await?;
        // A transaction for each part: while one reads, the log cannot be emptied.
        drop(read);
        check_pages(&mut *database.snapshot().await?).await?;
        orgs::check_all(&mut *database.snapshot().await?).await?;
        people::check_all(&mut *database.snapshot().await?).await?;
        events::check_all(&mut *database.snapshot().await?).await?;
        shares::check_all(&mut *database.snapshot().await?).await?;
        reports::check_all(&mut *database.snapshot().await?).await?;
        report_jobs::check_all(&mut *database.snapshot().await?).await?;
        dirty_days::check_all(&mut *database.snapshot().await?).await?;
        bulk_reports::check_all(&mut *database.snapshot().await?).await?;
        day_files::check_all(&mut *database.snapshot().await?).await
    }
}

async fn check_pages(read: &mut SqliteConnection) -> Result<(), Error> {
    let found: String = sqlx::query_scalar(CHECK_PAGES)
        .fetch_one(read)
        .await
        .doing("check the pages of the database")?;
    match found.as_str() {
        "ok" => Ok(()),
        problem => Err(Error::damaged(problem)),
    }
}

#[cfg(test)]
mod tests;
