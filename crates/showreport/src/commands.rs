//! The command line: one file a command.
//!
//! A failure is printed once, here, on stderr. Wrong usage exits 2, failure 1.

mod output;
mod file;
mod destination;
mod columns;
mod token;
mod org;
mod keys;
mod clock;
mod serve;
mod import;
mod report;
mod figures;
mod bulk;
mod job;
mod demo;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::settings::{self, Global};
use crate::telemetry;
use output::Usage;

/// Exact reports of live and recorded shows: who watched, what was said, what was voted.
#[derive(Debug, Parser)]
#[command(name = "showreport", version, propagate_version = true)]
#[command(subcommand_required = true, arg_required_else_help = true)]
#[command(after_long_help = manual())]
struct Line {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Org(org::Org),
    Token(token::Token),
    Keys(keys::Keys),
    Clock(clock::Clock),
    Import(import::Import),
    Report(report::Report),
    Figures(figures::Figures),
    Job(job::Job),
    Bulk(bulk::Bulk),
}

/// The whole command line, as the parser and its tests see it.
pub fn command() -> clap::Command {
    Line::command()
}

/// Runs the command of a command line and says how the process ends.
pub fn run<A>(args: A) -> ExitCode
where
    A: IntoIterator<Item: Into<OsString>>,
{
    let parsed = settings::parse(command(), args)
        .and_then(|matches| Line::from_arg_matches(&matches).map_err(|e| e.format(&mut command())));
    let line = match parsed {
        Ok(line) => line,
        Err(error) => {
            // Help is no error, but travels as one; nothing can be done if it cannot be printed.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    match line.run() {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Where not even this can be written the exit code has to say it.
            drop(writeln!(io::stderr(), "error: {error:#}"));
            ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILURE })
        }
    }
}

const FAILURE: u8 = 1;
const USAGE: u8 = 2;

impl Line {
    fn run(self) -> anyhow::Result<ExitCode> {
        let is_demo = matches!(self.command, Command::Demo(_));
        // A demo draws on the terminal, where a log would be in the way.
        let default_level = if is_demo { "warn" } else { "info" };
        let filter = self.global.log_level.as_deref().unwrap_or(default_level);
        telemetry::start(self.global.log_format, filter).context("start the log")?;
        let default_dir = if is_demo {
            "./showreport-demo"
        } else {
            "./showreport-data"
        };
        let data_dir = self
            .global
            .data_dir
            .as_deref()
            .unwrap_or(Path::new(default_dir));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("start the threads of the program")?;
        let outcome = runtime.block_on(self.command.run(data_dir));
        // A blocking read, of stdin for one, must not hold up the end.
        runtime.shutdown_background();
        outcome
    }
}

impl Command {
    async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        match self {
            Self::Serve(command) => command.run(data_dir).await,
            Self::Demo(command) => command.run(data_dir).await,
            Self::Org(command) => command.run(data_dir).await,
            Self::Token(command) => command.run(data_dir).await,
            Self::Keys(command) => command.run(data_dir).await,
            Self::Clock(command) => command.run(data_dir).await,
            Self::Import(command) => command.run(data_dir).await,
            Self::Report(command) => command.run(data_dir).await,
            Self::Figures(command) => command.run(data_dir).await,
            Self::Job(command) => command.run(data_dir).await,
            Self::Bulk(command) => command.run(data_dir).await,
        }
    }
}

fn manual() -> String {
    format!("{MANUAL}\n\n{}", settings::DEFAULT_FILE)
}

/// Whether whoever read our output had enough, as `head` has.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

const MANUAL: &str = "\
Examples:
  See everything at once, with a simulated event:
    showreport demo

  Set up an organisation, a token for its players and one for its people, and serve:
    showreport org create acme --time-zone Europe/Berlin
    showreport token create --org acme --scope collect
    showreport token create --org acme --scope report --expires 90d
    showreport serve --public-url https://reports.example.com

  Load what was recorded before, and make a report without a server:
    showreport import 2026-*.ndjson.gz --org acme
    showreport report --org acme --event keynote --dimension watch-time --group-by device-os
    showreport figures --org acme --event keynote

  Have a report of every day from now on, or one day's without a server:
    showreport job create --org acme --type event_watch_time_a1
    showreport bulk --org acme --type event_watch_time_a1 --day 2026-11-22

Settings:
  What stays the same from call to call (the flags under `Server`, `Limits` and `Global options`)
  has an environment variable, SHOWREPORT_ and the flag's name in capitals, and a key in
  showreport.toml, the name with `_`. A flag beats the environment, which beats the file, which
  beats the default. What one call asks for (such as --org, --day, --out) has neither.

Exit codes:
  0 done; 1 failed; 2 wrong usage. Errors, the log and progress go to stderr.

The settings file, with every key and its default:";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_default_file_names_every_setting_and_no_other() {
        let (keys, defaults) = settings::keys_and_defaults(&command());
        let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
        assert_eq!(set(defaults), set(keys));
    }

    #[test]
    fn every_command_says_how_it_is_used() {
        let mut commands: Vec<clap::Command> = command().get_subcommands().cloned().collect();
        while let Some(command) = commands.pop() {
            if command.has_subcommands() {
                commands.extend(command.get_subcommands().cloned());
                continue;
            }
            let help = command.get_after_long_help().map(ToString::to_string);
            assert!(
                help.is_some_and(|help| help.starts_with("Examples:")),
                "{} has no examples",
                command.get_name()
            );
        }
    }

    #[test]
    fn wrong_usage_is_known_before_anything_is_opened() {
        for line in [
            &["showreport", "report", "--org", "acme"][..],
            &["showreport", "serve", "--listen", "here"],
            &[
                "showreport",
                "token",
                "create",
                "--org",
                "acme",
                "--scope",
                "all",
            ],
            &["showreport", "org", "create", "a/b"],
            &["showreport", "job", "create", "--org", "a", "--type", "b"],
            &["showreport", "serve", "--log-level", "loud"],
        ] {
            let error = settings::parse(command(), line).expect_err("wrong");
            assert_eq!(error.exit_code(), i32::from(USAGE), "{line:?}: {error}");
        }
    }
}
