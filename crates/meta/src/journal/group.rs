//! Group commit: requests that come at the same time share one commit.
//!
//! While one group is being synced to the disk the next one gathers, so the
//! busier it is, the more requests share a sync.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use fail::fail_point;
use showreport_model::facts::{Facts, FactsBuilder, FactsMerger};
use showreport_model::{Clock, ErrorKind, Failure, TokenId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{NewRow, Touches};
use crate::database::Database;
use crate::error::Error;
use crate::events::{self, Mentions};
use crate::metrics::Metrics;
use crate::tokens;

/// Requests that wait in the queue for the writer; more wait to get into it.
const WAITING_MAX: usize = 1024;

/// Requests that share a commit: a bound on how many learn of one failure.
const GROUP_MAX: usize = 1024;

/// Memory of a group's facts, past which it takes no more: a bound on how much
/// is copied and held at once, and on the time of a commit.
const GROUP_BYTES: usize = 64 << 20;

/// Where records go to be made durable. Clones are the same journal.
#[derive(Debug, Clone)]
pub struct Journal {
    sender: mpsc::Sender<Waiting>,
    size: Arc<watch::Sender<u64>>,
    database: Arc<Database>,
    touches: Arc<Touches>,
}

/// The end of the queue that a [`JournalWriter`] takes from.
pub(crate) type JournalReceiver = mpsc::Receiver<Waiting>;

/// What was sent with a token, and whom to tell that it is durable.
#[derive(Debug)]
pub(crate) struct Waiting {
    token: TokenId,
    sent: FactsBuilder,
    /// Absent once it was told.
    done: Option<oneshot::Sender<Result<(), Error>>>,
}

impl Journal {
    /// A journal in this database, of which `bytes` wait for the flush.
    pub(crate) fn new(database: Arc<Database>, bytes: u64) -> (Self, JournalReceiver) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let journal = Self {
            sender,
            size: Arc::new(watch::Sender::new(bytes)),
            database,
            touches: Arc::default(),
        };
        (journal, receiver)
    }

    /// Adds what an organisation sent with a token. When this returns, no power cut loses it.
    ///
    /// The token is looked up once more in the transaction that stores the records: between the head
    /// of a request and its last record minutes may pass, and a revoked token stores nothing.
    ///
    /// The commit happens elsewhere: dropping this future loses only the
    /// answer, and harms nobody who shares the commit.
    pub async fn append(&self, token: TokenId, sent: FactsBuilder) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        let waiting = Waiting {
            token,
            sent,
            done: Some(done),
        };
        let queued = self.sender.send(waiting).await;
        queued.map_err(|_| Error::JournalClosed)?;
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
}

impl JournalWriter {
    /// Commits groups until shutdown, then those that still wait.
    ///
    /// Afterwards, or if this future is dropped, appending is refused. An error
    /// means that the database cannot be checkpointed: the process should end.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Error> {
        loop {
            let first = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                first = self.receiver.recv() => first,
            };
            let Some(first) = first else { break };
            self.commit(first).await?;
        }
        self.receiver.close();
        while let Some(first) = self.receiver.recv().await {
            self.commit(first).await?;
        }
        Ok(())
    }

    async fn commit(&mut self, first: Waiting) -> Result<(), Error> {
        let started = Instant::now();
        let mut group = self.gather(first);
        // Once for all, and once more each time that a token turns out to be revoked.
        while !group.is_empty() {
            let encoded;
            (group, encoded) = encode(group).await;
            let result = match self.store(encoded, &group).await {
                Ok(Outcome::Stored) => {
                    self.count(&group, started);
                    Ok(())
                }
                Ok(Outcome::Refused { closed }) => {
                    group = refuse(group, &closed);
                    continue;
                }
                Err(error) => Err(error),
            };
            for mut waiting in group.drain(..) {
                waiting.answer(result.clone());
            }
        }
        self.checkpoint_if_grown().await
    }

    fn count(&self, group: &[Waiting], started: Instant) {
        let records = group.iter().map(|waiting| waiting.sent.records() as u64);
        self.metrics.records.inc_by(records.sum());
        self.metrics.commits.inc();
        let took = started.elapsed();
        self.metrics.commit_seconds.observe(took.as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a group is far below 2^53")]
        self.metrics.group_size.observe(group.len() as f64);
    }

    /// The first one and whoever waits behind it.
    fn gather(&mut self, mut first: Waiting) -> Vec<Waiting> {
        let mut bytes = first.sent.memory_bytes();
        let mut group = vec![first];
        while group.len() < GROUP_MAX
            && bytes < GROUP_BYTES
            && let Ok(mut next) = self.receiver.try_recv()
        {
            bytes += next.sent.memory_bytes();
            group.push(next);
        }
        group
    }

    async fn store(&self, encoded: Encoded, group: &[Waiting]) -> Result<Outcome, Error> {
        let now = self.clock.now();
        let used: BTreeSet<TokenId> = group.iter().map(|waiting| waiting.token).collect();
        let mut writer = self.journal.database.writer().await;
        let mut write = writer.begin().await?;
        let closed = tokens::closed(&mut write, &used, now).await?;
        if !closed.is_empty() {
            return Ok(Outcome::Refused { closed });
        }
        events::mention(&mut write, &encoded.mentions, now).await?;
        let size = write.ledger.journal_bytes;
        // A group that only says what events are leaves nothing for the lake.
        if encoded.rows > 0 {
            if size + encoded.payload.len() as u64 > self.bytes_max {
                return Err(Error::JournalFull {
                    bytes: size,
                    bytes_max: self.bytes_max,
                });
            }
            let row = NewRow {
                payload: encoded.payload,
                rows: encoded.rows,
                touched_json: &encoded.mentions.touched_json(),
            };
            super::insert(&mut write, row, now).await?;
        }
        let ledger = write.ledger.clone();
        fail_point!("journal-before-commit", |_| std::process::abort());
        write.commit().await?;
        fail_point!("journal-after-commit", |_| std::process::abort());
        // Still the only writer: this is told in the order of the commits.
        if encoded.rows > 0 {
            let touched = encoded.mentions.touched();
            self.journal.touches.note(&ledger, touched);
        }
        self.journal.announce_size(ledger.journal_bytes);
        Ok(Outcome::Stored)
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
    /// None of it was stored: these tokens of the group were revoked or have expired.
    Refused { closed: BTreeSet<TokenId> },
}

impl Waiting {
    fn answer(&mut self, result: Result<(), Error>) {
        if let Some(done) = self.done.take() {
            // The receiver is gone when the client has disconnected; ignore the error.
            let _ = done.send(result);
        }
    }
}

/// Answers those whose tokens are among these, and returns the others.
fn refuse(group: Vec<Waiting>, closed: &BTreeSet<TokenId>) -> Vec<Waiting> {
    let is_closed = |waiting: &Waiting| closed.contains(&waiting.token);
    let (refused, others): (Vec<_>, Vec<_>) = group.into_iter().partition(is_closed);
    for mut waiting in refused {
        waiting.answer(Err(Error::UnknownToken));
    }
    others
}

/// Copying and encoding megabytes is no work for a thread that serves requests. The group stays as it
/// is, so that it can be encoded again without some of its parts.
async fn encode(mut group: Vec<Waiting>) -> (Vec<Waiting>, Encoded) {
    let encoding = tokio::task::spawn_blocking(move || {
        let encoded = Encoded::new(group.iter_mut().map(|waiting| &mut waiting.sent));
        (group, encoded)
    });
    encoding
        .await
        .expect("encoding checked records does not panic")
}

/// A group, ready for the database.
#[derive(Debug)]
struct Encoded {
    payload: Vec<u8>,
    rows: usize,
    mentions: Mentions,
}

impl Encoded {
    fn new<'p>(parts: impl Iterator<Item = &'p mut FactsBuilder>) -> Self {
        let mut merger = FactsMerger::default();
        for part in parts {
            merger.absorb(part);
        }
        let mut mentions = Mentions::default();
        let mut facts = Vec::new();
        for (org, collected) in merger.finish() {
            mentions.add(&org, &collected);
            facts.push(collected.facts);
        }
        let facts = Facts::concat(&facts);
        Self {
            payload: super::pack(&facts.encode()),
            rows: facts.rows(),
            mentions,
        }
    }
}
