//! The program: command line, settings, wiring of the parts, log and signals.
//!
//! Only this crate starts tasks, reads the environment and ends the process.

pub mod simulation;
pub mod telemetry;
pub mod settings;
pub mod shutdown;
pub mod wiring;
pub mod commands;

pub use commands::run;
