//! [`LiveFigures`]: what is asked of an event while it runs.

use showreport_model::Timestamp;

/// The figures of an event at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFigures {
    /// The instant that they are of.
    pub at: Timestamp,
    /// 15 seconds before: players send a record every ten seconds, so that all records of this
    /// instant are in.
    pub settled_until: Timestamp,
    /// Concurrent viewers at `settled_until`.
    pub viewers: u64,
    /// Viewers with a record of the last 15 seconds.
    pub viewers_now: u64,
    /// Stretches of viewers that began in the minute before `settled_until`.
    pub joined_last_minute: u64,
    /// Stretches of viewers that ended in the minute before `settled_until`.
    pub left_last_minute: u64,
    /// The most viewers at one instant up to `settled_until`.
    pub peak_viewers: u64,
    /// The first instant with that many viewers.
    pub peak_at: Option<Timestamp>,
    /// The viewers by system, most viewers first.
    pub by_device_os: Vec<ViewersOfValue>,
    /// The viewers by region, most viewers first.
    pub by_geo_region: Vec<ViewersOfValue>,
    /// Messages sent in the minute before `at` that are not deleted.
    pub messages_last_minute: u64,
    /// All messages that are not deleted.
    pub messages: u64,
    /// The polls by their ids.
    pub polls: Vec<LivePoll>,
}

/// Concurrent viewers with a value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewersOfValue {
    /// `None` if it is not known.
    pub value: Option<String>,
    pub viewers: u64,
}

/// A poll with its counted votes.
#[derive(Debug, Clone, PartialEq)]
pub struct LivePoll {
    pub poll_id: String,
    pub question: String,
    pub choice: String,
    pub status: String,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// The votes of all options.
    pub votes: u64,
    /// Voters with a vote that counts.
    pub voters: u64,
    /// By their ids.
    pub options: Vec<LiveOption>,
}

/// An option of a poll.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveOption {
    pub option_id: String,
    pub option_text: String,
    pub correct: bool,
    /// Counted votes that chose it.
    pub votes: u64,
    /// Votes by voters, floored to 4 decimals. `None` without voters.
    pub share: Option<f64>,
}

/// Viewers of an event up to now, and of its parts before and after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewerCounts {
    /// Before the end of the event.
    pub live: Viewers,
    /// After the end of the event; zero while it is not over.
    pub recorded: Viewers,
    /// Both together.
    pub all: Viewers,
}

/// Viewers of an event, or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Viewers {
    /// At `at`; of an event that is over at its last instant.
    pub concurrent: u64,
    /// Up to `at`.
    pub total: u64,
    pub at: Timestamp,
}
