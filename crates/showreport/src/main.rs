//! Showreport: exact reports of live and recorded shows.

use std::process::ExitCode;

fn main() -> ExitCode {
    showreport::give_large_blocks_back();
    // Only a program that was built for tests has fail points; `FAILPOINTS` says which of them do what.
    let _fail_points = fail::has_failpoints().then(fail::FailScenario::setup);
    showreport::run(std::env::args_os())
}
