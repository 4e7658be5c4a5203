//! Makes reports over HTTP, from the order to the finished file.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::figures::Measured;
use showreport_testkit::{Server, path_of};

/// The pause between two looks at a report, each of which costs the server a little.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A grouping of watch time, for both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grouping {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [&'static str],
    /// `DuckDB`'s query for the same.
    pub(crate) sql: &'static str,
}

pub(crate) const BY_CUSTOMER: Grouping = Grouping {
    name: "by customer",
    fields: &["GROUP_BY_FIELD_CUSTOMER_ID"],
    sql: "by_customer.sql",
};

pub(crate) const BY_MINUTE: Grouping = Grouping {
    name: "by minute × region × OS",
    fields: &[
        "GROUP_BY_FIELD_WATCH_TIMESTAMP",
        "GROUP_BY_FIELD_GEO_REGION",
        "GROUP_BY_FIELD_DEVICE_OS",
    ],
    sql: "by_minute_region_os.sql",
};

/// A report that was made, and the path of its file.
pub(crate) struct Report {
    pub(crate) measured: Measured,
    path: String,
}

/// Orders a report and waits until it is made.
pub(crate) fn make(server: &Server, event: &str, grouping: Grouping) -> anyhow::Result<Report> {
    server.forget_peak()?;
    let order = json!({
        "id": event,
        "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [
            {"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": grouping.fields},
        ],
    });
    let client = &server.client;
    let mut connection = client.connect()?;
    let begun = Instant::now();
    let made = client.ask(&mut connection, "/bv/analytics/v1/events/reports", &order)?;
    let body = json!({"reports": [{"id": text(&made, "id")?}]});
    loop {
        let path = "/bv/analytics/v1/events/reports:batch-get";
        let response = client.ask(&mut connection, path, &body)?;
        let seconds = begun.elapsed().as_secs_f64();
        match text(&response, "status")? {
            "EVENT_REPORT_STATUS_RUNNING" => std::thread::sleep(LOOK_EVERY),
            "EVENT_REPORT_STATUS_SUCCEEDED" => {
                let measured = Measured {
                    seconds,
                    peak_bytes: server.peak_bytes()?,
                };
                return Ok(Report {
                    measured,
                    path: path_of(&response["reports"][0]["uri"])?,
                });
            }
            _ => bail!("a report failed: {response}"),
        }
    }
}

impl Report {
    pub(crate) fn download(&self, server: &Server) -> anyhow::Result<Vec<u8>> {
        let response = server.client.get(&self.path)?;
        ensure!(
            response.status == 200,
            "the download was answered {}",
            response.status
        );
        Ok(response.body.into())
    }
}

/// A member of the first report of a response.
fn text<'a>(response: &'a Value, member: &str) -> anyhow::Result<&'a str> {
    let value = response["reports"][0][member].as_str();
    value.with_context(|| format!("no {member} in {response}"))
}

/// The first difference between the sorted rows of two files.
pub(crate) fn difference(ours: &[u8], theirs: &[u8]) -> Option<String> {
    let rows = |file: &[u8]| {
        let mut rows: Vec<Vec<u8>> = file
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        rows.sort_unstable();
        rows
    };
    let (ours, theirs) = (rows(ours), rows(theirs));
    let pair = ours
        .iter()
        .zip(&theirs)
        .find(|(ours, theirs)| ours != theirs);
    if let Some((ours, theirs)) = pair {
        let shown = |row| String::from_utf8_lossy(row).into_owned();
        return Some(format!(
            "ours has {:?}, theirs {:?}",
            shown(ours),
            shown(theirs)
        ));
    }
    (ours.len() != theirs.len())
        .then(|| format!("ours has {} rows, theirs {}", ours.len(), theirs.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_the_same_rows_in_another_order_do_not_differ() {
        assert_eq!(difference(b"a,1\nb,2\n", b"b,2\na,1\n"), None);
    }

    #[test]
    fn a_figure_or_a_row_that_differs_is_found() {
        let figure = difference(b"a,1\nb,2\n", b"a,1\nb,3\n");
        assert_eq!(figure.unwrap(), "ours has \"b,2\", theirs \"b,3\"");
        let row = difference(b"a,1\n", b"a,1\na,1\n");
        assert!(row.is_some(), "a repeated row is a difference");
    }
}
