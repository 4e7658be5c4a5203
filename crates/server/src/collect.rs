//! `POST /collect`: reads a body, decodes it, stores its records and lists the rejected ones.

mod decompress;
mod sift;
mod handler;

pub use decompress::unpack_file;

#[cfg(any(test, fuzzing))]
pub(crate) use decompress::{Encoding, Window, unpack};
pub(crate) use handler::{__path_collect, collect};
