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
        let GroupedColumns { before, after } = dimension.grouped_columns();
        let row = dimension.row();
        let head = format!("Columns of {name}, a row for each {row}");
        list(&mut text, &head, dimension.row_columns());
        let head = format!("Columns of {name} with --group-by, around the group columns");
        list(&mut text, &head, &[before, after].concat());
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
    writeln!(text, "\n{head}:").expect("writing to memory cannot fail");
    for column in columns {
        let Column {
            name,
            kind,
            meaning,
        } = column;
        writeln!(text, "  {name:<18} {kind:<8} {meaning}").expect("writing to memory cannot fail");
    }
}
