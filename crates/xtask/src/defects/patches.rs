//! Reads and applies the patches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use showreport_testkit::{execute, root};

/// A patch. One without a fault is a part of all others.
pub(super) struct Patch {
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// One sentence; empty in a patch without a fault.
    pub(super) fault: String,
    /// The test program and the test, with a space between.
    pub(super) caught_by: String,
}

impl Patch {
    pub(super) fn is_fault(&self) -> bool {
        !self.fault.is_empty()
    }

    fn read(path: PathBuf) -> anyhow::Result<Self> {
        let text = fs::read_to_string(&path).context("read a patch")?;
        let line = |label: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(label));
            found.unwrap_or_default().trim().to_owned()
        };
        let name = path.file_stem().context("a patch has a name")?;
        let read = Self {
            name: name.to_string_lossy().into_owned(),
            fault: line("Fault: "),
            caught_by: line("Caught by: "),
            path,
        };
        ensure!(
            read.fault.is_empty() == read.caught_by.is_empty(),
            "{} must say both `Fault: ` and `Caught by: `",
            read.path.display()
        );
        let is_asked = text.contains(&format!("planted(\"{}\")", read.name));
        ensure!(
            !read.is_fault() || is_asked,
            "{} does not ask whether it is on",
            read.path.display()
        );
        Ok(read)
    }
}

/// All patches, in the order of their names.
pub(super) fn all() -> anyhow::Result<Vec<Patch>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root().join("crates/xtask/defects"))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            paths.push(path);
        }
    }
    paths.sort();
    paths.into_iter().map(Patch::read).collect()
}

/// Applies all patches to a tree, or checks that they apply.
pub(super) fn apply(patches: &[Patch], tree: &Path, how: &[&str]) -> anyhow::Result<()> {
    let mut git = Command::new("git");
    git.arg("apply").args(how).current_dir(tree);
    // The tree may be inside a repository, which git would take for the root.
    if let Some(above) = tree.parent() {
        git.env("GIT_CEILING_DIRECTORIES", above);
    }
    execute(git.args(patches.iter().map(|it| &it.path)))
        .context("a patch no longer applies; plant its fault anew and save it with `git diff -U1`")
}
