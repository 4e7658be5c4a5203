//! The fast decoder of playbacks, which nearly all records are.
//!
//! It takes a valid playback without escapes and without repeated fields, and copies nothing. All
//! other records go to the general decoder. So only that one makes rejections, and the two cannot
//! disagree.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use showreport_model::record::PlaybackRef;
use showreport_model::{CustomerId, DeviceId, EventId, PlaybackId};
use showreport_origins::Region;

use crate::context::Context;
use crate::fields::{Field, TEXT_BYTES_MAX, is_region};
use crate::rules::{covered, span};
use crate::value::Value;

static PLAYBACK_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"playback_id\""));

/// The fields of a playback. Unknown fields are left to the general decoder, which finds repeated
/// ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlaybackFields<'a> {
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
    name: Option<&'a str>,
    #[serde(borrow, default)]
    position_ms: Value<'a>,
    #[serde(borrow, default)]
    rate: Value<'a>,
}

/// Decodes a playback; `None` where the general decoder has to decide.
pub(crate) fn decode_playback<'a>(text: &'a str, context: &'a Context) -> Option<PlaybackRef<'a>> {
    // Serde would also read the fields from an array.
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    // Records of other types are not parsed twice.
    PLAYBACK_ID.find(text.as_bytes())?;
    let fields: PlaybackFields<'_> = serde_json::from_str(text).ok()?;
    if fields.record_type != "playback" {
        return None;
    }
    EventId::check(fields.event_id).ok()?;
    PlaybackId::check(fields.playback_id).ok()?;
    let from = Field::new("from", &fields.from);
    let to = Field::new("to", &fields.to);
    let span = span(from, to, context.now).ok()?;
    let position_ms = Field::new("position_ms", &fields.position_ms);
    let rate = Field::new("rate", &fields.rate);
    let coverage = covered(span, position_ms, rate).ok()?;
    let geo_region = non_empty(fields.geo_region);
    if geo_region.is_none() && non_empty(fields.ip).is_some() {
        // The region of an address is a text of its own, which this decoder cannot borrow.
        return None;
    }
    let playback = PlaybackRef {
        event: fields.event_id,
        playback: fields.playback_id,
        span,
        coverage,
        device: non_empty(fields.device_id),
        customer: non_empty(fields.customer_id),
        device_os: non_empty(fields.device_os),
        geo_region,
        name: non_empty(fields.name),
    };
    let is_good = playback.device.is_none_or(|id| DeviceId::check(id).is_ok())
        && playback
            .customer
            .is_none_or(|id| CustomerId::check(id).is_ok())
        && playback
            .geo_region
            .is_none_or(|code| is_region(code.as_bytes()))
        && [
            playback.device_os,
            playback.name,
            fields.user_agent,
            fields.ip,
        ]
        .iter()
        .flatten()
        .all(|text| text.len() <= TEXT_BYTES_MAX);
    is_good.then(|| PlaybackRef {
        device_os: playback
            .device_os
            .or_else(|| context.system(non_empty(fields.user_agent))),
        geo_region: playback
            .geo_region
            .or(context.origin.region.as_ref().map(Region::as_str)),
        ..playback
    })
}

/// In an optional field `""` is the same as absent.
fn non_empty(field: Option<&str>) -> Option<&str> {
    field.filter(|text| !text.is_empty())
}
