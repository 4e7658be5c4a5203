//! Checksums made anew for a damaged file, as nothing but the control ever does.
//!
//! Written apart from the product on purpose: what both sides shared, both could have wrong.

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
        sums.extend(crc32(block.iter()).to_le_bytes());
    }
    let own = crc32(sums.iter().chain(location.as_bytes()));
    sums.extend(own.to_le_bytes());
    fs::write(data_dir.join("store/.sums").join(location), sums.repeat(2))?;
    Ok(())
}

fn crc32<'b>(bytes: impl Iterator<Item = &'b u8>) -> u32 {
    !bytes.fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!(crc32(b"123456789".iter()), 0xcbf4_3926);
    }
}
