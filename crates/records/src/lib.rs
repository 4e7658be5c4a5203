//! Decodes records: what clients send to `POST /collect` and what `showreport import` reads.
//!
//! A body or a file of good and bad records gives both: good ones as [`Decoded`], bad ones as
//! [`Rejection`]s. No message repeats a name, a text or an address that was sent. HTTP, compression
//! and limits of concurrency are not here.
//!
//! # Adding a format
//!
//! 1. Write `formats/<name>.rs` with a unit struct.
//! 2. Implement [`Format`] for request bodies, [`FileFormat`] for files, or both. Each record is
//!    given on as the JSON that `docs/records.md` describes, or as its fields, so no rule of a field
//!    is repeated.
//! 3. Add the struct to [`BODY_FORMATS`] or [`FILE_FORMATS`]. A format with a path of its own is a
//!    constant, as [`CMCD`].

mod reason;
mod charset;
mod scan;
mod depth;
mod repeated;
mod value;
mod fields;
mod viewer_tokens;
mod context;
mod rules;
mod long_ids;
mod diagnosis;
mod playback;
mod record;
mod blocks;
mod format;
mod formats;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use blocks::{Block, Content};
pub use charset::Charset;
pub use context::{Context, GivenFields};
pub use fields::{TEXT_BYTES_MAX, shortened};
pub use format::{
    Blocks, DecodeError, FileFormat, Format, REJECTIONS_LISTED_MAX, Rejections, Sink, decode_body,
};
pub use formats::{
    BODY_FORMATS, CLOUD_EVENT_DATA, CMCD, DEFAULT_BODY_FORMAT, FILE_FORMATS, Ndjson, SEGMENT,
    body_format, file_format, lines, segment_write_key,
};
pub use reason::Reason;
pub use record::{Decoded, Rejection, decode_record, without_bom};
pub use repeated::repeated_field;
pub use viewer_tokens::Verifier;
