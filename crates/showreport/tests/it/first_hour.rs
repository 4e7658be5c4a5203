//! The commands of the documentation for new users: the tour of the README, the demo, the examples.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::command_line::printed;
use crate::harness::show::{Show, at, watches};

const README: &str = include_str!("../../../../README.md");

/// The fenced blocks of a language.
fn fenced<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let rests: Vec<&str> = text.split(fence.as_str()).skip(1).collect();
    let blocks = rests.into_iter().map(|rest| rest.split("```").next());
    blocks.map(Option::unwrap_or_default).collect()
}

/// The tour in the README.
fn tour() -> &'static str {
    let (_, section) = README.split_once("\n## A tour").expect("a tour");
    section.split("\n## ").next().unwrap_or(section)
}

/// A free port.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// Runs a script as a terminal would that stands in `directory`, with our program on its path and a
/// `cargo` that has built it already.
fn run_script(directory: &Path, script: &str) -> Output {
    let cargo = directory.join("cargo");
    fs::write(&cargo, "#!/bin/sh\n").expect("write");
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).expect("make it a program");
    let ours = Path::new(env!("CARGO_BIN_EXE_showreport"));
    let ours = ours.parent().expect("it lies in a directory");
    let path = format!(
        "{}:{}:/usr/local/bin:/usr/bin:/bin",
        directory.display(),
        ours.display()
    );
    // A server that the script started ends with it.
    let script = format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}");
    Command::new("timeout")
        .args(["120", "bash", "-euc", &script])
        .env("PATH", path)
        .current_dir(directory)
        .output()
        .expect("timeout and bash are there")
}

#[test]
fn the_tour_of_the_readme_can_be_pasted() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = format!("127.0.0.1:{}", free_port());
    let commands = fenced(tour(), "sh").join("\n");
    assert!(commands.contains("127.0.0.1:8470"), "{commands}");
    let commands = commands.replace("127.0.0.1:8470", &address);
    let script = format!("export SHOWREPORT_LISTEN={address}\n{commands}");
    let output = run_script(directory.path(), &script);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{problems}");
    let shown = fenced(tour(), "text");
    assert!(shown.len() >= 3, "it shows what is printed");
    for line in shown.iter().flat_map(|block| block.lines()) {
        // Values that change are replaced by an ellipsis.
        for part in line.split('…') {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
    }
}

/// Comments are commands, and words after one are arguments, where an interactive zsh pastes them.
#[test]
fn no_command_of_the_readme_has_a_comment() {
    let commands = fenced(README, "sh");
    assert!(commands.len() > 5, "{commands:?}");
    for line in commands.iter().flat_map(|block| block.lines()) {
        assert!(!line.starts_with('#') && !line.contains(" #"), "{line}");
    }
}

fn demo(directory: &Path, viewers: u32) -> String {
    let typed = format!(
        "demo --exit --viewers {viewers} --listen 127.0.0.1:{} --data-dir show",
        free_port()
    );
    printed(directory, &typed)
}

/// The commands that a demo prints at its end.
fn onward(text: &str) -> String {
    let (_, onward) = text.split_once("\nGo on").expect("it says how to go on");
    let lines = onward.lines().skip(1);
    let commands: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    commands.join("\n")
}

#[test]
fn a_demo_that_is_run_again_adds_nothing_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let nothing = "nothing was added";
    let first = demo(directory, 3);
    assert!(!first.contains(nothing), "{first}");
    let again = demo(directory, 3);
    assert!(again.contains(nothing), "{again}");
    let figures = |text: &str| {
        let (_, rest) = text.split_once("\nFigures").expect("figures");
        rest.split("\nGo on").next().expect("a part").to_owned()
    };
    assert_eq!(figures(&first), figures(&again));
    // Another number of viewers is another event, which changes nothing of the first one.
    let other = demo(directory, 1);
    assert!(!other.contains(nothing), "{other}");
    assert!(other.contains("with 1 viewer\n"), "{other}");
    for text in [&first, &again, &other] {
        let singular = [" 1 voters", " 1 viewers", " 1 requests", " 1 messages"];
        assert!(!singular.iter().any(|word| text.contains(word)), "{text}");
    }
    assert_eq!(figures(&demo(directory, 3)), figures(&first));
}

#[test]
fn a_demo_prints_the_commands_for_its_figures() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let commands = onward(&demo(directory, 2));
    let output = run_script(directory, &commands);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{commands}\n{text}");
    let (_, figures) = text.split_once("keynote-2\n").expect(&text);
    let figures: Vec<Vec<&str>> = figures
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(figures.contains(&vec!["viewers", "2"]), "{text}");
}

#[test]
fn the_show_of_a_demo_is_in_the_bulk_report_of_the_day_before() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let text = demo(directory, 3);
    let (_, day) = text.split_once("live on ").expect("its day");
    let day = day.split_whitespace().next().expect("a date");
    let typed = format!("bulk --org demo --type event_watch_time_a1 --day {day} --data-dir show");
    let rows = printed(directory, &typed);
    for (event, kind) in [("keynote-3", "live"), ("keynote-3-replay", "vod")] {
        let of_event = format!(",{event},{kind},");
        assert!(rows.lines().any(|row| row.contains(&of_event)), "{rows}");
    }
    let today = Command::new("date").args(["-u", "+%F"]).output();
    let today = String::from_utf8(today.expect("date runs").stdout).expect("UTF-8");
    assert!(day < today.trim(), "{day} is before {today}");
}

#[test]
fn every_record_of_the_page_about_records_is_accepted() {
    let page = include_str!("../../../../docs/records.md");
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    printed(directory, "org create acme --data-dir show");
    for (language, name, count) in [("json", "page.ndjson", 7), ("csv", "page.csv", 1)] {
        fs::write(directory.join(name), fenced(page, language).concat()).expect("write");
        let text = printed(
            directory,
            &format!("import {name} --org acme --data-dir show"),
        );
        let records = if count == 1 { "record" } else { "records" };
        assert_eq!(text, format!("accepted {count} {records}, rejected 0\n"));
    }
}

/// The example of docs/figures.md.
#[tokio::test]
async fn the_figures_of_the_example_are_those_of_the_page() {
    let page = include_str!("../../../../docs/figures.md");
    let show = Show::new().await;
    let on = |device: &str, mut record: Value| {
        record["device_id"] = json!(device);
        record
    };
    let mut guest = watches("", "guest-1", "10:15..10:20");
    guest["customer_id"] = json!(null);
    show.send([
        json!({"type": "event", "kind": "live", "title": "Keynote", "starts_at": at("10:00"), "ends_at": at("10:40")}),
        on("phone", watches("ada", "ada-1", "10:00..10:30")),
        on("laptop", watches("ada", "ada-2", "10:20..10:40")),
        on("tab", watches("ben", "ben-1", "10:10..10:20")),
        on("tab", watches("ben", "ben-1", "10:25..10:40")),
        on("television", guest),
    ])
    .await;
    let path = "/api/v1/events/keynote/figures";
    let figures = show.app.get(&show.org, path).await.ok();
    for (figure, value, told) in [
        ("views", json!(4), "any watched time | 4 |"),
        ("viewers", json!(3), "saw any of it? | 3 |"),
        ("devices", json!(4), "known id count | 4 |"),
        ("watch_seconds", json!(4800.0), ": 80 minutes |"),
        ("attended_seconds", json!(4200.0), ": 70 minutes |"),
        ("peak_viewers", json!(3), "| 3, at 10:15:00.000 |"),
        ("peak_at", json!(at("10:15:00.000")), "at 10:15:00.000 |"),
        ("average_minute_audience", json!(1.75), "70 ÷ 40 = 1.75"),
    ] {
        assert_eq!(figures[figure], value, "{figure}");
        assert!(page.contains(told), "the page says {told:?}");
    }
}

/// The documents by their path in the repository.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names = Vec::new();
    for folder in ["", "docs/", "docs/testing/"] {
        let entries = fs::read_dir(root.join(folder)).expect("the folder");
        for entry in entries {
            let name = entry.expect("readable").file_name();
            let name = name.to_str().expect("UTF-8");
            if Path::new(name).extension().is_some_and(|it| it == "md") {
                names.push(format!("{folder}{name}"));
            }
        }
    }
    names
        .into_iter()
        .map(|name| {
            let text = fs::read_to_string(root.join(&name)).expect("readable");
            (name, text)
        })
        .collect()
}

/// Where the links of a document lead that leave no repository: a file, and a heading or nothing.
fn links(text: &str) -> Vec<(String, String)> {
    let targets = text.split("](").skip(1);
    let targets = targets.filter_map(|rest| rest.split(')').next());
    let inside = targets.filter(|target| !target.contains("://") && !target.contains(' '));
    inside
        .map(|target| {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            (file.to_owned(), heading.to_owned())
        })
        .collect()
}

/// A heading as links name it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_link_between_documents_leads_somewhere_and_the_readme_names_every_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documents = documents();
    let mut count = 0;
    for (name, text) in &documents {
        let folder = root.join(name).parent().expect("a folder").to_owned();
        for (file, heading) in links(text) {
            let path = if file.is_empty() {
                root.join(name)
            } else {
                folder.join(&file)
            };
            assert!(path.exists(), "{name} links {file}");
            count += 1;
            if heading.is_empty() {
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable");
            let headings = text.lines().filter(|line| line.starts_with('#'));
            let found = headings.map(|line| anchor(line.trim_start_matches('#').trim_start()));
            assert!(
                found.into_iter().any(|anchor| anchor == heading),
                "{name} links {file}#{heading}"
            );
        }
    }
    assert!(count > 50, "{count} links");
    for (name, _) in documents
        .iter()
        .filter(|(name, _)| name.starts_with("docs/"))
    {
        assert!(README.contains(&format!("]({name})")), "{name} is linked");
    }
}
