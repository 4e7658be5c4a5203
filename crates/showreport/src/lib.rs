//! The executable: its command line, settings, wiring, log and signals.
//!
//! The only crate that starts tasks, reads the environment and ends the process.

mod allocator;
pub mod simulation;
pub mod telemetry;
pub mod settings;
pub mod shutdown;
pub mod wiring;
pub mod commands;

pub use allocator::give_large_blocks_back;
pub use commands::run;
