//! The program on the command line.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::harness::app::ndjson;

/// The program with these arguments, on a data directory.
pub(crate) fn command(data: &Path, typed: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_showreport"));
    command
        .args(typed.split_whitespace())
        .env("SHOWREPORT_DATA_DIR", data)
        .current_dir(data);
    command
}

fn run(data: &Path, typed: &str) -> Output {
    command(data, typed).output().expect("the program starts")
}

/// The output of a command that must succeed.
#[track_caller]
pub(crate) fn printed(data: &Path, typed: &str) -> String {
    let output = run(data, typed);
    assert!(
        output.status.success(),
        "{typed}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Checks that a command fails with this code. Returns its stderr.
#[track_caller]
pub(crate) fn fails(data: &Path, typed: &str, code: i32) -> String {
    let output = run(data, typed);
    let why = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{typed}: {why}");
    assert!(!why.is_empty(), "{typed} says why");
    why
}

/// A data directory with an organisation.
pub(crate) fn acme() -> tempfile::TempDir {
    let data = tempfile::tempdir().expect("a directory");
    printed(data.path(), "org create acme --time-zone Asia/Taipei");
    data
}

fn watches(customer: &str, from: &str, to: &str) -> Value {
    json!({
        "type": "playback", "event_id": "keynote", "playback_id": format!("{customer}-tab"), "customer_id": customer,
        "from": format!("2025-03-01T{from}Z"), "to": format!("2025-03-01T{to}Z"),
    })
}

pub(crate) fn records() -> String {
    ndjson(&[
        watches("ada", "10:00:00", "10:30:00"),
        watches("bob", "10:10:00", "10:20:00"),
    ])
}

pub(crate) fn write(data: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(data.join(name), bytes).expect("write");
}

const REPORT: &str =
    "report --org acme --event keynote --dimension watch-time --group-by customer-id";

#[test]
fn a_second_import_of_a_file_changes_nothing() {
    let data = acme();
    let data = data.path();
    write(data, "records.ndjson", records());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    writeln!(encoder, "{}", watches("eve", "10:00:00", "10:00:01")).expect("memory");
    write(data, "more.ndjson.gz", encoder.finish().expect("memory"));
    let last = watches("zoe", "10:00:00", "10:00:02").to_string();
    write(
        data,
        "last.ndjson.zst",
        zstd::encode_all(last.as_bytes(), 1).expect("memory"),
    );
    let mut files = Vec::new();
    for _ in 0..2 {
        printed(
            data,
            "import records.ndjson more.ndjson.gz last.ndjson.zst --org acme",
        );
        files.push(printed(data, REPORT));
    }
    assert_eq!(files[0], files[1]);
    assert_snapshot!(files[0], @"
    customer_id,views,viewers,devices,watch_seconds,attended_seconds
    ada,1,1,0,1800.000,1800.000
    bob,1,1,0,600.000,600.000
    eve,1,1,0,1.000,1.000
    zoe,1,1,0,2.000,2.000
    ");
}

#[test]
fn rejected_lines_are_explained_and_the_others_imported() {
    let data = acme();
    write(
        data.path(),
        "mixed.ndjson",
        format!("{{\"type\": \"dance\"}}\n{}not json\n", records()),
    );
    let why = fails(data.path(), "import mixed.ndjson --org acme", 1);
    assert!(
        why.contains("mixed.ndjson") && why.contains("dance"),
        "{why}"
    );
    assert_eq!(printed(data.path(), REPORT).lines().count(), 3);
}

#[test]
fn a_file_without_records_is_named_and_the_others_imported() {
    let data = acme();
    let data = data.path();
    write(data, "records.ndjson", records());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"").expect("memory");
    write(data, "packed.ndjson.gz", encoder.finish().expect("memory"));
    for (name, text) in [("empty.ndjson", ""), ("blank.ndjson", "\n \r\n\n")] {
        write(data, name, text);
    }
    for name in ["empty.ndjson", "blank.ndjson", "packed.ndjson.gz"] {
        let typed = format!("import {name} records.ndjson --org acme");
        let why = fails(data, &typed, 1);
        assert!(why.contains(&format!("{name}: the file is empty")), "{why}");
        assert!(!why.contains("records.ndjson"), "{why}");
    }
    assert_eq!(printed(data, REPORT).lines().count(), 3);
}

#[test]
fn records_without_an_event_belong_to_the_one_that_is_named() {
    let data = acme();
    let mut record = watches("ada", "10:00:00", "10:30:00");
    record.as_object_mut().expect("a record").remove("event_id");
    write(data.path(), "bare.ndjson", record.to_string());
    fails(data.path(), "import bare.ndjson --org acme", 1);
    printed(data.path(), "import bare.ndjson --org acme --event keynote");
    assert_eq!(printed(data.path(), REPORT).lines().count(), 2);
}

#[test]
fn a_report_goes_to_a_file_and_takes_a_window() {
    let data = acme();
    let data = data.path();
    write(data, "records.ndjson", records());
    printed(data, "import records.ndjson --org acme");
    printed(
        data,
        "report --org acme --event keynote --dimension watch-time --group-by watch-timestamp,customer-id \
         --granularity 86400 --from 2025-03-01T10:00:00Z --to 2025-03-01T10:15:00Z --out report.csv",
    );
    assert_snapshot!(std::fs::read_to_string(data.join("report.csv")).expect("the file"), @"
    watch_timestamp,customer_id,views,viewers,devices,watch_seconds,attended_seconds
    2025-02-28T16:00:00.000Z,ada,1,1,0,900.000,900.000
    2025-02-28T16:00:00.000Z,bob,1,1,0,300.000,300.000
    ");
    for (format, begins) in [
        ("parquet", &b"PAR1"[..]),
        ("xlsx", b"PK\x03\x04"),
        ("ndjson", b"{\""),
    ] {
        printed(data, &format!("{REPORT} --format {format} --out report"));
        let file = std::fs::read(data.join("report")).expect("the file");
        assert!(file.starts_with(begins), "{format}");
    }
}

#[test]
fn a_job_is_made_listed_and_deleted() {
    let data = acme();
    let data = data.path();
    let created = printed(data, "job create --org acme --type event_watch_time_a1");
    let id = created.trim();
    let why = fails(data, "job create --org acme --type event-watch-time-a1", 1);
    assert!(why.contains(id), "{why}");
    printed(
        data,
        "job create --org acme --type event_customers_a1 --name daily",
    );
    let list = printed(data, "job list --org acme");
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.lines().any(|line| line.starts_with(id)), "{list}");
    printed(data, &format!("job delete {id}"));
    fails(data, &format!("job delete {id}"), 1);
    assert_eq!(printed(data, "job list").lines().count(), 1);
}

#[test]
fn a_bulk_report_is_made_without_a_server() {
    let data = acme();
    let data = data.path();
    write(data, "records.ndjson", records());
    printed(data, "import records.ndjson --org acme");
    let bulk = "bulk --org acme --type event_customers_a1 --day";
    let file = printed(data, &format!("{bulk} 2025-03-01"));
    assert_snapshot!(file, @"
    date,event_id,event_type,customer_id,views,watch_time_minutes,attended_minutes
    20250301,keynote,,ada,1,30,30
    20250301,keynote,,bob,1,10,10
    ");
    printed(data, &format!("{bulk} 20250301 --out day.csv"));
    assert_eq!(
        std::fs::read_to_string(data.join("day.csv")).expect("the file"),
        file
    );
    assert_eq!(
        printed(data, &format!("{bulk} 2025-03-02")).lines().count(),
        1
    );
}

#[test]
fn a_token_is_shown_once_and_can_be_revoked() {
    let data = acme();
    let data = data.path();
    let created = printed(
        data,
        "token create --org acme --scope collect,report --expires 90d",
    );
    let token = created.strip_suffix('\n').expect("a line");
    assert!(
        token.starts_with("sr_") && !token.contains(char::is_whitespace),
        "the token and nothing else"
    );
    let several = printed(
        data,
        "token create --org acme --scope collect --scope report",
    );
    assert_ne!(several, created);
    let list = printed(data, "token list --org acme");
    assert_eq!(list.lines().count(), 2, "a line a token: {list}");
    assert!(!list.contains(token), "a token is never shown again");
    let id = list.split_whitespace().next().expect("an id first");
    for _ in 0..2 {
        printed(data, &format!("token revoke {id}"));
    }
    assert_eq!(printed(data, "token list").lines().count(), 2);
    fails(data, "token revoke 01930000-0000-7000-8000-000000000000", 1);
}

#[test]
fn organisations_are_listed_and_change_their_zone() {
    let data = acme();
    let data = data.path();
    printed(data, "org create globex");
    let zones = || {
        let list = printed(data, "org list");
        let lines = list.lines();
        let words = lines.map(|line| line.split("  ").take(2).collect::<Vec<_>>().join(" "));
        words.collect::<Vec<_>>()
    };
    assert_eq!(zones(), ["acme Asia/Taipei", "globex UTC"]);
    write(data, "records.ndjson", records());
    printed(data, "import records.ndjson --org acme");
    let by_day = "report --org acme --event keynote --dimension watch-time \
        --group-by watch-timestamp --granularity 86400";
    let first_day = || {
        printed(data, by_day)
            .lines()
            .nth(1)
            .map(|line| line[..24].to_owned())
    };
    assert_eq!(first_day().as_deref(), Some("2025-02-28T16:00:00.000Z"));
    for _ in 0..2 {
        let said = printed(data, "org set acme --time-zone Europe/Berlin");
        assert_eq!(said, "the days of acme are those of Europe/Berlin\n");
    }
    assert_eq!(zones(), ["acme Europe/Berlin", "globex UTC"]);
    assert_eq!(first_day().as_deref(), Some("2025-02-28T23:00:00.000Z"));
    let why = fails(data, "org create initech --time-zone asia/taipei", 2);
    assert!(why.contains("Asia/Taipei is"), "{why}");
}

#[test]
fn an_organisation_requires_viewer_tokens_until_it_says_otherwise() {
    let data = acme();
    let data = data.path();
    let listed = || printed(data, "org list");
    assert!(
        listed().ends_with("  viewer tokens optional\n"),
        "{}",
        listed()
    );
    let said = printed(data, "org set acme --require-viewer-tokens on");
    assert_eq!(said, "viewer tokens of acme are required\n");
    // Another change leaves it as it is.
    printed(data, "org set acme --time-zone UTC");
    assert!(
        listed().ends_with("  viewer tokens required\n"),
        "{}",
        listed()
    );
    printed(
        data,
        "org set acme --time-zone Asia/Taipei --require-viewer-tokens off",
    );
    assert!(listed().contains("  Asia/Taipei  "), "{}", listed());
    assert!(
        listed().ends_with("  viewer tokens optional\n"),
        "{}",
        listed()
    );
}

#[test]
fn the_secret_of_viewer_tokens_is_listed_without_the_secret() {
    let data = acme();
    let data = data.path();
    let secret = printed(data, "token create --org acme --scope viewer");
    assert!(
        secret.starts_with("sr_") && secret.lines().count() == 1,
        "{secret}"
    );
    let list = printed(data, "token list --org acme");
    assert!(list.contains("  acme  viewer  ") && !list.contains(secret.trim_end()));
    let why = fails(
        data,
        "token create --org acme --scope viewer --scope collect",
        2,
    );
    assert!(why.contains("no other scope"), "{why}");
}

#[test]
fn wrong_usage_exits_with_2() {
    let data = acme();
    for typed in [
        "",
        "dance",
        "org create",
        "org create a/b",
        "org create globex --time-zone Mars/Base",
        "org create globex --time-zone Etc/Unknown",
        "org create globex --time-zone Factory",
        "org create globex --time-zone asia/taipei",
        "org set acme",
        "org set acme --time-zone Etc/Unknown",
        "org set acme --require-viewer-tokens maybe",
        "token create --org acme",
        "token create --org acme --scope everything",
        "token create --org acme --scope viewer,collect",
        "token create --org acme --scope admin --scope viewer",
        "report --org acme --event keynote",
        "report --org acme --event keynote --dimension mood",
        "report --org acme --event keynote --dimension watch-time --group-by mood",
        "report --org acme --event keynote --dimension watch-time --group-by device-os,device-os",
        "report --org acme --event keynote --dimension watch-time --granularity 7",
        "report --org acme --event keynote --dimension watch-time --format pdf",
        "report --org acme --event keynote --dimension watch-time --from yesterday",
        "bulk --org acme --type event_customers_a1 --day yesterday",
        "bulk --org acme --type mood --day 2025-03-01",
        "job create --org acme --type mood",
        "job delete one",
        "serve --listen nowhere",
        "serve --dance",
    ] {
        fails(data.path(), typed, 2);
    }
}

#[test]
fn failure_exits_with_1() {
    let data = acme();
    for typed in [
        "org create acme",
        "org set nobody --time-zone UTC",
        "token create --org nobody --scope report",
        "import missing.ndjson --org acme",
        "import missing.ndjson --org nobody",
        "job create --org nobody --type event_customers_a1",
        "bulk --org nobody --type event_customers_a1 --day 2025-03-01",
        "report --org acme --event nothing --dimension watch-time",
    ] {
        fails(data.path(), typed, 1);
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let data = acme();
    for command in [
        "",
        "serve",
        "demo",
        "import",
        "report",
        "org create",
        "org list",
        "org set",
        "token create",
        "keys rotate",
        "clock confirm",
        "job create",
        "bulk",
        "figures",
    ] {
        let help = printed(data.path(), &format!("{command} --help"));
        assert!(help.contains("Examples:"), "{command}: {help}");
    }
}

/// A server that is killed when the test ends.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Starts the server and returns the address that it prints.
pub(crate) fn serve(data: &Path, flags: &str, log: Stdio) -> (Server, String) {
    let serve = command(data, &format!("serve --listen 127.0.0.1:0 {flags}"));
    started(serve, log)
}

/// The same for a command that serves.
pub(crate) fn started(mut serve: Command, log: Stdio) -> (Server, String) {
    serve.stdout(Stdio::piped()).stderr(log);
    let mut server = Server(serve.spawn().expect("the program starts"));
    let mut line = String::new();
    let stdout = server.0.stdout.as_mut().expect("stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line.trim_end().strip_prefix("listening on http://");
    let address = address.unwrap_or_else(|| panic!("{line:?}")).to_owned();
    (server, address)
}

/// One HTTP/1.1 request over a new connection.
pub(crate) fn http(address: &str, request: &str) -> String {
    let mut connection = std::net::TcpStream::connect(address).expect("the server listens");
    connection.write_all(request.as_bytes()).expect("send");
    let mut response = String::new();
    connection
        .read_to_string(&mut response)
        .expect("a response");
    response
}

#[test]
fn a_server_prints_its_address_and_stops_on_a_signal() {
    let data = acme();
    let data = data.path();
    let token = printed(data, "token create --org acme --scope collect");
    let (mut server, address) = serve(data, "", Stdio::null());
    let ready = http(
        &address,
        "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let body = records();
    let collect = format!(
        "POST /collect HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
        token.trim_end(),
        body.len()
    );
    let response = http(&address, &collect);
    assert!(response.starts_with("HTTP/1.1 202"), "{response}");
    // The command line works beside the server and sees the records that it accepted.
    let beside = printed(data, REPORT);
    assert_eq!(beside.lines().count(), 3, "{beside}");
    let terminate = Command::new("kill")
        .args(["-TERM", &server.0.id().to_string()])
        .status();
    assert!(terminate.expect("kill runs").success());
    assert_eq!(server.0.wait().expect("it ends").code(), Some(0));
    assert_eq!(printed(data, REPORT), beside);
}
