//! Cells that a careless CSV writer breaks, or that a spreadsheet would run as a formula.
//!
//! They are sent as ids, names and texts of messages and as ids of customers. Python's `csv` module
//! reads them out of the files of the reports.

mod cells;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use self::cells::{id, text};
use super::audit::REPORTS;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{Client, Product, Random, Server, output, path_of, root};

/// Random cells of a message: its id, customer, device, name and text.
const CELLS: u64 = 5;

/// Messages of a body.
const BATCH: u64 = 1_000;

/// One in this many messages comes with a playback.
const VIEWER_EVERY: u64 = 20;

/// The instant of the first record, in the past.
const BEGINNING_MS: u64 = 1_740_823_200_000;

/// Longer than a development build takes for 200,000 messages.
const MADE_WITHIN: Duration = Duration::from_mins(5);

pub(crate) struct Csv;

impl Scenario for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "cells that are hard to write come back exactly, and none as a formula"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 1_000_000,
            small: 20_000,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    if !has_python() {
        return Ok(Outcome::LeftOut("python3 is not installed".to_owned()));
    }
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    let folder = setting.folder.as_path();
    let mut random = setting.random.clone();
    send(&server.client, folder, &mut random, setting.rounds / CELLS)?;
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
    let mut controls = Vec::new();
    for report in [messages, viewers] {
        let files = report.fetch(&server.client, folder)?;
        found.push(report.compare(&report.sent(folder), &files)?);
        controls.push(report.control(folder, &files)?);
    }
    let control = controls
        .into_iter()
        .reduce(Control::and)
        .context("no control")?;
    server.stop()?;
    let held = format!(
        "cells, guarded cells, and cells that begin with a guard: {} in messages, {} in watch time; \
         raw texts were exact, no other text began as a formula, figures were unchanged",
        found[0], found[1]
    );
    Ok(Outcome::Held(held, control))
}

/// Sends messages and playbacks, and writes a file for each report with what was sent.
fn send(client: &Client, folder: &Path, random: &mut Random, count: u64) -> anyhow::Result<()> {
    let mut connection = client.connect()?;
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
                "customer_id": customer, "from": at, "to": at + 1 + random.u64(..100_000),
            });
            body += &record.to_string();
            body.push('\n');
            viewers.push(customer);
        }
        if (number + 1) % BATCH == 0 || number + 1 == count {
            let body = std::mem::take(&mut body);
            let response = connection.send("POST", "/collect", &client.token, body)?;
            let receipt: Value = serde_json::from_slice(&response.body)?;
            ensure!(
                response.status == 202 && receipt["rejected"] == json!([]),
                "records were answered {}: {receipt}",
                response.status
            );
        }
    }
    messages.flush()?;
    // As the report sorts them: by the bytes of the exact text.
    viewers.sort_unstable();
    let lines: Vec<String> = viewers.iter().map(|it| json!([it]).to_string()).collect();
    fs::write(folder.join("WATCH_TIME.sent"), lines.join("\n")).context("write the customers")
}

/// A report, and its columns that hold what was sent.
struct Report {
    dimension: &'static str,
    fields: Value,
    columns: &'static str,
}

impl Report {
    /// The file with what was sent.
    fn sent(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.sent", self.dimension))
    }

    /// Makes the report, and downloads its variants: exact, guarded, and for Excel.
    fn fetch(&self, client: &Client, folder: &Path) -> anyhow::Result<[PathBuf; 3]> {
        let mut connection = client.connect()?;
        let order = json!({
            "id": "cells", "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": [{
                "dimension": format!("REPORT_DIMENSION_{}", self.dimension), "group_by_fields": self.fields,
            }],
        });
        let mut report = client.ask(&mut connection, REPORTS, &order)?["reports"][0].take();
        let question = json!({"reports": [{"id": report["id"]}]});
        let begun = Instant::now();
        while report["status"] != "EVENT_REPORT_STATUS_SUCCEEDED" {
            ensure!(
                begun.elapsed() < MADE_WITHIN,
                "a report was not made: {report}"
            );
            std::thread::sleep(Duration::from_millis(20));
            let path = format!("{REPORTS}:batch-get");
            report = client.ask(&mut connection, &path, &question)?["reports"][0].take();
        }
        let path = path_of(&report["uri"])?;
        let mut files = Vec::new();
        for variant in ["raw", "", "excel"] {
            let response = client.get(&format!("{path}?variant={variant}"))?;
            let status = response.status;
            ensure!(status == 200, "a file was answered {status}");
            let file = folder.join(format!("{}{variant}.csv", self.dimension));
            fs::write(&file, response.body)?;
            files.push(file);
        }
        files.try_into().ok().context("three files")
    }

    /// Compares what was sent with the files, in Python; gives what it counted.
    fn compare(&self, sent: &Path, files: &[PathBuf; 3]) -> anyhow::Result<String> {
        let mut python = Command::new("python3");
        python.arg(root().join("tests/clients/csv_cells.py"));
        output(python.arg(sent).arg(self.columns).args(files))
    }

    /// The comparison must notice a wrong cell, and a file without guards.
    fn control(&self, folder: &Path, files: &[PathBuf; 3]) -> anyhow::Result<Control> {
        let sent = self.sent(folder);
        let text = fs::read_to_string(&sent)?;
        let bent = folder.join("bent.sent");
        fs::write(&bent, text.replacen("[\"", "[\"bent ", 1))?;
        let wrong = self.compare(&bent, files).is_err();
        let wrong = Control::noticed(wrong, "a wrong cell")?;
        let [raw, _, _] = files;
        let marked = folder.join("marked.csv");
        fs::write(
            &marked,
            [b"\xef\xbb\xbf", fs::read(raw)?.as_slice()].concat(),
        )?;
        let unguarded = [raw.clone(), raw.clone(), marked];
        let formula = self.compare(&sent, &unguarded).is_err();
        Ok(wrong.and(Control::noticed(formula, "a cell that is a formula")?))
    }
}

fn has_python() -> bool {
    let mut python = Command::new("python3");
    python.arg("--version").stdout(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}
