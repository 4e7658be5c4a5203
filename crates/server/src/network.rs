//! Networks of addresses, as settings name them.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses that begin alike, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = &'static str;

    /// A network, or one address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let network = text
            .parse()
            .ok()
            .or_else(|| Some(address_alone(text)?.into()));
        let wanted = "must be a network such as 10.0.0.0/8 or 2001:db8::/32, or one address";
        network.map(Self).ok_or(wanted)
    }
}

/// The addresses that count as one client. A client with one address of IPv6 usually has the 2^64
/// addresses of its network.
pub(crate) fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

fn address_alone(text: &str) -> Option<IpAddr> {
    Some(text.parse::<IpAddr>().ok()?.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_address_and_the_bits_that_count() {
        for good in [
            "10.0.0.0/8",
            "10.1.2.3/8",
            "::1",
            "2001:db8::/32",
            " 192.0.2.1 ",
        ] {
            assert!(good.parse::<Network>().is_ok(), "{good}");
        }
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0",
            "10.0.0.0/",
            "proxy.example",
            "*",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let mapped: Network = "::ffff:192.0.2.1".parse().unwrap();
        assert!(mapped.has("192.0.2.1".parse().unwrap()));
    }
}
