//! The log on stderr, as text or JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// The format of the log.
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
        // When a line cannot be written, for example on a full disk, the library would report that
        // on stderr too, and panic when that fails.
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

/// Returns a valid filter unchanged.
pub(crate) fn check_filter(text: &str) -> Result<String, String> {
    parse_filter(text).map(|_| text.to_owned())
}

/// Parses a filter. A level alone applies to our own crates; libraries log warnings and errors only.
fn parse_filter(text: &str) -> Result<EnvFilter, String> {
    let directives = if text.contains(['=', ',']) {
        text.to_owned()
    } else {
        let level: LevelFilter = text.parse().map_err(|_| {
            "must be off, error, warn, info, debug or trace, or a filter such as \
             info,showreport_lake=debug"
                .to_owned()
        })?;
        let others = level.min(LevelFilter::WARN);
        // The first logs an error for each table that does not exist yet, the second a line at each
        // vacuum.
        let silenced = "buoyant_kernel=off,deltalake_core::operations::vacuum=off";
        format!("{others},{silenced},showreport={level}")
    };
    EnvFilter::builder()
        .parse(&directives)
        .map_err(|error| format!("{error}; a filter is written as info,showreport_lake=debug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_applies_to_our_own_crates() {
        let filter = parse_filter("debug").expect("a level").to_string();
        assert!(filter.contains("showreport=debug"), "{filter}");
        assert!(filter.contains("warn"), "{filter}");
        assert!(parse_filter("error").is_ok());
        assert!(parse_filter("showreport=debug").is_ok());
        assert!(parse_filter("info,showreport_lake=trace").is_ok());
    }

    #[test]
    fn an_unknown_level_is_an_error() {
        assert!(parse_filter("loud").is_err());
        assert!(parse_filter("showreport=loud").is_err());
    }
}
