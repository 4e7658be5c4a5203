//! The front of this crate: systems, and the regions of one installation.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use crate::file::RegionFile;
use crate::region::Region;
use crate::systems::by_hint;

/// The system and the region that a request comes from. Neither is known by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    pub system: Option<&'static str>,
    pub region: Option<Region>,
}

/// Looks up systems and regions. Clones share what it holds.
#[derive(Clone)]
pub struct Origins(Arc<Parts>);

struct Parts {
    regions: Option<RegionFile>,
}

impl Origins {
    /// Regions are looked up in the file, in the format of `MaxMind`.
    pub fn open(regions: Option<PathBuf>) -> Result<Self, Error> {
        Ok(Self(Arc::new(Parts {
            regions: regions.map(RegionFile::open).transpose()?,
        })))
    }

    /// The system of a player, by its client hint `Sec-CH-UA-Platform`.
    pub fn system_of_player(&self, platform: Option<&str>) -> Option<&'static str> {
        platform.and_then(by_hint)
    }

    /// The region of an address.
    pub fn region(&self, address: IpAddr) -> Option<Region> {
        // An IPv4 address in the form of IPv6 is the same address.
        let file = self.0.regions.as_ref();
        file.and_then(|file| file.region(address.to_canonical()))
    }

    /// Reads the file of regions again if it has changed; whether it had. After an error the file
    /// that was read before still serves.
    pub fn reopen_if_changed(&self) -> Result<bool, Error> {
        let file = self.0.regions.as_ref();
        file.map_or(Ok(false), RegionFile::reopen_if_changed)
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origins").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_for_developers_holds_no_address() {
        let origins = Origins::open(None).unwrap();
        assert_eq!(format!("{origins:?}"), "Origins { .. }");
    }
}
