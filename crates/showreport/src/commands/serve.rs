//! `showreport serve`: runs the server.

use std::path::Path;
use std::process::ExitCode;

use showreport_server::PUBLIC_URL_BYTES_MAX;

use super::output::print_line;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Parts, Running, ServerArgs, ServerLimits};

/// Runs the server
///
/// Collects records, makes reports and serves their files until Ctrl-C or SIGTERM. Prints one line,
/// `listening on http://…`, when it is ready.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Serve {
    #[command(flatten)]
    server: ServerArgs,

    /// Base URL of links to files, as clients reach the server [default: http:// and the listen
    /// address]
    #[arg(long, value_name = "URL", value_parser = public_url, help_heading = "Server")]
    public_url: Option<String>,

    #[command(flatten)]
    limits: ServerLimits,
}

const EXAMPLES: &str = "\
Examples:
  showreport serve
  showreport serve --data-dir /var/lib/showreport --listen 0.0.0.0:8470 \\
      --public-url https://reports.example.com
  SHOWREPORT_LOG_FORMAT=json showreport serve --report-retention 7d --query-memory 4GiB

Create an organisation and tokens with `showreport org create` and `showreport token create`,
before the start or while the server runs. All other commands work beside a running server too.

SIGTERM or Ctrl-C stops the server: it answers the requests in progress, then exits 0. A second
Ctrl-C ends it at once. In both cases no accepted record is lost.";

impl Serve {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let mut shutdown = Shutdown::listen()?;
        let directory = DataDir::create(data_dir)?;
        // Opening may wait long for another process. No record has been accepted yet, so a
        // shutdown can end it anywhere.
        let parts = tokio::select! {
            parts = Parts::open_server(&directory, &self.limits) => parts?,
            () = shutdown.requested() => return Ok(ExitCode::SUCCESS),
        };
        if self.server.listen().ip().is_unspecified() && self.public_url.is_none() {
            tracing::warn!("links to files work on this machine only; set --public-url");
        }
        let mut running = Running::start(parts, &self.server, self.public_url).await?;
        print_line(format_args!("listening on {}", running.listening_on()))?;
        let failure = tokio::select! {
            () = shutdown.requested() => None,
            failure = running.failed() => Some(failure),
        };
        tracing::info!("stopping");
        let stopped = stop(running, &mut shutdown).await;
        let Some(failure) = failure else {
            return stopped.map(|()| ExitCode::SUCCESS);
        };
        if let Err(error) = stopped {
            tracing::error!("{error:#}");
        }
        Err(failure)
    }
}

/// Shuts down in order; a second signal ends the wait with an error.
pub(super) async fn stop(running: Running, shutdown: &mut Shutdown) -> anyhow::Result<()> {
    tokio::select! {
        stopped = running.stop() => stopped,
        () = shutdown.requested() => anyhow::bail!("stopped at once by a second signal"),
    }
}

fn public_url(text: &str) -> Result<String, String> {
    let address = text.trim_end_matches('/');
    let is_plain = reqwest::Url::parse(address).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    // The parser strips blanks and encodes other letters, but links begin with this text unchanged.
    let is_ascii = address.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !is_ascii || address.contains(['?', '#', '\\']) {
        return Err(
            "must be an http or https URL without user, query and fragment, such as \
             https://reports.example.com or https://example.com/reports"
                .to_owned(),
        );
    }
    if address.len() > PUBLIC_URL_BYTES_MAX {
        return Err(format!(
            "has {} characters, at most {PUBLIC_URL_BYTES_MAX} are allowed: links to bulk reports \
             must not exceed 1,000",
            address.len()
        ));
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_has_no_slash_at_its_end() {
        let url = Ok("https://reports.example.com".to_owned());
        assert_eq!(public_url("https://reports.example.com/"), url);
        for wrong in [
            "reports.example.com",
            "ftp://example.com",
            "https://",
            "http://a?b",
            "http://a?",
            "http://a#b",
            "http://a b",
            " http://a",
            "http://a\tb",
            "http:\\\\a",
            "https://user@a",
            "https://:word@a",
            "https://a:70000",
            "https://[::1",
            "https://münchen.example",
        ] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
        for good in [
            "http://a",
            "https://a:1/b/c",
            "http://[::1]:8470",
            "https://a/%20b",
        ] {
            assert_eq!(public_url(good), Ok(good.to_owned()));
        }
    }

    #[test]
    fn a_public_url_leaves_room_for_the_addresses_of_bulk_reports() {
        let url = |length: usize| format!("https://a/{}", "b".repeat(length - 10));
        assert!(public_url(&url(PUBLIC_URL_BYTES_MAX)).is_ok());
        let error = public_url(&url(PUBLIC_URL_BYTES_MAX + 1)).expect_err("too long");
        assert!(error.contains("1,000"), "{error}");
    }
}
