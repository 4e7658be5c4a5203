//! Group commit: requests that come at the same time share one commit.
//!
//! While one group is being synced to the disk the next one gathers, so the
//! busier it is, the more requests share a sync.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use fail::fail_point;
use showreport_model::facts::{Batches, Collected, Facts, FactsBuilder, FactsMerger};
use showreport_model::{Clock, ErrorKind, EventId, Failure, OrgId, Timestamp, TokenId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::queue::{Batch, Queue};
use super::{NewRow, Touches};
use crate::database::{Database, Ledger, is_after, to_json};
use crate::error::Error;
use crate::events::{self, Mentions};
use crate::metrics::Metrics;
use crate::quotas::Quotas;
use crate::{tokens, totals};

/// Where records go to be made durable. Clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    queue: Arc<Queue>,
    size: Arc<watch::Sender<u64>>,
    database: Arc<Database>,
    touches: Arc<Touches>,
}

/// The end of the queue that a [`JournalWriter`] takes from. Without it nothing can be appended.
#[derive(Debug)]
pub(crate) struct JournalReceiver(Arc<Queue>);

impl Drop for JournalReceiver {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Journal {
    /// A journal in this database, of which `bytes` wait for the flush.
    pub(crate) fn new(database: Arc<Database>, bytes: u64) -> (Self, JournalReceiver) {
        let queue = Arc::new(Queue::new());
        let receiver = JournalReceiver(queue.clone());
        let journal = Self {
            queue,
            size: Arc::new(watch::Sender::new(bytes)),
            database,
            touches: Arc::default(),
        };
        (journal, receiver)
    }

    /// Adds what an organisation sent with a token. When this returns, no power cut loses it. Where it
    /// fails, batches that were stored before stay stored.
    ///
    /// The token is looked up once more in the transaction that stores the records: between the head
    /// of a request and its last record minutes may pass, and a revoked token stores nothing.
    ///
    /// The commit happens elsewhere: dropping this future loses only the
    /// answer and what is left of a large request, and leaves the other requests of the commit as they are.
    pub async fn append(&self, token: TokenId, sent: impl Into<Batches>) -> Result<(), Error> {
        let answer = self.queue.push(token, sent.into()).await?;
        // The control of the tests that kill: answering here must be seen to lose records.
        fail_point!("answer-before-commit", |_| Ok(()));
        answer.await.map_err(|_| Error::JournalClosed)?
    }

    /// Waits until at least so many bytes wait for the flush.
    pub async fn grown_to(&self, bytes: u64) {
        let mut size = self.size.subscribe();
        loop {
            let Ok(seen) = size.wait_for(|size| *size >= bytes).await.map(|size| *size) else {
                unreachable!("we hold the sender ourselves");
            };
            // Another process may have flushed since: only the database knows.
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

    /// Which events its rows have facts of.
    pub(crate) fn touches(&self) -> &Touches {
        &self.touches
    }

    /// Tells those who wait for the journal to grow how large it is.
    pub(crate) fn announce_size(&self, bytes: u64) {
        self.size.send_replace(bytes);
    }

    /// Replaces what turned out wrong, unless a commit was faster.
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

/// Commits what is appended, group by group.
///
/// It runs as a future of its own, so that no request that goes away takes a
/// commit with it.
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
    /// Commits groups until shutdown, then those that still wait.
    ///
    /// Afterwards, or if this future is dropped, appending is refused. An error
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
        // Once for all, and once more each time that a part of it is refused.
        while !group.is_empty() {
            let encoded;
            (group, encoded) = encode(group).await;
            let result = match self.store(encoded, &group).await {
                Ok(Outcome::Stored) => {
                    self.count(&group, started);
                    Ok(())
                }
                Ok(Outcome::Refused(whose, refusal)) => {
                    group = self.refuse(group, &whose, refusal);
                    continue;
                }
                Err(error) => Err(error),
            };
            let group = std::mem::take(&mut group);
            self.journal.queue.answer(group, &result);
        }
        self.checkpoint_if_grown().await
    }

    /// Answers those that are refused, and returns the others.
    fn refuse(&self, group: Vec<Batch>, whose: &Whose, refusal: Error) -> Vec<Batch> {
        let is_refused = |batch: &Batch| match whose {
            Whose::Tokens(tokens) => tokens.contains(&batch.token),
            Whose::Org(org) => batch.facts.org() == org,
        };
        let (refused, others) = group.into_iter().partition(is_refused);
        self.journal.queue.answer(refused, &Err(refusal));
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
        let used: BTreeSet<TokenId> = group.iter().map(|batch| batch.token).collect();
        let mut writer = self.journal.database.writer().await;
        let mut write = writer.begin().await?;
        ensure_clock(&write.ledger, now)?;
        let closed = tokens::closed(&mut write, &used, now).await?;
        if !closed.is_empty() {
            return Ok(Outcome::Refused(Whose::Tokens(closed), Error::UnknownToken));
        }
        self.check_room(&encoded, write.ledger.journal_bytes)?;
        let ledger = write.ledger.clone();
        self.journal.touches.bring_up(&mut write, &ledger).await?;
        if let Some((org, refusal)) = self.check_shares(&encoded) {
            return Ok(Outcome::Refused(Whose::Org(org), refusal));
        }
        let new = events::mention(&mut write, &encoded.mentions, now).await?;
        let added = (&encoded.mentions, &new);
        if let Some((org, refusal)) = totals::add(&mut write, added, &self.quotas).await? {
            return Ok(Outcome::Refused(Whose::Org(org), refusal));
        }
        for row in &encoded.rows {
            super::insert(&mut write, row.new_row(), now).await?;
        }
        let ledger = write.ledger.clone();
        fail_point!("journal-before-commit", |_| std::process::abort());
        write.commit().await?;
        fail_point!("journal-after-commit", |_| std::process::abort());
        // Still the only writer: this is told in the order of the commits.
        let added = encoded.rows.iter();
        let added: Vec<_> = added
            .map(|row| (row.new_row().bytes(), &row.touched))
            .collect();
        self.journal.touches.note(&ledger, &added);
        self.journal.announce_size(ledger.journal_bytes);
        Ok(Outcome::Stored)
    }

    /// Refuses a group that the journal has no room for, before any work is done for it. What events
    /// are waits for no flush, but is not to fill a disk that nothing else may fill.
    fn check_room(&self, encoded: &Encoded, waiting: u64) -> Result<(), Error> {
        let registered = encoded.mentions.registered_bytes() as u64;
        let rows = encoded.rows.iter().map(|row| row.new_row().bytes());
        if waiting + rows.sum::<u64>() + registered > self.bytes_max {
            return Err(Error::JournalFull {
                bytes: waiting,
                bytes_max: self.bytes_max,
            });
        }
        Ok(())
    }

    /// An organisation that would fill more of the journal than its share, and the refusal that says so. With
    /// what it shares rows with others it may fill a little more.
    fn check_shares(&self, encoded: &Encoded) -> Option<(OrgId, Error)> {
        let bytes_max = share(self.bytes_max);
        let mut own = encoded
            .rows
            .iter()
            .filter_map(|row| Some((row.org()?, row)));
        own.find_map(|(org, row)| {
            let bytes = self.journal.touches.bytes_of(org);
            let has_room = bytes + row.new_row().bytes() <= bytes_max;
            (!has_room).then(|| (org.clone(), Error::JournalShareFull { bytes, bytes_max }))
        })
    }

    async fn checkpoint_if_grown(&self) -> Result<(), Error> {
        match self.journal.database.checkpoint_if_grown().await {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::Busy) => {
                // What is in the log is safe there; it is tried again later.
                tracing::warn!(%error, "cannot checkpoint");
                Ok(())
            }
            result => result,
        }
    }
}

/// What became of a group.
enum Outcome {
    /// All of it is durable.
    Stored,
    /// None of it was stored, because of some of it.
    Refused(Whose, Error),
}

/// Which part of a group is refused.
enum Whose {
    /// What was sent with these tokens, which were revoked or have expired.
    Tokens(BTreeSet<TokenId>),
    /// What this organisation sent: it has used up its share.
    Org(OrgId),
}

/// Copying and encoding megabytes is no work for a thread that serves requests. The group stays as it
/// is, so that it can be encoded again without some of its parts.
async fn encode(mut group: Vec<Batch>) -> (Vec<Batch>, Encoded) {
    let encoding = tokio::task::spawn_blocking(move || {
        let encoded = Encoded::new(group.iter_mut().map(|batch| &mut batch.facts));
        (group, encoded)
    });
    encoding
        .await
        .expect("encoding checked records does not panic")
}

/// Refuses records of a time in which what is live is taken for what is to come.
fn ensure_clock(ledger: &Ledger, now: Timestamp) -> Result<(), Error> {
    match ledger.committed_at {
        Some(committed_at) if is_after(committed_at, now) => {
            Err(Error::ClockBehind { now, committed_at })
        }
        _ => Ok(()),
    }
}

/// How much of the journal one organisation may fill.
const fn share(bytes_max: u64) -> u64 {
    bytes_max / 4 * 3
}

/// Memory of an organisation's facts in a group from which on they have a row of their own. Smaller ones
/// share a row: each has a checksum, a schema and a place in the table that cost more than they do.
const OWN_ROW_BYTES: usize = 64 << 10;

/// A group, ready for the database.
#[derive(Debug)]
struct Encoded {
    /// None where it only says what events are: that leaves nothing for the lake.
    rows: Vec<EncodedRow>,
    mentions: Mentions,
}

/// A row of the journal.
#[derive(Debug)]
struct EncodedRow {
    payload: Vec<u8>,
    facts: usize,
    touched: BTreeSet<(OrgId, EventId)>,
    events_json: String,
}

impl Encoded {
    fn new<'p>(parts: impl Iterator<Item = &'p mut FactsBuilder>) -> Self {
        let mut merger = FactsMerger::default();
        for part in parts {
            merger.absorb(part);
        }
        let mut mentions = Mentions::default();
        let (mut rows, mut shared) = (Vec::new(), Vec::new());
        for (org, collected) in merger.finish() {
            mentions.add(&org, &collected);
            if collected.facts.rows() == 0 {
                continue;
            }
            if collected.facts.memory_bytes() < OWN_ROW_BYTES {
                shared.push((org, collected));
            } else {
                rows.push(EncodedRow::new(vec![(org, collected)]));
            }
        }
        if !shared.is_empty() {
            rows.push(EncodedRow::new(shared));
        }
        Self { rows, mentions }
    }
}

impl EncodedRow {
    fn new(of_orgs: Vec<(OrgId, Collected)>) -> Self {
        let (mut facts, mut touched) = (Vec::new(), BTreeSet::new());
        for (org, collected) in of_orgs {
            let events = collected.touched.into_iter();
            touched.extend(events.map(|event| (org.clone(), event)));
            facts.push(collected.facts);
        }
        let facts = Facts::concat(&facts);
        Self {
            payload: super::pack(&facts.encode()),
            facts: facts.rows(),
            events_json: to_json(&touched),
            touched,
        }
    }

    /// The organisation, if there is but one.
    fn org(&self) -> Option<&OrgId> {
        let (first, _) = self.touched.first()?;
        let (last, _) = self.touched.last()?;
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
