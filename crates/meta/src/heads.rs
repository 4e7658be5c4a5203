//! Heads: the version of each table of the lake that counts, and what tells its entry in the
//! table's log from every other.

use std::collections::BTreeMap;

use showreport_model::facts::Table;
use showreport_model::report::Heads;
use sqlx::SqliteConnection;

use crate::database::{Ledger, Stored, Sum, Write, to_integer};
use crate::error::{Doing, Error};

/// SHA-256 of an entry of a table's log.
pub type EntryDigest = [u8; 32];

/// A version of a table that is to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewHead {
    /// Its number.
    pub version: u64,
    /// Its entry in the log.
    pub entry: EntryDigest,
}

/// The tables that have a new version.
pub type NewHeads = BTreeMap<Table, NewHead>;

/// What the database says of the lake. A lake that says otherwise is of another moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLake {
    /// Transactions of the database so far.
    pub commits: i64,
    /// The version of each table that counts.
    pub heads: Heads,
    /// The entries of these versions. Absent where an older build made the version.
    pub entries: BTreeMap<Table, EntryDigest>,
}

const SELECT: &str = "SELECT lake_table, version, sha256, sum FROM head_entries";

const UPSERT: &str =
    "INSERT INTO head_entries (lake_table, version, sha256, sum) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (lake_table) DO UPDATE SET
        version = excluded.version, sha256 = excluded.sha256, sum = excluded.sum";

/// Moves these heads, never backwards: facts that were in a report stay in it.
pub(crate) async fn advance(write: &mut Write<'_>, moved: &NewHeads) -> Result<(), Error> {
    for (&table, &NewHead { version, .. }) in moved {
        let present = write.ledger.heads.get(&table);
        if present.is_some_and(|&present| version < present) {
            return Err(Error::HeadMovedBack { table, version });
        }
    }
    for (&table, head) in moved {
        write.ledger.heads.insert(table, head.version);
        sqlx::query(UPSERT)
            .bind(table.name())
            .bind(to_integer(head.version))
            .bind(head.entry.as_slice())
            .bind(sum(table.name(), head.version, &head.entry))
            .execute(&mut **write)
            .await
            .doing("keep the entry of a head")?;
    }
    Ok(())
}

/// What the database says of the lake, by the ledger of the same transaction.
pub(crate) async fn known(
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
            .map_err(|_| Error::damaged("the digest of a head's entry has not 32 bytes"))?;
        row.check("head_entries", sum(table.name(), version, &entry))?;
        if heads.get(&table) != Some(&version) {
            return Err(Error::damaged(
                "the ledger and head_entries have other heads",
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
    entry
        .iter()
        .fold(Sum::of("head_entries").text(table), |sum, &byte| {
            sum.number(byte.into())
        })
        .number(to_integer(version))
        .finish()
}
