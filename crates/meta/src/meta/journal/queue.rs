//! The queue of records to be stored: round robin by organisation, and by request within one.
//!
//! A large request is split into batches, and a turn takes one batch. So a small request waits for
//! the group that is being stored and is in the next one, whatever others have sent before it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use showreport_model::facts::{Batches, FactsBuilder};
use showreport_model::{OrgId, TokenId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::Error;

/// Requests in the queue; more wait for room in it.
const REQUESTS_MAX: usize = 1024;

/// Batches of a group: limits how many requests one failure affects.
const GROUP_BATCHES: usize = 1024;

/// A group takes no more batches once it has as many events. Each may be a row to be written, so
/// this limits the time of a commit, and with it the wait of all others.
const GROUP_EVENTS: usize = 4_096;

/// A group takes no more batches once it has as much memory. Encoding takes a few times as much.
const GROUP_BYTES: usize = 16 << 20;

/// The queue between requests and the writer.
#[derive(Debug)]
pub(super) struct Queue {
    requests: Mutex<Requests>,
    room: Arc<Semaphore>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Requests {
    /// The requests of each organisation that has any; the next one first.
    of_orgs: HashMap<OrgId, VecDeque<Request>>,
    /// The same organisations; the next one first.
    orgs: VecDeque<OrgId>,
    /// The number of the next request.
    next: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Request {
    number: u64,
    token: TokenId,
    batches: VecDeque<FactsBuilder>,
    has_begun: bool,
    reply: Reply,
    _room: OwnedSemaphorePermit,
}

type Reply = oneshot::Sender<Result<(), Error>>;

/// A part of a request, or all of it.
#[derive(Debug)]
pub(super) struct Batch {
    /// The token that it was sent with.
    pub(super) token: TokenId,
    pub(super) facts: FactsBuilder,
    /// The number of its request.
    request: u64,
    /// The last batch of a request has the sender of its reply.
    reply: Option<Reply>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            requests: Mutex::default(),
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
            filled: Notify::new(),
        }
    }

    /// Adds a request as soon as there is room for it. The result is sent when its last batch is
    /// stored, or one has failed.
    pub(super) async fn push(
        &self,
        token: TokenId,
        sent: Batches,
    ) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let room = self.room.clone().acquire_owned().await;
        let room = room.map_err(|_| Error::JournalClosed)?;
        let (reply, result) = oneshot::channel();
        let mut requests = self.lock();
        if requests.is_closed {
            return Err(Error::JournalClosed);
        }
        let org = sent.org().clone();
        let request = Request {
            number: requests.next,
            token,
            batches: sent.into_iter().collect(),
            has_begun: false,
            reply,
            _room: room,
        };
        requests.next += 1;
        requests.add(org, request);
        drop(requests);
        self.filled.notify_one();
        Ok(result)
    }

    /// Waits until the queue is not empty.
    pub(super) async fn filled(&self) {
        while self.lock().orgs.is_empty() {
            // `Notify` stores a notification that came since.
            self.filled.notified().await;
        }
    }

    /// Takes the batches of the next group; none if the queue is empty.
    pub(super) fn take(&self) -> Vec<Batch> {
        let mut requests = self.lock();
        let (mut group, mut events, mut bytes) = (Vec::new(), 0, 0);
        while group.len() < GROUP_BATCHES
            && events < GROUP_EVENTS
            && bytes < GROUP_BYTES
            && let Some(mut batch) = requests.next_batch()
        {
            events += batch.facts.events();
            bytes += batch.facts.memory_bytes();
            group.push(batch);
        }
        group
    }

    /// Sends the result of these batches to their requests. The rest of a request that failed is
    /// not stored.
    pub(super) fn reply(&self, batches: Vec<Batch>, result: &Result<(), Error>) {
        for mut batch in batches {
            batch.reply(result);
            if let Err(error) = result {
                self.lock().fail(&batch, error);
            }
        }
    }

    /// Refuses further requests. Those in the queue can still be taken.
    pub(super) fn close(&self) {
        self.room.close();
        self.lock().is_closed = true;
    }

    /// Closes, and drops the requests in the queue.
    pub(super) fn abandon(&self) {
        self.close();
        let mut requests = self.lock();
        requests.of_orgs.clear();
        requests.orgs.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests
            .lock()
            .expect("no code panics while it is locked")
    }
}

impl Requests {
    /// Adds a request behind those of its organisation.
    fn add(&mut self, org: OrgId, request: Request) {
        if let Some(requests) = self.of_orgs.get_mut(&org) {
            requests.push_back(request);
            return;
        }
        self.of_orgs.insert(org.clone(), VecDeque::from([request]));
        self.orgs.push_back(org);
    }

    fn next_batch(&mut self) -> Option<Batch> {
        while let Some(org) = self.orgs.pop_front() {
            let mut requests = self.of_orgs.remove(&org).unwrap_or_default();
            let batch = requests.pop_front().and_then(|request| {
                let (batch, rest) = request.next_batch()?;
                requests.extend(rest);
                Some(batch)
            });
            if !requests.is_empty() {
                self.of_orgs.insert(org.clone(), requests);
                self.orgs.push_back(org);
            }
            if batch.is_some() {
                return batch;
            }
        }
        None
    }

    /// Sends the error to the request of a batch that failed, and drops its other batches.
    fn fail(&mut self, batch: &Batch, error: &Error) {
        let Some(requests) = self.of_orgs.get_mut(batch.facts.org()) else {
            return;
        };
        let is_of_batch = |request: &Request| request.number == batch.request;
        if let Some(request) = requests.iter().position(is_of_batch)
            && let Some(request) = requests.remove(request)
        {
            let _ = request.reply.send(Err(error.clone()));
        }
    }
}

impl Request {
    /// Its next batch, and the rest of it. `None` if it was begun and the client has disconnected
    /// since. A request that was not begun is stored nevertheless: a browser may send it while the
    /// page is closed.
    fn next_batch(mut self) -> Option<(Batch, Option<Self>)> {
        if self.has_begun && self.reply.is_closed() {
            return None;
        }
        let facts = self.batches.pop_front()?;
        let (token, request) = (self.token, self.number);
        let (reply, rest) = if self.batches.is_empty() {
            (Some(self.reply), None)
        } else {
            self.has_begun = true;
            (None, Some(self))
        };
        let batch = Batch {
            token,
            facts,
            request,
            reply,
        };
        Some((batch, rest))
    }
}

impl Batch {
    /// Sends the result, if this is the last batch of its request.
    pub(super) fn reply(&mut self, result: &Result<(), Error>) {
        if let Some(reply) = self.reply.take() {
            // The receiver is gone when the client has disconnected; ignore the error.
            let _ = reply.send(result.clone());
        }
    }
}

#[cfg(test)]
mod tests;
