//! What every handler can reach.

use std::sync::Arc;
use std::thread::available_parallelism;

use prometheus_client::registry::Registry;
use showreport_jobs::Jobs;
use showreport_lake::Lake;
use showreport_meta::{Meta, SigningKey};
use showreport_model::Timestamp;
use showreport_query::Query;
use tokio::sync::Semaphore;

use crate::budget::Budget;
use crate::config::Config;
use crate::limits::Limits;
use crate::metrics::Metrics;

/// The server's parts, wired. Clones are the same server.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    config: Config,
    meta: Meta,
    lake: Lake,
    query: Query,
    jobs: Jobs,
    signing_key: SigningKey,
    metrics: Metrics,
    registry: Registry,
    limits: Limits,
    bodies: Arc<Budget>,
    unpacking: Arc<Semaphore>,
}

impl App {
    /// Wires the parts.
    #[expect(
        clippy::too_many_arguments,
        reason = "each part has a type of its own and this is called once"
    )]
    pub fn new(
        config: Config,
        meta: Meta,
        lake: Lake,
        query: Query,
        jobs: Jobs,
        signing_key: SigningKey,
    ) -> Self {
        let metrics = Metrics::new();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        meta.metrics().register(&mut registry);
        lake.metrics().register(&mut registry);
        jobs.metrics().register(&mut registry);
        let limits = Limits::new(config.requests_per_minute);
        let bodies = Arc::new(Budget::new(config.bodies_bytes_max));
        // It is work for a processor; more at once would only take memory.
        let unpacking = Semaphore::new(available_parallelism().map_or(2, usize::from));
        Self(Arc::new(Parts {
            config,
            meta,
            lake,
            query,
            jobs,
            signing_key,
            metrics,
            registry,
            limits,
            bodies,
            unpacking: Arc::new(unpacking),
        }))
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.0.meta
    }

    pub(crate) fn lake(&self) -> &Lake {
        &self.0.lake
    }

    pub(crate) fn query(&self) -> &Query {
        &self.0.query
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.0.signing_key
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// How many requests an organisation may make.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Bytes of bodies in memory.
    pub(crate) fn bodies(&self) -> &Arc<Budget> {
        &self.0.bodies
    }

    /// Permits to unpack and parse a large body.
    pub(crate) fn unpacking(&self) -> &Arc<Semaphore> {
        &self.0.unpacking
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.meta.clock().now()
    }
}
