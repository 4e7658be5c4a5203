mod moments;
mod new_columns;
mod lost_files;
mod bounded;
mod opening;
mod unconfirmed;
mod stopping;
mod vacuuming;
mod year;
mod beats;
mod pinning;

use std::sync::atomic::{AtomicI64, Ordering};

use deltalake::datafile::DataFileReader;
use deltalake::datafile::reader::ParquetFileReader;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use showreport_meta::Scope;
use showreport_model::{Clock, EventId, Span, Timestamp, TokenId, Zone};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::coalesce::coalesce;
use crate::schema::conform;
use crate::tables::Fact;
use crate::tables::spans::{SpanRow, Spans};
use crate::testing::{self, Viewing, sought};

const DAY_MS: i64 = 86_400_000;

/// A clock that can be put forward.
#[derive(Debug)]
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

/// A lake with its metadata in a directory of its own.
struct World {
    directory: tempfile::TempDir,
    clock: Arc<TestClock>,
    meta: Meta,
    lake: Lake,
    token: TokenId,
    shutdown: CancellationToken,
    tasks: JoinSet<Result<(), showreport_meta::Error>>,
}

fn org() -> OrgId {
    OrgId::new("acme").unwrap()
}

fn event() -> EventId {
    EventId::new("keynote").unwrap()
}

fn config(directory: &std::path::Path) -> Config {
    Config {
        root: directory.join("store"),
        lock: directory.join("flush.lock"),
        flush_bytes_max: 1 << 20,
        load_bytes_max: 1 << 20,
        file_bytes_target: 128 << 20,
        compact_files_min: 4,
    }
}

impl World {
    async fn new() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    /// A lake in a directory that may have tables.
    async fn on(directory: tempfile::TempDir) -> Self {
        // The files in the store have the machine's times, so the clock begins there.
        let now = showreport_model::SystemClock.now().as_millis();
        let clock = Arc::new(TestClock(AtomicI64::new(now)));
        let meta_config = showreport_meta::Config {
            path: directory.path().join("meta.sqlite"),
            journal_bytes_max: 1 << 30,
            running_jobs_each_max: 2,
            job_priorities: Vec::new(),
            quotas: showreport_meta::Quotas::default(),
            busy_timeout_ms: 5_000,
            reserve_bytes: 64 << 10,
        };
        let meta = Meta::open(&meta_config, clock.clone()).await.unwrap();
        meta.create_org(&org(), &Zone::utc()).await.unwrap();
        let token = meta.create_token(&org(), Scope::Collect.into(), None).await;
        let (token, _) = token.unwrap();
        let lake = Lake::open(&config(directory.path()), meta.clone())
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(meta.journal_writer().run(shutdown.clone()));
        Self {
            directory,
            clock,
            meta,
            lake,
            token,
            shutdown,
            tasks,
        }
    }

    async fn end(mut self) {
        self.shutdown.cancel();
        while let Some(task) = self.tasks.join_next().await {
            task.unwrap().unwrap();
        }
    }

    async fn collect(&self, viewings: impl IntoIterator<Item = Viewing>) {
        let sent = testing::sent("acme", viewings);
        self.meta.journal().append(self.token, sent).await.unwrap();
    }

    async fn collect_and_flush(&self, viewings: impl IntoIterator<Item = Viewing>) {
        self.collect(viewings).await;
        self.lake.flush().await.unwrap();
    }

    /// Stretches of one view, a file each.
    async fn flush_four_files(&self) {
        for round in 0..4 {
            let stretch = viewing("a", round * 20, round * 20 + 10);
            self.collect_and_flush([stretch]).await;
        }
    }

    async fn files(&self, heads: &Heads) -> Vec<DataFile> {
        let files = self
            .lake
            .files(heads, Table::Spans, sought(&org(), &event()))
            .await;
        files.unwrap()
    }

    /// The spans of the event at these heads: view, from and to.
    async fn spans(&self, heads: &Heads) -> Vec<(String, i64, i64)> {
        read_spans(&self.lake, self.files(heads).await).await
    }

    async fn present_spans(&self) -> Vec<(String, i64, i64)> {
        self.spans(&self.meta.heads().await.unwrap()).await
    }

    /// The lake as another process has it.
    async fn other_process(&self) -> Lake {
        let config = config(self.directory.path());
        Lake::open(&config, self.meta.clone()).await.unwrap()
    }

    fn put_clock_forward(&self, millis: i64) {
        self.clock.0.fetch_add(millis, Ordering::Relaxed);
    }
}

async fn read_spans(lake: &Lake, files: Vec<DataFile>) -> Vec<(String, i64, i64)> {
    let mut batches = Vec::new();
    for file in files {
        let reader = ParquetFileReader::new(lake.store(&FoundDamage::default()));
        let mut read = reader.read_file(file.path).await.unwrap();
        while let Some(batch) = read.try_next().await.unwrap() {
            batches.push(conform(Table::Spans, &batch).unwrap());
        }
    }
    let mut rows: Vec<SpanRow<'_>> = Vec::new();
    for batch in &batches {
        rows.extend(Spans::read(batch).unwrap());
    }
    coalesce(&mut rows);
    let spans = rows.iter().map(|row| {
        let start = Timestamp::MIN.as_millis();
        let millis = |micros: i64| micros / 1000 - start;
        let view = row.playback_id.to_string();
        (view, millis(row.from_time.0), millis(row.to_time.0))
    });
    spans.collect()
}

fn viewing(playback: &str, from: i64, to: i64) -> Viewing {
    let start = Timestamp::MIN.as_millis();
    Viewing::new(playback, Span::new(start + from, start + to).unwrap())
}

fn span(playback: &str, from: i64, to: i64) -> (String, i64, i64) {
    (playback.to_owned(), from, to)
}

#[tokio::test]
async fn what_is_flushed_can_be_read() {
    let world = World::new().await;
    assert_eq!(world.lake.flush().await.unwrap(), Flushed::default());
    world
        .collect([viewing("a", 0, 10), viewing("b", 0, 5)])
        .await;
    world.collect([viewing("a", 10, 20)]).await;
    let flushed = world.lake.flush().await.unwrap();
    assert_eq!((flushed.journal_rows, flushed.fact_rows), (2, 3));
    assert!(flushed.bytes > 0);
    let last = world.meta.journal_last().await.unwrap();
    assert_eq!(flushed.last, Some(last));
    assert_eq!(
        world.present_spans().await,
        [span("a", 0, 20), span("b", 0, 5)]
    );
    assert_eq!(world.lake.flush().await.unwrap(), Flushed::default());
    assert_eq!(world.meta.journal_depth().await.unwrap().rows, 0);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flushes_at_once_lose_and_double_nothing() {
    let world = World::new().await;
    for round in 0..5 {
        world
            .collect([viewing("a", round * 20, round * 20 + 10)])
            .await;
        let at_once = (0..4).map(|_| world.lake.flush());
        let flushed = futures::future::try_join_all(at_once).await.unwrap();
        assert_eq!(
            flushed
                .iter()
                .map(|flushed| flushed.fact_rows)
                .sum::<usize>(),
            1
        );
    }
    assert_eq!(world.present_spans().await.len(), 5);
    world.end().await;
}

#[tokio::test]
async fn a_flush_that_stopped_before_the_heads_loses_and_doubles_nothing() {
    let world = World::new().await;
    world.collect_and_flush([viewing("a", 0, 10)]).await;
    let before = world.meta.heads().await.unwrap();
    world.collect([viewing("a", 20, 30)]).await;
    stop_before_the_heads(&world).await;
    // It is not to be seen, and nothing is lost.
    assert_eq!(world.meta.heads().await.unwrap(), before);
    assert_eq!(world.present_spans().await, [span("a", 0, 10)]);
    world.lake.flush().await.unwrap();
    let spans = [span("a", 0, 10), span("a", 20, 30)];
    assert_eq!(world.present_spans().await, spans);
    assert_eq!(world.spans(&before).await, [span("a", 0, 10)]);
    // Nor does it matter to a process that starts anew.
    world.collect([viewing("b", 0, 1)]).await;
    stop_before_the_heads(&world).await;
    world.other_process().await.flush().await.unwrap();
    let spans = [span("a", 0, 10), span("a", 20, 30), span("b", 0, 1)];
    assert_eq!(world.present_spans().await, spans);
    world.end().await;
}

/// Commits to the tables what a flush would, and stops before the heads are moved.
async fn stop_before_the_heads(world: &World) {
    let meta = world.meta.clone();
    let work = move |mut newest: NewestGuard| async move {
        flush::stop_before_the_heads(&meta, &mut newest).await
    };
    world.lake.shared.exclusive.run(work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_the_facts_in_fewer_files() {
    let world = World::new().await;
    for round in 0..5 {
        let (from, to) = (round * 10, round * 10 + 10);
        world
            .collect_and_flush([viewing("a", from, to), viewing("b", from, to - 5)])
            .await;
    }
    let before = world.meta.heads().await.unwrap();
    let spans = world.present_spans().await;
    assert_eq!(spans.len(), 6);
    assert_eq!(world.files(&before).await.len(), 5);
    let compacted = world.lake.compact().await.unwrap();
    assert_eq!((compacted.files_in, compacted.files_out), (5, 1));
    let after = world.meta.heads().await.unwrap();
    assert!(after[&Table::Spans] > before[&Table::Spans]);
    assert_eq!(world.files(&after).await.len(), 1);
    assert_eq!(world.present_spans().await, spans);
    // The versions before have their files still.
    assert_eq!(world.spans(&before).await, spans);
    assert_eq!(world.lake.compact().await.unwrap(), Compacted::default());
    world.end().await;
}

#[tokio::test]
async fn a_compaction_is_dropped_if_another_was_faster() {
    let world = World::new().await;
    world.flush_four_files().await;
    let shared = world.lake.shared.clone();
    let plan = move |mut newest: NewestGuard| async move {
        compact::plan(
            &shared.meta,
            &mut newest,
            &shared.config,
            &shared.store,
            Table::Spans,
        )
        .await
    };
    let mut plans = world.lake.shared.exclusive.run(plan).await.unwrap();
    let plan = plans.pop().unwrap();
    world.lake.compact().await.unwrap();
    let spans = world.present_spans().await;
    assert_eq!(world.lake.carry_out(plan).await.unwrap(), None);
    assert_eq!(world.present_spans().await, spans);
    world.end().await;
}

#[tokio::test]
async fn files_of_other_organisations_are_not_opened() {
    let world = World::new().await;
    let other = OrgId::new("zeta").unwrap();
    world.meta.create_org(&other, &Zone::utc()).await.unwrap();
    let long = |tail: &str| format!("{}{tail}", "é".repeat(100));
    let of_event = |event: &str| Viewing {
        event: event.to_owned(),
        ..viewing("a", 0, 10)
    };
    for viewing in [of_event("alpha"), of_event("beta"), of_event(&long("1"))] {
        world.collect_and_flush([viewing]).await;
    }
    let theirs = testing::collected("zeta", [of_event("beta")]);
    world.lake.load(&other, &[theirs]).await.unwrap();
    let heads = world.meta.heads().await.unwrap();
    let count = async |org: &OrgId, event: &str| {
        let event = EventId::new(event).unwrap();
        let files = world
            .lake
            .files(&heads, Table::Spans, sought(org, &event))
            .await;
        files.unwrap().len()
    };
    assert_eq!(count(&org(), "alpha").await, 1);
    assert_eq!(count(&org(), "beta").await, 1);
    assert_eq!(count(&org(), "gamma").await, 0);
    assert_eq!(count(&other, "beta").await, 1);
    assert_eq!(count(&other, "alpha").await, 0);
    assert_eq!(count(&org(), &long("1")).await, 1);
    let event = event();
    let chat = world
        .lake
        .files(&heads, Table::Chat, sought(&org(), &event))
        .await;
    assert!(chat.unwrap().is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_load_appears_whole_and_twice_is_once() {
    let world = World::new().await;
    let lake = world.other_process().await;
    let parts = [
        testing::collected("acme", [viewing("a", 0, 10)]),
        testing::one_of_each("acme").finish(),
        testing::collected("acme", [viewing("b", DAY_MS - 5, DAY_MS + 5)]),
    ];
    for _ in 0..2 {
        lake.load(&org(), &parts).await.unwrap();
        let spans = [
            span("a", 0, 10),
            span("p", 0, 10_000),
            span("b", DAY_MS - 5, DAY_MS),
            span("b", DAY_MS, DAY_MS + 5),
        ];
        let mut present = world.present_spans().await;
        present.sort_by_key(|(_, from, to)| (*from, *to));
        assert_eq!(present, spans);
    }
    let heads = world.meta.heads().await.unwrap();
    assert_eq!(heads.len(), Table::COUNT);
    assert_eq!(
        world.meta.event(&org(), &event()).await.unwrap().id,
        event()
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_found_after_checkpoints_and_cleaning_of_the_log() {
    let world = World::new().await;
    let load = async |lake: &Lake, round: i64| {
        let part = testing::collected("acme", [viewing("a", round * 20, round * 20 + 10)]);
        lake.load(&org(), &[part]).await.unwrap();
        world.meta.heads().await.unwrap()
    };
    // Others that have an early version in memory, and sleep.
    let sleeper = world.other_process().await;
    let early = load(&world.lake, 0).await;
    let of_event = async |lake: &Lake, heads: &Heads, event: &str| {
        let event = EventId::new(event).unwrap();
        let files = lake
            .files(heads, Table::Spans, sought(&org(), &event))
            .await;
        files.unwrap().len()
    };
    assert_eq!(of_event(&sleeper, &early, "keynote").await, 1);
    for round in 1..105 {
        load(&world.lake, round).await;
    }
    let log = world.directory.path().join("store/lake/spans/_delta_log");
    let entries = || std::fs::read_dir(&log).unwrap().count();
    let before = entries();
    world.put_clock_forward(2 * DAY_MS);
    assert_eq!(world.lake.vacuum().await.unwrap(), 0);
    assert!(entries() < 50, "{before} entries became {}", entries());

    let heads = world.meta.heads().await.unwrap();
    for lake in [&world.other_process().await, &sleeper] {
        assert_eq!(of_event(lake, &heads, "keynote").await, 105);
        assert_eq!(
            of_event(lake, &heads, "zzz").await,
            0,
            "the statistics are kept"
        );
    }
    let heads = load(&sleeper, 105).await;
    assert_eq!(of_event(&sleeper, &heads, "keynote").await, 106);
    assert_eq!(world.present_spans().await.len(), 106);
    assert_eq!(world.lake.compact().await.unwrap().files_in, 106);
    assert_eq!(world.present_spans().await.len(), 106);
    world.end().await;
}
