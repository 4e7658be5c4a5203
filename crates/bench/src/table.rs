//! Tables, in Markdown for the terminal and for docs/benchmarks.md.

use std::fmt;

use super::figures::{Measured, Samples, Unit, bytes, peak};

/// A table with its title.
pub(crate) struct Table {
    title: String,
    note: String,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    /// Results that differ, in words.
    pub(crate) wrong: Vec<String>,
    /// Aims that were missed, in words.
    pub(crate) missed: Vec<String>,
}

/// The product beside a peer, measured in turn.
pub(crate) struct Comparison {
    pub(crate) what: String,
    pub(crate) peer: &'static str,
    pub(crate) unit: Unit,
    pub(crate) ours: Samples,
    pub(crate) theirs: Samples,
    pub(crate) ours_peak: Option<u64>,
    pub(crate) theirs_peak: Option<u64>,
    pub(crate) ours_bytes: Option<u64>,
    pub(crate) theirs_bytes: Option<u64>,
    /// How many times better the product shall be.
    pub(crate) aim: f64,
    pub(crate) peak_max: Option<u64>,
    /// How the results differ.
    pub(crate) difference: Option<String>,
}

impl Comparison {
    /// A comparison of times.
    pub(crate) fn by_time(
        what: impl Into<String>,
        peer: &'static str,
        ours: &[Measured],
        theirs: &[Measured],
    ) -> Self {
        Self {
            what: what.into(),
            peer,
            unit: Unit::Seconds,
            ours: Samples::of_seconds(ours),
            theirs: Samples::of_seconds(theirs),
            ours_peak: peak(ours),
            theirs_peak: peak(theirs),
            ours_bytes: None,
            theirs_bytes: None,
            aim: 1.0,
            peak_max: None,
            difference: None,
        }
    }

    /// With the aims for the ratio and for the peak in bytes.
    pub(crate) fn aiming(mut self, aim: f64, peak_max: Option<u64>) -> Self {
        self.aim = aim;
        self.peak_max = peak_max;
        self
    }
}

impl Table {
    pub(crate) fn new(title: &str, header: &[&'static str]) -> Self {
        Self {
            title: title.to_owned(),
            note: String::new(),
            header: header.to_vec(),
            rows: Vec::new(),
            wrong: Vec::new(),
            missed: Vec::new(),
        }
    }

    /// A table of comparisons.
    pub(crate) fn of_comparisons(title: &str) -> Self {
        let header = [
            "what",
            "showreport",
            "peer",
            "ratio",
            "aim",
            "peak",
            "peer's peak",
            "disk",
            "peer's disk",
            "equal",
        ];
        Self::new(title, &header)
    }

    /// A paragraph below the title.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The text of a cell that says whether an aim was met. A missed aim is kept.
    pub(crate) fn verdict(&mut self, what: &str, met: bool, aim: &str) -> String {
        if !met {
            self.missed.push(format!("{}, {what}: {aim}", self.title));
        }
        format!("{aim}: {}", if met { "met" } else { "missed" })
    }

    pub(crate) fn compare(&mut self, it: &Comparison) {
        let ratio = it.unit.ratio(it.ours.median(), it.theirs.median());
        let what = format!("{} vs {}", it.what, it.peer);
        let aim = self.verdict(&what, ratio >= it.aim, &format!("≥ {}×", it.aim));
        let peak = match (it.ours_peak, it.peak_max) {
            (Some(peak), Some(max)) => {
                let verdict = self.verdict(&what, peak <= max, &format!("≤ {}", bytes(max)));
                format!("{} ({verdict})", bytes(peak))
            }
            (peak, _) => shown(peak),
        };
        if let Some(difference) = &it.difference {
            self.wrong.push(format!("{what}: {difference}"));
        }
        self.row(vec![
            it.what.clone(),
            it.ours.shown(it.unit),
            format!("{} {}", it.peer, it.theirs.shown(it.unit)),
            format!("{ratio:.2}×"),
            aim,
            peak,
            shown(it.theirs_peak),
            shown(it.ours_bytes),
            shown(it.theirs_bytes),
            if it.difference.is_none() { "yes" } else { "NO" }.to_owned(),
        ]);
    }
}

fn shown(count: Option<u64>) -> String {
    count.map_or_else(|| "–".to_owned(), bytes)
}

/// Markdown with aligned columns.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n", self.title)?;
        if !self.note.is_empty() {
            writeln!(f, "{}\n", self.note)?;
        }
        let header = self.header.iter().map(|&cell| cell.to_owned()).collect();
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
            longest.max(self.header[column].chars().count())
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
        for row in [&header, &rule].into_iter().chain(&self.rows) {
            for (cell, width) in row.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
        }
        Ok(())
    }
}
