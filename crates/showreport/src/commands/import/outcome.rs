//! The result of an import: counts, and why records were rejected.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The most rejected lines that are reported.
const REPORTED_MAX: usize = 10;

/// Counts of records, and why the first rejected ones were rejected.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// The reasons by the numbers of file and line, from 0.
    reported: BTreeMap<(usize, usize), String>,
    /// The numbers of the files with at least one record, good or bad.
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
        self.report_line((file, line), why);
    }

    /// Adds the result of other lines.
    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.filled.extend(other.filled);
        for (place, why) in other.reported {
            self.report_line(place, why);
        }
    }

    /// Reports the first rejected lines and the empty files on stderr.
    pub(super) fn report(&self, files: &[PathBuf]) {
        for (&(file, line), why) in &self.reported {
            eprintln!("{}:{}: {why}", files[file].display(), line + 1);
        }
        let more = self.rejected - self.reported.len() as u64;
        if more > 0 {
            eprintln!("… and {more} more");
        }
        for name in self.empty(files) {
            eprintln!("{}: the file is empty; it has no record", name.display());
        }
    }

    /// Whether no record was rejected and every file has a record.
    pub(super) fn is_clean(&self, files: &[PathBuf]) -> bool {
        self.rejected == 0 && self.empty(files).next().is_none()
    }

    /// The files without a record. Probably the program that wrote them has failed.
    fn empty<'f>(&self, files: &'f [PathBuf]) -> impl Iterator<Item = &'f PathBuf> {
        let files = files.iter().enumerate();
        files.filter_map(|(number, name)| (!self.filled.contains(&number)).then_some(name))
    }

    /// Keeps the first lines by number. Threads find bad lines in any order.
    fn report_line(&mut self, place: (usize, usize), why: String) {
        self.reported.insert(place, why);
        if self.reported.len() > REPORTED_MAX {
            self.reported.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rejected_lines_are_reported_and_all_are_counted() {
        let mut outcome = Outcome::default();
        for line in (0..25).rev() {
            let mut part = Outcome::default();
            part.reject(line % 2, line, format!("line {line} is no JSON"));
            outcome.add(part);
        }
        assert_eq!(outcome.rejected, 25);
        let reported: Vec<_> = outcome.reported.keys().copied().collect();
        assert_eq!(
            reported,
            (0..20).step_by(2).map(|line| (0, line)).collect::<Vec<_>>()
        );
    }
}
