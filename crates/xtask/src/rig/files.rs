//! What lies in a directory.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below a folder, by its path from there.
pub(crate) fn files_below(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
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

/// Bytes of everything in a directory.
pub(crate) fn size_bytes(path: &Path) -> anyhow::Result<u64> {
    let status = fs::symlink_metadata(path)?;
    if !status.is_dir() {
        return Ok(status.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += size_bytes(&entry?.path())?;
    }
    Ok(sum)
}
