//! The short way for the record that nearly all are: a playback in plain words.
//!
//! It has no escapes, no field twice and nothing wrong. Whatever is not as
//! plain as that is left to the general reading, which alone decides; so the
//! two cannot disagree, and the short one needs no messages.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use showreport_model::record::Beat;
use showreport_model::{CustomerId, DeviceId, EventId, PlaybackId, Timestamp};

use crate::fields::{Field, TEXT_BYTES_MAX, is_region};
use crate::rules::{check_number, span};
use crate::value::Value;

static PLAYBACK_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"playback_id\""));

/// The fields that are plain. Of unknown ones only the general reading finds out whether any is there
/// twice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(rename = "type")]
    record_type: &'a str,
    event_id: &'a str,
    playback_id: &'a str,
    #[serde(borrow)]
    from: Value<'a>,
    #[serde(borrow)]
    to: Value<'a>,
    device_id: Option<&'a str>,
    customer_id: Option<&'a str>,
    device_os: Option<&'a str>,
    geo_region: Option<&'a str>,
    user_agent: Option<&'a str>,
    ip: Option<&'a str>,
    #[expect(
        dead_code,
        reason = "players send it, and no figure needs it of a playback"
    )]
    name: Option<&'a str>,
    #[serde(borrow, default)]
    position_ms: Value<'a>,
    #[serde(borrow, default)]
    rate: Value<'a>,
}

/// The beat that the text is, if it is one in plain words.
pub(crate) fn beat(text: &str, now: Timestamp) -> Option<Beat<'_>> {
    // Serde would take the fields from an array too.
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    // Other records are not read twice.
    PLAYBACK_ID.find(text.as_bytes())?;
    let plain: Plain<'_> = serde_json::from_str(text).ok()?;
    if plain.record_type != "playback" {
        return None;
    }
    EventId::check(plain.event_id).ok()?;
    PlaybackId::check(plain.playback_id).ok()?;
    let from = Field::new("from", &plain.from);
    let to = Field::new("to", &plain.to);
    let span = span(from, to, now).ok()?;
    check_number(Field::new("position_ms", &plain.position_ms)).ok()?;
    check_number(Field::new("rate", &plain.rate)).ok()?;
    let beat = Beat {
        event: plain.event_id,
        playback: plain.playback_id,
        span,
        device: said(plain.device_id),
        customer: said(plain.customer_id),
        device_os: said(plain.device_os),
        geo_region: said(plain.geo_region),
    };
    let is_good = beat.device.is_none_or(|id| DeviceId::check(id).is_ok())
        && beat.customer.is_none_or(|id| CustomerId::check(id).is_ok())
        && beat
            .geo_region
            .is_none_or(|code| is_region(code.as_bytes()))
        && [beat.device_os, plain.user_agent, plain.ip]
            .iter()
            .flatten()
            .all(|text| text.len() <= TEXT_BYTES_MAX);
    is_good.then_some(beat)
}

/// The field if it says something: `""` is the same as absent.
fn said(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}
