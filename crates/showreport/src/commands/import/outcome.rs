//! What became of the lines.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// How many rejected lines are explained.
const EXPLAINED_MAX: usize = 10;

/// Counts of lines, and why the first of them were rejected.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// By the number of the file and of the line, both counted from 0.
    explained: BTreeMap<(usize, usize), String>,
    /// Numbers of the files that hold a record, good or bad.
    filled: BTreeSet<usize>,
}

impl Outcome {
    pub(super) fn accept(&mut self, file: usize) {
        self.accepted += 1;
        self.filled.insert(file);
    }

    pub(super) fn reject(&mut self, file: usize, line: usize, why: String) {
        self.rejected += 1;
        self.filled.insert(file);
        self.explain_line((file, line), why);
    }

    /// Adds what became of other lines.
    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.filled.extend(other.filled);
        for (place, why) in other.explained {
            self.explain_line(place, why);
        }
    }

    /// Explains the first rejected lines on stderr, with the names of the files.
    pub(super) fn explain(&self, files: &[PathBuf]) {
        for (&(file, line), why) in &self.explained {
            eprintln!("{}:{}: {why}", files[file].display(), line + 1);
        }
        let silent = self.rejected - self.explained.len() as u64;
        if silent > 0 {
            eprintln!("… and {silent} more");
        }
        for name in self.empty(files) {
            eprintln!("{}: the file is empty; it holds no record", name.display());
        }
    }

    /// Whether every file was taken as it is: no record was rejected and no file was empty.
    pub(super) fn is_clean(&self, files: &[PathBuf]) -> bool {
        self.rejected == 0 && self.empty(files).next().is_none()
    }

    /// The files without a record. A program that made one has probably failed.
    fn empty<'f>(&self, files: &'f [PathBuf]) -> impl Iterator<Item = &'f PathBuf> {
        let files = files.iter().enumerate();
        files.filter_map(|(number, name)| (!self.filled.contains(&number)).then_some(name))
    }

    /// Threads find bad lines in any order; the first of all of them are kept.
    fn explain_line(&mut self, place: (usize, usize), why: String) {
        self.explained.insert(place, why);
        if self.explained.len() > EXPLAINED_MAX {
            self.explained.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rejected_lines_are_explained_and_all_are_counted() {
        let mut outcome = Outcome::default();
        for line in (0..25).rev() {
            let mut part = Outcome::default();
            part.reject(line % 2, line, format!("line {line} is no JSON"));
            outcome.add(part);
        }
        assert_eq!(outcome.rejected, 25);
        let explained: Vec<_> = outcome.explained.keys().copied().collect();
        assert_eq!(
            explained,
            (0..20).step_by(2).map(|line| (0, line)).collect::<Vec<_>>()
        );
    }
}
