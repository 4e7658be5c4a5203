//! The rules of each type of record: the fields that it needs, and how they must agree.

use std::collections::BTreeSet;

use showreport_model::record::{
    BeatRecord, ChatDeletion, ChatRecord, Choice, EventKind, EventRecord, PlaybackRecord,
    PollOption, PollRecord, PollStatus, Record, Role, VoteRecord, Voter,
};
use showreport_model::time::MILLIS_PER_DAY;
use showreport_model::{OptionId, Span, Timestamp, coverage};

use crate::context::Context;
use crate::fields::{CHAT_TEXT_BYTES_MAX, Field, FieldError, TEXT_BYTES_MAX, shortened};
use crate::reason::Reason;
use crate::value::{ELEMENTS_MAX, Element, Elements, Fields, PollOptionFields, Value};

/// A field of `Fields` with its name for messages.
macro_rules! field {
    ($fields:ident.$name:ident) => {
        Field::new(stringify!($name), &$fields.$name)
    };
}

/// Checks the fields and makes a record of them.
pub(crate) fn record(fields: &Fields<'_>, context: &Context) -> Result<Record, FieldError> {
    match &fields.record_type {
        Value::Text(name) => match name.as_ref() {
            "event" => event(fields).map(Record::Event),
            "playback" => playback(fields, context).map(Record::Playback),
            "beat" => beat(fields, context).map(Record::Beat),
            "chat" => chat(fields, context.now),
            "poll" => poll(fields).map(Record::Poll),
            "vote" => vote(fields, context.now).map(Record::Vote),
            other => Err(FieldError::new(
                Reason::UnknownType,
                "type",
                format!("is {}; it must be one of {TYPES}", shortened(other)),
            )),
        },
        Value::Absent => Err(FieldError::missing("type", &format!("one of {TYPES}"))),
        other => Err(FieldError::wrong_type(
            "type",
            other.kind(),
            &format!("one of {TYPES}"),
        )),
    }
}

const TYPES: &str = "event, playback, beat, chat, poll, vote";

fn event(fields: &Fields<'_>) -> Result<EventRecord, FieldError> {
    Ok(EventRecord {
        event: field!(fields.event_id).id()?,
        kind: field!(fields.kind).named(EventKind::from_name, EventKind::names)?,
        title: field!(fields.title).text(TEXT_BYTES_MAX)?.to_owned(),
        starts_at: optional_time(field!(fields.starts_at))?,
        ends_at: optional_time(field!(fields.ends_at))?,
        duration_ms: field!(fields.duration_ms)
            .present()
            .map(Field::millis)
            .transpose()?,
        updated_at: optional_time(field!(fields.updated_at))?,
    })
}

fn playback(fields: &Fields<'_>, context: &Context) -> Result<PlaybackRecord, FieldError> {
    let event = field!(fields.event_id).id()?;
    let playback = field!(fields.playback_id).id()?;
    let span = span(field!(fields.from), field!(fields.to), context.now)?;
    let coverage = covered(span, field!(fields.position_ms), field!(fields.rate))?;
    Ok(PlaybackRecord {
        event,
        playback,
        span,
        coverage,
        device: optional_id(field!(fields.device_id))?,
        customer: optional_id(field!(fields.customer_id))?,
        device_os: device_os(fields, context)?,
        geo_region: geo_region(fields, context)?,
        name: optional_text(field!(fields.name))?,
    })
}

/// The system of a view: its own, else by its user agent, else that of the request. The user
/// agent is dropped.
fn device_os(fields: &Fields<'_>, context: &Context) -> Result<Option<String>, FieldError> {
    let user_agent = optional_text(field!(fields.user_agent))?;
    let own = optional_text(field!(fields.device_os))?;
    let derived = || context.system(user_agent.as_deref()).map(str::to_owned);
    Ok(own.or_else(derived))
}

/// The region of a view: its own, else by its address, else that of the request. The address is
/// dropped.
fn geo_region(fields: &Fields<'_>, context: &Context) -> Result<Option<String>, FieldError> {
    let ip = optional_text(field!(fields.ip))?;
    let own = field!(fields.geo_region).present();
    let own = own.map(Field::region).transpose()?;
    let derived = || Some(context.region(ip.as_deref())?.as_str().to_owned());
    Ok(own.or_else(derived))
}

pub(crate) fn span(
    from: Field<'_, '_>,
    to: Field<'_, '_>,
    now: Timestamp,
) -> Result<Span, FieldError> {
    let from = from.time()?;
    let to = to.time_until(now)?;
    let span = Span::new(from.as_millis(), to.as_millis()).ok_or_else(|| {
        FieldError::new(
            Reason::EmptySpan,
            "to",
            "is not after `from`, in whole milliseconds; a span holds at least one",
        )
    })?;
    if span.millis() > MILLIS_PER_DAY {
        return Err(FieldError::new(
            Reason::SpanTooLong,
            "to",
            "is more than 24 hours after `from`; send a longer span in parts",
        ));
    }
    Ok(span)
}

/// The part of the content that was played within the span. Without a position there is none.
///
/// Position and rate have no upper bound, beyond which a record would be rejected: players of live
/// streams send the wall clock as position.
pub(crate) fn covered(
    span: Span,
    position_ms: Field<'_, '_>,
    rate: Field<'_, '_>,
) -> Result<Option<Span>, FieldError> {
    let position_ms = position_ms.present().map(Field::not_negative).transpose()?;
    let rate = rate.present().map(Field::not_negative).transpose()?;
    Ok(position_ms
        .and_then(|position_ms| coverage::covered(span, position_ms, rate.unwrap_or(1.0))))
}

fn beat(fields: &Fields<'_>, context: &Context) -> Result<BeatRecord, FieldError> {
    let event = field!(fields.event_id).id()?;
    let playback = field!(fields.playback_id).id()?;
    let at = field!(fields.at).time_until(context.now)?;
    let playing = field!(fields.playing).flag()?;
    let seq = field!(fields.seq).present().map(Field::count).transpose()?;
    Ok(BeatRecord {
        event,
        playback,
        at,
        seq,
        playing,
        device: optional_id(field!(fields.device_id))?,
        customer: optional_id(field!(fields.customer_id))?,
        device_os: device_os(fields, context)?,
        geo_region: geo_region(fields, context)?,
        name: optional_text(field!(fields.name))?,
    })
}

fn chat(fields: &Fields<'_>, now: Timestamp) -> Result<Record, FieldError> {
    let deleted = optional_flag(field!(fields.deleted))?;
    let sent_at = field!(fields.sent_at);
    let text = field!(fields.text);
    // A deletion may leave out `sent_at` and `text`.
    let is_by_id = deleted && sent_at.present().is_none();
    let text = if deleted { text.present() } else { Some(text) };
    let record = ChatRecord {
        event: field!(fields.event_id).id()?,
        message: field!(fields.message_id).id()?,
        sent_at: if is_by_id {
            Timestamp::MIN
        } else {
            sent_at.time_until(now)?
        },
        text: text
            .map_or(Ok(""), |text| text.text(CHAT_TEXT_BYTES_MAX))?
            .to_owned(),
        customer: optional_id(field!(fields.customer_id))?,
        device: optional_id(field!(fields.device_id))?,
        name: optional_text(field!(fields.name))?,
        role: field!(fields.role)
            .present()
            .map(|role| role.named(Role::from_name, Role::names))
            .transpose()?,
        deleted,
        updated_at: optional_time(field!(fields.updated_at))?,
    };
    Ok(if is_by_id {
        Record::ChatDeletion(ChatDeletion {
            event: record.event,
            message: record.message,
            updated_at: record.updated_at,
        })
    } else {
        Record::Chat(record)
    })
}

fn poll(fields: &Fields<'_>) -> Result<PollRecord, FieldError> {
    Ok(PollRecord {
        event: field!(fields.event_id).id()?,
        poll: field!(fields.poll_id).id()?,
        question: field!(fields.question).text(TEXT_BYTES_MAX)?.to_owned(),
        choice: field!(fields.choice).named(Choice::from_name, Choice::names)?,
        options: options(fields)?,
        status: field!(fields.status).named(PollStatus::from_name, PollStatus::names)?,
        started_at: optional_time(field!(fields.started_at))?,
        ended_at: optional_time(field!(fields.ended_at))?,
        updated_at: optional_time(field!(fields.updated_at))?,
    })
}

fn options(fields: &Fields<'_>) -> Result<Vec<PollOption>, FieldError> {
    let elements = list(
        "options",
        &fields.options,
        "an array of one or more options {\"id\", \"text\", \"correct\"}",
    )?;
    let mut seen = BTreeSet::new();
    let mut options = Vec::with_capacity(elements.len());
    for (index, element) in elements.iter().enumerate() {
        let option = match element {
            Element::Object(fields) => poll_option(fields, index)?,
            Element::Other(is) => {
                let field = format!("options[{index}]");
                return Err(FieldError::wrong_type(
                    &field,
                    is,
                    "an object with id and text",
                ));
            }
        };
        if !seen.insert(option.option.clone()) {
            return Err(FieldError::new(
                Reason::RepeatedOption,
                &format!("options[{index}].id"),
                "is the id of an earlier option; each option has its own",
            ));
        }
        options.push(option);
    }
    if options.is_empty() {
        return Err(FieldError::new(
            Reason::TooFewOptions,
            "options",
            format!("is empty; a poll has 1 to {ELEMENTS_MAX}"),
        ));
    }
    Ok(options)
}

fn poll_option(fields: &PollOptionFields<'_>, index: usize) -> Result<PollOption, FieldError> {
    let name = |field: &str| format!("options[{index}].{field}");
    Ok(PollOption {
        option: Field::new(&name("id"), &fields.id).id()?,
        text: Field::new(&name("text"), &fields.text)
            .text(TEXT_BYTES_MAX)?
            .to_owned(),
        correct: optional_flag(Field::new(&name("correct"), &fields.correct))?,
    })
}

fn vote(fields: &Fields<'_>, now: Timestamp) -> Result<VoteRecord, FieldError> {
    let event = field!(fields.event_id).id()?;
    let poll = field!(fields.poll_id).id()?;
    let chosen = list(
        "option_ids",
        &fields.option_ids,
        "an array of option ids, empty to withdraw the vote",
    )?;
    let options: BTreeSet<OptionId> = chosen
        .iter()
        .enumerate()
        .map(|(index, value)| Field::new(&format!("option_ids[{index}]"), value).id())
        .collect::<Result<_, _>>()?;
    let voted_at = field!(fields.voted_at).time_until(now)?;
    let customer = optional_id(field!(fields.customer_id))?;
    let device = optional_id(field!(fields.device_id))?;
    let voter = Voter::new(customer, device).ok_or_else(|| {
        FieldError::new(
            Reason::MissingVoter,
            "customer_id",
            "and `device_id` are missing; a vote needs one of them",
        )
    })?;
    Ok(VoteRecord {
        event,
        poll,
        options,
        voted_at,
        voter,
        name: optional_text(field!(fields.name))?,
        vote: optional_id(field!(fields.vote_id))?,
    })
}

fn list<'f, T>(
    name: &str,
    value: &'f Value<'_, Elements<T>>,
    wanted: &str,
) -> Result<&'f [T], FieldError> {
    match value {
        Value::List(Elements { more: true, .. }) => Err(FieldError::new(
            Reason::TooLong,
            name,
            format!("has more than {ELEMENTS_MAX} elements, which is the most"),
        )),
        Value::List(elements) => Ok(&elements.kept),
        Value::Absent => Err(FieldError::missing(name, wanted)),
        other => Err(FieldError::wrong_type(name, other.kind(), wanted)),
    }
}

fn optional_id<I>(field: Field<'_, '_>) -> Result<Option<I>, FieldError>
where
    I: std::str::FromStr<Err = showreport_model::IdError>,
{
    field.present().map(Field::id).transpose()
}

fn optional_time(field: Field<'_, '_>) -> Result<Option<Timestamp>, FieldError> {
    field.present().map(Field::time).transpose()
}

fn optional_text(field: Field<'_, '_>) -> Result<Option<String>, FieldError> {
    field
        .present()
        .map(|field| field.text(TEXT_BYTES_MAX).map(str::to_owned))
        .transpose()
}

fn optional_flag(field: Field<'_, '_>) -> Result<bool, FieldError> {
    field.present().map_or(Ok(false), Field::flag)
}
