//! `showreport serve`: runs the server.

use std::path::Path;
use std::process::ExitCode;

use super::links::Links;
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

    #[command(flatten)]
    links: Links,

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
        if self.server.listen().ip().is_unspecified() && self.links.public_url.is_none() {
            tracing::warn!("links work on this machine only; set --public-url");
        }
        let mut running = Running::start(parts, &self.server, self.links.public_url).await?;
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
