//! Data that is no part of the repository and lies beside it.

use std::path::PathBuf;

use crate::step::{leave_out, root};

/// A file or a folder of that data. `None` if it is missing, which is an error on CI.
pub fn shared_data(name: &str) -> anyhow::Result<Option<PathBuf>> {
    let path = root().join("../shared/data").join(name);
    if path.exists() {
        return Ok(Some(path));
    }
    leave_out(name, &format!("{} is missing", path.display()))?;
    Ok(None)
}
