//! Everything that a shell script would have done: `cargo xtask` lists it.

mod check;
mod clients;
mod step;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  check     everything that must hold: format, lints, documentation, tests, real clients
  clients   only the last of these: real readers open the lake and the files of reports, and
            Google's clients have bulk reports made and fetched
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let done = match (arguments.next().as_deref(), arguments.next()) {
        (None | Some("help" | "--help" | "-h"), None) => {
            print!("{HELP}");
            Ok(())
        }
        (Some("check"), None) => check::run(),
        (Some("clients"), None) => clients::run(),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
