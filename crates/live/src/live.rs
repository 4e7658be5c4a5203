//! [`Live`]: the states of the events that are asked for.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use showreport_meta::{Commits, Meta};
use showreport_model::{ErrorChain, EventId, OrgId, Timestamp};
use showreport_query::{EventRows, Query};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::figures::{LiveFigures, ViewerCounts};
use crate::following::{Following, HeldEvents, decoded};
use crate::held::{HeldEvent, Ready};
use crate::metrics::Metrics;
use crate::state::State;

/// Live figures of events. Clones share everything.
///
/// An event is read into memory when it is first asked for, and follows the commits from then on.
#[derive(Clone)]
pub struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    meta: Meta,
    query: Query,
    commits: Commits,
    metrics: Metrics,
    held: Mutex<HeldEvents>,
    following: tokio::sync::Mutex<Following>,
}

/// Bytes of all states together. The event that was asked for least recently leaves first. A
/// million views take about 300 MB.
const STATES_BYTES_MAX: usize = 512 << 20;

/// A state that was not asked for so long is dropped: following costs time.
const IDLE_MS_MAX: i64 = 10 * 60 * 1_000;

/// How often it looks for what other processes have committed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How many times a state is loaded for one request, if facts that it lacks keep coming.
const LOADS_MAX: usize = 3;

impl Live {
    pub fn new(meta: Meta, query: Query) -> Self {
        Self {
            shared: Arc::new(Shared {
                commits: meta.commits(),
                metrics: Metrics::new(),
                held: Mutex::default(),
                following: tokio::sync::Mutex::new(Following::new(meta.clone())),
                meta,
                query,
            }),
        }
    }

    /// The metrics of the states.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The figures of an event now. Everything that this process has acknowledged is in them; what
    /// others have acknowledged follows within a second.
    ///
    /// With many views they may be of a moment ago, which `at` says.
    pub async fn event(&self, org: &OrgId, event: &EventId) -> Result<Arc<LiveFigures>, Error> {
        let metrics = &self.shared.metrics;
        self.read(org, event, |ready, now| ready.figures(now, metrics))
            .await
    }

    /// The viewers of an event before and after its end.
    pub async fn viewers(
        &self,
        org: &OrgId,
        event: &EventId,
        ends_at: Option<Timestamp>,
    ) -> Result<ViewerCounts, Error> {
        self.read(org, event, |ready, now| ready.viewer_counts(now, ends_at))
            .await
    }

    /// Whether the event is in memory, so that it exists.
    pub fn holds(&self, org: &OrgId, event: &EventId) -> bool {
        let key = (org.clone(), event.clone());
        self.lock().contains_key(&key)
    }

    /// Follows the commits until shutdown.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut looked = tokio::time::interval(LOOK_EVERY);
        looked.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let followed = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                _ = looked.tick() => self.tend().await,
                () = self.shared.commits.added() => self.follow().await,
            };
            if let Err(error) = followed {
                let error = ErrorChain(&error).to_string();
                tracing::warn!(error, "cannot follow the journal");
                // The next look reads the rows that are missing.
                looked.tick().await;
            }
        }
    }

    /// Looks for what other processes have committed, and drops states that nothing asks for.
    pub async fn tend(&self) -> Result<(), Error> {
        self.drop_states();
        let mut following = self.shared.following.lock().await;
        let held = self.lock().clone();
        if held.is_empty() {
            following.end();
            return Ok(());
        }
        following.take(&held).await?;
        following.look(&held).await
    }

    /// Adds what this process has committed.
    async fn follow(&self) -> Result<(), Error> {
        let mut following = self.shared.following.lock().await;
        let held = self.lock().clone();
        following.take(&held).await
    }

    async fn read<T>(
        &self,
        org: &OrgId,
        event: &EventId,
        read: impl Fn(&mut Ready, Timestamp) -> T + Send,
    ) -> Result<T, Error> {
        let now = || self.shared.meta.clock().now();
        self.follow().await?;
        let held = self.held(org, event, now());
        for _ in 0..LOADS_MAX {
            if let Some(answer) = held.read(|ready| read(ready, now())) {
                return Ok(answer);
            }
            let _one_load = held.loading.lock().await;
            if let Some(answer) = held.read(|ready| read(ready, now())) {
                return Ok(answer);
            }
            if let Err(error) = self.load(&held).await {
                self.drop_state(&held);
                return Err(error);
            }
            self.follow().await?;
            self.drop_states();
        }
        // Facts that the state lacks came during each load. It has all that were there before.
        let answer = held.read_stale(|ready| read(ready, now()));
        answer.ok_or(Error::Changing)
    }

    fn held(&self, org: &OrgId, event: &EventId, now: Timestamp) -> Arc<HeldEvent> {
        let key = (org.clone(), event.clone());
        let mut all = self.lock();
        if let Some(held) = all.get(&key) {
            held.note_asked(now);
            return held.clone();
        }
        self.shared.commits.follow(key.clone());
        let held = Arc::new(HeldEvent::new(org.clone(), event.clone(), now));
        all.insert(key, held.clone());
        held
    }

    /// Reads all facts of an event into memory.
    ///
    /// First the commits are followed, then the rows of the journal are listed, and last the heads
    /// are read. So each fact is in one of the three, or in two: a row that is flushed meanwhile is
    /// in the lake at these heads.
    async fn load(&self, held: &HeldEvent) -> Result<(), Error> {
        let Shared {
            meta,
            query,
            following,
            ..
        } = &*self.shared;
        let started = Instant::now();
        held.begin();
        following.lock().await.begin().await?;
        let mut state = State::default();
        for seq in meta.journal_rows_of_event(&held.org, &held.event).await? {
            if let Some(row) = meta.journal_row(seq).await? {
                state.add_facts(&held.org, &held.event, &decoded(&row)?);
            }
        }
        let heads = meta.storage().await?.heads;
        let loading = Arc::new(Mutex::new(Loading { state, batches: 0 }));
        let shared = loading.clone();
        let visit = move |rows: EventRows<'_>| {
            let mut loading = shared.lock().expect("no code panics while it is locked");
            loading.add(rows)
        };
        query
            .read_event(&held.org, &held.event, &heads, Arc::new(visit))
            .await?;
        let mut state = {
            let mut loading = loading.lock().expect("no code panics while it is locked");
            std::mem::take(&mut loading.state)
        };
        state.settle();
        if state.bytes() > STATES_BYTES_MAX {
            return Err(Error::TooLarge {
                bytes_max: STATES_BYTES_MAX,
            });
        }
        held.finish(state);
        let took = started.elapsed();
        self.shared.metrics.load_seconds.observe(took.as_secs_f64());
        tracing::debug!(
            duration_ms = took.as_millis(),
            bytes = held.bytes(),
            "read an event into memory"
        );
        Ok(())
    }

    /// Drops states that were not asked for lately, and more while all take too much memory.
    fn drop_states(&self) {
        let now_ms = self.shared.meta.clock().now().as_millis();
        let mut held: Vec<_> = self.lock().values().cloned().collect();
        held.sort_unstable_by_key(|it| it.asked_at_ms());
        let sizes: Vec<usize> = held.iter().map(|it| it.bytes()).collect();
        let mut bytes: usize = sizes.iter().sum();
        for (held, size) in held.iter().zip(sizes) {
            let is_idle = now_ms - held.asked_at_ms() > IDLE_MS_MAX;
            if is_idle || bytes > STATES_BYTES_MAX {
                bytes -= size;
                self.drop_state(held);
            }
        }
        let metrics = &self.shared.metrics;
        metrics.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let states = self.lock().len();
        metrics
            .states
            .set(i64::try_from(states).unwrap_or(i64::MAX));
    }

    fn drop_state(&self, held: &HeldEvent) {
        let key = (held.org.clone(), held.event.clone());
        let mut all = self.lock();
        if all.remove(&key).is_some() {
            self.shared.commits.unfollow(&key);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HeldEvents> {
        self.shared
            .held
            .lock()
            .expect("no code panics while it is locked")
    }
}

/// A state while it is loaded.
struct Loading {
    state: State,
    batches: usize,
}

/// The memory of a state is measured once for so many batches.
const MEASURED_EVERY: usize = 32;

impl Loading {
    /// Returns false once the state has too many bytes.
    fn add(&mut self, rows: EventRows<'_>) -> bool {
        match rows {
            EventRows::OfTable(table, rows) => self.state.add_batch(table, rows),
            EventRows::PackedBeats(rows) => self.state.add_packed_beats(rows),
        }
        self.batches += 1;
        !self.batches.is_multiple_of(MEASURED_EVERY) || self.state.bytes() <= STATES_BYTES_MAX
    }
}
