//! The columns of event reports as Markdown, for `openapi.json`. `docs/reports.md` has the same
//! text.

use showreport_model::column::Column;
use showreport_model::report::{Dimension, GroupBy, GroupedColumns};

use super::enums::WireEnum;

/// How reports are created, and their columns.
pub(super) fn description() -> String {
    let group: Vec<Column> = GroupBy::ALL.iter().map(|field| field.column()).collect();
    let dimensions: String = Dimension::ALL.iter().copied().map(columns_of).collect();
    format!(
        "One report is made for each entry of `dimension_with_conditions`. Names may be in \
         `snake_case` or `lowerCamelCase`, enums names or numbers. The deprecated `dimensions` is \
         used only if `dimension_with_conditions` is empty. A request that repeats an \
         `Idempotency-Key` within seven days gets the same reports.\n\n\
         `G` stands for the group columns, in the order of `group_by_fields`:\n\n{}{dimensions}",
        table(&group)
    )
}

fn columns_of(dimension: Dimension) -> String {
    let head = format!(
        "\n### `{}`\n\nNot grouped, a row for each {}:\n\n{}",
        dimension.wire_name(),
        dimension.row(),
        table(dimension.row_columns()),
    );
    head + &grouped_columns_of(dimension)
}

fn grouped_columns_of(dimension: Dimension) -> String {
    let Some(GroupedColumns { before, after }) = dimension.grouped_columns() else {
        return "\nIt cannot be grouped.\n".to_owned();
    };
    let names = |columns: &[Column]| -> Vec<_> { columns.iter().map(|it| it.name).collect() };
    let grouped = [names(before), vec!["G"], names(after)].concat().join(",");
    let row_columns = dimension.row_columns();
    let others = before.iter().chain(after);
    let others = others.filter(|column| !row_columns.contains(column));
    let others: Vec<Column> = others.copied().collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!("\n{}", table(&others))
    };
    format!("\nGrouped: `{grouped}`\n{others}")
}

fn table(columns: &[Column]) -> String {
    let line = |column: &Column| {
        let Column {
            name,
            kind,
            meaning,
        } = column;
        format!("| `{name}` | {kind} | {meaning} |\n")
    };
    let lines: String = columns.iter().map(line).collect();
    format!("| column | type | meaning |\n|---|---|---|\n{lines}")
}
