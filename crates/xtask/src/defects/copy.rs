//! A copy of the tree with all faults.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::patches::{self, Patch};
use showreport_testkit::root;
use showreport_testkit::{files_below, output};

/// Makes or updates the copy. Unchanged files are not written again, so that cargo builds only what
/// has changed.
pub(super) fn plant(patches: &[Patch], tree: &Path) -> anyhow::Result<()> {
    let fresh = tree.with_file_name("fresh");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).context("remove the last copy")?;
    }
    for path in sources()? {
        let place = fresh.join(&path);
        fs::create_dir_all(place.parent().context("a folder")?)?;
        fs::copy(root().join(&path), place)?;
    }
    patches::apply(patches, &fresh, &[])?;
    let wanted = files_below(&fresh)?;
    if tree.exists() {
        for path in files_below(tree)?.difference(&wanted) {
            fs::remove_file(tree.join(path))?;
        }
    }
    for path in &wanted {
        let bytes = fs::read(fresh.join(path))?;
        let place = tree.join(path);
        if fs::read(&place).ok().as_ref() != Some(&bytes) {
            fs::create_dir_all(place.parent().context("a folder")?)?;
            fs::write(place, bytes)?;
        }
    }
    Ok(())
}

/// The files of the repository, new ones too.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let mut list = Command::new("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = output(list.current_dir(root()))?;
    let paths = listed.lines().map(PathBuf::from);
    // A file that was removed is listed until that is committed.
    Ok(paths.filter(|path| root().join(path).is_file()).collect())
}
