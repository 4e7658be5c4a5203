//! Group commit: requests that arrive at the same time share one commit.
//!
//! While one group is synced to the disk the next one gathers, so under load more requests share a
//! sync.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use fail::fail_point;
use showreport_model::facts::{Batches, Collected, Facts, FactsBuilder, FactsMerger};
use showreport_model::{Clock, ErrorKind, EventId, Failure, OrgId, Timestamp, TokenId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::commits::{Commit, Commits, CommittedRow};
use super::queue::{Batch, Queue};
use super::{NewRow, PendingEvents};
use crate::database::{Database, JournalRange, Ledger, Transaction, is_after, to_json};
use crate::error::Error;
use crate::meta::events::EventChanges;
use crate::meta::{events, org_totals, tokens};
use crate::metrics::Metrics;
use crate::quotas::Quotas;

/// Makes records durable. Clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    queue: Arc<Queue>,
    size: Arc<watch::Sender<u64>>,
    database: Arc<Database>,
    pending_events: Arc<PendingEvents>,
    commits: Commits,
}

/// The end of the queue that a [`JournalWriter`] takes from. Once it is dropped, appending fails.
#[derive(Debug)]
pub(crate) struct JournalReceiver(Arc<Queue>);

impl Drop for JournalReceiver {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Journal {
    /// The journal of this database, which has `bytes` now.
    pub(crate) fn new(database: Arc<Database>, bytes: u64) -> (Self, JournalReceiver) {
        let queue = Arc::new(Queue::new());
        let receiver = JournalReceiver(queue.clone());
        let journal = Self {
            queue,
            size: Arc::new(watch::Sender::new(bytes)),
            database,
            pending_events: Arc::default(),
            commits: Commits::default(),
        };
        (journal, receiver)
    }

    /// Appends records of an organisation that were sent with a token. When this returns `Ok`, they
    /// survive a power cut. If it fails, earlier batches of the request may be stored.
    ///
    /// The transaction that stores the records checks the token once more: minutes may pass between
    /// the head of a request and its last record, and a revoked token must store nothing.
    ///
    /// The [`JournalWriter`] commits. Dropping this future loses the result and the batches that
    /// were not begun; it does not affect other requests of the commit.
    pub async fn append(&self, token: TokenId, sent: impl Into<Batches>) -> Result<(), Error> {
        let result = self.queue.push(token, sent.into()).await?;
        // The control of the crash tests: returning here must be seen to lose records.
        fail_point!("answer-before-commit", |_| Ok(()));
        result.await.map_err(|_| Error::JournalClosed)?
    }

    /// Waits until the journal has at least `bytes`.
    pub async fn grown_to(&self, bytes: u64) {
        let mut size = self.size.subscribe();
        loop {
            let Ok(seen) = size.wait_for(|size| *size >= bytes).await.map(|size| *size) else {
                unreachable!("`self` has the sender");
            };
            // Another process may have flushed since.
            match super::size(self.database.readers()).await {
                Ok(real) if real >= bytes => return,
                Ok(real) => self.correct_size(seen, real),
                Err(error) => {
                    tracing::warn!(%error, "cannot measure the journal");
                    self.correct_size(seen, 0);
                }
            }
        }
    }

    /// The events that have facts in the journal.
    pub(crate) fn pending_events(&self) -> &PendingEvents {
        &self.pending_events
    }

    /// What this process commits.
    pub(crate) const fn commits(&self) -> &Commits {
        &self.commits
    }

    /// Publishes the size of the journal to [`Journal::grown_to`].
    pub(crate) fn announce_size(&self, bytes: u64) {
        self.size.send_replace(bytes);
    }

    /// Replaces a size that was wrong, unless a commit has replaced it.
    fn correct_size(&self, seen: u64, real: u64) {
        self.size.send_if_modified(|size| {
            let stale = *size == seen;
            if stale {
                *size = real;
            }
            stale
        });
    }
}

/// Commits the appended records, group by group.
///
/// It is a future of its own, so that a request that is dropped does not cancel a commit.
#[derive(Debug)]
pub struct JournalWriter {
    pub(crate) receiver: JournalReceiver,
    pub(crate) journal: Journal,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) bytes_max: u64,
    pub(crate) quotas: Quotas,
}

impl JournalWriter {
    /// Commits groups until shutdown, then the rest of the queue.
    ///
    /// Afterwards, or if this future is dropped, appending fails. An error
    /// means that the database cannot be checkpointed: the process should end.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let queue = self.receiver.0.clone();
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = queue.filled() => self.commit(queue.take()).await?,
            }
        }
        queue.close();
        loop {
            let group = queue.take();
            if group.is_empty() {
                return Ok(());
            }
            self.commit(group).await?;
        }
    }

    async fn commit(&self, mut group: Vec<Batch>) -> Result<(), Error> {
        let started = Instant::now();
        // Once, and once more each time that a part of it is refused.
        while !group.is_empty() {
            let encoded;
            (group, encoded) = encode(group, self.journal.commits.clone()).await;
            let result = match self.store(encoded, &group).await {
                Ok(Outcome::Stored) => {
                    self.count(&group, started);
                    Ok(())
                }
                Ok(Outcome::Refused(refusal)) => {
                    group = self.refuse(group, refusal);
                    continue;
                }
                Err(error) => Err(error),
            };
            let group = std::mem::take(&mut group);
            self.journal.queue.reply(group, &result);
        }
        self.checkpoint_if_grown().await
    }

    /// Replies to the batches that are refused, and returns the others.
    fn refuse(&self, group: Vec<Batch>, refusal: Refusal) -> Vec<Batch> {
        let is_refused = |batch: &Batch| match &refusal.batches {
            RefusedBatches::OfTokens(tokens) => tokens.contains(&batch.token),
            RefusedBatches::OfOrg(org) => batch.facts.org() == org,
        };
        let (refused, others) = group.into_iter().partition(is_refused);
        self.journal.queue.reply(refused, &Err(refusal.error));
        others
    }

    fn count(&self, group: &[Batch], started: Instant) {
        let records = group.iter().map(|batch| batch.facts.records() as u64);
        self.metrics.records.inc_by(records.sum());
        self.metrics.commits.inc();
        let took = started.elapsed();
        self.metrics.commit_seconds.observe(took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a group is far below 2^53")]
        self.metrics.group_size.observe(group.len() as f64);
    }

    async fn store(&self, encoded: Encoded, group: &[Batch]) -> Result<Outcome, Error> {
        let now = self.clock.now();
        let tokens: BTreeSet<TokenId> = group.iter().map(|batch| batch.token).collect();
        let store = async |tx: &mut Transaction<'_>| {
            ensure_clock(&tx.ledger, now)?;
            if let Some(refusal) = self.apply(tx, &encoded, &tokens, now).await? {
                tx.discard();
                return Ok(Outcome::Refused(refusal));
            }
            for row in &encoded.rows {
                super::insert(tx, row.new_row(), now).await?;
            }
            self.publish_after_commit(tx, encoded);
            fail_point!("journal-before-commit", |_| std::process::abort());
            Ok(Outcome::Stored)
        };
        let outcome = self.journal.database.write(store).await?;
        if matches!(outcome, Outcome::Stored) {
            fail_point!("journal-after-commit", |_| std::process::abort());
        }
        Ok(outcome)
    }

    /// Checks tokens, quotas and room, and applies the changes to events.
    async fn apply(
        &self,
        tx: &mut Transaction<'_>,
        encoded: &Encoded,
        tokens: &BTreeSet<TokenId>,
        now: Timestamp,
    ) -> Result<Option<Refusal>, Error> {
        let invalid = tokens::invalid(tx, tokens, now).await?;
        if !invalid.is_empty() {
            return Ok(Some(Refusal {
                batches: RefusedBatches::OfTokens(invalid),
                error: Error::UnknownToken,
            }));
        }
        self.check_room(encoded, tx.ledger.journal_bytes)?;
        let range = tx.ledger.journal_range();
        self.journal.pending_events.catch_up(tx, range).await?;
        if let Some(refusal) = self.check_shares(encoded) {
            return Ok(Some(refusal));
        }
        let new = events::apply(tx, &encoded.changes, now).await?;
        let exceeded = org_totals::add(tx, &encoded.changes, &new, &self.quotas).await?;
        Ok(exceeded.map(|(org, error)| Refusal::of_org(org, error)))
    }

    /// Publishes the new rows in this process once they are committed, in the order of the commits.
    fn publish_after_commit(&self, tx: &mut Transaction<'_>, encoded: Encoded) {
        let (range, bytes) = (tx.ledger.journal_range(), tx.ledger.journal_bytes);
        let (mut added, mut facts) = (Vec::new(), Vec::new());
        for row in encoded.rows {
            facts.push(row.followed.clone());
            added.push((row.new_row().bytes(), row.events));
        }
        let journal = self.journal.clone();
        tx.after_commit(move || {
            journal.pending_events.add(range, &added);
            journal.announce_size(bytes);
            journal.commits.publish(committed(range, added, facts));
        });
    }

    /// Fails if the journal has no room for the group, before anything is written. Event records
    /// count too, though they are not stored in the journal: they must not fill the disk either.
    fn check_room(&self, encoded: &Encoded, journal_bytes: u64) -> Result<(), Error> {
        let registered = encoded.changes.registered_bytes() as u64;
        let rows = encoded.rows.iter().map(|row| row.new_row().bytes());
        if journal_bytes + rows.sum::<u64>() + registered > self.bytes_max {
            return Err(Error::JournalFull {
                bytes: journal_bytes,
                bytes_max: self.bytes_max,
            });
        }
        Ok(())
    }

    /// Refuses an organisation that would fill more of the journal than its share. Rows that it
    /// shares with others do not count.
    fn check_shares(&self, encoded: &Encoded) -> Option<Refusal> {
        let bytes_max = share(self.bytes_max);
        let mut own = encoded
            .rows
            .iter()
            .filter_map(|row| Some((row.org()?, row)));
        own.find_map(|(org, row)| {
            let bytes = self.journal.pending_events.bytes_of(org);
            let has_room = bytes + row.new_row().bytes() <= bytes_max;
            let error = Error::JournalShareFull { bytes, bytes_max };
            (!has_room).then(|| Refusal::of_org(org.clone(), error))
        })
    }

    async fn checkpoint_if_grown(&self) -> Result<(), Error> {
        match self.journal.database.checkpoint_if_grown().await {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Busy) => {
                // The content of the log is safe there; it is tried again later.
                tracing::warn!(%error, "cannot checkpoint");
                Ok(())
            }
            result => result,
        }
    }
}

/// The result of storing a group.
enum Outcome {
    /// All of it is durable.
    Stored,
    /// None of it was stored: these batches must be taken out of it first.
    Refused(Refusal),
}

/// Batches that cannot be stored.
struct Refusal {
    batches: RefusedBatches,
    error: Error,
}

enum RefusedBatches {
    /// Those sent with these tokens, which were revoked or have expired.
    OfTokens(BTreeSet<TokenId>),
    /// Those of this organisation, which has used up a quota or its share of the journal.
    OfOrg(OrgId),
}

impl Refusal {
    const fn of_org(org: OrgId, error: Error) -> Self {
        Self {
            batches: RefusedBatches::OfOrg(org),
            error,
        }
    }
}

/// Encodes on a blocking thread: a group has megabytes. The group stays as it is, so that it can be
/// encoded again without refused batches.
async fn encode(mut group: Vec<Batch>, commits: Commits) -> (Vec<Batch>, Encoded) {
    let encoding = tokio::task::spawn_blocking(move || {
        let encoded = Encoded::new(group.iter_mut().map(|batch| &mut batch.facts), &commits);
        (group, encoded)
    });
    encoding
        .await
        .expect("encoding checked records does not panic")
}

/// The newest rows of the journal as commits.
fn committed(
    range: JournalRange,
    added: Vec<(u64, BTreeSet<(OrgId, EventId)>)>,
    facts: Vec<Option<Arc<Facts>>>,
) -> impl Iterator<Item = Commit> {
    let count = i64::try_from(added.len()).expect("a group is bounded");
    let numbers = range.last - count + 1..;
    let rows = numbers.zip(added.into_iter().zip(facts));
    rows.map(|(seq, ((_, events), facts))| Commit::Row(CommittedRow { seq, events, facts }))
}

/// Fails while the clock is long before the last transaction.
fn ensure_clock(ledger: &Ledger, now: Timestamp) -> Result<(), Error> {
    match ledger.committed_at {
        Some(committed_at) if is_after(committed_at, now) => {
            Err(Error::ClockBehind { now, committed_at })
        }
        _ => Ok(()),
    }
}

/// Bytes of the journal that one organisation may fill.
const fn share(bytes_max: u64) -> u64 {
    bytes_max / 4 * 3
}

/// Memory of an organisation's facts in a group from which on they get a row of their own. Fewer
/// facts share a row, because a row's schema and checksums would cost more than the facts.
const OWN_ROW_BYTES: usize = 64 << 10;

/// A group, ready for the database.
#[derive(Debug)]
struct Encoded {
    /// None if the group has event records only.
    rows: Vec<EncodedRow>,
    changes: EventChanges,
}

/// A row of the journal.
#[derive(Debug)]
struct EncodedRow {
    payload: Vec<u8>,
    facts: usize,
    events: BTreeSet<(OrgId, EventId)>,
    events_json: String,
    /// The facts, if an event of them is followed.
    followed: Option<Arc<Facts>>,
}

impl Encoded {
    fn new<'p>(parts: impl Iterator<Item = &'p mut FactsBuilder>, commits: &Commits) -> Self {
        let mut merger = FactsMerger::default();
        for part in parts {
            merger.absorb(part);
        }
        let mut changes = EventChanges::default();
        let (mut rows, mut shared) = (Vec::new(), Vec::new());
        for (org, collected) in merger.finish() {
            changes.add(&org, &collected);
            if collected.facts.rows() == 0 {
                continue;
            }
            if collected.facts.memory_bytes() < OWN_ROW_BYTES {
                shared.push((org, collected));
            } else {
                rows.push(EncodedRow::new(vec![(org, collected)], commits));
            }
        }
        if !shared.is_empty() {
            rows.push(EncodedRow::new(shared, commits));
        }
        Self { rows, changes }
    }
}

impl EncodedRow {
    fn new(of_orgs: Vec<(OrgId, Collected)>, commits: &Commits) -> Self {
        let (mut facts, mut events) = (Vec::new(), BTreeSet::new());
        for (org, collected) in of_orgs {
            let of_org = collected.touched.into_iter();
            events.extend(of_org.map(|event| (org.clone(), event)));
            facts.push(collected.facts);
        }
        let facts = Facts::concat(&facts);
        Self {
            payload: super::compress(&facts.encode()),
            facts: facts.rows(),
            events_json: to_json(&events),
            followed: commits.follow_any(&events).then(|| Arc::new(facts)),
            events,
        }
    }

    /// The organisation, if all facts are of one.
    fn org(&self) -> Option<&OrgId> {
        let (first, _) = self.events.first()?;
        let (last, _) = self.events.last()?;
        (first == last).then_some(first)
    }

    fn new_row(&self) -> NewRow<'_> {
        NewRow {
            payload: &self.payload,
            rows: self.facts,
            events_json: &self.events_json,
        }
    }
}
