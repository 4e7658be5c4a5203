//! Fixtures of this crate's tests: a database in a directory of its own, and a manual clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use showreport_model::buckets::Granularity;
use showreport_model::facts::FactsBuilder;
use showreport_model::record::{EventKind, EventRecord, PlaybackRecord, Record};
use showreport_model::report::{Dimension, Event, Format, Heads, ReportOrder};
use showreport_model::{Clock, EventId, OrgId, PlaybackId, Span, Timestamp, TokenId, Window, Zone};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::Meta;
use super::heads::{NewHead, NewHeads};
use super::jobs::{MAKE_BULK_REPORT, MAKE_REPORT};
use super::listed_events::{EventFilter, EventOrder};
use super::tokens::Scope;
use crate::config::Config;
use crate::database::Transaction;
use crate::error::Doing;
use crate::quotas::Quotas;

#[derive(Debug)]
pub(super) struct ManualClock {
    now_ms: AtomicI64,
    /// The monotonic time since the clock was created.
    passed_ms: AtomicI64,
    made: Instant,
}

impl ManualClock {
    fn new() -> Self {
        Self {
            now_ms: AtomicI64::new(1_800_000_000_000),
            passed_ms: AtomicI64::new(0),
            made: Instant::now(),
        }
    }

    /// Advances the clock and the monotonic time.
    pub(super) fn advance(&self, millis: i64) {
        self.passed_ms.fetch_add(millis, Ordering::SeqCst);
        self.set(millis);
    }

    /// Sets the clock forward or back, without a change of the monotonic time.
    pub(super) fn set(&self, millis: i64) {
        self.now_ms.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now_ms.load(Ordering::SeqCst)).unwrap()
    }

    fn steady(&self) -> Option<Instant> {
        let passed_ms = self.passed_ms.load(Ordering::SeqCst);
        Some(self.made + Duration::from_millis(passed_ms.unsigned_abs()))
    }
}

/// A database with the organisation `acme`.
pub(super) struct Fixture {
    pub(super) meta: Meta,
    pub(super) clock: Arc<ManualClock>,
    pub(super) org: OrgId,
    config: Config,
    _directory: TempDir,
}

impl Fixture {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with_journal_bytes_max(journal_bytes_max: u64) -> Self {
        Self::with(|config| config.journal_bytes_max = journal_bytes_max).await
    }

    pub(super) async fn with_running_jobs_each_max(running_jobs_each_max: u32) -> Self {
        Self::with(|config| config.running_jobs_each_max = running_jobs_each_max).await
    }

    pub(super) async fn with_quotas(quotas: Quotas) -> Self {
        Self::with(|config| config.quotas = quotas).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config {
            path: directory.path().join("meta.sqlite"),
            journal_bytes_max: 1 << 30,
            running_jobs_each_max: 1_000,
            job_priorities: vec![(MAKE_REPORT, 0), (MAKE_BULK_REPORT, 1)],
            quotas: Quotas::default(),
            busy_timeout_ms: 5_000,
            reserve_bytes: 64 << 10,
        };
        change(&mut config);
        let clock = Arc::new(ManualClock::new());
        let meta = Meta::open(&config, clock.clone()).await.unwrap();
        let org = org("acme");
        meta.create_org(&org, &Zone::utc()).await.unwrap();
        Self {
            meta,
            clock,
            org,
            config,
            _directory: directory,
        }
    }

    /// The same file, opened once more as another process does.
    pub(super) async fn reopen(&self) -> Meta {
        Meta::open(&self.config, self.clock.clone()).await.unwrap()
    }

    /// An order of `acme` for a report of an event.
    pub(super) fn order(&self, event_id: &str) -> ReportOrder {
        ReportOrder {
            org: self.org.clone(),
            event: event(event_id),
            dimension: Dimension::WatchTime,
            group_by: vec![],
            window: Window::ALL,
            granularity: Granularity::default(),
            minimum_live_ratio: None,
            format: Format::Csv,
        }
    }

    /// Runs a statement in a transaction, without the checks of the nouns.
    pub(super) async fn execute(&self, statement: &str) {
        let execute = async |tx: &mut Transaction<'_>| {
            let statement = AssertSqlSafe(statement.to_owned());
            let done = sqlx::query(statement).execute(&mut **tx).await;
            done.doing("change the database")
        };
        let done = self.meta.database().write(execute).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }

    /// Stores records of `acme` in the journal, in one commit.
    pub(super) async fn store(&self, records: Vec<Record>) {
        // A database has one writer of the journal, which ends with it.
        let meta = self.reopen().await;
        let token = collector(&meta).await;
        let journal = meta.journal();
        let shutdown = CancellationToken::new();
        let append = async {
            let appended = journal.append(token, sent(records)).await;
            shutdown.cancel();
            appended
        };
        let writer = meta.journal_writer().run(shutdown.clone());
        let (ran, appended) = tokio::join!(writer, append);
        ran.unwrap();
        appended.unwrap();
    }

    pub(super) fn path(&self) -> PathBuf {
        self.config.path.clone()
    }
}

pub(super) fn org(name: &str) -> OrgId {
    OrgId::new(name).unwrap()
}

/// The events of an organisation, by id.
pub(super) async fn events_of(meta: &Meta, org: &OrgId) -> Vec<Event> {
    let (all, order) = (EventFilter::default(), EventOrder::StartsAt);
    let listed = meta.list_events(org, &all, order, None, usize::MAX, meta.now());
    let listed = listed.await.unwrap().into_iter();
    let mut events: Vec<Event> = listed.map(|it| it.event).collect();
    events.sort_by(|one, other| one.id.cmp(&other.id));
    events
}

/// A new token of the organisation `acme` that may collect.
pub(super) async fn collector(meta: &Meta) -> TokenId {
    let org = org("acme");
    let token = meta.create_token(&org, Scope::Collect.into(), None).await;
    token.unwrap().0
}

pub(super) fn event(id: &str) -> EventId {
    EventId::new(id).unwrap()
}

pub(super) fn playback(event_id: &str, playback: &str) -> Record {
    Record::Playback(PlaybackRecord {
        event: event(event_id),
        playback: PlaybackId::new(playback).unwrap(),
        span: Span::new(1_000, 2_000).unwrap(),
        coverage: None,
        device: None,
        customer: None,
        device_os: None,
        geo_region: None,
        name: None,
    })
}

pub(super) fn registration(event_id: &str, title: &str, updated_ms: Option<i64>) -> Record {
    let updated_at = updated_ms.map(|millis| Timestamp::MIN.saturating_add_millis(millis));
    Record::Event(EventRecord {
        event: event(event_id),
        kind: EventKind::Live,
        title: title.to_owned(),
        starts_at: None,
        ends_at: None,
        duration_ms: None,
        updated_at,
    })
}

/// Records of the organisation `acme`.
pub(super) fn sent(records: impl IntoIterator<Item = Record>) -> FactsBuilder {
    let mut builder = FactsBuilder::new(org("acme"));
    for record in records {
        builder.push(record);
    }
    builder
}

/// These versions, each with an entry of its own.
pub(super) fn moved(heads: &Heads) -> NewHeads {
    let new = |(&table, &version)| {
        let byte = u8::try_from(version).unwrap();
        let entry = [byte; 32];
        (table, NewHead { version, entry })
    };
    heads.iter().map(new).collect()
}
