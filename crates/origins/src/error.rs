//! Why a database of regions cannot be used.

use std::io;
use std::path::PathBuf;

use maxminddb::MaxMindDbError;

/// Why a database of regions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("read {path}")]
    Read { path: PathBuf, source: io::Error },
    /// The cause names positions in the file, never an address.
    #[error("{path} is no database of the MaxMind format (.mmdb)")]
    Malformed {
        path: PathBuf,
        source: MaxMindDbError,
    },
    #[error(
        "{path} is of the type {kind:?} and has no countries; take one of countries or of cities, \
         such as GeoLite2-City.mmdb or dbip-country-lite.mmdb"
    )]
    NoCountries { path: PathBuf, kind: String },
}
