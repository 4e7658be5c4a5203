//! The first hour of a new user: the README's tour, pasted from its first line to its last, and the demo.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::command_line::printed;

const README: &str = include_str!("../../../../README.md");

/// The fenced blocks of a language.
fn fenced<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let rests: Vec<&str> = text.split(fence.as_str()).skip(1).collect();
    let blocks = rests.into_iter().map(|rest| rest.split("```").next());
    blocks.map(Option::unwrap_or_default).collect()
}

/// The section of the README that is the tour.
fn tour() -> &'static str {
    let (_, section) = README.split_once("\n## A tour").expect("a tour");
    section.split("\n## ").next().unwrap_or(section)
}

/// A port that nothing listens on.
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
    // A server that it started ends with it, whatever happens.
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
        // What changes from day to day is shown as an ellipsis.
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

/// The commands with which a demo says how to go on.
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
fn a_demo_says_how_to_go_on_to_the_figures() {
    let directory = tempfile::tempdir().expect("a directory");
    let directory = directory.path();
    let commands = onward(&demo(directory, 2));
    let script = format!("{commands}\nkill $!");
    let output = run_script(directory, &script);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{script}\n{text}");
    let last = text.trim_end().lines().next_back().expect("an answer");
    let figures: Value = serde_json::from_str(last).expect(last);
    assert_eq!(figures["event_id"], "keynote-2", "{figures}");
    assert_eq!(figures["viewers"], 2, "{figures}");
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
    for (event, kind) in [("keynote-3", "live"), ("keynote-3-vod", "vod")] {
        let of_event = format!(",{event},{kind},");
        assert!(rows.lines().any(|row| row.contains(&of_event)), "{rows}");
    }
    let today = Command::new("date").args(["-u", "+%F"]).output();
    let today = String::from_utf8(today.expect("date runs").stdout).expect("UTF-8");
    assert!(day < today.trim(), "{day} is before {today}");
}
