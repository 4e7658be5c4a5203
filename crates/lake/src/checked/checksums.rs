//! The checksums of one file: its length, and a CRC-32 of each of its blocks.
//!
//! A CRC-32 detects every flipped bit, and every burst of up to 32 bits, in its block. It misses one
//! in 2^32 of other damages.

use std::ops::Range;

use object_store::PutPayload;
use object_store::path::Path;

/// The least that is read. Small, so that a reader of a few bytes reads little; large enough for
/// checksums of less than a thousandth of the file.
const BLOCK: usize = 16 * 1024;

/// [`BLOCK`], for offsets in files.
pub(super) const BLOCK_BYTES: u64 = BLOCK as u64;

/// Begins a file of checksums, and names the version of its format.
const MAGIC: &[u8; 8] = b"SUMS0001";

/// The checksums of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Checksums {
    /// In bytes.
    pub(super) length: u64,
    /// A CRC-32 of each block; the last block may be shorter.
    blocks: Vec<u32>,
}

impl Checksums {
    /// The checksums of a whole file.
    pub(super) fn of(payload: &PutPayload) -> Self {
        let mut summing = ChecksumsBuilder::default();
        summing.add(payload);
        summing.finish()
    }

    /// The stored form: two copies, so that a flipped bit leaves one of them intact. Each has a
    /// checksum of its own, which covers the name of the file too.
    pub(super) fn encode(&self, location: &Path) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.length.to_le_bytes());
        for sum in &self.blocks {
            bytes.extend(sum.to_le_bytes());
        }
        bytes.extend(own_sum(location, &bytes).to_le_bytes());
        bytes.repeat(2)
    }

    /// Reads the stored form. None: both copies are damaged.
    pub(super) fn decode(location: &Path, stored: &[u8]) -> Option<Self> {
        let (one, other) = stored.split_at(stored.len() / 2);
        Self::decode_one(location, one).or_else(|| Self::decode_one(location, other))
    }

    fn decode_one(location: &Path, bytes: &[u8]) -> Option<Self> {
        let (content, sum) = bytes.split_last_chunk::<4>()?;
        if own_sum(location, content) != u32::from_le_bytes(*sum) {
            return None;
        }
        let (length, blocks) = content.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
        let (blocks, rest) = blocks.as_chunks::<4>();
        let sums = Self {
            length: u64::from_le_bytes(*length),
            blocks: blocks.iter().map(|sum| u32::from_le_bytes(*sum)).collect(),
        };
        let is_whole = rest.is_empty() && sums.blocks.len() as u64 == sums.blocks_in_all();
        is_whole.then_some(sums)
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }

    const fn blocks_in_all(&self) -> u64 {
        self.length.div_ceil(BLOCK_BYTES)
    }

    /// The range, extended to whole blocks.
    pub(super) fn around(&self, range: &Range<u64>) -> Range<u64> {
        let start = range.start / BLOCK_BYTES * BLOCK_BYTES;
        let end = range.end.next_multiple_of(BLOCK_BYTES);
        start..end.min(self.length)
    }

    /// Compares whole blocks from `start` on. The error is the offset of the first block that does
    /// not match.
    pub(super) fn check(&self, start: u64, bytes: &[u8]) -> Result<(), u64> {
        let places = (start..).step_by(BLOCK);
        for (place, block) in places.zip(bytes.chunks(BLOCK)) {
            let number = usize::try_from(place / BLOCK_BYTES).unwrap_or(usize::MAX);
            if self.blocks.get(number) != Some(&crc32fast::hash(block)) {
                return Err(place);
            }
        }
        Ok(())
    }
}

fn own_sum(location: &Path, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(content);
    hasher.update(location.as_ref().as_bytes());
    hasher.finalize()
}

/// Computes checksums while a file is written.
#[derive(Debug, Default)]
pub(super) struct ChecksumsBuilder {
    /// Bytes in full blocks.
    length: u64,
    blocks: Vec<u32>,
    /// The block that is not full yet.
    open: crc32fast::Hasher,
    in_block: usize,
}

impl ChecksumsBuilder {
    /// Adds the bytes that are written next.
    pub(super) fn add(&mut self, payload: &PutPayload) {
        for chunk in payload {
            let mut chunk = chunk.as_ref();
            while !chunk.is_empty() {
                let (now, later) = chunk.split_at(chunk.len().min(BLOCK - self.in_block));
                self.open.update(now);
                self.in_block += now.len();
                if self.in_block == BLOCK {
                    self.end_block();
                }
                chunk = later;
            }
        }
    }

    /// The checksums of everything that was added.
    pub(super) fn finish(mut self) -> Checksums {
        if self.in_block > 0 {
            self.end_block();
        }
        Checksums {
            length: self.length,
            blocks: self.blocks,
        }
    }

    fn end_block(&mut self) {
        self.length += self.in_block as u64;
        self.in_block = 0;
        self.blocks.push(std::mem::take(&mut self.open).finalize());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: u64) -> Vec<u8> {
        (0..length).map(|byte| (byte * 31 % 251) as u8).collect()
    }

    #[test]
    fn a_file_written_in_parts_has_the_checksums_of_the_whole() {
        for length in [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, 3 * BLOCK_BYTES + 7] {
            let bytes = bytes(length);
            let whole = Checksums::of(&PutPayload::from(bytes.clone()));
            let mut summing = ChecksumsBuilder::default();
            for part in bytes.chunks(5_000) {
                summing.add(&PutPayload::from(part.to_vec()));
            }
            assert_eq!(summing.finish(), whole);
            assert_eq!(whole.length, length);
            assert_eq!(whole.check(0, &bytes), Ok(()));
        }
    }

    #[test]
    fn every_flipped_bit_is_detected_in_its_block() {
        let good = bytes(2 * BLOCK_BYTES + 100);
        let sums = Checksums::of(&PutPayload::from(good.clone()));
        for bit in (0..good.len() * 8).step_by(4_999) {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let place = bit as u64 / 8 / BLOCK_BYTES * BLOCK_BYTES;
            assert_eq!(sums.check(0, &bad), Err(place), "bit {bit}");
        }
        let longer = [good.as_slice(), &[0]].concat();
        assert!(sums.check(0, &longer).is_err());
    }

    #[test]
    fn checksums_survive_one_flipped_bit_and_belong_to_one_file() {
        let location = Path::from("a/b");
        let sums = Checksums::of(&PutPayload::from(bytes(40_000)));
        let stored = sums.encode(&location);
        for bit in 0..stored.len() * 8 {
            let mut bad = stored.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Checksums::decode(&location, &bad).as_ref(), Some(&sums));
        }
        assert_eq!(Checksums::decode(&Path::from("a/c"), &stored), None);
        assert_eq!(
            Checksums::decode(&location, &stored[..stored.len() - 2]),
            None
        );
        assert_eq!(Checksums::decode(&location, b""), None);
    }
}
