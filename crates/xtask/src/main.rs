//! The commands of a developer: `cargo xtask` lists them.

mod supply;
mod tools;
mod npm;
mod clients;
mod players;
mod dashboard;
mod office;
mod first_hour;
mod defects;
mod check;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  check [--quick]
            everything that CI checks: format, lints, supply chain, documentation, tests, real
            clients, the first hour, small benchmarks, small torture. --quick: format, lints
            and tests only, without the network
  advisories
            fetches RustSec's database and looks up known holes in the dependencies
  clients   real clients: readers of other makes open the lake and the reports' files, Google's
            clients have bulk reports made and fetch them, a browser sends from a page, and libraries
            of CloudEvents, Segment and CMCD send
  players   plays in Chromium with five players, with showreport.js in the page, and writes the
            table of docs/players.md
  dashboard opens every page of the dashboard in Chromium: compares its figures with the API, uses
            its forms, and looks at it dark, narrow, printed, without scripts and by axe's rules
  pictures  makes the pictures of docs/dashboard.md
  spreadsheets
            LibreOffice opens the spreadsheets of reports
  first-hour
            what a new user does first, as the documentation says: the demo on terminals, viewer
            tokens of back ends, nginx, and a nightly load into PostgreSQL and DuckDB
  bench [ARGUMENT…]
            measures the product beside DuckDB and PostgreSQL; `bench --help` lists arguments
  torture [ARGUMENT…]
            breaks the product on purpose; `torture --help` lists arguments
  defects [NAME…]
            plants faults in a copy of the tree, all or those named, and shows that a test catches
            each
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["check"] => check::run(),
        ["check", "--quick"] => check::quick(),
        ["advisories"] => supply::advisories(),
        ["clients"] => clients::run(),
        ["players"] => players::run(),
        ["dashboard"] => dashboard::run(),
        ["pictures"] => dashboard::pictures(),
        ["spreadsheets"] => office::run(),
        ["first-hour"] => first_hour::run(),
        ["bench", arguments @ ..] => tools::bench(arguments),
        ["torture", arguments @ ..] => tools::torture(arguments),
        ["defects", names @ ..] => defects::run(names),
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
