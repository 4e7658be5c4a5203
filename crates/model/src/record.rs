//! The records that are collected, checked and typed.
//!
//! A record is a statement about the past that stays true, so storing it twice changes nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ids::{CustomerId, DeviceId, EventId, MessageId, OptionId, PlaybackId, PollId, VoteId};
use crate::span::Span;
use crate::time::Timestamp;

/// A record of any type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Event(EventRecord),
    Playback(PlaybackRecord),
    Chat(ChatRecord),
    ChatDeletion(ChatDeletion),
    Poll(PollRecord),
    Vote(VoteRecord),
    Beat(BeatRecord),
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
            Self::Beat(record) => &record.event,
        }
    }
}

/// Defines an enum with one lower-case name for each member, used in records, files and columns.
macro_rules! named {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$member_doc:meta])* $member:ident = $text:literal,)* }
    ) => {
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
                Self::from_name(&name).ok_or_else(|| {
                    let names = Self::names();
                    serde::de::Error::custom(format!("{name:?} is none of {names}"))
                })
            }
        }
    };
}
pub(crate) use named;

named! {
    /// The kind of an event.
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
    /// Role of the sender of a chat message.
    Role {
        /// A member of the audience.
        Viewer = "viewer",
        /// A member of the audience without an account.
        Guest = "guest",
        /// The organiser.
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
    /// The status of a poll. Votes are counted whatever it is.
    PollStatus {
        /// Not shown yet.
        Queued = "queued",
        /// Open.
        Active = "active",
        /// No longer open.
        Closed = "closed",
        /// No longer shown.
        Archived = "archived",
    }
}

/// A version of an event's kind, title and window. The one with the latest `updated_at` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    pub event: EventId,
    pub kind: EventKind,
    pub title: String,
    /// Start of the event's window.
    pub starts_at: Option<Timestamp>,
    /// End of the event's window, exclusive.
    pub ends_at: Option<Timestamp>,
    /// Length of the content.
    pub duration_ms: Option<i64>,
    /// Time of this version; `None` is older than any.
    pub updated_at: Option<Timestamp>,
}

impl EventRecord {
    /// Whether this record holds over the other: the later `updated_at` does (`None` is older than
    /// any), then the greater title, then the greater JSON. Texts are compared by bytes.
    pub fn holds_over(&self, other: &Self) -> bool {
        let by_time = self.updated_at.cmp(&other.updated_at);
        let order = by_time.then_with(|| self.title.cmp(&other.title));
        let order = order.then_with(|| self.canonical_json().cmp(&other.canonical_json()));
        self != other && order.is_gt()
    }

    /// The record as JSON with sorted keys. It decides between records of equal time.
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

/// The view was playing throughout the span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackRecord {
    pub event: EventId,
    pub playback: PlaybackId,
    pub span: Span,
    /// The part of the content that was played, in milliseconds of the media axis.
    pub coverage: Option<Span>,
    pub device: Option<DeviceId>,
    pub customer: Option<CustomerId>,
    /// Operating system of the device.
    pub device_os: Option<String>,
    /// ISO 3166-2 or 3166-1 code, upper case.
    pub geo_region: Option<String>,
    /// Name of the viewer.
    pub name: Option<String>,
}

impl PlaybackRecord {
    /// The record with its texts borrowed.
    pub fn borrowed(&self) -> PlaybackRef<'_> {
        PlaybackRef {
            event: self.event.as_str(),
            playback: self.playback.as_str(),
            span: self.span,
            coverage: self.coverage,
            device: self.device.as_ref().map(DeviceId::as_str),
            customer: self.customer.as_ref().map(CustomerId::as_str),
            device_os: self.device_os.as_deref(),
            geo_region: self.geo_region.as_deref(),
            name: self.name.as_deref(),
        }
    }
}

/// A checked [`PlaybackRecord`] with texts borrowed from the request body.
///
/// Most records are playbacks that lengthen a span of their view. Those are merged into it
/// without copying their texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaybackRef<'a> {
    pub event: &'a str,
    pub playback: &'a str,
    pub span: Span,
    /// The part of the content that was played, in milliseconds of the media axis.
    pub coverage: Option<Span>,
    /// Never empty.
    pub device: Option<&'a str>,
    /// Never empty.
    pub customer: Option<&'a str>,
    /// Operating system of the device; never empty.
    pub device_os: Option<&'a str>,
    /// ISO 3166-2 or 3166-1 code, upper case.
    pub geo_region: Option<&'a str>,
    /// Name of the viewer; never empty.
    pub name: Option<&'a str>,
}

/// At an instant the view was playing, or it was not.
///
/// A playing beat claims the time up to the next beat of its view, if that is near enough. Claims
/// are worked out when reports are made, because a late beat can take time away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeatRecord {
    pub event: EventId,
    pub playback: PlaybackId,
    pub at: Timestamp,
    /// Number of the beat within its playback, at least 0.
    pub seq: Option<i64>,
    pub playing: bool,
    pub customer: Option<CustomerId>,
    pub device: Option<DeviceId>,
    /// Operating system of the device.
    pub device_os: Option<String>,
    /// ISO 3166-2 or 3166-1 code, upper case.
    pub geo_region: Option<String>,
    /// Name of the viewer.
    pub name: Option<String>,
}

/// A version of a chat message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatRecord {
    pub event: EventId,
    pub message: MessageId,
    pub sent_at: Timestamp,
    /// May be empty.
    pub text: String,
    pub customer: Option<CustomerId>,
    pub device: Option<DeviceId>,
    /// Name of the sender, as the audience saw it.
    pub name: Option<String>,
    pub role: Option<Role>,
    /// Whether this version deletes the message.
    pub deleted: bool,
    /// Time of this version; `None` is `sent_at`.
    pub updated_at: Option<Timestamp>,
}

/// A deletion of a chat message by its id alone, without its time and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatDeletion {
    pub event: EventId,
    pub message: MessageId,
    /// Deletes the versions that are not later than this; `None` deletes all versions, also later
    /// ones.
    pub updated_at: Option<Timestamp>,
}

/// An option of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollOption {
    pub option: OptionId,
    pub text: String,
    /// Whether it is a right answer.
    pub correct: bool,
}

/// A version of a poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRecord {
    pub event: EventId,
    pub poll: PollId,
    pub question: String,
    pub choice: Choice,
    /// One or more; no id twice.
    pub options: Vec<PollOption>,
    pub status: PollStatus,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Time of this version; `None` is older than any.
    pub updated_at: Option<Timestamp>,
}

impl PollRecord {
    /// The record as JSON with sorted keys. It decides between records of equal time.
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

/// A vote, or its withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRecord {
    pub event: EventId,
    pub poll: PollId,
    /// The options that the vote chooses; empty withdraws the vote.
    pub options: BTreeSet<OptionId>,
    pub voted_at: Timestamp,
    pub voter: Voter,
    /// Name of the voter.
    pub name: Option<String>,
    /// The sender's number for the vote.
    pub vote: Option<VoteId>,
}

/// The identity that a vote is cast under: a customer, a device, or a customer on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voter {
    Customer(CustomerId, Option<DeviceId>),
    /// A device without a known customer.
    Device(DeviceId),
}

impl Voter {
    /// `None` if neither is known.
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
