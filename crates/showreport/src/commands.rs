//! The command line, with one file for each command.
//!
//! An error is printed once, here, on stderr. The exit code is 2 for wrong usage and 1 for other
//! failures.

mod output;
mod file;
mod destination;
mod columns;
mod lookup;
mod links;
mod token;
mod person;
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

/// Collects viewing, chat and polls of live and recorded shows, and makes exact reports of them.
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
    Person(person::Person),
    Keys(keys::Keys),
    Clock(clock::Clock),
    Import(import::Import),
    Report(report::Report),
    Figures(figures::Figures),
    Job(job::Job),
    Bulk(bulk::Bulk),
}

/// The command line without the environment and the settings file.
pub fn command() -> clap::Command {
    Line::command()
}

/// Parses a command line, runs its command and returns the exit code of the process.
pub fn run<A>(args: A) -> ExitCode
where
    A: IntoIterator<Item: Into<OsString>>,
{
    let parsed = settings::parse(command(), args)
        .and_then(|matches| Line::from_arg_matches(&matches).map_err(|e| e.format(&mut command())));
    let line = match parsed {
        Ok(line) => line,
        Err(error) => {
            // clap returns the text of `--help` as an error too. A failure to print it is ignored:
            // there is no other place to report it.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    match line.run() {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // If stderr is closed, the exit code alone reports the failure.
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
        // The demo draws progress bars on the terminal, which log lines would break.
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
            .context("start the runtime")?;
        let outcome = runtime.block_on(self.command.run(data_dir));
        // Do not wait for blocking threads: one may be reading stdin.
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
            Self::Person(command) => command.run(data_dir).await,
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

/// Whether stdout is a pipe that its reader has closed, as `head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

const MANUAL: &str = "\
Examples:
  Try everything with a simulated event:
    showreport demo

  Create an organisation, a token that sends and a token that reads, and start the server:
    showreport org create acme --time-zone Europe/Berlin
    showreport token create --org acme --scope collect
    showreport token create --org acme --scope report --expires 90d
    showreport serve --public-url https://reports.example.com

  Invite a person to the dashboard; the command prints a link to send:
    showreport person invite ada@example.com --org acme --role admin

  Load files of records, and make a report without a server:
    showreport import 2026-*.ndjson.gz --org acme
    showreport report --org acme --event keynote --dimension watch-time --group-by device-os
    showreport figures --org acme --event keynote

  Get a report of every day, or of one day without a server:
    showreport job create --org acme --type event_watch_time_a1
    showreport bulk --org acme --type event_watch_time_a1 --day 2026-11-22

Settings:
  The flags under `Server`, `Regions`, `Limits` and `Global options` are settings. Each can also be
  given as an environment variable (--data-dir is SHOWREPORT_DATA_DIR) or a key of showreport.toml
  (data_dir). A flag overrides the variable, the variable overrides the file, and the file
  overrides the default. All other flags, such as --org, --day and --out, exist as flags only.

Exit codes:
  0 success; 1 failure; 2 wrong usage. Errors, the log and progress go to stderr.

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
    fn the_help_of_every_command_has_examples() {
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
    fn wrong_usage_is_found_before_anything_is_opened() {
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
