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
        let GroupedColumns { before, after } = dimension.grouped_columns();
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

fn list(text: &mut String, head: &str, columns: &[Column]) {
    text.push('\n');
    text.push_str(head);
    text.push('\n');
    for column in columns {
        let (name, kind) = (column.name, column.kind.name());
        writeln!(text, "  {name:<16} {kind:<7} {}", column.meaning)
            .expect("writing to memory cannot fail");
    }
}
