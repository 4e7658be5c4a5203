use arrow::array::{Array, StringArray};
use arrow::datatypes::Schema;

use super::*;
use crate::facts::FactsBuilder;
use crate::ids::{EventId, OptionId, OrgId, PlaybackId, PollId};
use crate::record::{
    BeatRecord, Choice, PlaybackRecord, PollOption, PollRecord, PollStatus, Record,
};
use crate::span::Span;
use crate::time::Timestamp;

fn builder() -> FactsBuilder {
    let mut builder = FactsBuilder::new(OrgId::new("acme").expect("id"));
    let event = EventId::new("keynote").expect("id");
    builder.push(Record::Playback(PlaybackRecord {
        event: event.clone(),
        playback: PlaybackId::new("p").expect("id"),
        span: Span::new(1, 2).expect("span"),
        coverage: Span::new(5, 6),
        device: None,
        customer: None,
        device_os: Some("iOS".to_owned()),
        geo_region: None,
        name: None,
    }));
    builder.push(Record::Poll(PollRecord {
        event: event.clone(),
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
    for seq in [None, Some(0), Some(i64::MAX)] {
        builder.push(Record::Beat(BeatRecord {
            event: event.clone(),
            playback: PlaybackId::new("p").expect("id"),
            at: Timestamp::MIN,
            seq,
            playing: seq.is_none(),
            customer: None,
            device: None,
            device_os: None,
            geo_region: None,
            name: Some("Ada".to_owned()),
        }));
    }
    builder
}

#[test]
fn facts_survive_encoding() {
    let collected = builder().finish();
    assert_eq!(collected.records, 5);
    assert_eq!(collected.facts.batch(Table::Beats).num_rows(), 3);
    assert_eq!(collected.facts.batch(Table::Coverage).num_rows(), 1);
    assert_eq!(collected.touched.len(), 1);
    let facts = Facts::concat(&[collected.facts.clone(), collected.facts]);
    assert_eq!(Facts::decode(&facts.encode()).expect("whole"), facts);
    assert!(Facts::decode(&facts.encode()[..50]).is_err());
}

/// The bytes of these columns of spans, and of one that is not among them.
fn with_columns(spans: &RecordBatch, columns: &[&str], unknown: Option<&str>) -> Vec<u8> {
    let schema = spans.schema();
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for name in columns {
        fields.push(schema.field_with_name(name).expect("a column").clone());
        arrays.push(spans.column_by_name(name).expect("a column").clone());
    }
    if let Some(name) = unknown {
        fields.push(Field::new(name, DataType::Utf8, true));
        arrays.push(Arc::new(StringArray::from(vec!["x"; spans.num_rows()])) as ArrayRef);
    }
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).expect("columns");
    let mut bytes = Vec::new();
    append(&mut bytes, Table::Spans as u8, &batch);
    bytes
}

/// The columns that every version of the program has written.
const FIRST: [&str; 9] = [
    "org",
    "event_id",
    "playback_id",
    "from_time",
    "to_time",
    "customer_id",
    "device_id",
    "device_os",
    "geo_region",
];

#[test]
fn columns_are_found_by_name_and_an_optional_one_may_be_absent() {
    let facts = builder().finish().facts;
    let spans = facts.batch(Table::Spans);
    let mut disordered = FIRST;
    disordered.reverse();
    let read = Facts::decode(&with_columns(spans, &disordered, None)).expect("known columns");
    assert_eq!(read.batch(Table::Spans), spans);
    let without_os = FIRST.iter().copied().filter(|name| *name != "device_os");
    let without_os: Vec<&str> = without_os.collect();
    let read = Facts::decode(&with_columns(spans, &without_os, None)).expect("known columns");
    let systems = read.batch(Table::Spans).column_by_name("device_os");
    assert_eq!(systems.expect("a column").null_count(), spans.num_rows());
}

#[test]
fn what_a_newer_version_wrote_is_refused_by_name() {
    let facts = builder().finish().facts;
    let spans = facts.batch(Table::Spans);
    let error = Facts::decode(&with_columns(spans, &FIRST, Some("mood"))).expect_err("unknown");
    assert_eq!(
        error.to_string(),
        "the column `mood` of spans is unknown: a newer version of showreport wrote the row; run \
         that version"
    );
    let mut bytes = with_columns(spans, &FIRST, None);
    bytes[0] = 6;
    let error = Facts::decode(&bytes).expect_err("unknown");
    assert!(
        matches!(error, DecodeError::UnknownTable { number: 6 }),
        "{error}"
    );
}

#[test]
fn a_column_that_must_be_there_is_missed_and_one_of_another_type_is_refused() {
    let facts = builder().finish().facts;
    let spans = facts.batch(Table::Spans);
    let error = Facts::decode(&with_columns(spans, &FIRST[..4], None)).expect_err("missing");
    assert!(
        matches!(&error, DecodeError::MissingColumn { column, .. } if column == "to_time"),
        "{error}"
    );
    let error = Facts::decode(&with_columns(spans, &FIRST[..4], Some("to_time")));
    let error = error.expect_err("a text for a time");
    assert!(
        matches!(&error, DecodeError::WrongType { column, .. } if column == "to_time"),
        "{error}"
    );
}
