//! The log of a table, entry by entry: which it has, and whether they are what the database
//! knows.
//!
//! The lake and the database are two directories, and a backup, or a disk that was not mounted,
//! may bring together two that are not of one moment. Whatever the one then lacks would be missing
//! in figures without a word, so they are compared wherever a table is opened.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use showreport_meta::{EntryDigest, KnownLake};
use showreport_model::Damage;
use showreport_model::facts::Table;

use crate::{Error, Store};

/// Where the tables lie in the store.
const LAKE: &str = "lake";

/// Where the log of a table lies in its directory.
const LOG: &str = "_delta_log";

/// Under this name an entry says after how many transactions of the database it was written.
pub(crate) const COMMITS: &str = "showreport.commits";

/// Where a table lies in the store.
pub(crate) fn location(table: Table) -> Path {
    Path::from_iter([LAKE, table.name()])
}

/// Where the log of a table lies in the store.
pub(crate) fn log_of(table: Table) -> Path {
    location(table).join(LOG)
}

fn place_of(table: Table, version: u64) -> Path {
    log_of(table).join(format!("{version:020}.json"))
}

/// What tells an entry from every other, and when it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) digest: EntryDigest,
    /// Transactions of the database before it, the announcement of it included. Absent in what an older build wrote.
    pub(crate) commits: Option<i64>,
}

/// The one line of an entry that says how it came to be.
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

/// An entry of the log of a table; nothing, if it has none of that number.
pub(crate) async fn entry(
    store: &Store,
    table: Table,
    version: u64,
) -> Result<Option<Entry>, Error> {
    let failed = |source| Error::ReadLog { table, source };
    let text = match store.get(&place_of(table, version)).await {
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

/// Demands that the log has the version that the database counts on, as the database knows it.
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
        return Err(store.damage(&place_of(table, head), problem).into());
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
    Err(store.damage(&place_of(table, head), &problem).into())
}

/// Demands that the database is as new as the lake: an entry that was written after more
/// transactions than it has had is of a later database.
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

/// Demands of a log that it has all that a reader of this version needs, each file as long as it
/// was written. Asked when a version cannot be loaded, to learn what is wrong.
pub(crate) async fn demand_whole(store: &Store, table: Table, version: u64) -> Result<(), Error> {
    let log = log_of(table);
    let failed = |source| Error::ReadLog { table, source };
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
        return Err(store.damage(&place_of(table, gone), problem).into());
    }
    for file in files {
        store.head(&file.location).await.map_err(failed)?;
    }
    Ok(())
}
