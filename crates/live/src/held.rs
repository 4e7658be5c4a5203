//! [`HeldEvent`]: an event that was asked for, with its state or while that is loaded.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use showreport_model::facts::Facts;
use showreport_model::{EventId, OrgId, Timestamp};

use crate::figures::{LiveFigures, ViewerCounts};
use crate::metrics::Metrics;
use crate::state::State;

/// An event that was asked for.
#[derive(Debug)]
pub(crate) struct HeldEvent {
    pub(crate) org: OrgId,
    pub(crate) event: EventId,
    phase: Mutex<Phase>,
    /// Held while the state is loaded, so that concurrent callers wait for one load.
    pub(crate) loading: tokio::sync::Mutex<()>,
    asked_at_ms: AtomicI64,
}

#[derive(Debug)]
enum Phase {
    /// Facts that are committed meanwhile wait to be added.
    Loading {
        waiting: Vec<Arc<Facts>>,
        bytes: usize,
        is_stale: bool,
    },
    Ready(Box<Ready>),
}

/// A state with its latest answer.
#[derive(Debug)]
pub(crate) struct Ready {
    state: State,
    /// Facts may be missing: it is to be loaded anew.
    is_stale: bool,
    /// Increased by each change of the state.
    version: u64,
    figures: Option<Answer<Arc<LiveFigures>>>,
    /// With the end of the event.
    viewers: Option<Answer<(Option<Timestamp>, ViewerCounts)>>,
}

/// An answer that may be given again.
#[derive(Debug, Clone, Copy)]
struct Answer<T> {
    /// Of the state.
    version: u64,
    at: Timestamp,
    value: T,
}

/// Bytes of facts that wait for a load. If more are collected meanwhile, the state is loaded once
/// more.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// An answer of an event with many views is given again for a while, because it takes a few
/// milliseconds: a millisecond for so many views, and at most [`REUSE_MS_MAX`].
const VIEWS_PER_REUSE_MS: usize = 200;

/// Figures are never older than this.
const REUSE_MS_MAX: i64 = 1_000;

impl HeldEvent {
    pub(crate) fn new(org: OrgId, event: EventId, now: Timestamp) -> Self {
        Self {
            org,
            event,
            phase: Mutex::new(Phase::loading()),
            loading: tokio::sync::Mutex::default(),
            asked_at_ms: AtomicI64::new(now.as_millis()),
        }
    }

    /// Notes that it was asked for.
    pub(crate) fn note_asked(&self, now: Timestamp) {
        self.asked_at_ms
            .fetch_max(now.as_millis(), Ordering::Relaxed);
    }

    pub(crate) fn asked_at_ms(&self) -> i64 {
        self.asked_at_ms.load(Ordering::Relaxed)
    }

    /// Reads the state. `None` if it is not loaded, or stale.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut Ready) -> T) -> Option<T> {
        match &mut *self.lock() {
            Phase::Ready(ready) if !ready.is_stale => Some(read(ready)),
            _ => None,
        }
    }

    /// Reads the state even if it is stale. `None` if it is not loaded.
    pub(crate) fn read_stale<T>(&self, read: impl FnOnce(&mut Ready) -> T) -> Option<T> {
        match &mut *self.lock() {
            Phase::Ready(ready) => Some(read(ready)),
            Phase::Loading { .. } => None,
        }
    }

    /// Begins a load: facts that are added from now on wait for its end.
    pub(crate) fn begin(&self) {
        *self.lock() = Phase::loading();
    }

    /// Ends a load, and adds what waits.
    pub(crate) fn finish(&self, mut state: State) {
        let mut phase = self.lock();
        let mut lacks_facts = false;
        if let Phase::Loading {
            waiting, is_stale, ..
        } = &*phase
        {
            lacks_facts = *is_stale;
            for facts in waiting {
                state.add_facts(&self.org, &self.event, facts);
            }
        }
        *phase = Phase::Ready(Box::new(Ready {
            state,
            is_stale: lacks_facts,
            version: 0,
            figures: None,
            viewers: None,
        }));
    }

    /// Adds facts that were committed.
    pub(crate) fn add(&self, facts: &Arc<Facts>) {
        match &mut *self.lock() {
            Phase::Ready(ready) => {
                ready.state.add_facts(&self.org, &self.event, facts);
                ready.version += 1;
            }
            Phase::Loading {
                waiting,
                bytes,
                is_stale,
            } => {
                *bytes += facts.memory_bytes();
                waiting.push(facts.clone());
                if *bytes > WAITING_BYTES_MAX {
                    waiting.clear();
                    *bytes = 0;
                    *is_stale = true;
                }
            }
        }
    }

    /// Notes that facts may be missing.
    pub(crate) fn note_stale(&self) {
        match &mut *self.lock() {
            Phase::Ready(ready) => ready.is_stale = true,
            Phase::Loading { is_stale, .. } => *is_stale = true,
        }
    }

    /// Bytes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        match &*self.lock() {
            Phase::Ready(ready) => ready.state.bytes(),
            Phase::Loading { bytes, .. } => *bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase
            .lock()
            .expect("no code panics while it is locked")
    }
}

impl Phase {
    const fn loading() -> Self {
        Self::Loading {
            waiting: Vec::new(),
            bytes: 0,
            is_stale: false,
        }
    }
}

impl Ready {
    /// The figures at present, or those of a moment ago.
    pub(crate) fn figures(&mut self, now: Timestamp, metrics: &Metrics) -> Arc<LiveFigures> {
        if let Some(kept) = self.figures.as_ref().filter(|it| self.holds(it, now)) {
            return kept.value.clone();
        }
        let figures = Arc::new(self.state.figures(now));
        metrics.figures.inc();
        self.figures = Some(self.answer(now, figures.clone()));
        figures
    }

    /// The viewers before and after the end of the event, likewise.
    pub(crate) fn viewer_counts(
        &mut self,
        now: Timestamp,
        ends_at: Option<Timestamp>,
    ) -> ViewerCounts {
        if let Some(kept) = self.viewers.filter(|it| self.holds(it, now))
            && kept.value.0 == ends_at
        {
            return kept.value.1;
        }
        let viewers = self.state.viewer_counts(now, ends_at);
        self.viewers = Some(self.answer(now, (ends_at, viewers)));
        viewers
    }

    const fn answer<T>(&self, at: Timestamp, value: T) -> Answer<T> {
        Answer {
            version: self.version,
            at,
            value,
        }
    }

    fn holds<T>(&self, answer: &Answer<T>, now: Timestamp) -> bool {
        let age = now.as_millis() - answer.at.as_millis();
        let reuse = i64::try_from(self.state.views() / VIEWS_PER_REUSE_MS).unwrap_or(i64::MAX);
        let is_same = age == 0 && answer.version == self.version;
        is_same || (0..reuse.min(REUSE_MS_MAX)).contains(&age)
    }
}
