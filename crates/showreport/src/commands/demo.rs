//! `showreport demo`: simulates a show, sends it over HTTP and makes every report of it.

mod access;
mod client;
mod send;
mod live;
mod requests;
mod reports;
mod polls;
mod retention;
mod summary;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use showreport_model::Clock;

use super::output::{print_line, quoted};
use super::serve::stop;
use crate::shutdown::Shutdown;
use crate::simulation::{Program, Show};
use crate::wiring::{DataDir, Parts, Running, ServerArgs, ServerLimits};
use access::{SentShows, demo_token, sign_in_link, token_path};
use client::Client;
use live::{event_on_now, send_live};
use polls::read_polls;
use reports::make_reports;
use retention::read_parts;
use send::send_show;
use summary::{Figures, Summary};

/// Differs from the default of `serve`, so that both can run at the same time.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8480);

/// Simulates a live event with its recording and makes every report of it
///
/// Simulated viewers pause, lose the network, change devices, chat and vote in three polls; some
/// watch the recording later. The show takes place on the day before the first run in the data
/// directory. The demo starts a server, sends the records over HTTP, requests every report,
/// downloads the files and prints a summary. Then it keeps serving.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Demo {
    /// Number of viewers
    #[arg(long, value_name = "COUNT", default_value = "2000", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    viewers: u32,

    /// Exit after the summary instead of serving
    #[arg(long)]
    exit: bool,

    /// Keep sending another show that is on now, the event keynote-live, until Ctrl-C
    #[arg(long, conflicts_with = "exit")]
    live: bool,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    limits: ServerLimits,
}

const EXAMPLES: &str = "\
Examples:
  showreport demo
  showreport demo --viewers 200 --exit
  showreport demo --live
  showreport demo --data-dir /tmp/show --listen 127.0.0.1:0

The data directory (default ./showreport-demo) holds the data, the report files in reports/ and a
token in demo.token. A second run sends the same records, which adds nothing, and uses the
existing reports. With --live viewers come and go, chat and vote in a show that is on now.
Another number of viewers is another event. To start over, delete the directory.";

impl Demo {
    pub(super) async fn run(mut self, data_dir: &Path) -> anyhow::Result<ExitCode> {
        self.server.listen.get_or_insert(LISTEN);
        let mut shutdown = Shutdown::listen()?;
        let directory = DataDir::create(data_dir)?;
        let parts = Parts::open_server(&directory, &self.limits).await?;
        let token = demo_token(&parts.meta, &directory).await?;
        let clock = parts.meta.clock().clone();
        let mut running = Running::start(parts, &self.server, None).await?;
        let base_url = running.base_url();
        let client = Client::new(base_url.clone(), token.clone())?;
        let shown = tokio::select! {
            shown = self.show(&client, &directory, clock.as_ref()) => shown,
            failure = running.failed() => Err(failure),
            () = shutdown.requested() => {
                Err(anyhow!("stopped before it was complete; run it again to continue"))
            }
        };
        let outcome = match shown {
            Ok(summary) => {
                let page = format!("/events/{}", summary.show.event(Program::Live));
                let link = if self.exit {
                    None
                } else {
                    let meta = &running.parts().meta;
                    Some(sign_in_link(meta, &base_url, &token, &page).await?)
                };
                print_line(summary.text(&base_url, &directory, link.as_deref()))?;
                if self.live {
                    print_live(&base_url, &directory)?;
                }
                self.serve_on(&client, clock.as_ref(), &mut running, &mut shutdown)
                    .await
            }
            Err(error) => Err(error),
        };
        let stopped = stop(running, &mut shutdown).await;
        outcome.and(stopped).map(|()| ExitCode::SUCCESS)
    }

    /// Sends the show, requests every report and downloads the files.
    async fn show(
        &self,
        client: &Client,
        directory: &DataDir,
        clock: &dyn Clock,
    ) -> anyhow::Result<Summary> {
        let mut shows = SentShows::open(directory, clock.now())?;
        let show = shows.show(self.viewers);
        let before = if shows.has(show) {
            Some(ask_figures(client, show).await?)
        } else {
            None
        };
        let sent = send_show(client, show).await.context("send the show")?;
        let since = shows.finish(directory, show, clock.now())?;
        let files = make_reports(client, directory, show, since, clock.now())
            .await
            .context("make the reports")?;
        let [live, recording] = ask_figures(client, show).await?;
        Ok(Summary {
            show,
            is_unchanged: before.as_ref() == Some(&[live.clone(), recording.clone()]),
            sent,
            live,
            recording,
            polls: read_polls(&files).context("read the report of the polls")?,
            parts: read_parts(&files).context("read the report of the recording")?,
            files,
        })
    }

    async fn serve_on(
        &self,
        client: &Client,
        clock: &dyn Clock,
        running: &mut Running,
        shutdown: &mut Shutdown,
    ) -> anyhow::Result<()> {
        if self.exit {
            return Ok(());
        }
        let sending = async {
            if self.live {
                let sent = send_live(client, clock, self.viewers).await;
                return sent.context("send the show that is on now");
            }
            std::future::pending().await
        };
        tokio::select! {
            () = shutdown.requested() => Ok(()),
            failure = running.failed() => Err(failure),
            sent = sending => sent,
        }
    }
}

/// Prints how to look at the show that is on now.
fn print_live(base_url: &str, directory: &DataDir) -> anyhow::Result<()> {
    let token = quoted(&token_path(directory));
    print_line(format_args!(
        "\nThe event {event} is on now\n  \
         curl -sS -N {base_url}/api/v1/events/{event}/live/stream \\\n    \
         -H \"Authorization: Bearer $(cat {token})\"",
        event = event_on_now(),
    ))?;
    Ok(())
}

/// The figures of the show and of its recording.
async fn ask_figures(client: &Client, show: Show) -> anyhow::Result<[Figures; 2]> {
    let mut all = Vec::new();
    for program in [Program::Live, Program::Recording] {
        let path = format!("/api/v1/events/{}/figures?fresh=true", show.event(program));
        let answer = client.get(&path).await.context("get the figures")?;
        all.push(serde_json::from_value(answer).context("read the figures")?);
    }
    let [live, recording] = all.try_into().expect("one for each of two programs");
    Ok([live, recording])
}
