//! The country of an address, by the data that the program carries: the `IPFire` Location database
//! as the Tor project publishes it (NOTICE). It lies in the program and takes no memory of its own.

use std::net::IpAddr;

use tor_geoip::GeoipDb;

use crate::region::Region;

/// The country of an address in canonical form.
pub(crate) fn country(address: IpAddr) -> Option<Region> {
    // Shared by all calls; the first one only makes its handle.
    let data = GeoipDb::new_embedded();
    Region::new(data.lookup_country_code(address)?.get(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_never_move_have_their_country() {
        let code = |address: &str| {
            let region = country(address.parse().unwrap());
            region.map(|it| it.as_str().to_owned())
        };
        // Large blocks that universities and providers have had for decades.
        for (address, wanted) in [
            ("18.0.0.1", "US"),
            ("130.83.0.1", "DE"),
            ("133.11.0.1", "JP"),
            ("140.112.0.1", "TW"),
            ("2001:da8::1", "CN"),
            ("2001:4ca0::1", "DE"),
        ] {
            assert_eq!(code(address).as_deref(), Some(wanted), "{address}");
        }
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
        ] {
            assert_eq!(code(address), None, "{address}");
        }
    }
}
