//! The command line of the program.

use std::process::{Command, Output};

fn torture(arguments: &[&str]) -> Output {
    let mut torture = Command::new(env!("CARGO_BIN_EXE_showreport-torture"));
    torture.args(arguments).output().expect("it runs")
}

#[test]
fn the_help_lists_every_part() {
    let help = torture(&["--help"]);
    assert!(help.status.success());
    let help = String::from_utf8(help.stdout).expect("text");
    for part in ["crashes", "power", "tenants", "slow", "fuzz"] {
        assert!(help.contains(part), "{part} in {help}");
    }
}

#[test]
fn an_unknown_part_is_refused() {
    let refused = torture(&["--small", "crash"]);
    assert_eq!(refused.status.code(), Some(2));
    let reason = String::from_utf8(refused.stderr).expect("text");
    assert!(reason.contains("'crash'"), "{reason}");
}
