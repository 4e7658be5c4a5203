//! The front of this crate: systems, and the regions of one installation.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cache::Cache;
use crate::countries::country;
use crate::error::Error;
use crate::file::RegionFile;
use crate::region::Region;
use crate::systems::{NAMES, by_hint, by_user_agent, is_built_on_another, is_vague, prepare};

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
    systems: Cache,
    /// Without it, countries come from the data that the program carries.
    regions: Option<RegionFile>,
}

/// The most bytes of a user agent that are examined. Those of browsers have up to 300.
const USER_AGENT_BYTES_MAX: usize = 1024;

/// The value in the cache of a user agent without a system.
const NO_SYSTEM: u8 = 1;

impl Origins {
    /// Regions are looked up in the file, in the format of `MaxMind`. Without one there are
    /// countries alone.
    pub fn open(regions: Option<PathBuf>) -> Result<Self, Error> {
        Ok(Self(Arc::new(Parts {
            systems: Cache::new(),
            regions: regions.map(RegionFile::open).transpose()?,
        })))
    }

    /// Builds the rules of systems. The first look-up would else take a tenth of a second.
    pub fn prepare(&self) {
        prepare();
    }

    /// The system of a user agent.
    pub fn system(&self, user_agent: &str) -> Option<&'static str> {
        let end = user_agent.floor_char_boundary(USER_AGENT_BYTES_MAX);
        let value = self.0.systems.get(&user_agent[..end], |user_agent| {
            let system = by_user_agent(user_agent);
            let index = system.and_then(|name| NAMES.iter().position(|it| *it == name));
            index.map_or(NO_SYSTEM, |index| {
                u8::try_from(index).expect("few names") + NO_SYSTEM + 1
            })
        });
        let index = usize::from(value).checked_sub(usize::from(NO_SYSTEM) + 1)?;
        NAMES.get(index).copied()
    }

    /// The system of a player, by its client hint `Sec-CH-UA-Platform` and its user agent.
    ///
    /// The hint counts first. But it calls a television with `webOS` a `Linux`, so such a hint
    /// leaves the word to a user agent that names a system built on it.
    pub fn system_of_player(
        &self,
        platform: Option<&str>,
        user_agent: Option<&str>,
    ) -> Option<&'static str> {
        let by_user_agent = || user_agent.and_then(|text| self.system(text));
        match platform.and_then(by_hint) {
            None => by_user_agent(),
            Some(hinted) if is_vague(hinted) => by_user_agent()
                .filter(|system| is_built_on_another(system))
                .or(Some(hinted)),
            hinted => hinted,
        }
    }

    /// The region of an address.
    pub fn region(&self, address: IpAddr) -> Option<Region> {
        let address = address.to_canonical();
        match &self.0.regions {
            Some(file) => file.region(address),
            None => country(address),
        }
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

    const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0";
    const WEBOS: &str = "Mozilla/5.0 (Web0S; Linux/SmartTV) Chrome/108.0";

    fn origins() -> Origins {
        Origins::open(None).unwrap()
    }

    #[test]
    fn a_system_is_the_same_from_the_cache() {
        let origins = origins();
        for _ in 0..2 {
            assert_eq!(origins.system(WINDOWS), Some("Windows"));
            assert_eq!(origins.system("curl/8.5.0"), None);
        }
        for name in [NAMES.first(), NAMES.last()].into_iter().flatten() {
            assert!(NAMES.len() < 250 && !name.is_empty());
        }
    }

    #[test]
    fn a_long_user_agent_is_examined_at_its_beginning() {
        let long = format!("{WINDOWS} {}", "é".repeat(20_000));
        assert_eq!(origins().system(&long), Some("Windows"));
    }

    #[test]
    fn a_hint_counts_before_the_user_agent() {
        let origins = origins();
        let system = |platform, user_agent| origins.system_of_player(platform, user_agent);
        assert_eq!(system(None, None), None);
        assert_eq!(system(None, Some(WINDOWS)), Some("Windows"));
        assert_eq!(system(Some("\"macOS\""), Some(WINDOWS)), Some("macOS"));
        assert_eq!(system(Some("\"Linux\""), Some(WINDOWS)), Some("Linux"));
        assert_eq!(system(Some("\"Android\""), None), Some("Android"));
        assert_eq!(system(Some("\"Unknown\""), Some(WINDOWS)), Some("Windows"));
        assert_eq!(system(Some("\"Linux\""), Some(WEBOS)), Some("webOS"));
        assert_eq!(system(Some("\"Windows\""), Some(WEBOS)), Some("Windows"));
    }

    #[test]
    fn an_address_of_ipv4_in_the_form_of_ipv6_is_the_same() {
        let region = |address: &str| origins().region(address.parse().unwrap());
        assert!(region("140.112.0.1").is_some());
        assert_eq!(region("::ffff:140.112.0.1"), region("140.112.0.1"));
    }

    #[test]
    fn what_is_printed_for_developers_holds_no_address() {
        assert_eq!(format!("{:?}", origins()), "Origins { .. }");
    }
}
