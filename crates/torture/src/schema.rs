//! Requests that schemathesis makes from openapi.json, valid and invalid ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::audit::{MADE_WITHIN, REPORTS};
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{Client, Product, Server, python, root};

const VERSION: &str = "schemathesis==4.32.5";

pub(crate) struct Schema;

impl Scenario for Schema {
    fn name(&self) -> &'static str {
        "schema"
    }

    fn about(&self) -> &'static str {
        "every response is one that openapi.json describes"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 1_000,
            small: 2,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    if !python::can_make_environments() {
        return Ok(Outcome::LeftOut(python::MISSING.to_owned()));
    }
    let python = python::environment(&root().join("target/schemathesis"), &[VERSION])?;
    let program = python.with_file_name("schemathesis");
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    // An event, so that not every id is unknown.
    server.client.collect(EVENT)?;
    let settings = fs::read_to_string(root().join("tests/hostile/schemathesis.toml"))?;
    fs::write(config(setting), settings + &addresses(&server.client)?)?;
    let description = server.client.get("/openapi.json")?.body;
    let control = control(setting, &program, &server.client, &description)?;
    let mut run = command(setting, &program, &server.client);
    run.arg(format!("http://{}/openapi.json", server.client.address));
    run.args(["--max-examples", &setting.rounds.to_string()]);
    let (held, printed) = outcome(&mut run)?;
    ensure!(held, "schemathesis has found something:\n{printed}");
    let cases = printed.lines().find_map(|line| {
        let (cases, _) = line.trim().split_once(" generated")?;
        cases.parse::<u64>().ok()
    });
    let cases = cases.context("find the number of cases")?;
    let held = format!(
        "{cases} cases, {} examples an operation in each phase, all checks: no finding ({VERSION})",
        setting.rounds
    );
    Ok(Outcome::Held(held, control))
}

const EVENT: &str = r#"{"type":"event","event_id":"keynote","kind":"live","title":"Keynote"}"#;

/// The parts of the addresses of two files. Random ones open nothing, so the operations behind them
/// would hardly be tried.
fn addresses(client: &Client) -> anyhow::Result<String> {
    let mut connection = client.connect()?;
    let order = json!({
        "id": "keynote", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME"}],
    });
    client.ask(&mut connection, REPORTS, &order)?;
    let order = json!({"reportTypeId": "event_customers_a1", "name": "daily"});
    let job = client.ask(&mut connection, "/v1/jobs", &order)?;
    let job = job["id"].as_str().context("no id of the job")?;
    let link = made(client, "/api/v1/reports", "uri", "/downloads/")?;
    let media = made(
        client,
        &format!("/v1/jobs/{job}/reports"),
        "downloadUrl",
        "/v1/media/",
    )?;
    let parts: Vec<&str> = link.split('/').collect();
    let [report, expires, signature, file_name] = parts[..] else {
        bail!("a link has other parts: {link}");
    };
    let media = media.trim_end_matches("?alt=media");
    Ok(format!(
        r#"
[parameters]
"path.report" = "{report}"
"path.expires" = "{expires}"
"path.signature" = "{signature}"
"path.file_name" = "{file_name}"
"path.resourceName" = "{media}"
"#
    ))
}

/// What follows `prefix` in the address of the first report of a list, once that is made.
fn made(client: &Client, list: &str, field: &str, prefix: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let listed: Value = serde_json::from_slice(&client.get(list)?.body)?;
        let address = listed["reports"][0][field].as_str().unwrap_or_default();
        if let Some((_, parts)) = address.split_once(prefix) {
            return Ok(parts.to_owned());
        }
        ensure!(
            begun.elapsed() < MADE_WITHIN,
            "no report was made: {listed}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

/// The configuration of schemathesis.
fn config(setting: &Setting) -> PathBuf {
    setting.folder.join("schemathesis.toml")
}

/// A description that is wrong in one place must be reported.
fn control(
    setting: &Setting,
    program: &Path,
    client: &Client,
    description: &[u8],
) -> anyhow::Result<Control> {
    let mut wrong: Value = serde_json::from_slice(description)?;
    let responses = &mut wrong["paths"]["/healthz"]["get"]["responses"];
    let healthy = responses["200"].take();
    *responses = serde_json::json!({"204": healthy});
    let path = setting.folder.join("wrong.json");
    fs::write(&path, wrong.to_string())?;
    let mut run = command(setting, program, client);
    run.arg(path)
        .args(["--url", &format!("http://{}", client.address)])
        .args(["--include-path", "/healthz", "--max-examples", "1"]);
    let (held, printed) = outcome(&mut run)?;
    Control::noticed(
        !held && printed.contains("Undocumented"),
        "a response that a wrong description does not have",
    )
}

fn command(setting: &Setting, program: &Path, client: &Client) -> Command {
    // By its Python, since the first line of the program has the path of the folder that it was
    // made in.
    let mut command = Command::new(program.with_file_name("python"));
    let hostile = root().join("tests/hostile");
    command
        .arg(program)
        .current_dir(&setting.folder)
        .env("SCHEMATHESIS_HOOKS", hostile.join("schemathesis_hooks.py"))
        .arg("--config-file")
        .arg(config(setting))
        .args([
            "run",
            "--checks",
            "all",
            "--continue-on-failure",
            "--no-color",
        ])
        .args(["--seed", &setting.random.clone().u64(..1 << 32).to_string()])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", client.token),
        ]);
    command
}

/// Whether schemathesis found nothing, and what it printed.
fn outcome(command: &mut Command) -> anyhow::Result<(bool, String)> {
    let output = command.output().context("start schemathesis")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), format!("{printed}{problem}")))
}
