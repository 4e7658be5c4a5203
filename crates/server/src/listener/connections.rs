//! The limit of connections: of all clients, and of the clients of one address.
//!
//! Without the second bound a client that opens connections and sends nothing would take all of
//! them.

use std::net::IpAddr;
use std::time::Duration;

use crate::network::client_network;
use crate::permits::{Bounds, FairPermits, Permit};

/// The limit of connections. A connection that is one too many is refused at once.
pub(super) struct Connections(FairPermits<IpAddr>);

impl Connections {
    pub(super) fn new(all_max: usize, each_max: usize) -> Self {
        let bounds = Bounds {
            all_max,
            each_max,
            wait: Duration::ZERO,
        };
        Self(FairPermits::new(bounds, "there are too many connections"))
    }

    /// A permit for a connection from this address, if one is left for it.
    pub(super) fn try_acquire(&self, address: IpAddr) -> Option<Permit<IpAddr>> {
        self.0.try_acquire(&client_network(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_client_cannot_take_every_connection() {
        let connections = Connections::new(5, 2);
        let take = |text| connections.try_acquire(address(text));
        let held: Vec<_> = (0..2).map(|_| take("192.0.2.1")).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(take("192.0.2.1").is_none());
        assert!(take("::ffff:192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some());
        drop(held);
        assert!(take("192.0.2.1").is_some());
        assert!(connections.0.is_unused());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let connections = Connections::new(5, 1);
        let _held = connections.try_acquire(address("2001:db8::1")).unwrap();
        assert!(connections.try_acquire(address("2001:db8::2")).is_none());
        assert!(
            connections
                .try_acquire(address("2001:db8:0:1::1"))
                .is_some()
        );
    }

    #[test]
    fn all_connections_together_are_bounded() {
        let connections = Connections::new(2, 2);
        let take = |text| connections.try_acquire(address(text));
        let _held = ["192.0.2.1", "192.0.2.2"].map(|it| take(it).unwrap());
        assert!(take("192.0.2.3").is_none());
    }
}
