//! Settings from flags, the environment, `showreport.toml` and defaults, in this order.
//!
//! A flag is a setting if its help has a heading (Server, Regions, Limits, Global options). The other flags
//! belong to one call and have neither a variable nor a key: a variable that is still set would
//! change every later command. This module adds the variables and the keys to all commands.

mod file;
pub(crate) mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command};

use crate::telemetry::{LogFormat, check_filter};
use file::FileSettings;

/// A settings file with every key and its default, commented out.
pub const DEFAULT_FILE: &str = include_str!("../showreport.default.toml");

/// Prefix of all environment variables.
const PREFIX: &str = "SHOWREPORT_";

/// The flag that names the settings file.
const CONFIG: &str = "config";

/// The flags that every command has.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Directory that holds all data [default: ./showreport-data, for demo ./showreport-demo]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// Settings file [default: ./showreport.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Format of the log on stderr
    #[arg(long, global = true, value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// Log level: error, warn, info, debug, trace, off, or a filter such as
    /// `info,showreport_lake=debug` [default: info, for demo warn]
    #[arg(long, global = true, value_name = "FILTER", value_parser = check_filter)]
    pub log_level: Option<String>,
}

/// Parses the command line over the environment over the settings file.
pub fn parse<A>(command: Command, args: A) -> Result<ArgMatches, clap::Error>
where
    A: IntoIterator<Item: Into<OsString>>,
{
    parse_over(command, args, PREFIX)
}

fn parse_over<A>(command: Command, args: A, prefix: &str) -> Result<ArgMatches, clap::Error>
where
    A: IntoIterator<Item: Into<OsString>>,
{
    let command = with_environment(command, prefix);
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    // The first pass only finds the settings file. The second one reports errors.
    let sketch = command
        .clone()
        .ignore_errors(true)
        .try_get_matches_from(&args)?;
    let named = sketch.try_get_one::<PathBuf>(CONFIG).ok().flatten();
    let file = FileSettings::read(&command, named.map(PathBuf::as_path))?;
    file.apply(command).try_get_matches_from(args)
}

/// Gives every setting of every command its environment variable.
fn with_environment(command: Command, prefix: &str) -> Command {
    command
        .mut_args(|arg| match key_of(&arg) {
            Some(key) => {
                let name = format!("{prefix}{}", key.to_ascii_uppercase());
                // An empty variable counts as not set, as in shells and compose files.
                if std::env::var_os(&name).is_some_and(|value| value.is_empty()) {
                    arg
                } else {
                    arg.env(name).hide_env_values(true)
                }
            }
            None => arg,
        })
        .mut_subcommands(|command| with_environment(command, prefix))
}

/// The key of a setting. Flags that are not settings have none.
fn key_of(arg: &Arg) -> Option<String> {
    arg.get_help_heading()?;
    key_name(arg)
}

/// The name of a flag with `_` instead of `-`. Positional arguments have none.
fn key_name(arg: &Arg) -> Option<String> {
    Some(arg.get_long()?.replace('-', "_"))
}

/// The keys that a command knows, and the keys in the default file, where they are comments.
#[cfg(test)]
pub(crate) fn keys_and_defaults(command: &Command) -> (Vec<String>, Vec<String>) {
    let text: String = DEFAULT_FILE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") => setting,
            _ => "",
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    FileSettings::parse(command, &text).expect("every value is valid");
    let table: toml::Table = text.parse().expect("TOML");
    (
        file::flags(command).into_keys().collect(),
        table.keys().cloned().collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A command whose flags are named like variables that cargo sets for tests.
    fn command() -> Command {
        let flag = |name| Arg::new(name).long(name).help_heading("Settings");
        Command::new("test")
            .arg(
                Arg::new("config")
                    .long("config")
                    .global(true)
                    .help_heading("Settings")
                    .value_parser(clap::value_parser!(PathBuf)),
            )
            .subcommand(
                Command::new("go")
                    .arg(Arg::new("version").long("version"))
                    .arg(flag("name").required(true))
                    .arg(flag("other-flag").required(true))
                    .arg(
                        flag("count")
                            .value_parser(clap::value_parser!(u16))
                            .default_value("1"),
                    ),
            )
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("write");
        file
    }

    fn parse_with(text: &str, args: &[&str], prefix: &str) -> Result<ArgMatches, clap::Error> {
        let file = file(text);
        let mut line: Vec<OsString> = vec!["test".into(), "go".into()];
        line.extend(["--config".into(), file.path().into()]);
        line.extend(args.iter().map(OsString::from));
        let matches = parse_over(command(), line, prefix)?;
        Ok(matches.subcommand_matches("go").expect("go").clone())
    }

    #[test]
    fn a_flag_overrides_the_environment_and_the_environment_overrides_the_file() {
        let text = "name = 'from the file'\nother_flag = 'from the file'";
        let one = |args: &[&str], prefix| {
            let matches = parse_with(text, args, prefix).expect("valid");
            let get = |name| matches.get_one::<String>(name).expect("given").clone();
            (get("name"), get("other-flag"))
        };
        let from_file = "from the file".to_owned();
        assert_eq!(one(&[], "NONE_"), (from_file.clone(), from_file.clone()));
        // Cargo sets CARGO_PKG_NAME where tests run.
        let package = env!("CARGO_PKG_NAME").to_owned();
        assert_eq!(one(&[], "CARGO_PKG_"), (package, from_file.clone()));
        let flag = "from the flag".to_owned();
        assert_eq!(
            one(&["--name", "from the flag"], "CARGO_PKG_"),
            (flag, from_file)
        );
    }

    #[test]
    fn a_flag_that_is_no_setting_has_neither_a_variable_nor_a_key() {
        let settings = "name='a'\nother_flag='b'";
        // Cargo sets CARGO_PKG_VERSION where tests run.
        let matches = parse_with(settings, &[], "CARGO_PKG_").expect("valid");
        assert_eq!(matches.get_one::<String>("version"), None);
        let flag = ["--version", "7"];
        let matches = parse_with(settings, &flag, "CARGO_PKG_").expect("valid");
        assert_eq!(matches.get_one::<String>("version"), Some(&"7".to_owned()));
        let error = parse_with("version = '7'", &[], "NONE_").expect_err("no setting");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(
            text.contains("`version`") && text.contains("--version"),
            "{text}"
        );
    }

    #[test]
    fn the_file_overrides_a_default() {
        let matches = parse_with("name='a'\nother_flag='b'\ncount = 7", &[], "NONE_");
        let matches = matches.expect("valid");
        assert_eq!(matches.get_one::<u16>("count"), Some(&7));
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_valid_ones() {
        let error = parse_with("nmae = 'a'", &[], "NONE_").expect_err("unknown");
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(text.contains("`nmae`"), "{text}");
        assert!(text.contains("count, name, other_flag"), "{text}");
    }

    #[test]
    fn a_wrong_value_in_the_file_is_an_error_that_names_its_key() {
        let error = parse_with("count = 'many'", &[], "NONE_").expect_err("no number");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("`count`"), "{error}");
        let error = parse_with("count = [1, 2]", &[], "NONE_").expect_err("two numbers");
        assert!(error.to_string().contains("one value"), "{error}");
    }

    #[test]
    fn a_file_that_is_named_has_to_be_there() {
        let line = ["test", "--config", "/nowhere/at-all.toml", "go"];
        let error = parse_over(command(), line, "NONE_").expect_err("missing");
        assert_eq!(error.exit_code(), 2);
    }
}
