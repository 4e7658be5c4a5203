//! [`DamagedFiles`]: the files that this process has found damaged.
//!
//! A damaged file is left out of what can go on without it, and named where the operator looks.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use showreport_model::Damage;

/// Names that are kept at most: a disk that fails as a whole must not fill the memory too.
const KEPT_MAX: usize = 1_000;

/// The files that were found damaged and were not found whole since. Clones are the same list.
#[derive(Debug, Clone, Default)]
pub struct DamagedFiles(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What is wrong with each file.
    problems: BTreeMap<String, String>,
    /// The file after which the next batch begins.
    batched: String,
}

impl DamagedFiles {
    /// Notes that a file is damaged.
    pub fn note(&self, damage: &Damage) {
        let Damage { file, problem } = damage;
        let problems = &mut self.state().problems;
        if problems.len() < KEPT_MAX || problems.contains_key(file) {
            let known = problems.insert(file.clone(), problem.clone());
            if known.is_none() {
                tracing::error!(file, problem, "a file is damaged");
            }
        }
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Damage> {
        let problems = &self.state().problems;
        let damage = |(file, problem): (&String, &String)| Damage {
            file: file.clone(),
            problem: problem.clone(),
        };
        problems.iter().map(damage).collect()
    }

    /// The names of some of them: those after the batch before, or the first.
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

    pub(crate) fn forget(&self, file: &str) {
        self.state().problems.remove(file);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it is held")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_what_is_on_it_can_be_noted_again() {
        let files = DamagedFiles::default();
        let damage = |number: usize| Damage {
            file: format!("store/{number:04}"),
            problem: "it has been cut".to_owned(),
        };
        for number in 0..2 * KEPT_MAX {
            files.note(&damage(number));
        }
        files.note(&damage(0));
        assert_eq!(files.list().len(), KEPT_MAX);
        assert_eq!(files.list()[0], damage(0));
        files.forget("store/0000");
        assert!(!files.contains("store/0000"));
        files.note(&damage(KEPT_MAX));
        assert_eq!(files.list().len(), KEPT_MAX);
    }

    #[test]
    fn batches_go_through_all_of_them_and_begin_anew() {
        let files = DamagedFiles::default();
        for file in ["a", "b", "c"] {
            files.note(&Damage {
                file: file.to_owned(),
                problem: String::new(),
            });
        }
        assert_eq!(files.next_batch(2), ["a", "b"]);
        assert_eq!(files.next_batch(2), ["c"]);
        assert_eq!(files.next_batch(2), ["a", "b"]);
    }
}
