//! What the checked store has found damaged: [`DamagedFiles`] by the process, [`FoundDamage`] by
//! one operation.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use showreport_model::{Damage, ErrorKind, Failure};

use crate::Error;

/// The most files in the list: a disk that fails as a whole must not fill the memory.
const KEPT_MAX: usize = 1_000;

/// The files that were found damaged and were not found whole since. Clones share one list.
///
/// Compaction leaves these files out, and the status and the metrics name them.
#[derive(Debug, Clone, Default)]
pub struct DamagedFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// By file.
    problems: BTreeMap<String, String>,
    /// The last file of the batch before; empty: the next batch begins at the first file.
    batched: String,
}

impl DamagedFiles {
    /// Adds a file.
    pub fn add(&self, damage: &Damage) {
        let Damage { file, problem } = damage;
        let problems = &mut self.state().problems;
        if problems.len() < KEPT_MAX || problems.contains_key(file) {
            let known = problems.insert(file.clone(), problem.clone());
            if known.is_none() {
                tracing::error!(file, problem, "a file is damaged");
            }
        }
    }

    /// All files, sorted by name.
    pub fn list(&self) -> Vec<Damage> {
        let problems = &self.state().problems;
        let damage = |(file, problem): (&String, &String)| Damage {
            file: file.clone(),
            problem: problem.clone(),
        };
        problems.iter().map(damage).collect()
    }

    /// The names that follow those of the batch before; after the last one it begins again.
    pub(crate) fn next_batch(&self, size: usize) -> Vec<String> {
        let mut state = self.state();
        let after = (Bound::Excluded(state.batched.as_str()), Bound::Unbounded);
        let files = state.problems.range::<str, _>(after);
        let batch: Vec<String> = files.map(|(file, _)| file.clone()).take(size).collect();
        state.batched = match batch.last() {
            Some(last) if batch.len() == size => last.clone(),
            _ => String::new(),
        };
        batch
    }

    pub(crate) fn contains(&self, file: &str) -> bool {
        self.state().problems.contains_key(file)
    }

    pub(crate) fn remove(&self, file: &str) {
        self.state().problems.remove(file);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

/// The first damage that one operation found. Clones share it.
///
/// The libraries between the store and an operation make text of its errors, so the operation
/// looks here for the cause of a failure. Each operation has its own: a damaged file of one
/// organisation must not be reported as the cause of another's failure.
#[derive(Debug, Clone, Default)]
pub struct FoundDamage(Arc<Mutex<Option<Damage>>>);

impl FoundDamage {
    /// The damage, if any was found.
    pub fn get(&self) -> Option<Damage> {
        self.lock().clone()
    }

    pub(crate) fn add(&self, damage: &Damage) {
        self.lock().get_or_insert_with(|| damage.clone());
    }

    /// Begins another operation.
    pub(crate) fn clear(&self) {
        self.lock().take();
    }

    /// The damage instead of an error that names no cause of its own, if any was found.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error.kind(), self.get()) {
            (ErrorKind::Unavailable | ErrorKind::Internal, Some(damage)) => damage.into(),
            _ => error,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Damage>> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_a_file_on_it_can_be_added_again() {
        let files = DamagedFiles::default();
        let damage = |number: usize| Damage {
            file: format!("store/{number:04}"),
            problem: "it has been cut".to_owned(),
        };
        for number in 0..2 * KEPT_MAX {
            files.add(&damage(number));
        }
        files.add(&damage(0));
        assert_eq!(files.list().len(), KEPT_MAX);
        assert_eq!(files.list()[0], damage(0));
        files.remove("store/0000");
        assert!(!files.contains("store/0000"));
        files.add(&damage(KEPT_MAX));
        assert_eq!(files.list().len(), KEPT_MAX);
    }

    #[test]
    fn batches_go_through_all_files_and_begin_again() {
        let files = DamagedFiles::default();
        for file in ["a", "b", "c"] {
            files.add(&Damage {
                file: file.to_owned(),
                problem: String::new(),
            });
        }
        assert_eq!(files.next_batch(2), ["a", "b"]);
        assert_eq!(files.next_batch(2), ["c"]);
        assert_eq!(files.next_batch(2), ["a", "b"]);
    }

    #[test]
    fn an_operation_is_explained_by_the_first_damage_that_it_found() {
        let found = FoundDamage::default();
        let [first, second] = ["store/a", "store/b"].map(|file| Damage {
            file: file.to_owned(),
            problem: String::new(),
        });
        let failed = || Error::OpenStore {
            source: std::io::Error::other("a text without a type"),
        };
        assert!(found.explain(failed()).damage().is_none());
        found.add(&first);
        found.add(&second);
        assert_eq!(found.explain(failed()).damage(), Some(&first));
        assert_eq!(found.explain(Error::FileGone).kind(), ErrorKind::Gone);
        found.clear();
        assert!(found.explain(failed()).damage().is_none());
    }
}
