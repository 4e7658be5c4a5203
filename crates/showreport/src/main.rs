//! Showreport: exact reports of live and recorded shows.

use std::process::ExitCode;

fn main() -> ExitCode {
    showreport::give_large_blocks_back();
    showreport::run(std::env::args_os())
}
