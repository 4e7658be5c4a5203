//! The records that are collected: statements that stay true, checked and typed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ids::{CustomerId, DeviceId, EventId, MessageId, OptionId, PlaybackId, PollId, VoteId};
use crate::span::Span;
use crate::time::Timestamp;

/// One collected statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// What an event is.
    Event(EventRecord),
    /// Somebody watched from then until then.
    Playback(PlaybackRecord),
    /// Somebody said something.
    Chat(ChatRecord),
    /// A message was deleted, whatever it said.
    ChatDeletion(ChatDeletion),
    /// What a poll is.
    Poll(PollRecord),
    /// Somebody voted.
    Vote(VoteRecord),
}

impl Record {
    /// The event that the record is about.
    pub fn event(&self) -> &EventId {
        match self {
            Self::Event(record) => &record.event,
            Self::Playback(record) => &record.event,
            Self::Chat(record) => &record.event,
            Self::ChatDeletion(record) => &record.event,
            Self::Poll(record) => &record.event,
            Self::Vote(record) => &record.event,
        }
    }
}

/// Defines an enum whose members are known by one lower-case name.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$member_doc])* $member,)* }

        impl $name {
            /// Every member.
            pub const ALL: &'static [Self] = &[$(Self::$member,)*];

            /// The name in records, files and columns.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$member => $text,)* }
            }

            /// The member of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$member),)* _ => None }
            }

            /// Every name, as an error message lists them.
            pub fn names() -> String {
                Self::ALL.iter().map(|member| member.name()).collect::<Vec<_>>().join(", ")
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("{name:?} is none of {}", Self::names())))
            }
        }
    };
}
pub(crate) use named;

named! {
    /// What kind of show an event is.
    EventKind {
        /// Live video.
        Live = "live",
        /// Video on demand.
        Vod = "vod",
        /// Audio on demand.
        Aod = "aod",
    }
}

named! {
    /// Who speaks in a chat.
    Role {
        /// The audience.
        Viewer = "viewer",
        /// Somebody without an account.
        Guest = "guest",
        /// The house.
        Admin = "admin",
    }
}

named! {
    /// How many options a vote may choose.
    Choice {
        /// At most one.
        Single = "single",
        /// Any number.
        Multi = "multi",
    }
}

named! {
    /// Where a poll is in its life. Forbids no vote.
    PollStatus {
        /// Not yet shown.
        Queued = "queued",
        /// Open.
        Active = "active",
        /// Over.
        Closed = "closed",
        /// Put away.
        Archived = "archived",
    }
}

/// What an event is. The record with the latest `updated_at` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The event.
    pub event: EventId,
    /// What kind of show it is.
    pub kind: EventKind,
    /// Its title.
    pub title: String,
    /// When its window begins.
    pub starts_at: Option<Timestamp>,
    /// When its window ends.
    pub ends_at: Option<Timestamp>,
    /// How long its content is, in milliseconds.
    pub duration_ms: Option<i64>,
    /// When this was said; absent is older than any.
    pub updated_at: Option<Timestamp>,
}

impl EventRecord {
    /// Whether this record holds where the other was sent too: the later `updated_at` does (none is
    /// older than any), then the greater title, then the greater JSON. Texts are compared by bytes.
    pub fn holds_over(&self, other: &Self) -> bool {
        let by_time = self.updated_at.cmp(&other.updated_at);
        let order = by_time.then_with(|| self.title.cmp(&other.title));
        let order = order.then_with(|| self.canonical_json().cmp(&other.canonical_json()));
        self != other && order.is_gt()
    }

    /// The record as JSON with sorted keys: the last word between two that are otherwise equal.
    pub fn canonical_json(&self) -> String {
        sorted_json(json!({
            "type": "event",
            "event_id": self.event,
            "kind": self.kind,
            "title": self.title,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "duration_ms": self.duration_ms,
            "updated_at": self.updated_at,
        }))
    }
}

/// In this playback the viewer was watching throughout the span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackRecord {
    /// The event.
    pub event: EventId,
    /// The playback, which is the view.
    pub playback: PlaybackId,
    /// When it was playing.
    pub span: Span,
    /// On which device.
    pub device: Option<DeviceId>,
    /// For whom.
    pub customer: Option<CustomerId>,
    /// The device's operating system.
    pub device_os: Option<String>,
    /// ISO 3166-2 or 3166-1 code, upper case.
    pub geo_region: Option<String>,
}

impl PlaybackRecord {
    /// The record with its texts borrowed.
    pub fn beat(&self) -> Beat<'_> {
        Beat {
            event: self.event.as_str(),
            playback: self.playback.as_str(),
            span: self.span,
            device: self.device.as_ref().map(DeviceId::as_str),
            customer: self.customer.as_ref().map(CustomerId::as_str),
            device_os: self.device_os.as_deref(),
            geo_region: self.geo_region.as_deref(),
        }
    }
}

/// A [`PlaybackRecord`] whose texts still lie in what was sent, checked all the same.
///
/// Nearly every record is one, and most say no more than that a view goes on:
/// then nothing of it is ever copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat<'a> {
    /// The event.
    pub event: &'a str,
    /// The playback, which is the view.
    pub playback: &'a str,
    /// When it was playing.
    pub span: Span,
    /// On which device; never empty.
    pub device: Option<&'a str>,
    /// For whom; never empty.
    pub customer: Option<&'a str>,
    /// The device's operating system; never empty.
    pub device_os: Option<&'a str>,
    /// ISO 3166-2 or 3166-1 code, upper case.
    pub geo_region: Option<&'a str>,
}

/// A version of a chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRecord {
    /// The event.
    pub event: EventId,
    /// The message.
    pub message: MessageId,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// What it says; may be empty.
    pub text: String,
    /// Who sent it.
    pub customer: Option<CustomerId>,
    /// From which device.
    pub device: Option<DeviceId>,
    /// Under which name.
    pub name: Option<String>,
    /// In which role.
    pub role: Option<Role>,
    /// Whether this version deletes the message.
    pub deleted: bool,
    /// When this version was made; absent is `sent_at`.
    pub updated_at: Option<Timestamp>,
}

/// A deletion of a chat message by its id alone: platforms that send it do not repeat the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatDeletion {
    /// The event.
    pub event: EventId,
    /// The message.
    pub message: MessageId,
    /// It deletes the versions that are not later than this; absent, all of them, for good.
    pub updated_at: Option<Timestamp>,
}

/// An option of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollOption {
    /// The option.
    pub option: OptionId,
    /// What it says.
    pub text: String,
    /// Whether it is a right answer.
    pub correct: bool,
}

/// A version of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRecord {
    /// The event.
    pub event: EventId,
    /// The poll.
    pub poll: PollId,
    /// What it asks.
    pub question: String,
    /// How many options a vote may choose.
    pub choice: Choice,
    /// What can be chosen: one or more, no id twice.
    pub options: Vec<PollOption>,
    /// Where it is in its life.
    pub status: PollStatus,
    /// When it was opened.
    pub started_at: Option<Timestamp>,
    /// When it was closed.
    pub ended_at: Option<Timestamp>,
    /// When this version was made; absent is older than any.
    pub updated_at: Option<Timestamp>,
}

impl PollRecord {
    /// The record as JSON with sorted keys: the last word between two that are otherwise equal.
    pub fn canonical_json(&self) -> String {
        let options: Vec<Value> = self
            .options
            .iter()
            .map(|option| {
                json!({"id": option.option, "text": option.text, "correct": option.correct})
            })
            .collect();
        sorted_json(json!({
            "type": "poll",
            "event_id": self.event,
            "poll_id": self.poll,
            "question": self.question,
            "choice": self.choice,
            "options": options,
            "status": self.status,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "updated_at": self.updated_at,
        }))
    }
}

/// A vote, or with no options its withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRecord {
    /// The event.
    pub event: EventId,
    /// The poll.
    pub poll: PollId,
    /// What was chosen.
    pub options: BTreeSet<OptionId>,
    /// When.
    pub voted_at: Timestamp,
    /// Who voted.
    pub voter: Voter,
    /// Under which name.
    pub name: Option<String>,
    /// The sender's number for the vote.
    pub vote: Option<VoteId>,
}

/// Who casts a vote: a customer, a device, or a customer on a device. Never nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voter {
    /// A customer, on a device if that is known.
    Customer(CustomerId, Option<DeviceId>),
    /// A device of nobody known.
    Device(DeviceId),
}

impl Voter {
    /// The voter, or nothing if neither is known.
    pub fn new(customer: Option<CustomerId>, device: Option<DeviceId>) -> Option<Self> {
        match (customer, device) {
            (Some(customer), device) => Some(Self::Customer(customer, device)),
            (None, Some(device)) => Some(Self::Device(device)),
            (None, None) => None,
        }
    }

    /// The customer, if one is known.
    pub const fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Customer(customer, _) => Some(customer),
            Self::Device(_) => None,
        }
    }

    /// The device, if one is known.
    pub const fn device(&self) -> Option<&DeviceId> {
        match self {
            Self::Customer(_, device) => device.as_ref(),
            Self::Device(device) => Some(device),
        }
    }
}

/// Compact JSON without the absent fields; `serde_json` keeps keys sorted.
fn sorted_json(mut record: Value) -> String {
    if let Value::Object(fields) = &mut record {
        fields.retain(|_, value| !value.is_null());
    }
    record.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_has_sorted_keys_and_no_absent_ones() {
        let record = EventRecord {
            event: EventId::new("e").expect("id"),
            kind: EventKind::Live,
            title: "Keynote".to_owned(),
            starts_at: Some(Timestamp::MIN),
            ends_at: None,
            duration_ms: None,
            updated_at: None,
        };
        assert_eq!(
            record.canonical_json(),
            r#"{"event_id":"e","kind":"live","starts_at":946684800000,"title":"Keynote","type":"event"}"#
        );
    }
}
