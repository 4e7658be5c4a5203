//! The documents name the columns of each report as `openapi.json` and the model have them.

use std::fs;
use std::path::Path;

use showreport_model::bulk::ReportType;

fn document(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    fs::read_to_string(docs.join(name)).expect("readable")
}

/// The columns of event reports as `openapi.json` describes them.
fn described() -> String {
    let openapi = serde_json::to_value(showreport_server::openapi()).expect("JSON");
    let create = &openapi["paths"]["/bv/analytics/v1/events/reports"]["post"];
    let description = create["description"].as_str().expect("a description");
    let from = description.find("`G` stands for").expect("columns");
    description[from..].trim().to_owned()
}

#[test]
fn the_page_of_event_reports_has_the_columns_of_the_openapi_document() {
    let page = document("reports.md");
    let (_, section) = page.split_once("\n## Columns\n").expect("a section");
    let (section, _) = section.split_once("\n## ").expect("another section");
    let (_, columns) = section
        .split_once("<!-- columns: begin -->")
        .expect("a begin");
    let (columns, _) = columns.split_once("<!-- columns: end -->").expect("an end");
    let described = described();
    assert!(
        columns.trim() == described,
        "between the marks docs/reports.md must hold:\n\n{described}\n"
    );
}

#[test]
fn the_page_of_bulk_reports_has_the_columns_of_each_type() {
    let page = document("bulk-reports.md");
    for report_type in ReportType::ALL {
        let names: Vec<_> = report_type.columns().iter().map(|it| it.name).collect();
        let line = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{report_type}` |")))
            .unwrap_or_else(|| panic!("{report_type} has a line"));
        let columns = format!("| `{}` |", names.join(","));
        assert!(line.ends_with(&columns), "{line} must end with {columns}");
    }
}
