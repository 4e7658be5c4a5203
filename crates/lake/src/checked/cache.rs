//! [`ChecksumCache`]: checksums that were read before.
//!
//! Only those of data files are kept: a reader of one reads many ranges, and no name of a data file
//! is used twice, so no entry becomes outdated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use object_store::path::Path;

use super::checksums::Checksums;

/// The checksums of 16 GiB, which take 4 MiB. With more, the cache is emptied, which costs a reader
/// one small read a file.
const BLOCKS_MAX: usize = 1 << 20;

/// Bounds the memory of names: a small file takes more for its name than for its checksums, so a
/// lake of small files could take hundreds of MiB.
const FILES_MAX: usize = 1 << 15;

#[derive(Debug, Default)]
pub(super) struct ChecksumCache {
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    sums: HashMap<Path, Arc<Checksums>>,
    /// Of all files.
    blocks: usize,
}

impl ChecksumCache {
    pub(super) fn find(&self, location: &Path) -> Option<Arc<Checksums>> {
        self.lock().sums.get(location).cloned()
    }

    pub(super) fn keep(&self, location: &Path, sums: &Arc<Checksums>) {
        if location.extension() != Some("parquet") {
            return;
        }
        let mut files = self.lock();
        let more = sums.blocks();
        if files.blocks + more > BLOCKS_MAX || files.sums.len() >= FILES_MAX {
            *files = Files::default();
        }
        if files.sums.insert(location.clone(), sums.clone()).is_none() {
            files.blocks += more;
        }
    }

    pub(super) fn forget(&self, location: &Path) {
        let mut files = self.lock();
        if let Some(sums) = files.sums.remove(location) {
            files.blocks -= sums.blocks();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().expect("nothing panics while it is held")
    }
}

#[cfg(test)]
mod tests {
    use object_store::PutPayload;

    use super::*;

    #[test]
    fn only_data_files_are_cached_up_to_a_number_of_blocks() {
        let sums =
            |blocks: usize| Arc::new(Checksums::of(&PutPayload::from(vec![0; blocks << 14])));
        let cache = ChecksumCache::default();
        let [entry, one, other] =
            ["log/0.json", "spans/a.parquet", "spans/b.parquet"].map(Path::from);
        cache.keep(&entry, &sums(1));
        cache.keep(&one, &sums(2));
        cache.keep(&one, &sums(2));
        assert_eq!(cache.find(&entry), None);
        assert_eq!(cache.find(&one), Some(sums(2)));
        cache.lock().blocks = BLOCKS_MAX - 1;
        cache.keep(&other, &sums(2));
        assert_eq!(cache.find(&one), None);
        assert_eq!(cache.lock().blocks, 2);
        cache.forget(&other);
        assert_eq!((cache.find(&other), cache.lock().blocks), (None, 0));
    }

    #[test]
    fn small_files_are_bounded_by_their_number() {
        let cache = ChecksumCache::default();
        let sums = Arc::new(Checksums::of(&PutPayload::from_static(b"small")));
        for number in 0..FILES_MAX + 10 {
            let path = Path::from(format!("spans/{number}.parquet"));
            cache.keep(&path, &sums);
        }
        assert_eq!(cache.lock().sums.len(), 10);
    }
}
