//! Collecting: bodies become records, good ones are kept and bad ones named.
//!
//! [`parse_line`] and [`parse_body`] are the one reading of the record format;
//! import uses them too. Nothing here echoes a name, a text or an address.

mod decompress;
mod charset;
mod depth;
mod value;
mod fields;
mod records;
mod scan;
mod long_ids;
mod diagnosis;
mod beat;
mod parse;
mod sift;
mod handler;

pub use charset::Wide;
pub use decompress::unpack_file;
pub use parse::{
    Broken, Form, Parsed, REJECTIONS_NAMED_MAX, Rejected, Rejections, parse_body, parse_line,
    without_mark,
};
pub use value::FIELD_NAMES;

#[cfg(any(test, fuzzing))]
pub(crate) use decompress::{Encoding, Window, unpack};
pub(crate) use handler::{__path_collect, collect};
