//! The simulated records as they are serialized for `/collect`.

use serde::{Serialize, Serializer};

use showreport_model::Timestamp;
use showreport_model::record::{Choice, EventKind, PollStatus, Role};

/// A time, serialized as RFC 3339. It is relative to the start of the show until
/// [`Record::shifted`] adds the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At(pub(super) i64);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = Timestamp::from_millis(self.0).map_err(serde::ser::Error::custom)?;
        serializer.collect_str(&instant)
    }
}

/// A record as a player, a chat or a poll back end sends it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Record {
    Event(EventRecord),
    Playback(PlaybackRecord),
    Chat(ChatRecord),
    Poll(PollRecord),
    Vote(VoteRecord),
}

impl Record {
    /// When it is sent.
    pub(super) const fn at(&self) -> At {
        match self {
            Self::Event(event) => event.updated_at,
            Self::Playback(playback) => playback.to,
            Self::Chat(message) => match message.updated_at {
                Some(at) => at,
                None => message.sent_at,
            },
            Self::Poll(poll) => poll.updated_at,
            Self::Vote(vote) => vote.voted_at,
        }
    }

    /// The same record with all times moved by `millis`.
    pub(super) fn shifted(mut self, millis: i64) -> Self {
        let mut times: Vec<Option<&mut At>> = match &mut self {
            Self::Event(event) => vec![
                event.starts_at.as_mut(),
                event.ends_at.as_mut(),
                Some(&mut event.updated_at),
            ],
            Self::Playback(playback) => vec![Some(&mut playback.from), Some(&mut playback.to)],
            Self::Chat(message) => vec![Some(&mut message.sent_at), message.updated_at.as_mut()],
            Self::Poll(poll) => vec![
                poll.started_at.as_mut(),
                poll.ended_at.as_mut(),
                Some(&mut poll.updated_at),
            ],
            Self::Vote(vote) => vec![Some(&mut vote.voted_at)],
        };
        for time in times.iter_mut().flatten() {
            time.0 += millis;
        }
        self
    }
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct EventRecord {
    pub(super) kind: EventKind,
    pub(super) title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) starts_at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends_at: Option<At>,
    pub(super) duration_ms: i64,
    pub(super) updated_at: At,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct PlaybackRecord {
    pub(super) playback_id: String,
    pub(super) from: At,
    pub(super) to: At,
    pub(super) device_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<String>,
    pub(super) device_os: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geo_region: Option<&'static str>,
    pub(super) name: String,
    pub(super) position_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<f64>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ChatRecord {
    pub(super) message_id: String,
    pub(super) sent_at: At,
    pub(super) text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<String>,
    pub(super) device_id: String,
    pub(super) name: String,
    pub(super) role: Role,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updated_at: Option<At>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct PollRecord {
    pub(super) poll_id: &'static str,
    pub(super) question: &'static str,
    pub(super) choice: Choice,
    pub(super) options: Vec<PollOption>,
    pub(super) status: PollStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<At>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<At>,
    pub(super) updated_at: At,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct PollOption {
    pub(super) id: &'static str,
    pub(super) text: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) correct: bool,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct VoteRecord {
    pub(super) poll_id: &'static str,
    pub(super) option_ids: Vec<&'static str>,
    pub(super) voted_at: At,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) customer_id: Option<String>,
    pub(super) device_id: String,
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vote_id: Option<String>,
}
