//! Counts of records by kind.

/// How many records there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Versions of the event.
    pub events: u64,
    /// Beats of players.
    pub playbacks: u64,
    /// Versions of chat messages.
    pub messages: u64,
    /// Versions of polls.
    pub polls: u64,
    /// Votes.
    pub votes: u64,
}

impl Tally {
    /// All of them.
    pub const fn total(self) -> u64 {
        self.events + self.playbacks + self.messages + self.polls + self.votes
    }

    /// Adds what another one counted.
    pub const fn add(&mut self, other: Self) {
        self.events += other.events;
        self.playbacks += other.playbacks;
        self.messages += other.messages;
        self.polls += other.polls;
        self.votes += other.votes;
    }
}
