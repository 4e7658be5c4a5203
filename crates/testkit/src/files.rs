//! The files below a directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder, by its path relative to the folder.
pub fn files_below(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    Ok(found)
}

/// Bytes of every file below a folder.
pub fn size_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for path in files_below(folder)? {
        sum += fs::symlink_metadata(folder.join(path))?.len();
    }
    Ok(sum)
}
