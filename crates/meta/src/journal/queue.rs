//! What waits to be stored, in turns: the organisations take turns, and the requests of each do.
//!
//! A large request is cut into batches, and a turn is a batch. So a small request waits for the group
//! that is being stored and is in the next one, however much others have sent before it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use showreport_model::facts::{Batches, FactsBuilder};
use showreport_model::{OrgId, TokenId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::Error;

/// Requests that wait in the queue; more wait to get into it.
const WAITING_MAX: usize = 1024;

/// Batches that share a commit: a bound on how many requests learn of one failure.
const GROUP_BATCHES: usize = 1024;

/// Events of a group, past which it takes no more. Each is a row that may have to be written, so this
/// bounds how long a commit takes, and with it the wait of all others.
const GROUP_EVENTS: usize = 4_096;

/// Memory of a group, past which it takes no more: encoding it takes a few times as much.
const GROUP_BYTES: usize = 16 << 20;

/// The queue between requests and the writer.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    room: Arc<Semaphore>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// The requests of each organisation that has any, in the order of their turns.
    of_orgs: HashMap<OrgId, VecDeque<Request>>,
    /// The same organisations, in the order of theirs.
    turns: VecDeque<OrgId>,
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
    done: Done,
    /// Its place among those that wait.
    _room: OwnedSemaphorePermit,
}

/// Where the answer goes.
type Done = oneshot::Sender<Result<(), Error>>;

/// A part of a request, or all of it.
#[derive(Debug)]
pub(super) struct Batch {
    /// The token that it was sent with.
    pub(super) token: TokenId,
    pub(super) facts: FactsBuilder,
    request: u64,
    /// The last batch of a request has its answer with it.
    done: Option<Done>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            room: Arc::new(Semaphore::new(WAITING_MAX)),
            filled: Notify::new(),
        }
    }

    /// Adds a request as soon as there is room for it. Returns where its answer comes: when the last
    /// of it is stored, or the first failed.
    pub(super) async fn push(
        &self,
        token: TokenId,
        sent: Batches,
    ) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let room = self.room.clone().acquire_owned().await;
        let room = room.map_err(|_| Error::JournalClosed)?;
        let (done, answer) = oneshot::channel();
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(Error::JournalClosed);
        }
        let org = sent.org().clone();
        let request = Request {
            number: waiting.next,
            token,
            batches: sent.into_iter().collect(),
            has_begun: false,
            done,
            _room: room,
        };
        waiting.next += 1;
        waiting.add(org, request);
        drop(waiting);
        self.filled.notify_one();
        Ok(answer)
    }

    /// Waits until there is something to take.
    pub(super) async fn filled(&self) {
        while self.waiting().turns.is_empty() {
            // One that was added since is remembered.
            self.filled.notified().await;
        }
    }

    /// The batches whose turn it is, as many as make a group; none if nothing waits.
    pub(super) fn take(&self) -> Vec<Batch> {
        let mut waiting = self.waiting();
        let (mut group, mut events, mut bytes) = (Vec::new(), 0, 0);
        while group.len() < GROUP_BATCHES
            && events < GROUP_EVENTS
            && bytes < GROUP_BYTES
            && let Some(mut batch) = waiting.next_batch()
        {
            events += batch.facts.events();
            bytes += batch.facts.memory_bytes();
            group.push(batch);
        }
        group
    }

    /// Tells what became of these batches. Of a request that failed nothing further is stored.
    pub(super) fn answer(&self, batches: Vec<Batch>, result: &Result<(), Error>) {
        for mut batch in batches {
            batch.answer(result);
            if let Err(error) = result {
                self.waiting().fail(&batch, error);
            }
        }
    }

    /// Takes no more requests. Those that wait can still be taken.
    pub(super) fn close(&self) {
        self.room.close();
        self.waiting().is_closed = true;
    }

    /// Closes, and drops what waits.
    pub(super) fn abandon(&self) {
        self.close();
        let mut waiting = self.waiting();
        waiting.of_orgs.clear();
        waiting.turns.clear();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting
            .lock()
            .expect("nothing panics while it is held")
    }
}

impl Waiting {
    /// Adds a request behind those of its organisation.
    fn add(&mut self, org: OrgId, request: Request) {
        if let Some(requests) = self.of_orgs.get_mut(&org) {
            requests.push_back(request);
            return;
        }
        self.of_orgs.insert(org.clone(), VecDeque::from([request]));
        self.turns.push_back(org);
    }

    fn next_batch(&mut self) -> Option<Batch> {
        while let Some(org) = self.turns.pop_front() {
            let mut requests = self.of_orgs.remove(&org).unwrap_or_default();
            let batch = requests.pop_front().and_then(|request| {
                let (batch, rest) = request.next_batch()?;
                requests.extend(rest);
                Some(batch)
            });
            if !requests.is_empty() {
                self.of_orgs.insert(org.clone(), requests);
                self.turns.push_back(org);
            }
            if batch.is_some() {
                return batch;
            }
        }
        None
    }

    /// Answers the request of a batch that failed, where further ones of it wait.
    fn fail(&mut self, batch: &Batch, error: &Error) {
        let Some(requests) = self.of_orgs.get_mut(batch.facts.org()) else {
            return;
        };
        let is_of_batch = |request: &Request| request.number == batch.request;
        if let Some(request) = requests.iter().position(is_of_batch)
            && let Some(request) = requests.remove(request)
        {
            let _ = request.done.send(Err(error.clone()));
        }
    }
}

impl Request {
    /// Its next batch, and what is left of it. Nothing, if the client went away meanwhile: what was not
    /// begun is stored all the same, as the client may have sent it while leaving.
    fn next_batch(mut self) -> Option<(Batch, Option<Self>)> {
        if self.has_begun && self.done.is_closed() {
            return None;
        }
        let facts = self.batches.pop_front()?;
        let (token, request) = (self.token, self.number);
        let (done, rest) = if self.batches.is_empty() {
            (Some(self.done), None)
        } else {
            self.has_begun = true;
            (None, Some(self))
        };
        let batch = Batch {
            token,
            facts,
            request,
            done,
        };
        Some((batch, rest))
    }
}

impl Batch {
    /// Tells its request, if this is the last of it.
    pub(super) fn answer(&mut self, result: &Result<(), Error>) {
        if let Some(done) = self.done.take() {
            // The receiver is gone when the client has disconnected; ignore the error.
            let _ = done.send(result.clone());
        }
    }
}

#[cfg(test)]
mod tests;
