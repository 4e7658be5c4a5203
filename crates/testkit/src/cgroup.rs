//! A group of processes that the system lets have so much memory, and no more.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Where the groups of either version of the interface lie, and what bounds the memory of one.
const KINDS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// A group; it goes when it is dropped, if nothing is in it any more.
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// A group that may have so many bytes. Nothing, where the system does not let us make one.
    pub fn of(bytes: u64) -> Option<Self> {
        KINDS.iter().find_map(|(root, bound)| {
            let name = format!("showreport-torture-{}", std::process::id());
            let folder = Path::new(root).join(name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder };
            // Elsewhere it is an ordinary directory, or one without a controller of memory.
            let bounded = group.folder.join(bound);
            let holds = bounded.exists() && fs::write(&bounded, bytes.to_string()).is_ok();
            holds.then_some(group)
        })
    }

    /// Puts a process into it.
    pub fn take(&self, process: u32) -> anyhow::Result<()> {
        fs::write(self.folder.join("cgroup.procs"), process.to_string())
            .context("put a process into a cgroup")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        fs::remove_dir(&self.folder).ok();
    }
}
