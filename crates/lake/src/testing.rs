//! Facts for the tests of this crate.

use showreport_model::facts::{Collected, Facts, FactsBuilder};
use showreport_model::record::{
    BeatRecord, ChatRecord, Choice, PlaybackRecord, PollOption, PollRecord, PollStatus, Record,
    Role, VoteRecord, Voter,
};
use showreport_model::{
    CustomerId, DeviceId, EventId, MessageId, OptionId, OrgId, PlaybackId, PollId, Span, Timestamp,
    Window,
};

use crate::Sought;

/// A span of a view.
#[derive(Debug, Clone)]
pub(crate) struct Viewing {
    pub(crate) event: String,
    pub(crate) playback: String,
    pub(crate) span: Span,
    pub(crate) coverage: Option<Span>,
    pub(crate) customer: Option<String>,
    pub(crate) device_os: Option<String>,
}

impl Viewing {
    pub(crate) fn new(playback: &str, span: Span) -> Self {
        Self {
            event: "keynote".to_owned(),
            playback: playback.to_owned(),
            span,
            coverage: None,
            customer: None,
            device_os: None,
        }
    }
}

/// The records of some viewings of an organisation.
pub(crate) fn sent(org: &str, viewings: impl IntoIterator<Item = Viewing>) -> FactsBuilder {
    let mut builder = FactsBuilder::new(OrgId::new(org).unwrap());
    for viewing in viewings {
        builder.push(Record::Playback(PlaybackRecord {
            event: EventId::new(viewing.event).unwrap(),
            playback: PlaybackId::new(viewing.playback).unwrap(),
            span: viewing.span,
            coverage: viewing.coverage,
            device: None,
            customer: viewing.customer.map(|id| CustomerId::new(id).unwrap()),
            device_os: viewing.device_os,
            geo_region: None,
            name: None,
        }));
    }
    builder
}

/// The same, ready for an import.
pub(crate) fn collected(org: &str, viewings: impl IntoIterator<Item = Viewing>) -> Collected {
    sent(org, viewings).finish()
}

/// The rows of some viewings.
pub(crate) fn facts(org: &str, viewings: impl IntoIterator<Item = Viewing>) -> Facts {
    collected(org, viewings).facts
}

/// A record of every kind.
pub(crate) fn one_of_each(org: &str) -> FactsBuilder {
    let event = || EventId::new("keynote").unwrap();
    let device = || DeviceId::new("d").unwrap();
    let at = |millis| Timestamp::MIN.saturating_add_millis(millis);
    let mut builder = FactsBuilder::new(OrgId::new(org).unwrap());
    builder.push(Record::Playback(PlaybackRecord {
        event: event(),
        playback: PlaybackId::new("p").unwrap(),
        span: Span::new(at(0).as_millis(), at(10_000).as_millis()).unwrap(),
        coverage: Span::new(60_000, 70_000),
        device: Some(device()),
        customer: None,
        device_os: Some("iOS".to_owned()),
        geo_region: Some("TW".to_owned()),
        name: None,
    }));
    builder.push(Record::Chat(ChatRecord {
        event: event(),
        message: MessageId::new("m").unwrap(),
        sent_at: at(1),
        text: "hello".to_owned(),
        customer: None,
        device: Some(device()),
        name: Some("Ada".to_owned()),
        role: Some(Role::Guest),
        deleted: false,
        updated_at: None,
    }));
    builder.push(Record::Poll(PollRecord {
        event: event(),
        poll: PollId::new("q").unwrap(),
        question: "?".to_owned(),
        choice: Choice::Single,
        options: ["a", "b"]
            .map(|id| PollOption {
                option: OptionId::new(id).unwrap(),
                text: id.to_uppercase(),
                correct: id == "a",
            })
            .to_vec(),
        status: PollStatus::Active,
        started_at: Some(at(5)),
        ended_at: None,
        updated_at: None,
    }));
    for options in [&["a", "b"][..], &[]] {
        builder.push(Record::Vote(VoteRecord {
            event: event(),
            poll: PollId::new("q").unwrap(),
            options: options
                .iter()
                .map(|id| OptionId::new(*id).unwrap())
                .collect(),
            voted_at: at(7 + i64::from(options.is_empty())),
            voter: Voter::Device(device()),
            name: None,
            vote: None,
        }));
    }
    for seq in [None, Some(1), Some(2)] {
        builder.push(beat("p", seq, at(9), true));
    }
    builder
}

/// A beat of a view.
pub(crate) fn beat(playback: &str, seq: Option<i64>, at: Timestamp, playing: bool) -> Record {
    Record::Beat(BeatRecord {
        event: EventId::new("keynote").unwrap(),
        playback: PlaybackId::new(playback).unwrap(),
        at,
        seq,
        playing,
        customer: None,
        device: Some(DeviceId::new("d").unwrap()),
        device_os: None,
        geo_region: None,
        name: None,
    })
}

/// The rows of an event.
pub(crate) fn sought<'a>(org: &'a OrgId, event: &'a EventId) -> Sought<'a> {
    Sought {
        org,
        events: Some(std::slice::from_ref(event)),
        window: Window::ALL,
    }
}
