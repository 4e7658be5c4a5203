//! Finds the data files that a reader has to open.

use std::collections::HashMap;

use deltalake::DeltaTable;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde::Deserialize;
use showreport_model::facts::Table;
use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId, Timestamp, Window};
use std::sync::Arc;
use tokio::sync::Mutex;

use crate::checked::failed;
use crate::damaged::FoundDamage;
use crate::delta::{load, update_to};
use crate::log::location;
use crate::{Error, Store};

/// A data file of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path from the root of the store.
    pub path: Path,
    pub size_bytes: u64,
}

/// The rows that a reader looks for.
#[derive(Debug, Clone, Copy)]
pub struct Sought<'a> {
    pub org: &'a OrgId,
    /// Sorted. `None` is all events.
    pub events: Option<&'a [EventId]>,
    /// Rows of the UTC days that it touches. Polls and coverage have no day and are always found.
    pub window: Window,
}

/// The files of the newest version of each table that was asked for, in memory.
#[derive(Debug)]
pub(crate) struct Files {
    store: Store,
    loaded: [Mutex<Option<Loaded>>; Table::COUNT],
}

/// A loaded version of a table.
#[derive(Debug, Clone)]
struct Loaded {
    /// The handle that the table was loaded with, so that its damage is told from that of others.
    store: Store,
    delta: DeltaTable,
    version: u64,
    files: Arc<[FileEntry]>,
}

/// A data file with its statistics.
#[derive(Debug)]
struct FileEntry {
    file: DataFile,
    org: Option<Bounds>,
    event: Option<Bounds>,
    day: Option<Bounds>,
}

/// The least and the greatest value of a text column.
#[derive(Debug)]
struct Bounds {
    min: String,
    max: String,
}

impl Files {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            loaded: Default::default(),
        }
    }

    /// The files that may have rows that are sought.
    pub(crate) async fn find(
        &self,
        heads: &Heads,
        table: Table,
        sought: Sought<'_>,
    ) -> Result<Vec<DataFile>, Error> {
        let Some(&version) = heads.get(&table) else {
            return Ok(Vec::new());
        };
        let files = self.of_version(table, version).await?;
        let days = Days::of(sought.window);
        let files = files.iter().filter(|known| known.can_hold(&sought, &days));
        let files: Vec<DataFile> = files.map(|known| known.file.clone()).collect();
        self.demand(table, &files).await?;
        Ok(files)
    }

    /// Fails unless every file is there with its size. The query engine would treat a missing or
    /// empty file as one without rows.
    async fn demand(&self, table: Table, files: &[DataFile]) -> Result<(), Error> {
        for DataFile { path, size_bytes } in files {
            let problem = match self.store.head(path).await {
                Ok(found) if found.size == *size_bytes => continue,
                Ok(found) => {
                    let found = found.size;
                    format!("it has {found} bytes, and {size_bytes} were written")
                }
                Err(object_store::Error::NotFound { .. }) => "it is missing".to_owned(),
                Err(error) => {
                    return Err(failed(error, |error| Error::ReadFile {
                        table,
                        source: error.into(),
                    }));
                }
            };
            return Err(self.store.damage(path, &problem).into());
        }
        Ok(())
    }

    async fn of_version(&self, table: Table, version: u64) -> Result<Arc<[FileEntry]>, Error> {
        let mut loaded = self.loaded[table as usize].lock().await;
        let newer = match loaded.as_ref() {
            Some(known) if known.version == version => return Ok(known.files.clone()),
            Some(known) if known.version > version => {
                // The version of a report that pinned its heads earlier. Later requests need the
                // newer version, so that one stays in memory.
                drop(loaded);
                return Ok(self.load(table, version).await?.files);
            }
            Some(known) => {
                let (store, mut delta) = (known.store.clone(), known.delta.clone());
                update_to(&store, table, &mut delta, version).await?;
                Loaded::new(store, delta, table, version)?
            }
            None => self.load(table, version).await?,
        };
        let files = newer.files.clone();
        *loaded = Some(newer);
        Ok(files)
    }

    async fn load(&self, table: Table, version: u64) -> Result<Loaded, Error> {
        let store = self.store.for_operation(&FoundDamage::default());
        let delta = load(&store, table, version).await?;
        Loaded::new(store, delta, table, version)
    }
}

impl Loaded {
    fn new(store: Store, delta: DeltaTable, table: Table, version: u64) -> Result<Self, Error> {
        let snapshot = delta.snapshot();
        let snapshot = snapshot.map_err(|source| Error::LoadTable { table, source })?;
        let root = location(table);
        let files = snapshot.log_data().into_iter().map(|file| {
            let path = file.object_store_path();
            let stats = file.stats();
            let mut stats = stats.map(|stats| Stats::parse(&stats)).unwrap_or_default();
            FileEntry {
                file: DataFile {
                    path: root.parts().chain(path.parts()).collect(),
                    size_bytes: u64::try_from(file.size()).unwrap_or(0),
                },
                org: stats.bounds("org"),
                event: stats.bounds("event_id"),
                day: stats.bounds("day"),
            }
        });
        let files = files.collect();
        Ok(Self {
            store,
            delta,
            version,
            files,
        })
    }
}

impl FileEntry {
    fn can_hold(&self, sought: &Sought<'_>, days: &Days) -> bool {
        let holds = |bounds: &Option<Bounds>, value: &str| {
            bounds.as_ref().is_none_or(|bounds| bounds.can_hold(value))
        };
        holds(&self.org, sought.org.as_str())
            && sought.events.is_none_or(|events| {
                let bounds = self.event.as_ref();
                bounds.is_none_or(|bounds| bounds.can_hold_any(events))
            })
            && self.day.as_ref().is_none_or(|bounds| days.meet(bounds))
    }
}

/// The UTC days that a window touches, as texts: statistics have dates as texts, which sort as the
/// days do.
#[derive(Debug, PartialEq, Eq)]
struct Days {
    first: Option<String>,
    last: Option<String>,
}

impl Days {
    fn of(window: Window) -> Self {
        /// Length of the date that begins the text of an instant.
        const DATE: usize = 10;
        let date = |at: Timestamp| at.to_string()[..DATE].to_owned();
        Self {
            first: window.start.map(date),
            last: window.end.map(|end| date(end.saturating_add_millis(-1))),
        }
    }

    fn meet(&self, bounds: &Bounds) -> bool {
        self.first.as_ref().is_none_or(|first| *first <= bounds.max)
            && self.last.as_ref().is_none_or(|last| *last >= bounds.min)
    }
}

impl Bounds {
    /// Whether a file with these bounds can have the value.
    ///
    /// Writers shorten long bounds. A shortened minimum is still a lower bound. A shortened maximum
    /// may be less than values that begin with it, so these count as inside.
    fn can_hold(&self, value: &str) -> bool {
        self.min.as_str() <= value
            && (value <= self.max.as_str() || value.starts_with(self.max.as_str()))
    }

    /// Whether a file with these bounds can have one of these sorted events. Only the first event
    /// that is not below the minimum has to be checked: later ones are inside only if it is.
    fn can_hold_any(&self, events: &[EventId]) -> bool {
        let first = events.partition_point(|event| event.as_str() < self.min.as_str());
        let first = events.get(first);
        first.is_some_and(|event| self.can_hold(event.as_str()))
    }
}

/// The statistics of a file in the JSON of Delta Lake.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    min_values: HashMap<String, serde_json::Value>,
    max_values: HashMap<String, serde_json::Value>,
}

impl Stats {
    /// Statistics that cannot be read exclude no rows.
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
    fn of_many_events_a_file_is_kept_as_if_each_were_asked_for() {
        let ids = ["a", "b", "b-2", "b-20", "b-3", "c", "c1", "d"];
        let ids = ids.map(|id| EventId::new(id).expect("an id"));
        for (min, max) in [
            ("a", "b"),
            ("b", "b-2"),
            ("b-1", "b-1"),
            ("c", "c"),
            ("c2", "c9"),
        ] {
            let bounds = Bounds {
                min: min.to_owned(),
                max: max.to_owned(),
            };
            for from in 0..ids.len() {
                for to in from..=ids.len() {
                    let asked = &ids[from..to];
                    let each = asked.iter().any(|event| bounds.can_hold(event.as_str()));
                    assert_eq!(bounds.can_hold_any(asked), each, "{min} {max} {asked:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_of_other_days_is_left_out() {
        let at = |text: &str| text.parse::<Timestamp>().expect(text);
        let days = Days::of(Window {
            start: Some(at("2026-11-21T23:00:00Z")),
            end: Some(at("2026-11-23T00:00:00Z")),
        });
        let meet = |min: &str, max: &str| {
            days.meet(&Bounds {
                min: min.to_owned(),
                max: max.to_owned(),
            })
        };
        assert!(meet("2026-11-01", "2026-11-21"));
        assert!(meet("2026-11-22", "2026-12-31"));
        assert!(!meet("2026-11-01", "2026-11-20"));
        assert!(!meet("2026-11-23", "2026-11-23"));
        assert!(Days::of(Window::ALL).meet(&Bounds {
            min: "2026-11-23".to_owned(),
            max: "2026-11-23".to_owned(),
        }));
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
