//! Which files a reader opens.

use std::collections::HashMap;

use deltalake::DeltaTable;
use object_store::path::Path;
use serde::Deserialize;
use showreport_model::facts::Table;
use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId};
use std::sync::Arc;
use tokio::sync::Mutex;

use crate::delta::{load, location};
use crate::{DurableStore, Error};

/// A file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where it lies, from the root of the store.
    pub path: Path,
    /// How large it is.
    pub size_bytes: u64,
}

/// The files of the tables, kept in memory and brought forward with the heads.
#[derive(Debug)]
pub(crate) struct Files {
    store: DurableStore,
    loaded: [Mutex<Option<Loaded>>; 4],
}

/// A version of a table.
#[derive(Debug, Clone)]
struct Loaded {
    delta: DeltaTable,
    version: u64,
    files: Arc<[Known]>,
}

/// What a version says of a file.
#[derive(Debug)]
struct Known {
    file: DataFile,
    org: Option<Bounds>,
    event: Option<Bounds>,
}

/// Between which texts the values of a column lie.
#[derive(Debug)]
struct Bounds {
    min: String,
    max: String,
}

impl Files {
    pub(crate) fn new(store: DurableStore) -> Self {
        Self {
            store,
            loaded: Default::default(),
        }
    }

    /// The files that can have rows of the event.
    pub(crate) async fn of_event(
        &self,
        heads: &Heads,
        table: Table,
        (org, event): (&OrgId, &EventId),
    ) -> Result<Vec<DataFile>, Error> {
        let Some(&version) = heads.get(&table) else {
            return Ok(Vec::new());
        };
        let files = self.of_version(table, version).await?;
        let can_hold = |bounds: &Option<Bounds>, value: &str| {
            bounds.as_ref().is_none_or(|bounds| bounds.can_hold(value))
        };
        let files = files.iter().filter(|known| {
            can_hold(&known.org, org.as_str()) && can_hold(&known.event, event.as_str())
        });
        Ok(files.map(|known| known.file.clone()).collect())
    }

    async fn of_version(&self, table: Table, version: u64) -> Result<Arc<[Known]>, Error> {
        let mut loaded = self.loaded[table as usize].lock().await;
        let newer = match loaded.as_ref() {
            Some(known) if known.version == version => return Ok(known.files.clone()),
            Some(known) if known.version > version => {
                // A report that pinned its heads a while ago. What is in memory
                // serves those that come now, so it stays.
                drop(loaded);
                let delta = load(&self.store, table, version).await?;
                return Ok(Loaded::new(delta, table, version)?.files);
            }
            Some(known) => {
                let mut delta = known.delta.clone();
                let updated = delta.update_incremental(Some(version)).await;
                updated.map_err(|source| Error::LoadTable { table, source })?;
                delta
            }
            None => load(&self.store, table, version).await?,
        };
        let newer = Loaded::new(newer, table, version)?;
        let files = newer.files.clone();
        *loaded = Some(newer);
        Ok(files)
    }
}

impl Loaded {
    fn new(delta: DeltaTable, table: Table, version: u64) -> Result<Self, Error> {
        let snapshot = delta.snapshot();
        let snapshot = snapshot.map_err(|source| Error::LoadTable { table, source })?;
        let root = location(table);
        let files = snapshot.log_data().into_iter().map(|file| {
            let path = file.object_store_path();
            let stats = file.stats();
            let mut stats = stats.map(|stats| Stats::parse(&stats)).unwrap_or_default();
            Known {
                file: DataFile {
                    path: root.parts().chain(path.parts()).collect(),
                    size_bytes: u64::try_from(file.size()).unwrap_or(0),
                },
                org: stats.bounds("org"),
                event: stats.bounds("event_id"),
            }
        });
        let files = files.collect();
        Ok(Self {
            delta,
            version,
            files,
        })
    }
}

impl Bounds {
    /// Whether a file within these bounds can hold the value.
    ///
    /// Writers shorten long bounds. A minimum that is shortened is only less; a
    /// maximum should be made greater then, but may be just a beginning, so what
    /// begins with it counts as inside.
    fn can_hold(&self, value: &str) -> bool {
        self.min.as_str() <= value
            && (value <= self.max.as_str() || value.starts_with(self.max.as_str()))
    }
}

/// The statistics of a file, as Delta Lake writes them.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    min_values: HashMap<String, serde_json::Value>,
    max_values: HashMap<String, serde_json::Value>,
}

impl Stats {
    /// What cannot be read says nothing, and the file is kept.
    fn parse(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    fn bounds(&mut self, column: &str) -> Option<Bounds> {
        let text = |value| match value {
            serde_json::Value::String(text) => Some(text),
            _ => None,
        };
        Some(Bounds {
            min: text(self.min_values.remove(column)?)?,
            max: text(self.max_values.remove(column)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortened_bounds_never_exclude_a_value() {
        let bounds = Bounds {
            min: "keynote-20".to_owned(),
            max: "keynote-30".to_owned(),
        };
        assert!(bounds.can_hold("keynote-20"));
        assert!(bounds.can_hold("keynote-25"));
        assert!(bounds.can_hold("keynote-30-with-a-tail"));
        assert!(!bounds.can_hold("keynote-2"));
        assert!(!bounds.can_hold("keynote-31"));
    }

    #[test]
    fn a_file_without_statistics_is_kept() {
        for stats in [
            "",
            "{}",
            "null",
            r#"{"minValues":{"org":1},"maxValues":{"org":"b"}}"#,
        ] {
            assert!(Stats::parse(stats).bounds("org").is_none(), "{stats}");
        }
    }
}
