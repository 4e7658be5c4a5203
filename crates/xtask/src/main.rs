//! Everything that a shell script would have done: `cargo xtask` lists it.

mod step;
mod python;
mod supply;
mod clients;
mod office;
mod first_hour;
mod rig;
mod bench;
mod torture;
mod defects;
mod check;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  check     everything that must hold: format, lints, supply chain, documentation, tests, real clients,
            the first hour, small benchmarks, small torture
  advisories
            asks RustSec's database, which it fetches, for known holes in what we use
  clients   only real clients: real readers open the lake and the files of reports, and
            Google's clients have bulk reports made and fetched, and a browser sends from a page
  spreadsheets
            only LibreOffice, which opens spreadsheets that we made
  first-hour
            only what a new user does first: the demo on terminals, and as the documentation has
            them a page that sends playback, nginx, and a nightly load into PostgreSQL and DuckDB
  bench [--records N] [--binary PATH] [--small] [PART…]
            measures us beside others, and writes docs/benchmarks.md if no part is named.
            N is 22,600,000 unless given, and needs 30 GB of disk; PATH is a program to measure
            instead of one built for it; --small is what the check does: few records, a
            development build, only the results. Parts: load, compacted, fresh, collect, flat,
            start, size
  torture [--small] [--seed N] [--rounds N] [--binary PATH] [PART…]
            breaks things on purpose and says what held, a line a part. --small is what the check
            does, on a development build; N of --rounds is how often a part does its worst, by
            default as often as docs/guarantees.md asks for. A run is repeated by its seed, which
            it prints. PATH is a program to torment instead of one built for it; it must have
            fail points, as one that `cargo test` builds
  defects [NAME…]
            plants faults in a copy of the tree, all or those named, and shows that a test catches each
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
        ["advisories"] => supply::advisories(),
        ["clients"] => clients::run(),
        ["spreadsheets"] => office::run(),
        ["first-hour"] => first_hour::run(),
        ["bench", rest @ ..] => match bench::Wish::read(rest) {
            Some(wish) => bench::run(&wish),
            None => return wrong_usage(),
        },
        ["defects", names @ ..] => defects::run(names),
        ["torture", rest @ ..] => match torture::Wish::read(rest) {
            Some(wish) => torture::run(&wish),
            None => return wrong_usage(),
        },
        _ => return wrong_usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn wrong_usage() -> ExitCode {
    eprint!("{HELP}");
    ExitCode::from(2)
}
