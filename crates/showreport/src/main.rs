//! Showreport: exact reports of live and recorded shows.

use std::process::ExitCode;

/// The system's own would keep what its largest report took; `.cargo/config.toml` says what this one keeps.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Only a program that was built for tests has fail points; `FAILPOINTS` says which of them do what.
    let _fail_points = fail::has_failpoints().then(fail::FailScenario::setup);
    showreport::run(std::env::args_os())
}
