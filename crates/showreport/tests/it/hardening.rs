//! What an operator relies on: modes of files, the log, addresses, the form of requests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Request, Version};

use crate::command_line::{acme, command, http, printed, records, serve, started};
use crate::harness::Show;

fn get(path: &str, version: &str, fields: &str) -> String {
    format!("GET {path} {version}\r\nConnection: close\r\n{fields}\r\n")
}

#[test]
fn http_1_1_needs_one_host() {
    let data = acme();
    let (_server, address) = serve(data.path(), "", Stdio::null());
    for path in ["/healthz", "/collect", "/v1/jobs", "/nothing"] {
        for fields in ["", "Host: a\r\nHost: b\r\n", "Host: a/b\r\n"] {
            let response = http(&address, &get(path, "HTTP/1.1", fields));
            assert!(
                response.starts_with("HTTP/1.1 400"),
                "{fields:?}: {response}"
            );
            assert!(response.contains("INVALID_HOST"), "{response}");
            assert!(response.contains("x-request-id"), "{response}");
        }
    }
    for (version, fields) in [("HTTP/1.1", "Host: a\r\n"), ("HTTP/1.0", "")] {
        let response = http(&address, &get("/healthz", version, fields));
        assert!(response.contains(" 200 OK"), "{response}");
    }
}

#[tokio::test]
async fn http_2_needs_no_host_field() {
    let show = Show::new().await;
    let request = Request::get("/healthz").version(Version::HTTP_2);
    let request = request.body(Body::empty()).expect("a request");
    show.app.send_as_it_is(request).await.is(200);
}

/// Waits for a line in the log that contains the text. Returns the line.
fn line_with(log: &Path, wanted: &str) -> String {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(log).expect("the log");
        if let Some(line) = text.lines().find(|line| line.contains(wanted)) {
            return line.to_owned();
        }
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{wanted}: {text}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn log_in(data: &Path) -> (PathBuf, Stdio) {
    let path = data.join("server.log");
    let file = fs::File::create(&path).expect("a file for the log");
    (path, file.into())
}

#[test]
fn metrics_may_have_an_address_of_their_own() {
    let data = acme();
    let (log, to_log) = log_in(data.path());
    let flags = "--metrics-listen 127.0.0.1:0";
    let (_server, address) = serve(data.path(), flags, to_log);
    let line = line_with(&log, "serving /metrics apart");
    let (_, apart) = line.split_once("address=").expect("an address");
    let ask = |address: &str, path: &str| http(address, &get(path, "HTTP/1.1", "Host: a\r\n"));
    assert!(ask(&address, "/metrics").contains(" 404 "));
    assert!(ask(&address, "/healthz").contains(" 200 OK"));
    let metrics = ask(apart, "/metrics");
    assert!(metrics.contains(" 200 OK"), "{metrics}");
    assert!(
        metrics.contains("showreport_journal_waiting_rows"),
        "{metrics}"
    );
    for elsewhere in ["/healthz", "/collect", "/api/v1/events"] {
        assert!(ask(apart, elsewhere).contains(" 404 "), "{elsewhere}");
    }
}

/// The id that `token list` shows.
fn token_id(data: &Path) -> String {
    let listed = printed(data, "token list");
    listed.split_whitespace().next().expect("an id").to_owned()
}

#[test]
fn refusals_and_administrative_acts_are_logged_without_the_secret() {
    let data = acme();
    let data = data.path();
    let created = command(data, "token create --org acme --scope collect").output();
    let created = created.expect("the program starts");
    let secret = String::from_utf8(created.stdout).expect("UTF-8");
    let id = token_id(data);
    let named = |line: &str| {
        assert!(line.contains("org=acme"), "{line}");
        assert!(line.contains(&format!("token.id={id}")), "{line}");
    };
    named(&String::from_utf8_lossy(&created.stderr));

    let (log, to_log) = log_in(data);
    let (_server, address) = serve(data, "", to_log);
    let authorization = format!("Host: a\r\nAuthorization: Bearer {}\r\n", secret.trim_end());
    let refused = http(&address, &get("/v1/jobs", "HTTP/1.1", &authorization));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    named(&line_with(&log, "http.status=403"));

    let revoked = command(data, &format!("token revoke {id}")).output();
    named(&String::from_utf8_lossy(
        &revoked.expect("it starts").stderr,
    ));
    std::thread::sleep(Duration::from_secs(1));
    let refused = http(&address, &get("/v1/jobs", "HTTP/1.1", &authorization));
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    named(&line_with(&log, "revoked or has expired"));
    let text = fs::read_to_string(&log).expect("the log");
    assert!(!text.contains(secret.trim_end()), "{text}");
}

/// Changes a letter of an event's title, as a bad disk would.
fn change_title(data: &Path, from: &[u8], to: &[u8]) {
    let database = data.join("meta.sqlite");
    let mut bytes = fs::read(&database).expect("the database");
    let place = bytes.windows(from.len()).position(|window| window == from);
    let place = place.expect("the title is in the file");
    bytes[place..place + to.len()].copy_from_slice(to);
    fs::write(&database, bytes).expect("damage it");
}

#[test]
fn damage_that_a_long_check_finds_ends_the_server_and_stops_the_next_start_until_it_is_mended() {
    let data = acme();
    let data = data.path();
    let event = r#"{"type":"event","event_id":"e","kind":"live","title":"Unmistakable"}"#;
    fs::write(data.join("event.ndjson"), event).expect("write");
    printed(data, "import event.ndjson --org acme");
    let (good, bad) = (b"Unmistakable", b"Unmistakeble");
    change_title(data, good, bad);

    // The check takes longer than a start waits for it.
    let (log, to_log) = log_in(data);
    let mut slow = command(data, "serve --listen 127.0.0.1:0");
    slow.env("FAILPOINTS", "verify-begun=sleep(3000)");
    let (mut server, address) = started(slow, to_log);
    let ready = http(&address, &get("/readyz", "HTTP/1.1", "Host: a\r\n"));
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let ended = server.0.wait().expect("it ends");
    assert_eq!(ended.code(), Some(1));
    line_with(&log, "meta.sqlite");
    let mark = data.join("meta.damaged");
    assert!(mark.exists());

    // Now a start waits, however long it takes.
    let mut again = command(data, "serve --listen 127.0.0.1:0");
    again.env("FAILPOINTS", "verify-begun=sleep(1500)");
    let refused = again.output().expect("the program starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stdout.is_empty(), "it listened");
    let why = String::from_utf8_lossy(&refused.stderr);
    assert!(why.contains("meta.sqlite"), "{why}");

    change_title(data, bad, good);
    let (_server, _) = serve(data, "", Stdio::null());
    assert!(!mark.exists());
}

#[cfg(unix)]
mod modes {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        let found = fs::symlink_metadata(path);
        found.expect("it is there").permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("set the mode");
    }

    /// Every file and directory below, with its mode. What the engine spills lies in a directory of
    /// each process, which alone decides about access.
    fn below(directory: &Path, found: &mut Vec<(PathBuf, u32)>) {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            found.push((path.clone(), mode(&path)));
            if path.is_dir() && !directory.ends_with("spill") {
                below(&path, found);
            }
        }
    }

    #[test]
    fn files_in_an_existing_directory_are_private_to_their_owner() {
        let outside = tempfile::tempdir().expect("a directory");
        let data = outside.path().join("data");
        fs::create_dir(&data).expect("make it");
        set_mode(&data, 0o755);
        printed(&data, "org create acme");
        let records = outside.path().join("records.ndjson");
        let record =
            r#"{"type":"chat","event_id":"e","message_id":"m","sent_at":1740823200000,"text":"t"}"#;
        fs::write(&records, record).expect("write");
        printed(&data, "import ../records.ndjson --org acme");
        let (log, to_log) = log_in(outside.path());
        let (_server, _) = serve(&data, "", to_log);
        let mut found = Vec::new();
        below(&data, &mut found);
        assert!(found.iter().any(|(path, _)| path.ends_with("_delta_log")));
        for (path, mode) in found {
            assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        }
        // The directory itself stays as it was, and is named.
        assert_eq!(mode(&data), 0o755);
        let line = line_with(&log, "others than the owner");
        assert!(line.contains("0755"), "{line}");
    }

    #[test]
    fn permissions_of_other_users_are_removed_at_the_next_start() {
        let data = acme();
        let data = data.path();
        fs::create_dir(data.join("store")).expect("make it");
        for (name, open) in [("meta.sqlite", 0o644), ("store", 0o755)] {
            set_mode(&data.join(name), open);
        }
        printed(data, "token list");
        assert_eq!(mode(&data.join("meta.sqlite")), 0o600);
        assert_eq!(mode(&data.join("store")), 0o700);
    }
}

#[test]
fn refusals_for_lack_of_space_are_no_errors_and_are_logged_once() {
    let data = acme();
    let data = data.path();
    let token = printed(data, "token create --org acme --scope collect");
    let (log, to_log) = log_in(data);
    let (_server, address) = serve(data, "--journal-size 1 --flush-after 1d", to_log);
    let body = records();
    let request = format!(
        "POST /collect HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        token.trim_end(),
        body.len()
    );
    let responses: Vec<String> = (0..40).map(|_| http(&address, &request)).collect();
    let refused = responses
        .iter()
        .filter(|it| it.contains("JOURNAL_FULL"))
        .count();
    assert!(refused > 30, "{refused} of {} are refused", responses.len());
    let line = line_with(&log, "reason=JOURNAL_FULL");
    assert!(line.contains("WARN"), "{line}");
    let text = fs::read_to_string(&log).expect("the log");
    assert!(!text.contains("ERROR"), "{text}");
    let lines = text
        .lines()
        .filter(|line| line.contains("reason=JOURNAL_FULL"));
    assert!((1..=12).contains(&lines.count()), "{text}");
}
