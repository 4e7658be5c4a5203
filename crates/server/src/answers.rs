//! [`Answers`]: figures of events, from states that stand still, worked out once.
//!
//! A [`Snapshot`] has exactly the facts that were acknowledged up to its `as_of`. Answers are kept
//! by organisation, event, `as_of`, zone and question, so the same facts are never worked out twice
//! while the answer is kept. Pages and the API use nothing else, so both say the same.

mod one_at_a_time;
mod recent;
mod snapshot;
mod viewers;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use showreport_jobs::Jobs;
use showreport_lake::Lake;
use showreport_meta::{ListedEvent, Meta};
use showreport_model::figures::Figures;
use showreport_model::question::{Answer, Question};
use showreport_model::report::ReportOrder;
use showreport_model::table::Value;
use showreport_model::{EventId, OrgId, Timestamp, Window, Zone};
use showreport_query::{Preview, Query};

use crate::error::ApiError;
use crate::permits::FairPermits;
use one_at_a_time::OneAtATime;
use recent::Recent;
pub(crate) use snapshot::{Freshness, Snapshot};
use snapshot::{Snapshots, State};
use viewers::Viewers;
pub(crate) use viewers::ViewersOfEvents;

/// Bytes of the answers that are kept.
const BYTES_MAX: usize = 64 << 20;

/// Bytes of the largest answer that is kept: one must not replace all others.
const ANSWER_BYTES_MAX: usize = BYTES_MAX / 8;

/// Bytes of an answer beside its rows and texts: the key and the entries of both maps.
const ENTRY_BYTES: usize = 512;

/// The answers of this process. Clones share them.
#[derive(Clone)]
pub(crate) struct Answers(Arc<Parts>);

struct Parts {
    meta: Meta,
    lake: Lake,
    query: Query,
    jobs: Jobs,
    queries: FairPermits<OrgId>,
    snapshots: Snapshots,
    pinning: OneAtATime<(OrgId, EventId)>,
    kept: Mutex<Recent<Key, Kept>>,
    working: OneAtATime<Key>,
    viewers: Viewers,
}

/// What an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    org: OrgId,
    event: EventId,
    as_of: Timestamp,
    zone: String,
    asked: Asked,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asked {
    Figures(Window),
    Answer(Question),
}

#[derive(Debug, Clone)]
enum Kept {
    Figures(Figures),
    Answer(Arc<Answer>),
}

impl Answers {
    /// Answers with the permits of queries, which kept answers need none of.
    pub(crate) fn new(
        meta: Meta,
        lake: Lake,
        query: Query,
        jobs: Jobs,
        queries: FairPermits<OrgId>,
    ) -> Self {
        Self(Arc::new(Parts {
            meta,
            lake,
            query,
            jobs,
            queries,
            snapshots: Snapshots::default(),
            pinning: OneAtATime::default(),
            kept: Mutex::new(Recent::new(BYTES_MAX)),
            working: OneAtATime::default(),
            viewers: Viewers::default(),
        }))
    }

    /// A state of an event. It is the present one if no facts have come since, or if `freshness`
    /// demands it; else it is at most 10 s old.
    pub(crate) async fn snapshot(
        &self,
        org: &OrgId,
        event: &EventId,
        freshness: Freshness,
    ) -> Result<Snapshot, ApiError> {
        let parts = &*self.0;
        let key = (org.clone(), event.clone());
        if let Some(kept) = self.kept_state(&key, freshness).await? {
            return Ok(kept);
        }
        let _one_at_a_time = parts.pinning.lock(&key).await;
        // Another request may have made it meanwhile.
        if let Some(kept) = self.kept_state(&key, freshness).await? {
            return Ok(kept);
        }
        let _permit = parts.queries.acquire(org).await?;
        let now = parts.meta.clock().now();
        let pinned = parts.lake.pin_event(org, event).await?;
        let as_of = pinned.changed_at;
        let state = State::new(pinned.heads, pinned.event, now);
        parts.snapshots.keep(&key, as_of, state.clone());
        Ok(state.snapshot(key.0, as_of, pinned.zone))
    }

    /// The state of an event of a list that was read at `now`. It is at most 10 s old.
    pub(crate) async fn snapshot_of_listed(
        &self,
        org: &OrgId,
        listed: &ListedEvent,
        zone: &Zone,
        now: Timestamp,
    ) -> Result<Snapshot, ApiError> {
        let key = (org.clone(), listed.event.id.clone());
        let recent = Freshness::Recent;
        let snapshots = &self.0.snapshots;
        match snapshots.newest(&key, listed.changed_at, recent, now) {
            Some((as_of, state)) => Ok(state.snapshot(key.0, as_of, zone.clone())),
            None => self.snapshot(org, &listed.event.id, recent).await,
        }
    }

    /// The state of an event at an earlier `as_of`, if it is kept.
    pub(crate) async fn snapshot_as_of(
        &self,
        org: &OrgId,
        event: &EventId,
        as_of: Timestamp,
    ) -> Result<Option<Snapshot>, ApiError> {
        let parts = &*self.0;
        let key = (org.clone(), event.clone());
        let Some(state) = parts.snapshots.of(&key, as_of, parts.meta.clock().now()) else {
            return Ok(None);
        };
        let zone = parts.meta.zone(org).await?;
        Ok(Some(state.snapshot(key.0, as_of, zone)))
    }

    /// The figures of an event within a filter.
    pub(crate) async fn figures(
        &self,
        snapshot: &Snapshot,
        window: Window,
    ) -> Result<Figures, ApiError> {
        let key = Key::of(snapshot, Asked::Figures(window));
        let work = async {
            let query = &self.0.query;
            let figures = query.figures(snapshot.org(), snapshot.pins(), window);
            Ok(Kept::Figures(figures.await?))
        };
        match self.once(key, work).await? {
            Kept::Figures(figures) => Ok(figures),
            Kept::Answer(_) => unreachable!("the key is one of figures"),
        }
    }

    /// The answer to a question about an event.
    pub(crate) async fn answer(
        &self,
        snapshot: &Snapshot,
        question: &Question,
    ) -> Result<Arc<Answer>, ApiError> {
        let key = Key::of(snapshot, Asked::Answer(question.clone()));
        let work = async {
            let query = &self.0.query;
            let answer = query.answer(snapshot.org(), snapshot.pins(), question);
            Ok(Kept::Answer(Arc::new(answer.await?)))
        };
        match self.once(key, work).await? {
            Kept::Answer(answer) => Ok(answer),
            Kept::Figures(_) => unreachable!("the key is one of an answer"),
        }
    }

    /// The viewers of each event of an organisation that has any. They are at most 10 s old.
    pub(crate) async fn viewers_of_events(
        &self,
        org: &OrgId,
    ) -> Result<Arc<ViewersOfEvents>, ApiError> {
        let parts = &*self.0;
        let kept = async || {
            let now = parts.meta.clock().now();
            let changed_at = parts.meta.newest_change(org).await?;
            Ok::<_, ApiError>((now, changed_at, parts.viewers.kept(org, changed_at, now)))
        };
        if let (.., Some(kept)) = kept().await? {
            return Ok(kept);
        }
        let _one_at_a_time = parts.viewers.working.lock(org).await;
        let (now, changed_at, kept) = kept().await?;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let _permit = parts.queries.acquire(org).await?;
        parts.jobs.flush_org(org).await?;
        let heads = parts.meta.heads().await?;
        let counted = parts.query.viewers_of_events(org, &heads).await?;
        Ok(parts.viewers.keep(org, changed_at, now, counted))
    }

    /// The first rows of a report that is made from a snapshot. They are not kept.
    pub(crate) async fn preview(
        &self,
        snapshot: &Snapshot,
        order: &ReportOrder,
        rows_max: usize,
    ) -> Result<Preview, ApiError> {
        let _permit = self.0.queries.acquire(snapshot.org()).await?;
        let preview = self.0.query.preview(order, snapshot.pins(), rows_max);
        Ok(preview.await?)
    }

    /// A state that needs no flush, if there is one.
    async fn kept_state(
        &self,
        key: &(OrgId, EventId),
        freshness: Freshness,
    ) -> Result<Option<Snapshot>, ApiError> {
        let parts = &*self.0;
        // The clock first: what is read afterwards is not older.
        let now = parts.meta.clock().now();
        let seen = parts.meta.event_snapshot(&key.0, &key.1).await?;
        let kept = parts.snapshots.newest(key, seen.changed_at, freshness, now);
        Ok(kept.map(|(as_of, state)| state.snapshot(key.0.clone(), as_of, seen.zone)))
    }

    /// The kept value of a key, or a new one. Of requests at the same time one works, and the others
    /// wait for it without a permit. If it fails or is dropped, the next one works.
    async fn once(
        &self,
        key: Key,
        work: impl Future<Output = Result<Kept, ApiError>> + Send,
    ) -> Result<Kept, ApiError> {
        let parts = &*self.0;
        if let Some(kept) = self.kept().get(&key) {
            return Ok(kept);
        }
        let _one_at_a_time = parts.working.lock(&key).await;
        if let Some(kept) = self.kept().get(&key) {
            return Ok(kept);
        }
        let permit = parts.queries.acquire(&key.org).await?;
        let made = work.await?;
        drop(permit);
        let bytes = made.bytes();
        if bytes <= ANSWER_BYTES_MAX {
            self.kept().insert(key, made.clone(), bytes);
        }
        Ok(made)
    }

    fn kept(&self) -> MutexGuard<'_, Recent<Key, Kept>> {
        // No change of it can panic halfway, so a poisoned lock has a valid state.
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Key {
    fn of(snapshot: &Snapshot, asked: Asked) -> Self {
        let pins = snapshot.pins();
        Self {
            org: snapshot.org().clone(),
            event: pins.event.id.clone(),
            as_of: snapshot.as_of(),
            zone: pins.zone.name().to_owned(),
            asked,
        }
    }
}

impl Kept {
    fn bytes(&self) -> usize {
        let rows = match self {
            Self::Figures(_) => 0,
            Self::Answer(answer) => {
                let lone = [&answer.other, &answer.total].into_iter().flatten();
                let cells = lone.map(Vec::len).sum::<usize>();
                answer.table.heap_bytes() + cells * size_of::<Value>()
            }
        };
        ENTRY_BYTES + rows
    }
}
