//! Everything that openapi.json allows, and everything that it forbids, thought up by schemathesis.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::audit::{MADE_WITHIN, REPORTS};
use super::{Outcome, Torment};
use showreport_testkit::python;
use showreport_testkit::root;
use showreport_testkit::{Product, Server, head};

const VERSION: &str = "schemathesis==4.32.5";

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    if !python::can_make_environments() {
        return Ok(Outcome::LeftOut(python::MISSING.to_owned()));
    }
    let python = python::environment(&root().join("target/schemathesis"), &[VERSION])?;
    let program = python.with_file_name("schemathesis");
    let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
    let server = Server::start(&product, &[])?;
    collect(&server)?;
    let told = fs::read_to_string(root().join("tests/hostile/schemathesis.toml"))?;
    fs::write(config(torment), told + &addresses(&server)?)?;
    let description = server.get("/openapi.json")?.body;
    control(torment, &program, &server, &description)?;
    let mut run = command(torment, &program, &server);
    run.arg(format!("http://{}/openapi.json", server.address));
    run.args(["--max-examples", &torment.rounds.to_string()]);
    let (held, said) = outcome(&mut run)?;
    ensure!(held, "schemathesis has found something:\n{said}");
    let cases = said.lines().find_map(|line| {
        let (cases, _) = line.trim().split_once(" generated")?;
        cases.parse::<u64>().ok()
    });
    let cases = cases.context("find how many cases there were")?;
    Ok(Outcome::Held(format!(
        "{cases} cases, {} examples an operation in each phase, all checks: no finding ({VERSION})",
        torment.rounds
    )))
}

/// An event, so that not everything is unknown.
fn collect(server: &Server) -> anyhow::Result<()> {
    let record = br#"{"type":"event","event_id":"keynote","kind":"live","title":"Keynote"}"#;
    let head = head("POST", "/collect", &server.token, record.len());
    let answer = server.connect()?.send(head.as_bytes(), record)?;
    ensure!(answer.status == 202, "it was answered {}", answer.status);
    Ok(())
}

/// The parts of the addresses of two files that there are: made up, one opens nothing, and what is
/// behind them would only be asked where a link is followed by chance.
fn addresses(server: &Server) -> anyhow::Result<String> {
    let mut connection = server.connect()?;
    let order = json!({
        "id": "keynote", "type": "EVENT_TYPE_LIVE",
        "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME"}],
    });
    server.ask(&mut connection, REPORTS, &order)?;
    let order = json!({"reportTypeId": "event_customers_a1", "name": "daily"});
    let job = server.ask(&mut connection, "/v1/jobs", &order)?;
    let job = job["id"].as_str().context("no id of the job")?;
    let link = made(server, "/api/v1/reports", "uri", "/downloads/")?;
    let media = made(
        server,
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

/// What follows `door` in the address of the first report of a list, once that is made.
fn made(server: &Server, list: &str, field: &str, door: &str) -> anyhow::Result<String> {
    let begun = Instant::now();
    loop {
        let listed: Value = serde_json::from_slice(&server.get(list)?.body)?;
        let address = listed["reports"][0][field].as_str().unwrap_or_default();
        if let Some((_, parts)) = address.split_once(door) {
            return Ok(parts.to_owned());
        }
        ensure!(begun.elapsed() < MADE_WITHIN, "nothing was made: {listed}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What schemathesis is told.
fn config(torment: &Torment) -> PathBuf {
    torment.folder.join("schemathesis.toml")
}

/// A description that is wrong in one place must be found wrong.
fn control(
    torment: &Torment,
    program: &Path,
    server: &Server,
    description: &[u8],
) -> anyhow::Result<()> {
    let mut wrong: Value = serde_json::from_slice(description)?;
    let responses = &mut wrong["paths"]["/healthz"]["get"]["responses"];
    let healthy = responses["200"].take();
    *responses = serde_json::json!({"204": healthy});
    let path = torment.folder.join("wrong.json");
    fs::write(&path, wrong.to_string())?;
    let mut run = command(torment, program, server);
    run.arg(path)
        .args(["--url", &format!("http://{}", server.address)])
        .args(["--include-path", "/healthz", "--max-examples", "1"]);
    let (held, said) = outcome(&mut run)?;
    ensure!(
        !held && said.contains("Undocumented"),
        "a wrong description was not found out:\n{said}"
    );
    Ok(())
}

fn command(torment: &Torment, program: &Path, server: &Server) -> Command {
    let mut command = Command::new(program);
    let hostile = root().join("tests/hostile");
    command
        .current_dir(&torment.folder)
        .env("SCHEMATHESIS_HOOKS", hostile.join("schemathesis_hooks.py"))
        .arg("--config-file")
        .arg(config(torment))
        .args([
            "run",
            "--checks",
            "all",
            "--continue-on-failure",
            "--no-color",
        ])
        // A product of the same seed finds the same.
        .args(["--seed", &torment.random.clone().below(1 << 32).to_string()])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", server.token),
        ]);
    command
}

/// Whether nothing was found, and what it said.
fn outcome(command: &mut Command) -> anyhow::Result<(bool, String)> {
    let output = command.output().context("start schemathesis")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), format!("{said}{complaint}")))
}
