//! Collecting: bodies become records, good ones are kept and bad ones named.
//!
//! [`parse_line`] and [`parse_body`] are the one reading of the record format;
//! import uses them too. Nothing here echoes a name, a text or an address.

mod decompress;
mod depth;
mod value;
mod fields;
mod records;
mod beat;
mod parse;
mod sift;
mod handler;

pub use parse::{
    Broken, Form, Parsed, REJECTIONS_NAMED_MAX, Rejected, Rejections, parse_body, parse_line,
};

#[cfg(any(test, fuzzing))]
pub(crate) use decompress::{Encoding, Window, unpack};
pub(crate) use handler::{__path_collect, collect};
