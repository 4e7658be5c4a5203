//! The region of an address by a file of the operator, in the format of `MaxMind`.
//!
//! Such files are renewed every few days, so the file is read again when it has changed. It is kept
//! in memory whole, because a mapped file that is overwritten in place would end the process.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use maxminddb::{PathElement, Reader, WithinOptions, path};

use crate::error::Error;
use crate::region::Region;

/// The most networks that are searched for a country before a file is refused.
const NETWORKS_SEARCHED: usize = 10_000;

/// An open file of regions.
pub(crate) struct RegionFile {
    path: PathBuf,
    opened: RwLock<Opened>,
}

struct Opened {
    reader: Reader<Vec<u8>>,
    version: Version,
}

/// What changes with the content of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl RegionFile {
    pub(crate) fn open(path: PathBuf) -> Result<Self, Error> {
        let opened = RwLock::new(read(&path)?);
        Ok(Self { path, opened })
    }

    /// The region of an address in canonical form.
    pub(crate) fn region(&self, address: IpAddr) -> Option<Region> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        region(&opened.reader, address)
    }

    /// Reads the file again if it is another one than before; whether it was.
    pub(crate) fn reopen_if_changed(&self) -> Result<bool, Error> {
        let now = version(&self.path).map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })?;
        let before = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        if before.version == now {
            return Ok(false);
        }
        drop(before);
        let opened = read(&self.path)?;
        *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened;
        Ok(true)
    }
}

fn version(path: &Path) -> io::Result<Version> {
    let found = fs::metadata(path)?;
    Ok(Version {
        bytes: found.len(),
        modified: found.modified().ok(),
    })
}

fn read(path: &Path) -> Result<Opened, Error> {
    let path = path.to_owned();
    // Before the content: a change while it is read is then seen by the next look at it.
    let bytes = version(&path).and_then(|version| Ok((version, fs::read(&path)?)));
    let (version, bytes) = match bytes {
        Ok(read) => read,
        Err(source) => return Err(Error::Read { path, source }),
    };
    let reader = match Reader::from_source(bytes) {
        Ok(reader) => reader,
        Err(source) => return Err(Error::Malformed { path, source }),
    };
    if !has_countries(&reader) {
        let kind = reader.metadata().database_type.clone();
        return Err(Error::NoCountries { path, kind });
    }
    Ok(Opened { reader, version })
}

/// Whether any of the first networks has a country.
fn has_countries(reader: &Reader<Vec<u8>>) -> bool {
    let Ok(networks) = reader.networks(WithinOptions::default()) else {
        return false;
    };
    let mut searched = networks.take(NETWORKS_SEARCHED).flatten();
    searched.any(|found| country(&|path| found.decode_path(path).ok().flatten()).is_some())
}

fn region(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<Region> {
    let found = reader.lookup(address).ok()?;
    let text = |path: &[PathElement<'_>]| found.decode_path::<&str>(path).ok().flatten();
    // Databases of `MaxMind` and DB-IP, then those with one level.
    let part = || text(&path!["subdivisions", 0, "iso_code"]).or_else(|| text(&path!["state1"]));
    Region::new(country(&text)?, part())
}

/// The country of what was found, by either shape.
fn country<'f>(text: &dyn Fn(&[PathElement<'_>]) -> Option<&'f str>) -> Option<&'f str> {
    text(&path!["country", "iso_code"]).or_else(|| text(&path!["country_code"]))
}

#[cfg(test)]
mod tests;
