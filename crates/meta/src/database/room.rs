//! How much room the disk has left.

use std::path::Path;

/// Bytes that a process without privileges may still write; nothing, where the system does not say.
#[cfg(unix)]
pub(crate) fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Only Unix says it without `unsafe` code of ours.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_: &Path) -> Option<u64> {
    None
}
