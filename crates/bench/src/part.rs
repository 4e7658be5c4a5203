//! What a part of the benchmarks is.

use super::run::Run;

/// One thing that is measured, and compared with a peer where there is one.
pub(crate) trait Part: Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    fn title(&self) -> &'static str;

    /// Measures, and adds tables to the run. Results that differ from the peer's are in the tables,
    /// and fail the run in the end.
    fn run(&self, run: &mut Run) -> anyhow::Result<()>;
}
