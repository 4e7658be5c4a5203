//! The part of `BlendVision`'s API that is about event reports: reports, watch time of a day, and
//! viewers of a live event.
//!
//! Requests may spell each name in `snake_case` or `lowerCamelCase`, and enums by name or number.
//! Responses have `snake_case` and names of enums only, and every field is present.

mod enums;
mod reader;
mod request;
mod report;
mod columns;
mod create;
mod batch_get;
mod watch_time;
mod viewers;

pub(crate) use batch_get::{__path_batch_get_reports, batch_get_reports};
pub(crate) use create::{__path_create_reports, create, create_reports, orders};
pub(crate) use enums::WireEnum;
pub(crate) use report::{EventReport, describe, describe_one};
pub(crate) use request::CreateReports;
#[cfg(any(test, fuzzing))]
pub(crate) use request::read_ids;
pub(crate) use viewers::{__path_get_viewers, get_viewers};
pub(crate) use watch_time::{__path_get_watch_time, get_watch_time};
