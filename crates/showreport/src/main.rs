//! Showreport: exact reports of live and recorded shows.

use std::process::ExitCode;

/// glibc's allocator keeps the memory of the largest report. jemalloc returns unused memory after
/// the time that `.cargo/config.toml` sets.
#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Only builds for tests have fail points, which the variable `FAILPOINTS` sets.
    let _fail_points = fail::has_failpoints().then(fail::FailScenario::setup);
    showreport::run(std::env::args_os())
}
