//! The settings file: `showreport.toml`, whose keys are the names of settings.

use std::collections::BTreeMap;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::{CONFIG, key_name, key_of};

/// The settings file without `--config`, in the current directory.
pub(super) const FILE_NAME: &str = "showreport.toml";

/// The values of each key as texts of the command line.
#[derive(Debug, Default)]
pub(super) struct FileSettings(BTreeMap<String, Vec<String>>);

impl FileSettings {
    /// Reads the named file, or the one in the current directory if it exists.
    pub(super) fn read(command: &Command, named: Option<&Path>) -> Result<Self, clap::Error> {
        let path = named.unwrap_or(Path::new(FILE_NAME));
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                let message = format!("read the settings file {}: {error}", path.display());
                return Err(wrong(&message));
            }
        };
        Self::parse(command, &text)
            .map_err(|message| wrong(&format!("the settings file {}: {message}", path.display())))
    }

    /// Parses a file and checks each value with the parser of its flag.
    pub(super) fn parse(command: &Command, text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("{error}"))?;
        let flags = flags(command);
        let mut settings = BTreeMap::new();
        for (key, value) in table {
            let Some(uses) = flags.get(&key) else {
                return Err(no_such_key(&key, command, &flags));
            };
            let values = texts(&value).ok_or_else(|| {
                format!("`{key}` must be a text, a number, true, false or a list of these")
            })?;
            for arg in uses {
                check(arg, &values).map_err(|message| format!("`{key}`: {message}"))?;
            }
            settings.insert(key, values);
        }
        Ok(Self(settings))
    }

    /// Makes the values the defaults of their flags, in every command.
    pub(super) fn apply(&self, command: Command) -> Command {
        command
            .mut_args(|arg| {
                match key_of(&arg).and_then(|key| self.0.get(&key)) {
                    // A required flag may be omitted if the file has its value.
                    Some(values) => arg.required(false).default_values(values.clone()),
                    None => arg,
                }
            })
            .mut_subcommands(|command| self.apply(command))
    }
}

fn no_such_key(key: &str, command: &Command, flags: &BTreeMap<String, Vec<Arg>>) -> String {
    let problem = if has_flag(command, key) {
        format!(
            "`{key}` is not a setting; use the flag --{} instead",
            key.replace('_', "-")
        )
    } else {
        format!("the key `{key}` is unknown")
    };
    let valid: Vec<&str> = flags.keys().map(String::as_str).collect();
    format!("{problem}; the keys are {}", valid.join(", "))
}

/// Whether any command has a flag of this name.
fn has_flag(command: &Command, key: &str) -> bool {
    let mut flags = command.get_arguments();
    flags.any(|arg| key_name(arg).is_some_and(|name| name == key))
        || command.get_subcommands().any(|it| has_flag(it, key))
}

/// Every key with its flags in all commands.
pub(super) fn flags(command: &Command) -> BTreeMap<String, Vec<Arg>> {
    let mut flags: BTreeMap<String, Vec<Arg>> = BTreeMap::new();
    for arg in command.get_arguments() {
        // A settings file cannot name the settings file.
        if let Some(key) = key_of(arg).filter(|key| key != CONFIG) {
            flags.entry(key).or_default().push(arg.clone());
        }
    }
    for command in command.get_subcommands() {
        for (key, args) in self::flags(command) {
            flags.entry(key).or_default().extend(args);
        }
    }
    flags
}

/// A value as texts of the command line.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(values) => values.iter().map(text).collect(),
        value => text(value).map(|text| vec![text]),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        // A time needs no quotes in TOML.
        Value::Datetime(time) => Some(time.to_string()),
        Value::Array(_) | Value::Table(_) => None,
    }
}

/// Parses the values with a command that has only this flag. As a default, a wrong value would be a
/// panic of clap and not an error.
fn check(arg: &Arg, values: &[String]) -> Result<(), String> {
    let long = arg.get_long().expect("a key is the name of a flag");
    if values.len() != 1 && !matches!(arg.get_action(), ArgAction::Append) {
        return Err("takes one value".to_owned());
    }
    let line = values.iter().map(|value| format!("--{long}={value}"));
    Command::new(FILE_NAME)
        .no_binary_name(true)
        .arg(arg.clone().required(false))
        .try_get_matches_from(line)
        .map(|_| ())
        .map_err(|error| {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            text.split("\n\nFor more")
                .next()
                .unwrap_or(text)
                .trim()
                .to_owned()
        })
}

fn wrong(message: &str) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n"))
}
