//! Files and directories that only their owner may read, whatever the umask is.
//!
//! A data directory that a service manager created, or that is a volume, may be readable by others.
//! The files in it have personal data and the keys of links.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

#[cfg(unix)]
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};

/// The permission bits of group and others.
#[cfg(unix)]
const OF_OTHERS: u32 = 0o077;

/// Options that open a file, and create it with the mode 0600.
pub fn options() -> OpenOptions {
    let mut options = File::options();
    #[cfg(unix)]
    options.mode(0o600);
    options
}

/// Creates a directory and its parents with the mode 0700. An existing one is not changed.
pub fn make_directories(path: &Path) -> io::Result<()> {
    builder().recursive(true).create(path)
}

/// Creates a directory with the mode 0700. Fails if it exists.
pub fn make_directory(path: &Path) -> io::Result<()> {
    builder().create(path)
}

fn builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    builder.mode(0o700);
    builder
}

/// The mode of a file or directory, if others than its owner may read, write or enter it.
#[cfg(unix)]
pub fn mode_for_others(path: &Path) -> io::Result<Option<u32>> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & OF_OTHERS != 0).then_some(mode))
}

/// The mode of a file or directory, if others than its owner may read, write or enter it.
#[cfg(not(unix))]
pub fn mode_for_others(_: &Path) -> io::Result<Option<u32>> {
    Ok(None)
}

/// Removes the permissions of group and others, if there are any. Does nothing to a missing file
/// and to a symbolic link.
#[cfg(unix)]
pub fn close_to_others(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) if !found.is_symlink() => found,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mode = found.permissions().mode();
    if mode & OF_OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o7777 & !OF_OTHERS))
}

/// Does nothing where the system has no such permissions.
#[cfg(not(unix))]
pub fn close_to_others(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_read_files_that_are_created_or_closed() {
        let directory = tempfile::tempdir().unwrap();
        let (outer, inner) = (directory.path().join("a"), directory.path().join("a/b"));
        make_directories(&inner).unwrap();
        make_directory(&outer.join("c")).unwrap();
        assert!(make_directory(&outer).is_err());
        for made in [&outer, &inner, &outer.join("c")] {
            assert_eq!(mode(made), 0o700, "{made:?}");
        }
        let file = outer.join("file");
        options().write(true).create_new(true).open(&file).unwrap();
        assert_eq!(mode(&file), 0o600);

        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).unwrap();
        fs::set_permissions(&outer, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(mode_for_others(&outer).unwrap(), Some(0o755));
        for (open, closed) in [(&file, 0o600), (&outer, 0o700)] {
            close_to_others(open).unwrap();
            assert_eq!(mode(open), closed);
            assert_eq!(mode_for_others(open).unwrap(), None);
        }
        close_to_others(&outer.join("missing")).unwrap();
    }
}
