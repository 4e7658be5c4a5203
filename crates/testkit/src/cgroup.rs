//! A control group that bounds the memory of processes.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Versions 2 and 1 of the interface: where groups lie, and the file that bounds the memory of one.
const KINDS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup", "memory.max"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// A group. Dropping removes it, if no process is left in it.
pub struct Cgroup {
    folder: PathBuf,
}

impl Cgroup {
    /// A group with this much memory. `None` where the system does not permit one.
    pub fn of(bytes: u64) -> Option<Self> {
        KINDS.iter().find_map(|(root, bound)| {
            let name = format!("showreport-torture-{}", std::process::id());
            let folder = Path::new(root).join(name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder };
            // Without the controller of memory the new directory has no such file.
            let bounded = group.folder.join(bound);
            let holds = bounded.exists() && fs::write(&bounded, bytes.to_string()).is_ok();
            holds.then_some(group)
        })
    }

    /// Puts a process into the group.
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
