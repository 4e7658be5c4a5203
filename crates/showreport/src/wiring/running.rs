//! A server in this process: its addresses and its tasks.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use showreport_live::Live;
use showreport_server::{App, CollectPath, Network, collect_path};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;

use super::open_files;
use super::parts::Parts;
use super::regions::{RegionArgs, tend_origins};
use super::tasks::Tasks;
use super::threads::Threads;

/// The addresses and the rates of a server.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// Address to listen on; port 0 takes any free port [default: 127.0.0.1:8470, for demo
    /// 127.0.0.1:8480]
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub listen: Option<SocketAddr>,

    /// Address that serves only `/metrics`; the main address then does not serve it
    #[arg(long, value_name = "ADDR", value_parser = address)]
    pub metrics_listen: Option<SocketAddr>,

    /// Second path for everything of /collect and for the script, such as /v; ad blockers know the name
    /// of the first
    #[arg(long, value_name = "PATH", value_parser = collect_path)]
    pub collect_path: Option<CollectPath>,

    /// Proxies in front of the server, as networks or addresses: `Forwarded` and `X-Forwarded-For`
    /// count from these alone
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,

    /// Rate: requests of one organisation per minute, except /collect
    #[arg(long, value_name = "COUNT", default_value = "60000", value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute: u32,

    /// Rate: records of one organisation per minute
    #[arg(long, value_name = "COUNT", default_value = "6000000", value_parser = clap::value_parser!(u32).range(1..))]
    pub records_per_minute: u32,

    /// Rate: records sent with one token per minute
    #[arg(long, value_name = "COUNT", default_value = "3000000", value_parser = clap::value_parser!(u32).range(1..))]
    pub token_records_per_minute: u32,

    #[command(flatten)]
    pub regions: RegionArgs,
}

impl ServerArgs {
    /// The default address to listen on.
    pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8470);

    /// The address to listen on, or its default.
    pub fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or(Self::LISTEN)
    }
}

/// Connections that the system keeps until they are accepted. Thousands can arrive within
/// milliseconds, and the system drops those beyond the queue; the library's default is 128.
const QUEUE_MAX: u32 = 4096;

/// Threads for background tasks. On the threads of requests, many requests would delay each step of a
/// report, and a flush would delay each request.
const BACKGROUND_THREADS: usize = 2;

/// A server with all its tasks.
pub struct Running {
    address: SocketAddr,
    tasks: Tasks,
    parts: Parts,
    background: Threads,
}

impl Running {
    /// Listens and starts the tasks. `public_url` is the URL for clients, if it is not the address.
    pub async fn start(
        mut parts: Parts,
        args: &ServerArgs,
        public_url: Option<String>,
    ) -> anyhow::Result<Self> {
        let origins = args.regions.open()?;
        let listener = listen(args.listen(), "--listen")?;
        let metrics_listener = args
            .metrics_listen
            .map(|address| listen(address, "--metrics-listen"))
            .transpose()?;
        let address = listener.local_addr().context("find the own address")?;
        let config = config(args, public_url.unwrap_or_else(|| base_url(address)));
        // The first start makes the first key, so that no request has to.
        let keys = parts.meta.signing_keys().await;
        keys.context("load the keys of links")?;
        let live = Live::new(parts.meta.clone(), parts.query.clone());
        let app = App::new(
            config.clone(),
            parts.meta.clone(),
            parts.lake.clone(),
            parts.query.clone(),
            live.clone(),
            parts.jobs.clone(),
            origins.clone(),
        );
        let router = showreport_server::router(app.clone());
        let background = Threads::start("background", BACKGROUND_THREADS)
            .context("start the threads of background tasks")?;
        let (front, back) = (Handle::current(), background.handle());
        let jobs = &parts.jobs;
        let mut tasks = Tasks::default();
        // They stop in this order: requests, then jobs, then flushes, and last the journal. Another
        // process may hold a lock for longer than a stop may take, so the wait for a lock is ended
        // before the task that waits. A job is given back before the flush that it waits for fails.
        if let Some(listener) = metrics_listener {
            serve_metrics(&mut tasks, listener, app, config.for_metrics())?;
        }
        tasks.start("HTTP server", &front, |stop| async move {
            Ok(showreport_server::serve(listener, router, &config, stop).await?)
        });
        tasks.start("live figures", &back, |stop| endless(live.run(stop)));
        let meta = parts.meta.clone();
        tasks.start("waits for the database", &front, |stop| async move {
            stop.cancelled().await;
            meta.stop_waiting();
            Ok(())
        });
        tasks.start("job runner", &back, |stop| {
            endless(jobs.clone().run_jobs(stop))
        });
        let lake = parts.lake.clone();
        tasks.start("waits for the flush lock", &front, |stop| async move {
            stop.cancelled().await;
            lake.stop_waiting();
            Ok(())
        });
        let schedule = |stop| endless(jobs.clone().run_schedule(stop));
        tasks.start("schedule", &back, schedule);
        let maintenance = |stop| endless(jobs.clone().run_maintenance(stop));
        tasks.start("maintenance", &back, maintenance);
        let flusher = |stop| endless(jobs.clone().run_flusher(stop));
        tasks.start("flusher", &back, flusher);
        tasks.start("origins", &back, |stop| tend_origins(origins, stop));
        if let Some(check) = parts.check.take() {
            tasks.start("check of the database", &back, |stop| check.run(stop));
        }
        let journal = parts.meta.journal_writer();
        tasks.start("journal", &front, |stop| async move {
            Ok(journal.run(stop).await?)
        });
        Ok(Self {
            address,
            tasks,
            parts,
            background,
        })
    }

    /// The address that the server listens on, as a URL without a slash at the end.
    pub fn listening_on(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of the server for this machine.
    pub fn base_url(&self) -> String {
        base_url(self.address)
    }

    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Waits until a task fails, and returns why.
    pub async fn failed(&mut self) -> anyhow::Error {
        self.tasks.failed().await
    }

    /// Stops the tasks in their order, then closes the database.
    pub async fn stop(self) -> anyhow::Result<()> {
        let outcome = self.tasks.stop().await;
        drop(self.background);
        self.parts.close().await;
        outcome
    }
}

fn config(args: &ServerArgs, public_url: String) -> showreport_server::Config {
    let config = showreport_server::Config {
        requests_per_minute: args.requests_per_minute,
        records_per_minute: args.records_per_minute,
        token_records_per_minute: args.token_records_per_minute,
        metrics_apart: args.metrics_listen.is_some(),
        trusted_proxies: args.trusted_proxy.clone(),
        public_url: Some(public_url),
        collect_path: args.collect_path.clone(),
        ..showreport_server::Config::default()
    };
    match open_files::max() {
        Some(files) => config.within_open_files(files),
        None => config,
    }
}

/// Serves only the metrics, on a second address.
fn serve_metrics(
    tasks: &mut Tasks,
    listener: TcpListener,
    app: App,
    config: showreport_server::Config,
) -> anyhow::Result<()> {
    let address = listener.local_addr();
    let address = address.context("find the address of the metrics")?;
    tracing::info!(%address, "serving /metrics apart");
    let router = showreport_server::metrics_router(app);
    tasks.start("metrics server", &Handle::current(), |stop| async move {
        Ok(showreport_server::serve(listener, router, &config, stop).await?)
    });
    Ok(())
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an address and a port such as 127.0.0.1:8470 or [::]:8470".to_owned())
}

fn listen(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    bind(address).with_context(|| format!("listen on {address}; {flag} takes another address"))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // So that the next server can bind at once. On Windows two servers could share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // Connections inherit it. Unset it grows to 4 MiB, and a socket is writable only after a third of
    // it was sent. A client that reads 80 kB a second would seem to stand still for 15 s, and its
    // download would be ended.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(QUEUE_MAX)
}

/// The send buffer of a connection; Linux doubles it for its own needs.
const SEND_BUFFER_BYTES: u32 = 256 << 10;

/// The URL of a bound address. One that means all addresses is reached at localhost.
pub fn base_url(address: SocketAddr) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// A task that cannot fail, among those that can.
async fn endless(task: impl Future<Output = ()>) -> anyhow::Result<()> {
    task.await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_means_all_is_reached_at_localhost() {
        let url = |address: &str| base_url(address.parse().expect(address));
        assert_eq!(url("0.0.0.0:8470"), "http://127.0.0.1:8470");
        assert_eq!(url("[::]:80"), "http://[::1]:80");
        assert_eq!(url("192.0.2.7:80"), "http://192.0.2.7:80");
    }
}
