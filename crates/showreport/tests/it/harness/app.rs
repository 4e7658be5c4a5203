//! The application: opened on a directory, driven through its router, closed and opened again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, header};
use serde_json::Value;
use showreport_jobs::Jobs;
use showreport_lake::Lake;
use showreport_meta::{Meta, Scopes};
use showreport_model::{Clock, OrgId, Timestamp};
use showreport_query::Query;
use showreport_server::App;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Answer;
use super::clock::ManualClock;

/// The address under which links are made.
pub(crate) const PUBLIC_URL: &str = "http://showreport.test";

/// How long a report worker runs without asking for more time.
pub(crate) const LEASE_MS: i64 = 30_000;

/// An organisation and a token of it.
#[derive(Debug, Clone)]
pub(crate) struct Org {
    pub(crate) id: OrgId,
    pub(crate) token: String,
}

/// Showreport on a directory of its own.
pub(crate) struct TestApp {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) parts: Parts,
    directory: TempDir,
}

/// What a process of it holds.
pub(crate) struct Parts {
    pub(crate) meta: Meta,
    pub(crate) lake: Lake,
    pub(crate) jobs: Jobs,
    router: Router,
    tasks: JoinSet<()>,
    shutdown: CancellationToken,
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory for the test");
        Self::on(directory, ManualClock::new()).await
    }

    /// Showreport on a data directory, which is removed with it.
    pub(crate) async fn on(directory: TempDir, clock: ManualClock) -> Self {
        let clock = Arc::new(clock);
        let parts = Parts::open(directory.path(), clock.clone()).await;
        Self {
            clock,
            parts,
            directory,
        }
    }

    /// The present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Says that the clock is right, as an operator does after setting it.
    pub(crate) async fn confirm_clock(&self) {
        let confirmed = self.parts.meta.confirm_clock().await;
        confirmed.expect("confirm the clock");
    }

    /// Another process on the same directory.
    pub(crate) async fn open_beside(&self) -> Parts {
        Parts::open(self.directory.path(), self.clock.clone()).await
    }

    pub(crate) fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the process in good order and starts another on the same directory.
    pub(crate) async fn restart(&mut self) {
        let next = Parts::open(self.directory.path(), self.clock.clone());
        self.parts.end().await;
        self.parts = next.await;
    }

    /// Drops the process where it stands and starts another on the same directory.
    pub(crate) async fn crash(&mut self) {
        self.parts.tasks.abort_all();
        while self.parts.tasks.join_next().await.is_some() {}
        self.parts = Parts::open(self.directory.path(), self.clock.clone()).await;
    }

    /// A new organisation with a token for everything.
    pub(crate) async fn org(&self, name: &str, zone: &str) -> Org {
        let id = OrgId::new(name).expect("a name");
        let zone = zone.parse().expect("a zone");
        self.parts
            .meta
            .create_org(&id, &zone)
            .await
            .expect("create the organisation");
        let token = self.token(&id, "admin").await;
        Org { id, token }
    }

    /// A new token of an organisation.
    pub(crate) async fn token(&self, org: &OrgId, scopes: &str) -> String {
        let scopes = Scopes::parse(scopes).expect("scopes");
        let (_, secret) = self
            .parts
            .meta
            .create_token(org, scopes, None)
            .await
            .expect("create a token");
        secret.expose().to_owned()
    }

    /// Sends any request, to the host of [`PUBLIC_URL`] unless it names another.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.begin(request).await).await
    }

    /// The same; the body of the answer is not read yet.
    pub(crate) async fn begin(&self, mut request: Request<Body>) -> Response<Body> {
        let host = HeaderValue::from_static("showreport.test");
        request.headers_mut().entry(header::HOST).or_insert(host);
        self.begin_as_it_is(request).await
    }

    /// Sends a request with the fields that it has, and no other.
    pub(crate) async fn send_as_it_is(&self, request: Request<Body>) -> Answer {
        Answer::read(self.begin_as_it_is(request).await).await
    }

    async fn begin_as_it_is(&self, request: Request<Body>) -> Response<Body> {
        let answer = self.parts.router.clone().oneshot(request).await;
        answer.expect("the router never fails")
    }

    pub(crate) async fn get(&self, org: &Org, path: &str) -> Answer {
        self.send(
            request("GET", org, path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn delete(&self, org: &Org, path: &str) -> Answer {
        self.send(
            request("DELETE", org, path)
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn post(&self, org: &Org, path: &str, body: &Value) -> Answer {
        self.post_bytes(org, path, "application/json", body.to_string())
            .await
    }

    pub(crate) async fn post_bytes(
        &self,
        org: &Org,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let request = request("POST", org, path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).expect("a request"))
            .await
    }

    /// Sends records as NDJSON.
    pub(crate) async fn collect(&self, org: &Org, records: &[Value]) -> Answer {
        self.post_bytes(org, "/collect", "application/x-ndjson", ndjson(records))
            .await
    }

    /// Sends records that are all accepted.
    #[track_caller]
    pub(crate) fn accept<'a>(
        &'a self,
        org: &'a Org,
        records: &'a [Value],
    ) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.collect(org, records).await;
            assert_eq!(answer.status, 202, "{} at {caller}", answer.text());
            assert_eq!(
                answer.json()["accepted"],
                records.len(),
                "{} at {caller}",
                answer.text()
            );
        }
    }

    /// Does a round of maintenance.
    pub(crate) async fn maintain(&self, vacuum: bool) {
        let maintained = self.parts.jobs.maintain(vacuum).await;
        maintained.expect("maintenance");
    }

    /// Runs report workers until no job is left.
    pub(crate) async fn work(&self) {
        let shutdown = CancellationToken::new();
        let mut workers = JoinSet::new();
        workers.spawn(self.parts.jobs.clone().run_jobs(shutdown.clone()));
        let idle = async {
            while self.parts.meta.queue_depth().await.expect("count the jobs") > 0 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        // Far longer than any test needs: a job that fails would be tried again
        // when the clock moves, which here it does not.
        tokio::time::timeout(Duration::from_mins(1), idle)
            .await
            .expect("the jobs end");
        shutdown.cancel();
        while let Some(ended) = workers.join_next().await {
            ended.expect("no worker panics");
        }
    }
}

/// Records a line each.
pub(crate) fn ndjson(records: &[Value]) -> String {
    let mut lines = String::new();
    for record in records {
        lines += &record.to_string();
        lines.push('\n');
    }
    lines
}

/// A request that says who sends it.
pub(crate) fn request(method: &str, org: &Org, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::AUTHORIZATION, format!("Bearer {}", org.token))
}

impl Parts {
    /// Ends in good order.
    pub(crate) async fn end(&mut self) {
        self.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("a task ends in good order");
        }
        self.meta.close().await;
    }

    async fn open(directory: &Path, clock: Arc<dyn Clock>) -> Self {
        let meta = showreport_meta::Config {
            busy_timeout_ms: 10_000,
            reserve_bytes: 64 << 10,
            ..showreport_meta::Config::new(directory.join("meta.sqlite"))
        };
        let meta = Meta::open(&meta, clock).await.expect("open meta");
        let lake = Lake::open(
            &showreport_lake::Config {
                root: directory.join("store"),
                lock: directory.join("flush.lock"),
                flush_bytes_max: 64 << 20,
                load_bytes_max: 64 << 20,
                file_bytes_target: 128 << 20,
                // Tests have few and small files; two are enough to merge.
                compact_files_min: 2,
            },
            meta.clone(),
        )
        .await
        .expect("open the lake");
        let spill_dir = directory.join("spill");
        std::fs::create_dir_all(&spill_dir).expect("make the spill directory");
        let query = Query::new(
            &showreport_query::Config {
                memory_bytes_max: 256 << 20,
                spill_dir,
                threads: 2,
            },
            lake.clone(),
            tokio::runtime::Handle::current(),
        )
        .expect("make the query engine");
        let jobs = Jobs::new(
            showreport_jobs::Config {
                report_workers: 2,
                lease_ms: LEASE_MS,
                ..showreport_jobs::Config::default()
            },
            meta.clone(),
            lake.clone(),
            query.clone(),
        );
        let config = showreport_server::Config {
            public_url: Some(PUBLIC_URL.to_owned()),
            // Few enough that a story can make too many.
            requests_per_minute: 6_000,
            records_per_minute: 500_000,
            token_records_per_minute: 250_000,
            ..showreport_server::Config::default()
        };
        let app = App::new(config, meta.clone(), lake.clone(), query, jobs.clone());
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let writer = meta.journal_writer().run(shutdown.clone());
        tasks.spawn(async move {
            writer
                .await
                .expect("the journal's writer ends in good order");
        });
        Self {
            meta,
            lake,
            jobs,
            router: showreport_server::router(app),
            tasks,
            shutdown,
        }
    }
}
