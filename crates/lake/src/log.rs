//! The entries of a table's log, compared with what the database says of them.
//!
//! A restored backup or a disk that is not mounted may combine a lake and a database of different
//! times. Facts that one of them lacks would silently be missing in figures, so both are compared
//! each time a table is opened.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use showreport_meta::{EntryDigest, KnownLake};
use showreport_model::Damage;
use showreport_model::facts::Table;

use crate::checked::failed;
use crate::{Error, Store};

/// The directory of the tables in the store.
const LAKE: &str = "lake";

/// The directory of the log in that of its table.
const LOG: &str = "_delta_log";

/// The key of an entry's commit info with the number of transactions of the database before it.
pub(crate) const COMMITS: &str = "showreport.commits";

/// The directory of a table in the store.
pub(crate) fn location(table: Table) -> Path {
    Path::from_iter([LAKE, table.name()])
}

/// The directory of a table's log in the store.
pub(crate) fn log_of(table: Table) -> Path {
    location(table).join(LOG)
}

fn path_of(table: Table, version: u64) -> Path {
    log_of(table).join(format!("{version:020}.json"))
}

/// An entry of a table's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) digest: EntryDigest,
    /// Transactions of the database before it, with that of `announce_versions`. `None` in entries
    /// of older versions of the program.
    pub(crate) commits: Option<i64>,
}

/// The line of an entry that has the commit info.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    commit_info: Option<CommitInfo>,
}

#[derive(Debug, Deserialize)]
struct CommitInfo {
    #[serde(rename = "showreport.commits")]
    commits: Option<i64>,
}

/// An entry of a table's log. `None` if there is no such version.
pub(crate) async fn entry(
    store: &Store,
    table: Table,
    version: u64,
) -> Result<Option<Entry>, Error> {
    let failed = |error| failed(error, |source| Error::ReadLog { table, source });
    let text = match store.get(&path_of(table, version)).await {
        Ok(found) => found.bytes().await.map_err(failed)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let lines = text.split(|&byte| byte == b'\n');
    let mut infos = lines.filter_map(|line| serde_json::from_slice::<Line>(line).ok()?.commit_info);
    Ok(Some(Entry {
        digest: Sha256::digest(&text).into(),
        commits: infos.next().and_then(|info| info.commits),
    }))
}

/// Fails unless the log has the entry of the head with the digest that the database has.
pub(crate) async fn demand_head(
    store: &Store,
    table: Table,
    known: &KnownLake,
) -> Result<(), Error> {
    let Some(&head) = known.heads.get(&table) else {
        return Ok(());
    };
    let Some(entry) = entry(store, table, head).await? else {
        demand_whole(store, table, head).await?;
        let problem = "it is missing, and the database counts on it";
        return Err(store.damage(&path_of(table, head), problem).into());
    };
    if known
        .entries
        .get(&table)
        .is_none_or(|digest| *digest == entry.digest)
    {
        return Ok(());
    }
    let older = match entry.commits {
        Some(commits) if commits >= known.commits => "the database is older than the lake",
        _ => "the lake is older than the database",
    };
    let problem = format!(
        "it is not the entry that the database knows by this number: {older}, or they are of two \
         servers; both must come from one backup"
    );
    Err(store.damage(&path_of(table, head), &problem).into())
}

/// Fails if the entry was written after more transactions than the database has had: then the
/// database is older than the lake.
pub(crate) fn demand_database(table: Table, entry: &Entry, commits: i64) -> Result<(), Error> {
    match entry.commits {
        Some(noted) if noted > commits => Err(Damage {
            file: showreport_meta::Config::FILE_NAME.to_owned(),
            problem: format!(
                "it has had {commits} transactions, and the newest version of {} was written after \
                 {noted}: the database is older than the lake; both must come from one backup",
                location(table)
            ),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Fails unless the log has all files that a reader of this version needs, each with the size that
/// was written. Called when a version cannot be loaded, to find the cause.
pub(crate) async fn demand_whole(store: &Store, table: Table, version: u64) -> Result<(), Error> {
    let log = log_of(table);
    let failed = |error| failed(error, |source| Error::ReadLog { table, source });
    let files: Vec<_> = store.list(Some(&log)).try_collect().await.map_err(failed)?;
    let numbered = files.iter().filter_map(|file| {
        let name = file.location.filename()?;
        let (number, kind) = name.split_once('.')?;
        Some((number.parse::<u64>().ok()?, kind))
    });
    let (mut entries, mut checkpoint) = (Vec::new(), None);
    for (number, kind) in numbered.filter(|(number, _)| *number <= version) {
        match kind {
            "json" => entries.push(number),
            "checkpoint.parquet" => checkpoint = checkpoint.max(Some(number)),
            _ => {}
        }
    }
    entries.sort_unstable();
    let newest = entries.last().copied().max(checkpoint);
    let Some(newest) = newest else {
        let problem = format!(
            "it has no entry, and the database counts on version {version}: the lake is older than \
             the database, or its disk is not there"
        );
        return Err(store.damage(&log, &problem).into());
    };
    if newest < version {
        let problem = format!(
            "it ends at version {newest}, and the database counts on version {version}: the lake is \
             older than the database; both must come from one backup"
        );
        return Err(store.damage(&log, &problem).into());
    }
    let first = checkpoint.map_or(0, |checkpoint| checkpoint + 1);
    if let Some(gone) = (first..=version).find(|it| entries.binary_search(it).is_err()) {
        let problem = "it is missing, and later entries are there";
        return Err(store.damage(&path_of(table, gone), problem).into());
    }
    for file in files {
        store.head(&file.location).await.map_err(failed)?;
    }
    Ok(())
}
