use super::*;
use crate::ids::{OptionId, PlaybackId, PollId};
use crate::record::{Choice, PlaybackRecord, PollOption, PollStatus};
use crate::span::Span;

#[test]
fn facts_survive_encoding() {
    let mut builder = FactsBuilder::new(OrgId::new("acme").expect("id"));
    let event = EventId::new("keynote").expect("id");
    builder.push(Record::Playback(PlaybackRecord {
        event: event.clone(),
        playback: PlaybackId::new("p").expect("id"),
        span: Span::new(1, 2).expect("span"),
        device: None,
        customer: None,
        device_os: Some("iOS".to_owned()),
        geo_region: None,
    }));
    builder.push(Record::Poll(PollRecord {
        event,
        poll: PollId::new("q").expect("id"),
        question: "?".to_owned(),
        choice: Choice::Single,
        options: ["a", "b"]
            .map(|id| PollOption {
                option: OptionId::new(id).expect("id"),
                text: String::new(),
                correct: id == "a",
            })
            .to_vec(),
        status: PollStatus::Active,
        started_at: None,
        ended_at: None,
        updated_at: None,
    }));
    let collected = builder.finish();
    assert_eq!(collected.records, 2);
    assert_eq!(collected.touched.len(), 1);
    let facts = Facts::concat(&[collected.facts.clone(), collected.facts]);
    assert_eq!(Facts::decode(&facts.encode()).expect("whole"), facts);
    assert!(Facts::decode(&facts.encode()[..50]).is_err());
}
