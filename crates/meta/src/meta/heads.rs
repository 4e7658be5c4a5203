//! Heads: the version of each table of the lake that counts, and a digest of its entry in the
//! table's log.

use std::collections::BTreeMap;

use fail::fail_point;
use showreport_model::OrgId;
use showreport_model::facts::{Collected, Table};
use showreport_model::report::Heads;
use sqlx::SqliteConnection;

use super::events::EventChanges;
use super::journal::{Commit, MovedHead};
use super::{Meta, events, journal, org_totals, orgs};
use crate::database::{Ledger, Stored, Sum, Transaction, to_integer};
use crate::error::{Doing, Error};

/// SHA-256 of an entry of a table's log.
pub type EntryDigest = [u8; 32];

/// The version of a table that is to be its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewHead {
    pub version: u64,
    /// The digest of its entry in the table's log.
    pub entry: EntryDigest,
}

/// The tables that have a new version.
pub type NewHeads = BTreeMap<Table, NewHead>;

/// The state of the lake according to the database. A lake in another state belongs to another
/// copy of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLake {
    /// The number of transactions of the database so far.
    pub commits: i64,
    pub heads: Heads,
    /// The digests of the heads' entries. Those that an older build wrote have none.
    pub entries: BTreeMap<Table, EntryDigest>,
}

const SELECT: &str = "SELECT lake_table, version, sha256, sum FROM head_entries";

const UPSERT: &str =
    "INSERT INTO head_entries (lake_table, version, sha256, sum) VALUES ($1, $2, $3, $4)
    ON CONFLICT (lake_table) DO UPDATE SET
        version = excluded.version, sha256 = excluded.sha256, sum = excluded.sum";

impl Meta {
    /// The version of each table of the lake that counts.
    pub async fn heads(&self) -> Result<Heads, Error> {
        Ok(self.ledger().await?.heads)
    }

    /// The state that the lake must have.
    pub async fn known_lake(&self) -> Result<KnownLake, Error> {
        let mut read = self.database().snapshot().await?;
        let ledger = Ledger::read(&mut *read).await?;
        known(&mut read, ledger).await
    }

    /// Commits that the lake is about to get new versions. Returns the state that it must have
    /// before.
    ///
    /// The versions note the number of this transaction. No earlier copy of the database has had as
    /// many, so a lake that is newer than the database is recognised.
    pub async fn announce_versions(&self) -> Result<KnownLake, Error> {
        // Protected, because a flush frees the room of the journal's rows.
        let mut known = self
            .database()
            .write_protected(async |tx| {
                let ledger = tx.ledger.clone();
                known(tx, ledger).await
            })
            .await?;
        known.commits += 1;
        Ok(known)
    }

    /// Moves these heads and deletes the rows of the journal that they hold, or neither.
    pub async fn move_heads(&self, moved: &NewHeads, flushed: &[i64]) -> Result<(), Error> {
        let journal = &self.shared.journal;
        self.database()
            .write_protected(async |tx| {
                let published = Commit::Moved(differences(&tx.ledger.heads, moved));
                advance(tx, moved).await?;
                journal::delete(tx, flushed).await?;
                let (journal, bytes) = (journal.clone(), tx.ledger.journal_bytes);
                tx.after_commit(move || {
                    journal.announce_size(bytes);
                    journal.commits().publish([published]);
                });
                fail_point!("heads-before-commit", |_| std::process::abort());
                Ok(())
            })
            .await?;
        fail_point!("heads-after-commit", |_| std::process::abort());
        Ok(())
    }

    /// Moves these heads to versions with the facts of these rows. The rows stay in the journal
    /// until the flush in order reaches them, because the ledger has no gaps in their numbers.
    pub async fn move_heads_ahead(&self, moved: &NewHeads, rows: &[i64]) -> Result<(), Error> {
        self.move_heads(moved, &[]).await?;
        let pending = self.shared.journal.pending_events();
        pending.note_flushed_ahead(rows);
        Ok(())
    }

    /// Moves these heads, and applies the changes to events of facts that were written to the lake
    /// without the journal.
    pub async fn load_heads(
        &self,
        moved: &NewHeads,
        org: &OrgId,
        collected: &[Collected],
    ) -> Result<(), Error> {
        let mut changes = EventChanges::default();
        for part in collected {
            changes.add(org, part);
        }
        self.database()
            .write(async |tx| {
                orgs::zone(&mut **tx, org).await?;
                advance(tx, moved).await?;
                let new = events::apply(tx, &changes, self.now()).await?;
                // An import by the operator counts, and is not limited by the quotas.
                let quotas = &self.shared.quotas;
                drop(org_totals::add(tx, &changes, &new, quotas).await?);
                let (journal, org) = (self.shared.journal.clone(), org.clone());
                tx.after_commit(move || journal.commits().publish([Commit::Loaded(org)]));
                fail_point!("load-before-commit", |_| std::process::abort());
                Ok(())
            })
            .await?;
        fail_point!("load-after-commit", |_| std::process::abort());
        Ok(())
    }
}

fn differences(before: &Heads, moved: &NewHeads) -> Vec<MovedHead> {
    let heads = moved.iter().map(|(&table, head)| MovedHead {
        table,
        before: before.get(&table).copied(),
        after: head.version,
    });
    heads.collect()
}

/// Moves these heads, never backwards: facts that were in a report must not disappear.
async fn advance(tx: &mut Transaction<'_>, moved: &NewHeads) -> Result<(), Error> {
    for (&table, &NewHead { version, .. }) in moved {
        let present = tx.ledger.heads.get(&table);
        if present.is_some_and(|&present| version < present) {
            return Err(Error::HeadMovedBack { table, version });
        }
    }
    for (&table, head) in moved {
        tx.ledger.heads.insert(table, head.version);
        sqlx::query(UPSERT)
            .bind(table.name())
            .bind(to_integer(head.version))
            .bind(head.entry.as_slice())
            .bind(sum(table.name(), head.version, &head.entry))
            .execute(&mut **tx)
            .await
            .doing("store the entry of a head")?;
    }
    Ok(())
}

/// The state of the lake according to the database. `Ledger` is that of the same transaction.
pub(super) async fn known(
    read: &mut SqliteConnection,
    Ledger { commits, heads, .. }: Ledger,
) -> Result<KnownLake, Error> {
    let rows = sqlx::query(SELECT)
        .fetch_all(read)
        .await
        .doing("read the entries of the heads")?;
    let mut entries = BTreeMap::new();
    for row in &rows {
        let row = Stored(row);
        let table = row.named("lake_table", Table::from_name)?;
        let version = row.number("version")?;
        let entry = row.plain::<Vec<u8>>("sha256")?;
        let entry = EntryDigest::try_from(entry)
            .map_err(|_| Error::damaged("the digest of a head's entry does not have 32 bytes"))?;
        row.check("head_entries", sum(table.name(), version, &entry))?;
        if heads.get(&table) != Some(&version) {
            return Err(Error::damaged(
                "the ledger and head_entries have different heads",
            ));
        }
        entries.insert(table, entry);
    }
    Ok(KnownLake {
        commits,
        heads,
        entries,
    })
}

fn sum(table: &str, version: u64, entry: &EntryDigest) -> i64 {
    Sum::of("head_entries")
        .text(table)
        .bytes(entry)
        .number(to_integer(version))
        .finish()
}
