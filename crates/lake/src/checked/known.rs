//! [`Known`]: checksums that were read before.
//!
//! Those of data files alone: a reader of one asks for many ranges, and their
//! names are random, so no name is given twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use object_store::path::Path;

use super::sums::Sums;

/// How much of the lake is known at once, as checksums: 16 GiB take 4 MiB. A reader of more
/// begins anew, which costs it a small read a file.
const BLOCKS_MAX: usize = 1 << 20;

/// How many files are known at once. A small file takes far more for its name than for its
/// checksums, so the bound above alone would let a lake of small files take hundreds of MiB.
const FILES_MAX: usize = 1 << 15;

/// Checksums in memory.
#[derive(Debug, Default)]
pub(super) struct Known {
    files: Mutex<Files>,
}

#[derive(Debug, Default)]
struct Files {
    sums: HashMap<Path, Arc<Sums>>,
    /// Of all of them.
    blocks: usize,
}

impl Known {
    pub(super) fn find(&self, location: &Path) -> Option<Arc<Sums>> {
        self.lock().sums.get(location).cloned()
    }

    pub(super) fn keep(&self, location: &Path, sums: &Arc<Sums>) {
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
    fn only_names_that_are_given_once_are_known_and_not_too_many() {
        let sums = |blocks: usize| Arc::new(Sums::of(&PutPayload::from(vec![0; blocks << 14])));
        let known = Known::default();
        let [entry, one, other] =
            ["log/0.json", "spans/a.parquet", "spans/b.parquet"].map(Path::from);
        known.keep(&entry, &sums(1));
        known.keep(&one, &sums(2));
        known.keep(&one, &sums(2));
        assert_eq!(known.find(&entry), None);
        assert_eq!(known.find(&one), Some(sums(2)));
        known.lock().blocks = BLOCKS_MAX - 1;
        known.keep(&other, &sums(2));
        assert_eq!(known.find(&one), None);
        assert_eq!(known.lock().blocks, 2);
        known.forget(&other);
        assert_eq!((known.find(&other), known.lock().blocks), (None, 0));
    }

    #[test]
    fn small_files_are_bounded_by_their_number() {
        let known = Known::default();
        let sums = Arc::new(Sums::of(&PutPayload::from_static(b"small")));
        for number in 0..FILES_MAX + 10 {
            let path = Path::from(format!("spans/{number}.parquet"));
            known.keep(&path, &sums);
        }
        assert_eq!(known.lock().sums.len(), 10);
    }
}
