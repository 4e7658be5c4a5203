//! The command line of the program.

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> Output {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_showreport-bench"));
    bench.args(arguments).output().expect("it runs")
}

#[test]
fn the_help_lists_every_part() {
    let help = bench(&["--help"]);
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).expect("text");
    for part in [
        "load",
        "compacted",
        "fresh",
        "collect",
        "flat",
        "start",
        "size",
        "beats",
    ] {
        assert!(help.contains(part), "{part} in {help}");
    }
}

#[test]
fn an_unknown_part_is_refused() {
    let refused = bench(&["--small", "speed"]);
    assert_eq!(refused.status.code(), Some(2));
    let reason = String::from_utf8(refused.stderr).expect("text");
    assert!(reason.contains("'speed'"), "{reason}");
}

#[test]
fn too_few_records_are_refused() {
    let refused = bench(&["--records", "9_999"]);
    assert_eq!(refused.status.code(), Some(2));
    let reason = String::from_utf8(refused.stderr).expect("text");
    assert!(reason.contains("at least 10000"), "{reason}");
}
