//! The files of the lake, by its Delta log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

/// The files of a table's newest version, with their sizes in bytes.
pub(crate) fn live_files(data_dir: &Path, table: &str) -> anyhow::Result<BTreeMap<PathBuf, u64>> {
    let table = data_dir.join("store/lake").join(table);
    let mut entries = Vec::new();
    if let Ok(log) = fs::read_dir(table.join("_delta_log")) {
        for entry in log {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                entries.push(path);
            }
        }
    }
    // Their names are numbers of one length. The log keeps entries for a day, so none is missing.
    entries.sort();
    let mut files = BTreeMap::new();
    for path in entries {
        let entry = fs::read_to_string(&path).context("read the log of a table")?;
        for line in entry.lines() {
            let action: Value = serde_json::from_str(line).context("read the log of a table")?;
            if let Some(path) = action["add"]["path"].as_str() {
                files.insert(
                    table.join(path),
                    action["add"]["size"].as_u64().unwrap_or(0),
                );
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                files.remove(&table.join(path));
            }
        }
    }
    Ok(files)
}
