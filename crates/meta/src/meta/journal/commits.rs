//! [`Commits`]: what this process has committed, for a reader that keeps facts in memory.
//!
//! Only facts of events that are followed are kept until they are taken, and only up to a bound. A
//! reader that comes too late reads the rows of the journal instead.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use showreport_model::facts::{Facts, Table};
use showreport_model::{EventId, OrgId};
use tokio::sync::Notify;

/// The commits of this process. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Commits(Arc<Shared>);

/// What a transaction changed.
#[derive(Debug, Clone)]
pub enum Commit {
    /// A row was added to the journal.
    Row(CommittedRow),
    /// Heads of the lake moved to versions with facts that were known before.
    Moved(Vec<MovedHead>),
    /// Facts of an organisation were put into the lake without the journal.
    Loaded(OrgId),
}

/// A row of the journal.
#[derive(Debug, Clone)]
pub struct CommittedRow {
    pub seq: i64,
    /// The events that it has facts of.
    pub events: BTreeSet<(OrgId, EventId)>,
    /// `None` if no event of the row was followed when it was encoded.
    pub facts: Option<Arc<Facts>>,
}

/// A table of the lake with a new head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedHead {
    pub table: Table,
    pub before: Option<u64>,
    pub after: u64,
}

/// Commits in the order in which they were made.
#[derive(Debug, Default)]
pub struct TakenCommits {
    pub commits: Vec<Commit>,
    /// Whether commits before these are missing, because there were too many.
    pub is_incomplete: bool,
}

/// Bytes of facts that are kept at most: about four of the largest groups.
const FACTS_BYTES_MAX: usize = 64 << 20;

/// Commits that are kept at most.
const COMMITS_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    added: Notify,
}

#[derive(Debug, Default)]
struct State {
    followed: HashSet<(OrgId, EventId)>,
    commits: VecDeque<Commit>,
    bytes: usize,
    is_incomplete: bool,
}

impl Commits {
    /// Keeps the facts of an event from now on.
    pub fn follow(&self, event: (OrgId, EventId)) {
        self.lock().followed.insert(event);
    }

    /// Ends [`Commits::follow`].
    pub fn unfollow(&self, event: &(OrgId, EventId)) {
        let mut state = self.lock();
        state.followed.remove(event);
        if state.followed.is_empty() {
            *state = State::default();
        }
    }

    /// Takes the commits since the last call.
    pub fn take(&self) -> TakenCommits {
        let mut state = self.lock();
        state.bytes = 0;
        TakenCommits {
            commits: std::mem::take(&mut state.commits).into(),
            is_incomplete: std::mem::take(&mut state.is_incomplete),
        }
    }

    /// Waits until there is a commit to be taken.
    pub async fn added(&self) {
        self.0.added.notified().await;
    }

    /// Whether any of these events is followed.
    pub(super) fn follow_any(&self, events: &BTreeSet<(OrgId, EventId)>) -> bool {
        let state = self.lock();
        !state.followed.is_empty() && events.iter().any(|event| state.followed.contains(event))
    }

    /// Adds commits, unless no event is followed.
    pub(crate) fn publish(&self, commits: impl IntoIterator<Item = Commit>) {
        let mut state = self.lock();
        if state.followed.is_empty() {
            return;
        }
        for commit in commits {
            state.bytes += commit.bytes();
            state.commits.push_back(commit);
        }
        if state.bytes > FACTS_BYTES_MAX || state.commits.len() > COMMITS_MAX {
            state.commits.clear();
            state.bytes = 0;
            state.is_incomplete = true;
        }
        drop(state);
        self.0.added.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0
            .state
            .lock()
            .expect("no code panics while it is locked")
    }
}

impl Commit {
    fn bytes(&self) -> usize {
        match self {
            Self::Row(row) => row.facts.as_ref().map_or(0, |facts| facts.memory_bytes()),
            Self::Moved(_) | Self::Loaded(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str) -> (OrgId, EventId) {
        (OrgId::new("acme").unwrap(), EventId::new(name).unwrap())
    }

    fn row(seq: i64) -> Commit {
        Commit::Row(CommittedRow {
            seq,
            events: BTreeSet::from([event("keynote")]),
            facts: None,
        })
    }

    #[test]
    fn commits_are_kept_while_an_event_is_followed() {
        let commits = Commits::default();
        commits.publish([row(1)]);
        assert!(commits.take().commits.is_empty());
        commits.follow(event("keynote"));
        assert!(commits.follow_any(&BTreeSet::from([event("keynote"), event("other")])));
        assert!(!commits.follow_any(&BTreeSet::from([event("other")])));
        commits.publish([row(2), row(3)]);
        assert_eq!(commits.take().commits.len(), 2);
        commits.publish([row(4)]);
        commits.unfollow(&event("keynote"));
        assert!(commits.take().commits.is_empty());
    }

    #[test]
    fn a_reader_that_comes_too_late_learns_that_commits_are_missing() {
        let commits = Commits::default();
        commits.follow(event("keynote"));
        for seq in 0..=i64::try_from(COMMITS_MAX).unwrap() {
            commits.publish([row(seq)]);
        }
        commits.publish([row(0)]);
        let taken = commits.take();
        assert_eq!((taken.commits.len(), taken.is_incomplete), (1, true));
        assert!(!commits.take().is_incomplete);
    }
}
