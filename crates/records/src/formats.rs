//! The formats, one file each.

mod ndjson;
mod json;
mod plain;
mod csv;
mod cloud_events;
mod cmcd;
mod segment;

pub(crate) use cloud_events::{CloudEvent, CloudEventBatch, CloudEventData};
pub(crate) use cmcd::Cmcd;
pub(crate) use csv::Csv;
pub(crate) use json::Json;
pub use ndjson::{Ndjson, lines};
pub(crate) use plain::Plain;
pub(crate) use segment::Segment;
pub use segment::segment_write_key;

use crate::format::{FileFormat, Format};

/// The formats of request bodies that are found by their media type.
pub const BODY_FORMATS: &[&dyn Format] = &[&Ndjson, &Json, &Plain, &CloudEvent, &CloudEventBatch];

/// The format of bodies with the attributes of a `CloudEvent` in their headers.
pub const CLOUD_EVENT_DATA: &dyn Format = &CloudEventData;

/// The format of reports of players.
pub const CMCD: &dyn Format = &Cmcd;

/// The format of calls of Segment's API.
pub const SEGMENT: &dyn Format = &Segment;

/// The formats of files.
pub const FILE_FORMATS: &[&dyn FileFormat] = &[&Ndjson, &Csv];

/// The format of bodies that are sent without a media type.
pub const DEFAULT_BODY_FORMAT: &dyn Format = &Plain;

/// The format of bodies with this media type.
pub fn body_format(media_type: &str) -> Option<&'static dyn Format> {
    let mut formats = BODY_FORMATS.iter().copied();
    formats.find(|format| format.media_type() == media_type)
}

/// The format of files with this extension.
pub fn file_format(extension: &str) -> Option<&'static dyn FileFormat> {
    let mut formats = FILE_FORMATS.iter().copied();
    formats.find(|format| format.extensions().contains(&extension))
}
