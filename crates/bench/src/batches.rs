//! Records in memory, cut into bodies of requests.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use bytes::Bytes;

use super::data::Data;

/// More than a load of some seconds sends. A longer one sends them again.
const RECORDS_MAX: usize = 4_000_000;

/// Bodies of the same number of records, in turn.
pub(crate) struct Batches {
    bytes: Bytes,
    /// Where each body ends.
    ends: Vec<usize>,
    next: AtomicUsize,
    pub(crate) records_each: usize,
}

impl Batches {
    pub(crate) fn read(data: &Data, records_each: usize) -> anyhow::Result<Self> {
        let mut lines = BufReader::new(File::open(&data.path).context("open the records")?);
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for line in 1..=RECORDS_MAX {
            if lines.read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            // The records left over at the end are too few for a body.
            if line.is_multiple_of(records_each) {
                ends.push(bytes.len());
            }
        }
        Ok(Self {
            bytes: bytes.into(),
            ends,
            next: AtomicUsize::new(0),
            records_each,
        })
    }

    /// The next body, for any thread.
    pub(crate) fn next(&self) -> Bytes {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.ends.len();
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.bytes.slice(begin..self.ends[at])
    }
}
