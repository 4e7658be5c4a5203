//! The log: to stderr, as text or JSON. Figures go to `/metrics` instead.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// A form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines of text.
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts the log of this process.
pub(crate) fn start(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let log = tracing_subscriber::fmt()
        .with_env_filter(parse_filter(filter).map_err(anyhow::Error::msg)?)
        .with_writer(std::io::stderr)
        // A log that cannot be written, on a full disk for one, must not stop who writes it: the library
        // would say so on stderr, and panic when that fails too.
        .log_internal_errors(false);
    match format {
        LogFormat::Text => log
            .with_ansi(std::io::stderr().is_terminal())
            .finish()
            .try_init()?,
        LogFormat::Json => log.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

/// Says what is wrong with a filter.
pub(crate) fn check_filter(text: &str) -> Result<String, String> {
    parse_filter(text).map(|_| text.to_owned())
}

/// Reads a filter. A level alone is meant for our own crates: the libraries
/// below them say only what is wrong.
fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    let directives = if text.contains(['=', ',']) {
        text.to_owned()
    } else {
        let level: LevelFilter = text.parse().map_err(|_| {
            format!(
                "{text:?} is none of off, error, warn, info, debug, trace; a filter of several \
                 parts looks like info,showreport_lake=debug"
            )
        })?;
        let others = level.min(LevelFilter::WARN);
        // One calls a table that is about to be made an error, one says at each vacuum how new a part of it is.
        let hushed = "buoyant_kernel=off,deltalake_core::operations::vacuum=off";
        format!("{others},{hushed},showreport={level}")
    };
    EnvFilter::builder()
        .parse(&directives)
        .map_err(|error| format!("{error}; a filter looks like info,showreport_lake=debug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_meant_for_our_own_crates() {
        let filter = parse_filter("debug").expect("a level").to_string();
        assert!(filter.contains("showreport=debug"), "{filter}");
        assert!(filter.contains("warn"), "{filter}");
        assert!(parse_filter("error").is_ok());
        assert!(parse_filter("showreport=debug").is_ok());
        assert!(parse_filter("info,showreport_lake=trace").is_ok());
    }

    #[test]
    fn what_is_no_level_is_an_error() {
        assert!(parse_filter("loud").is_err());
        assert!(parse_filter("showreport=loud").is_err());
    }
}
