//! Writes new checksums for a damaged file, for the control only.
//!
//! The format is written here a second time on purpose: a shared one could be wrong on both sides.

use std::fs;
use std::path::Path;

use anyhow::Context;

const BLOCK_BYTES: usize = 16 * 1024;

/// Makes the checksums of a file of the store match what it holds.
pub(super) fn resum(data_dir: &Path, path: &str) -> anyhow::Result<()> {
    let location = path.strip_prefix("store/").context("a file of the store")?;
    let content = fs::read(data_dir.join(path))?;
    let mut sums = b"SUMS0001".to_vec();
    sums.extend((content.len() as u64).to_le_bytes());
    for block in content.chunks(BLOCK_BYTES) {
        sums.extend(crc32fast::hash(block).to_le_bytes());
    }
    let own = crc32fast::hash(&[sums.as_slice(), location.as_bytes()].concat());
    sums.extend(own.to_le_bytes());
    fs::write(data_dir.join("store/.sums").join(location), sums.repeat(2))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checksum_is_the_crc_32_of_iso_3309() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
    }
}
