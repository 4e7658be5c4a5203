//! The arguments of single calls of the program.

use std::path::Path;
use std::process::Stdio;

use clap::Command as Described;
use insta::assert_snapshot;
use serde_json::json;
use showreport_model::{Clock, ReportDay, SystemClock, Zone};

use crate::command_line::{acme, command, fails, http, printed, records, serve, write};

/// The arguments of a single call: those without a help heading.
fn asked_by_a_call(described: &Described) -> Vec<String> {
    let own = described.get_arguments();
    let own = own.filter(|arg| arg.get_help_heading().is_none());
    let mut names: Vec<String> = own
        .filter_map(|arg| arg.get_long().map(str::to_owned))
        .collect();
    for inner in described.get_subcommands() {
        names.extend(asked_by_a_call(inner));
    }
    names
}

/// The output of a command with an environment variable for each of these arguments.
fn printed_beside_left_overs(data: &Path, typed: &str) -> String {
    let mut left_over = command(data, typed);
    for name in asked_by_a_call(&showreport::commands::command()) {
        let variable = format!("SHOWREPORT_{}", name.replace('-', "_").to_uppercase());
        left_over.env(variable, "left over");
    }
    let output = left_over.output().expect("the program starts");
    assert!(output.status.success(), "{typed}: {output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn environment_variables_do_not_set_arguments_of_a_single_call() {
    let asked = asked_by_a_call(&showreport::commands::command());
    for name in [
        "day", "out", "type", "exit", "org", "event", "from", "to", "format", "scope", "viewers",
    ] {
        assert!(asked.iter().any(|it| it == name), "{name}: {asked:?}");
    }
    let data = acme();
    let data = data.path();
    write(data, "records.ndjson", records());
    printed(data, "import records.ndjson --org acme");
    printed(data, "token create --org acme --scope report");
    printed_beside_left_overs(data, "org create globex");
    for typed in [
        "token list",
        "report --org acme --event keynote --dimension watch-time",
        "bulk --org acme --type event_customers_a1 --day 2025-03-01",
    ] {
        assert_eq!(
            printed_beside_left_overs(data, typed),
            printed(data, typed),
            "{typed}"
        );
    }
}

/// A data directory with a chat message that a spreadsheet would run as a formula.
fn with_records() -> tempfile::TempDir {
    let data = acme();
    let formula = json!({
        "type": "chat", "event_id": "keynote", "message_id": "m1", "text": "=1+1",
        "sent_at": "2025-03-01T10:05:00Z", "customer_id": "ada",
    });
    write(
        data.path(),
        "records.ndjson",
        format!("{}{formula}\n", records()),
    );
    printed(data.path(), "import records.ndjson --org acme");
    data
}

const CHAT: &str = "report --org acme --event keynote --dimension chat-histories";
const WATCHED: &str = "report --org acme --event keynote --dimension watch-time";
const BULK_CHAT: &str = "bulk --org acme --type event_chat_messages_a1 --day 2025-03-01";

#[test]
fn the_extension_of_the_file_selects_the_format_or_must_match_it() {
    let data = with_records();
    let data = data.path();
    for (name, begins) in [
        ("chat.xlsx", &b"PK\x03\x04"[..]),
        ("chat.parquet", b"PAR1"),
        ("chat.jsonl", b"{\""),
        ("chat.csv", b"sent_at,"),
        ("chat", b"sent_at,"),
    ] {
        printed(data, &format!("{CHAT} --out {name}"));
        let file = std::fs::read(data.join(name)).expect("the file");
        assert!(file.starts_with(begins), "{name}");
    }
    for typed in [
        format!("{CHAT} --format csv --out other.xlsx"),
        format!("{CHAT} --out other.csv.gz"),
        format!("{BULK_CHAT} --out other.xlsx"),
    ] {
        let why = fails(data, &typed, 2);
        assert!(why.contains("other."), "{typed}: {why}");
    }
    let names = std::fs::read_dir(data).expect("a directory");
    let mut names = names.map(|entry| entry.expect("an entry").file_name());
    assert!(names.all(|name| !name.to_string_lossy().contains("other")));
}

#[test]
fn each_variant_of_a_csv_file_can_be_written() {
    let data = with_records();
    let data = data.path();
    for typed in [CHAT, BULK_CHAT] {
        let guarded = printed(data, typed);
        assert!(guarded.contains("'=1+1"), "{guarded}");
        assert_eq!(
            printed(data, &format!("{typed} --variant guarded")),
            guarded
        );
        let raw = printed(data, &format!("{typed} --variant raw"));
        assert_eq!(raw, guarded.replace("'=1+1", "=1+1"));
        let excel = printed(data, &format!("{typed} --variant excel"));
        assert_eq!(excel, format!("\u{feff}{guarded}"));
        fails(data, &format!("{typed} --variant exact"), 2);
    }
    let ndjson = printed(data, &format!("{CHAT} --format ndjson"));
    for variant in ["raw", "excel"] {
        let again = printed(data, &format!("{CHAT} --format ndjson --variant {variant}"));
        assert_eq!(again, ndjson, "only CSV has variants");
    }
}

#[test]
fn a_time_without_an_offset_is_of_the_organisations_zone() {
    let data = with_records();
    let data = data.path();
    // Taipei is eight hours ahead.
    let exact = printed(
        data,
        &format!("{WATCHED} --from 2025-03-01T10:15:00Z --to 2025-03-01T10:20:00Z"),
    );
    assert_eq!(exact.lines().count(), 3, "{exact}");
    let plain = format!("{WATCHED} --from 2025-03-01T18:15 --to 2025-03-01T18:20:00");
    assert_eq!(printed(data, &plain), exact);
    let day = printed(
        data,
        &format!("{WATCHED} --from 2025-03-01 --to 2025-03-02"),
    );
    assert_eq!(day, printed(data, WATCHED));
    let later = printed(data, &format!("{WATCHED} --from 2025-03-02"));
    assert_eq!(later.lines().count(), 1, "{later}");
    for wrong in [
        "--from 2025-03-01 --to 2025-03-01",
        "--from 18:15",
        "--to 1764441000000",
    ] {
        fails(data, &format!("{WATCHED} {wrong}"), 2);
    }
    printed(data, "org create berlin --time-zone Europe/Berlin");
    let report = "report --org berlin --event keynote --dimension watch-time --from";
    let why = fails(data, &format!("{report} 2025-10-26T02:30"), 2);
    assert!(why.contains("twice in Europe/Berlin"), "{why}");
    let why = fails(data, &format!("{report} 2025-03-30T02:30"), 2);
    assert!(why.contains("never was"), "{why}");
}

#[test]
fn a_day_that_has_not_begun_is_refused_and_today_is_not() {
    let data = with_records();
    let data = data.path();
    let zone: Zone = "Asia/Taipei".parse().expect("a zone");
    let bulk = |day: ReportDay| format!("bulk --org acme --type event_customers_a1 --day {day}");
    let today = zone.day_of(SystemClock.now());
    assert_eq!(printed(data, &bulk(today)).lines().count(), 1);
    for day in [today.plus(2), today.plus(400)] {
        let why = fails(data, &bulk(day), 2);
        assert!(why.contains("has not begun in Asia/Taipei"), "{why}");
    }
    let old = "1999-01-01".parse().expect("a day");
    let why = fails(data, &bulk(old), 2);
    assert!(why.contains("no record is older"), "{why}");
}

#[test]
fn figures_without_a_server_are_those_of_the_api() {
    let data = with_records();
    let data = data.path();
    let token = printed(data, "token create --org acme --scope report");
    let json = printed(data, "figures --org acme --event keynote --json");
    let (_server, address) = serve(data, "", Stdio::null());
    let response = http(
        &address,
        &format!(
            "GET /api/v1/events/keynote/figures HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\n\r\n",
            token.trim_end()
        ),
    );
    let (_, body) = response.split_once("\r\n\r\n").expect("a body");
    assert_eq!(json.trim_end(), body);
    let lines = printed(data, "figures --org acme --event keynote");
    // The time of the facts is another in each run.
    let (as_of, lines): (Vec<&str>, Vec<&str>) =
        lines.lines().partition(|line| line.starts_with("as of "));
    assert_eq!(as_of.len(), 1, "{as_of:?}");
    assert_snapshot!(lines.join("\n"), @"
    event id                  keynote
    views                     2
    viewers                   2
    devices                   0
    watch seconds             2,400.000
    attended seconds          2,400.000
    average watch seconds     1,200.000
    average view seconds      1,200.000
    peak viewers              2
    peak at                   2025-03-01T10:10:00.000Z
    average minute audience   -
    messages                  1
    senders                   1
    votes                     0
    voters                    0
    content seconds           0.000
    average share watched     -
    ");
    fails(data, "figures --org acme --event nothing", 1);
    fails(data, "figures --org acme", 2);
}
