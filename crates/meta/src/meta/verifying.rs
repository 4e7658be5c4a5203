//! Looks at the whole database once.

use fail::fail_point;
use sqlx::SqliteConnection;

use super::Meta;
use crate::database::Ledger;
use crate::error::{Doing, Error};
use crate::{bulk_reports, day_files, dirty_days, events, orgs, report_jobs, reports};

/// One line if all is well, else the first thing that is not.
const CHECK_PAGES: &str = "PRAGMA integrity_check(1)";

impl Meta {
    /// Checks that the pages of the database agree with each other, that every row
    /// is what was written, and that no row of the journal is missing.
    ///
    /// What is read later is checked again, row by row; but a row that a damaged page hides
    /// is only missed here. The facts in the journal are checked when they are flushed.
    pub async fn verify(&self) -> Result<(), Error> {
        fail_point!("verify-begun");
        let database = &self.shared.database;
        // What waits is looked for first: it is little, and reports depend on it.
        let mut read = database.snapshot().await?;
        let ledger = Ledger::read(&mut *read).await?;
        let touches = self.shared.journal.touches();
        touches.bring_up(&mut read, &ledger).await?;
        // Each part in a transaction of its own: while one reads, the log cannot be emptied.
        drop(read);
        check_pages(&mut *database.snapshot().await?).await?;
        orgs::check_all(&mut *database.snapshot().await?).await?;
        events::check_all(&mut *database.snapshot().await?).await?;
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
