//! Rows as text, and the two CSV files of them.

/// A report before it is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Sorted by all columns, by their exact text, from left to right.
    pub(crate) fn new(columns: Vec<&'static str>, mut rows: Vec<Vec<String>>) -> Self {
        rows.sort();
        Self { columns, rows }
    }

    /// In the order of the rows.
    pub(crate) const fn in_order(columns: Vec<&'static str>, rows: Vec<Vec<String>>) -> Self {
        Self { columns, rows }
    }

    /// The exact text: what `?variant=raw` gives.
    pub(crate) fn raw(&self) -> String {
        self.csv(str::to_owned)
    }

    /// The file: no cell runs as a formula.
    pub(crate) fn guarded(&self) -> String {
        self.csv(|cell| {
            if cell.starts_with(|first| "=+-@\t\r\n＝＋－＠".contains(first)) {
                format!("'{cell}")
            } else {
                cell.to_owned()
            }
        })
    }

    fn csv(&self, cell: impl Fn(&str) -> String) -> String {
        let mut file = self.columns.join(",") + "\n";
        for row in &self.rows {
            let cells: Vec<String> = row.iter().map(|text| quoted(&cell(text))).collect();
            file += &(cells.join(",") + "\n");
        }
        file
    }
}

/// RFC 4180: quotes where the text holds a comma, a quote or a line break.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
