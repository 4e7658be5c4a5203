//! Cells that break careless writers of CSV, or that a spreadsheet would run, through the whole product.
//!
//! They are sent as ids, names and texts of messages and as ids of viewers. Python's own reader
//! then says what is in the files of the reports.

mod cells;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::cells::{id, text};
use super::{Outcome, Torment};
use showreport_testkit::root;
use showreport_testkit::{Product, Random, Server, head, output};

/// How many cells of a message are random: its id, customer, device, name and text.
const CELLS: u64 = 5;

/// Messages in a body: far below what one may hold.
const BATCH: u64 = 1_000;

/// Of every so many messages one is by somebody who watches, too.
const VIEWER_EVERY: u64 = 20;

/// The instant of the first record: any that is past.
const BEGINNING_MS: u64 = 1_740_823_200_000;

/// Longer than a development build takes for 200,000 messages.
const MADE_WITHIN: Duration = Duration::from_mins(5);

const REPORTS: &str = "/bv/analytics/v1/events/reports";

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    if !has_python() {
        return Ok(Outcome::LeftOut("python3 is not installed".to_owned()));
    }
    let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    let folder = torment.folder.as_path();
    let mut random = torment.random.clone();
    send(&server, folder, &mut random, torment.rounds / CELLS)?;
    let messages = Report {
        dimension: "CHAT_HISTORIES",
        fields: json!([]),
        columns: "message_id,customer_id,device_id,name,text",
    };
    let viewers = Report {
        dimension: "WATCH_TIME",
        fields: json!(["GROUP_BY_FIELD_CUSTOMER_ID"]),
        columns: "customer_id",
    };
    let mut found = Vec::new();
    for report in [messages, viewers] {
        let files = report.fetch(&server, folder)?;
        found.push(report.compare(&report.sent(folder), &files)?);
        report.check_controls(folder, &files)?;
    }
    server.stop()?;
    Ok(Outcome::Held(format!(
        "cells, guarded ones, and ones that have a guard of their own: {} in messages, {} in watch time; \
         raw texts were exact, no other began as a formula does, figures were left alone",
        found[0], found[1]
    )))
}

/// Sends messages and playbacks, and writes down what was sent, a file a report.
fn send(server: &Server, folder: &Path, random: &mut Random, count: u64) -> anyhow::Result<()> {
    let mut connection = server.connect()?;
    let mut messages = BufWriter::new(File::create(folder.join("CHAT_HISTORIES.sent"))?);
    let mut viewers = Vec::new();
    let mut body = String::new();
    for number in 0..count {
        let at = BEGINNING_MS + number;
        let cells = [
            id(random, number),
            id(random, number),
            id(random, number),
            text(random),
            text(random),
        ];
        writeln!(messages, "{}", json!(cells))?;
        let [message, customer, device, name, text] = &cells;
        let record = json!({
            "type": "chat", "event_id": "cells", "message_id": message, "sent_at": at,
            "customer_id": customer, "device_id": device, "name": name, "text": text,
        });
        body += &record.to_string();
        body.push('\n');
        if number % VIEWER_EVERY == 0 {
            let customer = id(random, number);
            let record = json!({
                "type": "playback", "event_id": "cells", "playback_id": number.to_string(),
                "customer_id": customer, "from": at, "to": at + 1 + random.below(100_000),
            });
            body += &record.to_string();
            body.push('\n');
            viewers.push(customer);
        }
        if (number + 1) % BATCH == 0 || number + 1 == count {
            let head = head("POST", "/collect", &server.token, body.len());
            let answer = connection.send(head.as_bytes(), body.as_bytes())?;
            let said: Value = serde_json::from_slice(&answer.body)?;
            ensure!(
                answer.status == 202 && said["rejected"] == json!([]),
                "records were answered {}: {said}",
                answer.status
            );
            body.clear();
        }
    }
    messages.flush()?;
    // As the report sorts them: by the bytes of the exact text.
    viewers.sort_unstable();
    let lines: Vec<String> = viewers.iter().map(|it| json!([it]).to_string()).collect();
    fs::write(folder.join("WATCH_TIME.sent"), lines.join("\n")).context("write down who watched")
}

/// A report, and which of its columns hold what was sent.
struct Report {
    dimension: &'static str,
    fields: Value,
    columns: &'static str,
}

impl Report {
    /// What was sent for it.
    fn sent(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.sent", self.dimension))
    }

    /// Has it made, and fetches its three variants: exact, guarded, and for Excel.
    fn fetch(&self, server: &Server, folder: &Path) -> anyhow::Result<[PathBuf; 3]> {
        let mut connection = server.connect()?;
        let order = json!({
            "id": "cells", "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": [{
                "dimension": format!("REPORT_DIMENSION_{}", self.dimension), "group_by_fields": self.fields,
            }],
        });
        let mut report = server.ask(&mut connection, REPORTS, &order)?["reports"][0].take();
        let question = json!({"reports": [{"id": report["id"]}]});
        let begun = Instant::now();
        while report["status"] != "EVENT_REPORT_STATUS_SUCCEEDED" {
            ensure!(
                begun.elapsed() < MADE_WITHIN,
                "a report is not made: {report}"
            );
            std::thread::sleep(Duration::from_millis(20));
            let path = format!("{REPORTS}:batch-get");
            report = server.ask(&mut connection, &path, &question)?["reports"][0].take();
        }
        let uri = report["uri"].as_str().context("a link")?;
        let path = uri
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'));
        let (_, path) = path.context("a link with a path")?;
        let mut files = Vec::new();
        for variant in ["raw", "", "excel"] {
            let answer = server.get(&format!("/{path}?variant={variant}"))?;
            ensure!(
                answer.status == 200,
                "a file was answered {}",
                answer.status
            );
            let file = folder.join(format!("{}{variant}.csv", self.dimension));
            fs::write(&file, answer.body)?;
            files.push(file);
        }
        files.try_into().ok().context("three files")
    }

    /// Has Python compare what was sent with the files; what it counted.
    fn compare(&self, sent: &Path, files: &[PathBuf; 3]) -> anyhow::Result<String> {
        let mut python = Command::new("python3");
        python.arg(root().join("tests/clients/csv_cells.py"));
        output(python.arg(sent).arg(self.columns).args(files))
    }

    /// The comparison must see a wrong cell, and a file that is not guarded.
    fn check_controls(&self, folder: &Path, files: &[PathBuf; 3]) -> anyhow::Result<()> {
        let sent = self.sent(folder);
        let text = fs::read_to_string(&sent)?;
        let bent = folder.join("bent.sent");
        fs::write(&bent, text.replacen("[\"", "[\"bent ", 1))?;
        ensure!(
            self.compare(&bent, files).is_err(),
            "a wrong cell went unnoticed"
        );
        let [raw, _, _] = files;
        let marked = folder.join("marked.csv");
        fs::write(
            &marked,
            [b"\xef\xbb\xbf", fs::read(raw)?.as_slice()].concat(),
        )?;
        let unguarded = [raw.clone(), raw.clone(), marked];
        ensure!(
            self.compare(&sent, &unguarded).is_err(),
            "a formula went unnoticed"
        );
        Ok(())
    }
}

/// Whether the reader is there.
fn has_python() -> bool {
    let mut python = Command::new("python3");
    python.arg("--version").stdout(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}
