//! Counts of records by type.

/// Number of records of each type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordCounts {
    pub events: u64,
    pub playbacks: u64,
    /// Every version of a chat message counts.
    pub messages: u64,
    /// Every version of a poll counts.
    pub polls: u64,
    pub votes: u64,
}

impl RecordCounts {
    /// Records of all types.
    pub const fn total(self) -> u64 {
        self.events + self.playbacks + self.messages + self.polls + self.votes
    }

    /// Adds other counts to these.
    pub const fn add(&mut self, other: Self) {
        self.events += other.events;
        self.playbacks += other.playbacks;
        self.messages += other.messages;
        self.polls += other.polls;
        self.votes += other.votes;
    }
}
