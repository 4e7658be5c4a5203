//! The executable: its command line, settings, wiring, log and signals.
//!
//! The only crate that starts tasks, reads the environment and ends the process.

pub mod simulation;
pub mod telemetry;
pub mod settings;
pub mod shutdown;
pub mod wiring;
pub mod commands;

pub use commands::run;
