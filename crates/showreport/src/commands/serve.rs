//! `showreport serve`: the server.

use std::path::Path;
use std::process::ExitCode;

use super::output::print_line;
use crate::shutdown::Shutdown;
use crate::wiring::{DataDir, Doors, Parts, Running, ServerLimits};

/// Runs the server
///
/// Takes records, makes reports and hands them out, until Ctrl-C or SIGTERM. Prints one line,
/// `listening on http://…`, when it is ready.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Serve {
    #[command(flatten)]
    doors: Doors,

    /// How the outside reaches the server, in the addresses of files [default: http:// and the
    /// address listened on]
    #[arg(long, value_name = "URL", value_parser = public_url)]
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

Before the first start make an organisation and tokens: `showreport org create`,
`showreport token create`. Both work while the server runs, and so do `import` and `report`.

SIGTERM or Ctrl-C stops it in order: requests under way are answered, what was accepted is
kept, then it exits 0. A second Ctrl-C ends it at once; nothing that was accepted is lost.";

impl Serve {
    pub(super) async fn run(self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        let mut shutdown = Shutdown::listen()?;
        let directory = DataDir::create(data_dir)?;
        // A start may wait for another process for long. Nothing has been accepted yet.
        let parts = tokio::select! {
            parts = Parts::open_server(&directory, &self.limits) => parts?,
            () = shutdown.requested() => return Ok(ExitCode::SUCCESS),
        };
        if self.doors.listen().ip().is_unspecified() && self.public_url.is_none() {
            tracing::warn!(
                "files will have addresses that work on this machine only; set --public-url"
            );
        }
        let mut running = Running::start(parts, &self.doors, self.public_url).await?;
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

/// Stops in order, or at once if asked a second time.
pub(super) async fn stop(running: Running, shutdown: &mut Shutdown) -> anyhow::Result<()> {
    tokio::select! {
        stopped = running.stop() => stopped,
        () = shutdown.requested() => anyhow::bail!("stopped at once, as asked a second time"),
    }
}

fn public_url(text: &str) -> Result<String, String> {
    let url = text.trim_end_matches('/');
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))
        .unwrap_or_default();
    let is_plain = !host.is_empty() && !host.contains(['?', '#', ' ']);
    is_plain.then(|| url.to_owned()).ok_or_else(|| {
        "is no address such as https://reports.example.com or https://example.com/reports"
            .to_owned()
    })
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
        ] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
    }
}
