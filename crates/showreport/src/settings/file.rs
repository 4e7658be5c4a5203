//! The settings file: `showreport.toml`, whose keys are the names of settings.

use std::collections::BTreeMap;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

use super::{CONFIG, key_name, key_of};

/// The file that is read where none is named.
pub(super) const FILE_NAME: &str = "showreport.toml";

/// The values of each key, as they would stand after the flag.
#[derive(Debug, Default)]
pub(super) struct FileSettings(BTreeMap<String, Vec<String>>);

impl FileSettings {
    /// Reads the file that was named, or the one in the current directory if there is one.
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

    /// Reads the text of a file and checks each value as its flag would.
    pub(super) fn parse(command: &Command, text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|error| format!("{error}"))?;
        let flags = flags(command);
        let mut settings = BTreeMap::new();
        for (key, value) in table {
            let Some(uses) = flags.get(&key) else {
                return Err(no_such_key(&key, command, &flags));
            };
            let values = texts(&value).ok_or_else(|| {
                format!("`{key}` is a table or a time; it takes a text, a number, true, false or a list of these")
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
                    // What the file gives need not be given again.
                    Some(values) => arg.required(false).default_values(values.clone()),
                    None => arg,
                }
            })
            .mut_subcommands(|command| self.apply(command))
    }
}

fn no_such_key(key: &str, command: &Command, flags: &BTreeMap<String, Vec<Arg>>) -> String {
    let problem = if asks_for(command, key) {
        format!(
            "`{key}` is no setting, but says what one call asks for; give it as --{} each time",
            key.replace('_', "-")
        )
    } else {
        format!("there is no key `{key}`")
    };
    let valid: Vec<&str> = flags.keys().map(String::as_str).collect();
    format!("{problem}; the keys are {}", valid.join(", "))
}

/// Whether any command has a flag of this name.
fn asks_for(command: &Command, key: &str) -> bool {
    let mut flags = command.get_arguments();
    flags.any(|arg| key_name(arg).is_some_and(|name| name == key))
        || command.get_subcommands().any(|it| asks_for(it, key))
}

/// Every key with the flags of that name, over all commands.
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

/// A value as the texts that would stand after the flag.
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

/// Parses the values as the flag alone, since a wrong default is a fault to the parser, not an error.
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
