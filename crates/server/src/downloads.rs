//! Downloads: links that open without a token for a while, and the files behind them.

mod link;
mod name;
mod range;
mod negotiate;
mod stream;
mod serve;

pub(crate) use link::Link;
pub(crate) use name::file_name;
pub(crate) use serve::{__path_download, StoredFile, download, send_file};
