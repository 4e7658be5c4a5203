//! [`Polls`]: the version of each poll that holds, and the votes that count.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use crate::texts::TextId;

/// The polls of an event, with all votes: a later version of a poll may allow others.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    of_ids: BTreeMap<String, Poll>,
    heap_bytes: usize,
}

/// A version of a poll. The greatest is the poll: the first three fields are compared in their
/// order, and the record has all others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PollVersion {
    pub(crate) updated_at: Option<i64>,
    pub(crate) question: String,
    pub(crate) record: String,
    pub(crate) is_single: bool,
    pub(crate) choice: String,
    pub(crate) status: String,
    pub(crate) started_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    /// Sorted by id.
    pub(crate) options: Vec<PollOption>,
}

/// An option of a poll.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PollOption {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) is_correct: bool,
}

/// The identity of a voter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Voter {
    Customer(TextId),
    Device(TextId),
}

/// A vote. Of a voter's allowed votes the greatest counts.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ballot {
    pub(crate) voted_at: i64,
    pub(crate) vote: Option<Box<str>>,
    /// Sorted. Empty if the vote is withdrawn.
    pub(crate) options: Vec<Box<str>>,
}

/// A poll and what was voted.
#[derive(Debug, Default)]
struct Poll {
    version: Option<PollVersion>,
    ballots: HashMap<Voter, BTreeSet<Ballot>>,
    /// How many counted votes chose each option.
    votes: HashMap<Box<str>, u64>,
    /// Voters with a counted vote that is not withdrawn.
    voters: u64,
}

/// A poll with its counted votes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counted<'p> {
    pub(crate) id: &'p str,
    pub(crate) version: &'p PollVersion,
    pub(crate) voters: u64,
    votes: &'p HashMap<Box<str>, u64>,
}

impl Counted<'_> {
    /// The counted votes that chose an option.
    pub(crate) fn votes_of(&self, option: &PollOption) -> u64 {
        self.votes.get(option.id.as_str()).copied().unwrap_or(0)
    }
}

impl Polls {
    /// Adds a version of a poll.
    pub(crate) fn add_poll(&mut self, id: &str, version: PollVersion) {
        self.heap_bytes += id.len() + version.record.len() * 2;
        let poll = self.of_ids.entry(id.to_owned()).or_default();
        if poll.version.as_ref() < Some(&version) {
            poll.version = Some(version);
            poll.count_anew();
        }
    }

    /// Adds a vote.
    pub(crate) fn add_vote(&mut self, poll: &str, voter: Voter, ballot: Ballot) {
        let bytes = ballot.heap_bytes() + size_of::<Ballot>() + 16;
        let poll = self.of_ids.entry(poll.to_owned()).or_default();
        poll.count(voter, Direction::Down);
        let is_new = poll.ballots.entry(voter).or_default().insert(ballot);
        poll.count(voter, Direction::Up);
        self.heap_bytes += if is_new { bytes } else { 0 };
    }

    /// All polls that are known, by their ids.
    pub(crate) fn counted(&self) -> impl Iterator<Item = Counted<'_>> {
        self.of_ids.iter().filter_map(|(id, poll)| {
            Some(Counted {
                id,
                version: poll.version.as_ref()?,
                voters: poll.voters,
                votes: &poll.votes,
            })
        })
    }

    /// Bytes on the heap, about.
    pub(crate) const fn heap_bytes(&self) -> usize {
        self.heap_bytes
    }
}

/// Whether a vote is added to the counts or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Poll {
    fn count_anew(&mut self) {
        self.votes.clear();
        self.voters = 0;
        let voters: Vec<Voter> = self.ballots.keys().copied().collect();
        for voter in voters {
            self.count(voter, Direction::Up);
        }
    }

    /// Adds or takes away the vote of a voter that counts.
    fn count(&mut self, voter: Voter, direction: Direction) {
        let (Some(version), Some(ballots)) = (&self.version, self.ballots.get(&voter)) else {
            return;
        };
        let mut latest_first = ballots.iter().rev();
        let counted = latest_first.find(|ballot| version.allows(ballot));
        let Some(counted) = counted.filter(|ballot| !ballot.options.is_empty()) else {
            return;
        };
        let change = |count: &mut u64| match direction {
            Direction::Up => *count += 1,
            Direction::Down => *count -= 1,
        };
        change(&mut self.voters);
        for option in &counted.options {
            change(self.votes.entry_ref(option).or_default());
        }
    }
}

impl PollVersion {
    fn allows(&self, ballot: &Ballot) -> bool {
        let by_id = |id: &str| {
            self.options
                .binary_search_by(|option| option.id.as_str().cmp(id))
        };
        let offers = |id: &str| by_id(id).is_ok();
        let few_enough = !self.is_single || ballot.options.len() <= 1;
        few_enough && ballot.options.iter().all(|id| offers(id))
    }
}

impl Ballot {
    fn heap_bytes(&self) -> usize {
        let options = self.options.iter();
        let options = options.map(|id| id.len() + size_of::<Box<str>>());
        self.vote.as_ref().map_or(0, |id| id.len()) + options.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::Texts;

    fn version(updated_at: i64, is_single: bool, options: &[&str]) -> PollVersion {
        let option = |id: &&str| PollOption {
            id: (*id).to_owned(),
            text: String::new(),
            is_correct: false,
        };
        PollVersion {
            updated_at: Some(updated_at),
            question: String::new(),
            record: String::new(),
            is_single,
            choice: String::new(),
            status: String::new(),
            started_at: None,
            ended_at: None,
            options: options.iter().map(option).collect(),
        }
    }

    fn ballot(voted_at: i64, options: &[&str]) -> Ballot {
        Ballot {
            voted_at,
            vote: None,
            options: options.iter().map(|&id| id.into()).collect(),
        }
    }

    /// The voters, and the votes of options `a` and `b`.
    fn counts(polls: &Polls) -> Option<(u64, Vec<u64>)> {
        let poll = polls.counted().next()?;
        let votes = poll.version.options.iter();
        Some((poll.voters, votes.map(|it| poll.votes_of(it)).collect()))
    }

    #[test]
    fn the_latest_allowed_vote_of_a_voter_counts_whatever_comes_first() {
        let mut texts = Texts::default();
        let ada = Voter::Customer(texts.intern("ada"));
        let tab = Voter::Device(texts.intern("ada"));
        let mut polls = Polls::default();
        polls.add_vote("p", ada, ballot(5, &["a", "b"]));
        polls.add_vote("p", ada, ballot(3, &["a"]));
        polls.add_vote("p", tab, ballot(1, &["b"]));
        assert_eq!(counts(&polls), None);
        polls.add_poll("p", version(1, true, &["a", "b"]));
        assert_eq!(counts(&polls), Some((2, vec![1, 1])));
        polls.add_poll("p", version(2, false, &["a", "b"]));
        assert_eq!(counts(&polls), Some((2, vec![1, 2])));
        polls.add_poll("p", version(1, true, &["a", "b", "c"]));
        assert_eq!(counts(&polls), Some((2, vec![1, 2])), "it is older");
        polls.add_vote("p", ada, ballot(6, &["x"]));
        polls.add_vote("p", ada, ballot(6, &[]));
        polls.add_vote("p", ada, ballot(4, &["b"]));
        assert_eq!(counts(&polls), Some((1, vec![0, 1])), "it is withdrawn");
        polls.add_vote("p", tab, ballot(1, &["b"]));
        assert_eq!(counts(&polls), Some((1, vec![0, 1])), "it is the same");
    }
}
