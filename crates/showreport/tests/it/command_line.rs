//! The program itself, as somebody types it.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use insta::assert_snapshot;
use serde_json::{Value, json};

/// Runs the program on a data directory.
fn showreport(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments)
        .output()
        .expect("the program starts")
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_showreport"));
    command
        .args(arguments)
        .env("SHOWREPORT_DATA_DIR", data)
        .current_dir(data);
    command
}

/// What a command that succeeds prints.
#[track_caller]
fn printed(data: &Path, arguments: &[&str]) -> String {
    let output = showreport(data, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Checks that a command fails with this code and says why on stderr alone.
#[track_caller]
fn fails(data: &Path, arguments: &[&str], code: i32) -> String {
    let output = showreport(data, arguments);
    let why = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {why}");
    assert!(!why.is_empty(), "{arguments:?} says why");
    why
}

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

fn watches(customer: &str, from: &str, to: &str) -> Value {
    json!({
        "type": "playback", "event_id": "keynote", "playback_id": format!("{customer}-tab"), "customer_id": customer,
        "from": format!("2025-03-01T{from}Z"), "to": format!("2025-03-01T{to}Z"),
    })
}

fn records() -> String {
    let records = [
        watches("ada", "10:00:00", "10:30:00"),
        watches("bob", "10:10:00", "10:20:00"),
    ];
    records.iter().map(|record| format!("{record}\n")).collect()
}

const REPORT: [&str; 9] = [
    "report",
    "--org",
    "acme",
    "--event",
    "keynote",
    "--dimension",
    "watch-time",
    "--group-by",
    "customer-id",
];

#[test]
fn files_are_imported_and_twice_changes_nothing() {
    let data = directory();
    printed(
        data.path(),
        &["org", "create", "acme", "--time-zone", "Asia/Taipei"],
    );
    let plain = data.path().join("records.ndjson");
    std::fs::write(&plain, records()).expect("write");
    let gzip = data.path().join("more.ndjson.gz");
    let mut encoder = GzEncoder::new(
        std::fs::File::create(&gzip).expect("create"),
        Compression::fast(),
    );
    writeln!(encoder, "{}", watches("eve", "10:00:00", "10:00:01")).expect("write");
    encoder.finish().expect("finish");
    let zstd = data.path().join("last.ndjson.zst");
    let packed = zstd::encode_all(
        watches("zoe", "10:00:00", "10:00:02")
            .to_string()
            .as_bytes(),
        1,
    );
    std::fs::write(&zstd, packed.expect("memory")).expect("write");
    let mut files = Vec::new();
    for _ in 0..2 {
        let paths = [&plain, &gzip, &zstd].map(|path| path.to_str().expect("UTF-8"));
        printed(
            data.path(),
            &["import", paths[0], paths[1], paths[2], "--org", "acme"],
        );
        files.push(printed(data.path(), &REPORT));
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
fn rejected_lines_are_explained_and_the_rest_goes_in() {
    let data = directory();
    printed(data.path(), &["org", "create", "acme"]);
    let path = data.path().join("mixed.ndjson");
    std::fs::write(
        &path,
        format!("{{\"type\": \"dance\"}}\n{}not json\n", records()),
    )
    .expect("write");
    let why = fails(
        data.path(),
        &["import", path.to_str().expect("UTF-8"), "--org", "acme"],
        1,
    );
    assert!(why.contains("dance") || why.contains("type"), "{why}");
    assert_eq!(printed(data.path(), &REPORT).lines().count(), 3);
}

#[test]
fn a_report_goes_to_a_file_and_takes_a_window() {
    let data = directory();
    printed(
        data.path(),
        &["org", "create", "acme", "--time-zone", "Asia/Taipei"],
    );
    let path = data.path().join("records.ndjson");
    std::fs::write(&path, records()).expect("write");
    printed(
        data.path(),
        &["import", path.to_str().expect("UTF-8"), "--org", "acme"],
    );
    let out = data.path().join("report.csv");
    printed(
        data.path(),
        &[
            "report",
            "--org",
            "acme",
            "--event",
            "keynote",
            "--dimension",
            "watch-time",
            "--group-by",
            "watch-timestamp,customer-id",
            "--granularity",
            "86400",
            "--from",
            "2025-03-01T10:00:00Z",
            "--to",
            "2025-03-01T10:15:00Z",
            "--out",
            out.to_str().expect("UTF-8"),
        ],
    );
    assert_snapshot!(std::fs::read_to_string(&out).expect("the file"), @"
    watch_timestamp,customer_id,views,viewers,devices,watch_seconds,attended_seconds
    2025-02-28T16:00:00.000Z,ada,1,1,0,900.000,900.000
    2025-02-28T16:00:00.000Z,bob,1,1,0,300.000,300.000
    ");
    for (format, begins) in [
        ("parquet", &b"PAR1"[..]),
        ("xlsx", b"PK\x03\x04"),
        ("ndjson", b"{\""),
    ] {
        let mut arguments = REPORT.to_vec();
        arguments.extend(["--format", format, "--out", out.to_str().expect("UTF-8")]);
        printed(data.path(), &arguments);
        assert!(
            std::fs::read(&out).expect("the file").starts_with(begins),
            "{format}"
        );
    }
}

#[test]
fn a_token_is_shown_once_and_can_be_revoked() {
    let data = directory();
    printed(data.path(), &["org", "create", "acme"]);
    let created = printed(
        data.path(),
        &[
            "token",
            "create",
            "--org",
            "acme",
            "--scope",
            "collect,report",
            "--expires",
            "90d",
        ],
    );
    let token = created.trim_end();
    assert!(
        token.starts_with("sr_") && !token.contains(char::is_whitespace),
        "the token and nothing else"
    );
    let several = printed(
        data.path(),
        &[
            "token", "create", "--org", "acme", "--scope", "collect", "--scope", "report",
        ],
    );
    assert_ne!(several.trim_end(), token);
    let list = printed(data.path(), &["token", "list", "--org", "acme"]);
    assert_eq!(list.lines().count(), 2, "a line a token: {list}");
    assert!(!list.contains(token), "a token is never shown again");
    let id = list.split_whitespace().next().expect("an id first");
    printed(data.path(), &["token", "revoke", id]);
    printed(data.path(), &["token", "revoke", id]);
    assert_eq!(printed(data.path(), &["token", "list"]).lines().count(), 2);
    fails(
        data.path(),
        &["token", "revoke", "01930000-0000-7000-8000-000000000000"],
        1,
    );
}

#[test]
fn wrong_usage_is_2_and_failure_is_1() {
    let data = directory();
    printed(data.path(), &["org", "create", "acme"]);
    for wrong in [
        &["dance"][..],
        &[],
        &["org", "create"],
        &["org", "create", "a/b"],
        &["org", "create", "globex", "--time-zone", "Mars/Base"],
        &["token", "create", "--org", "acme", "--scope", "everything"],
        &["token", "create", "--org", "acme"],
        &[
            "report",
            "--org",
            "acme",
            "--event",
            "keynote",
            "--dimension",
            "mood",
        ],
        &[
            "report",
            "--org",
            "acme",
            "--event",
            "keynote",
            "--dimension",
            "watch-time",
            "--group-by",
            "mood",
        ],
        &[
            "report",
            "--org",
            "acme",
            "--event",
            "keynote",
            "--dimension",
            "watch-time",
            "--granularity",
            "7",
        ],
        &[
            "report",
            "--org",
            "acme",
            "--event",
            "keynote",
            "--dimension",
            "watch-time",
            "--format",
            "pdf",
        ],
        &["serve", "--listen", "nowhere"],
        &["serve", "--dance"],
    ] {
        fails(data.path(), wrong, 2);
    }
    fails(data.path(), &["org", "create", "acme"], 1);
    fails(
        data.path(),
        &["token", "create", "--org", "nobody", "--scope", "report"],
        1,
    );
    fails(
        data.path(),
        &["import", "missing.ndjson", "--org", "acme"],
        1,
    );
    fails(
        data.path(),
        &["import", "missing.ndjson", "--org", "nobody"],
        1,
    );
    fails(
        data.path(),
        &[
            "report",
            "--org",
            "acme",
            "--event",
            "nothing",
            "--dimension",
            "watch-time",
        ],
        1,
    );
}

#[test]
fn help_reads_like_a_manual() {
    let data = directory();
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["demo", "--help"],
        &["import", "--help"],
        &["report", "--help"],
    ] {
        let help = printed(data.path(), command);
        assert!(
            help.contains("Examples:") || help.contains("EXAMPLES"),
            "{command:?}: {help}"
        );
    }
}

/// A server that is killed when the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// One request over a connection of its own, in the plainest HTTP.
fn http(address: &str, request: &str) -> String {
    let mut connection = std::net::TcpStream::connect(address).expect("the server listens");
    connection.write_all(request.as_bytes()).expect("send");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_server_says_where_it_listens_and_ends_in_good_order() {
    let data = directory();
    printed(data.path(), &["org", "create", "acme"]);
    let token = printed(
        data.path(),
        &["token", "create", "--org", "acme", "--scope", "collect"],
    );
    let child = command(data.path(), &["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut server = Server(child.expect("the program starts"));
    let mut line = String::new();
    BufReader::new(server.0.stdout.as_mut().expect("stdout"))
        .read_line(&mut line)
        .expect("a line");
    let address = line
        .trim_end()
        .strip_prefix("listening on http://")
        .unwrap_or_else(|| panic!("{line:?}"))
        .to_owned();
    let ready = http(
        &address,
        "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    );
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let body = records();
    let collect = format!(
        "POST /collect HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n{body}",
        token.trim_end(),
        body.len()
    );
    let answer = http(&address, &collect);
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    // The command line works beside the server, and knows what it accepted.
    let beside = printed(data.path(), &REPORT);
    assert_eq!(beside.lines().count(), 3, "{beside}");
    let terminate = Command::new("kill")
        .args(["-TERM", &server.0.id().to_string()])
        .status();
    assert!(terminate.expect("kill runs").success());
    assert_eq!(server.0.wait().expect("it ends").code(), Some(0));
    assert_eq!(printed(data.path(), &REPORT), beside);
}
