//! The columns of reports, as `--help` lists them.

use std::fmt::Write;

use showreport_model::bulk::ReportType;
use showreport_model::column::Column;
use showreport_model::report::{Dimension, GroupBy, GroupedColumns};

/// The columns of event reports, by dimension.
pub(super) fn of_event_reports() -> String {
    let mut text = String::new();
    let group: Vec<Column> = GroupBy::ALL.iter().map(|field| field.column()).collect();
    list(
        &mut text,
        "Group columns, in the order of --group-by",
        &group,
    );
    for dimension in Dimension::ALL {
        let name = dimension.name().replace('_', "-");
        let row_columns = dimension.row_columns();
        let head = format!("Columns of {name}, a row for each {}", dimension.row());
        list(&mut text, &head, row_columns);
        let Some(GroupedColumns { before, after }) = dimension.grouped_columns() else {
            continue;
        };
        let names = |columns: &[Column]| -> Vec<_> { columns.iter().map(|it| it.name).collect() };
        let order = [names(before), vec!["the group columns"], names(after)].concat();
        let head = format!("Columns of {name} with --group-by: {}", order.join(", "));
        let others = before.iter().chain(after);
        let others = others.filter(|column| !row_columns.contains(column));
        list(&mut text, &head, &others.copied().collect::<Vec<_>>());
    }
    text
}

/// The columns of bulk reports, by type.
pub(super) fn of_bulk_reports() -> String {
    let mut text = String::new();
    for report_type in ReportType::ALL {
        let head = format!("Columns of {report_type}");
        list(&mut text, &head, report_type.columns());
    }
    text
}

/// Longest line of a list: clap wraps longer ones without the indentation.
const LINE_WIDTH: usize = 98;

/// Length of the longest name of a column type.
const KIND_WIDTH: usize = "boolean".len();

fn list(text: &mut String, head: &str, columns: &[Column]) {
    writeln!(text, "\n{head}").expect("writing to memory cannot fail");
    let names = columns.iter().map(|column| column.name.len());
    let name_width = names.max().unwrap_or(0);
    let indent = 2 + name_width + 2 + KIND_WIDTH + 2;
    for column in columns {
        let (name, kind) = (column.name, column.kind.name());
        let meaning = wrapped(column.meaning, indent);
        writeln!(
            text,
            "  {name:<name_width$}  {kind:<KIND_WIDTH$}  {meaning}"
        )
        .expect("writing to memory cannot fail");
    }
}

/// Breaks a text that begins at column `indent` into lines that begin there too.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut width = indent;
    for word in text.split(' ') {
        if width > indent && width + 1 + word.len() > LINE_WIDTH {
            lines.push('\n');
            lines.push_str(&" ".repeat(indent));
            width = indent;
        } else if width > indent {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += word.len();
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_meanings_continue_below_their_beginning() {
        assert_eq!(wrapped("a text", 30), "a text");
        let long = ["word"; 20].join(" ");
        let lines: Vec<String> = wrapped(&long, 30).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(30 + lines[0].len(), 94);
        assert!(lines[1].starts_with(&format!("{}word", " ".repeat(30))));
    }

    #[test]
    fn no_line_of_a_list_is_wrapped_by_the_parser() {
        for text in [of_event_reports(), of_bulk_reports()] {
            let lines = text.lines().filter(|line| line.starts_with("  "));
            assert!(lines.into_iter().all(|line| line.len() <= LINE_WIDTH));
        }
    }
}
