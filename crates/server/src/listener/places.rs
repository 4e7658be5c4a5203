//! Places for connections: so many in all, and so many of them for one neighbour.
//!
//! Without the second bound a single client that opens connections and says
//! nothing would keep everybody else out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who holds how many places.
#[derive(Debug)]
pub(super) struct Places {
    in_all_max: usize,
    each_max: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    in_all: usize,
    by_neighbour: HashMap<IpAddr, usize>,
}

/// A place that is given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    neighbour: IpAddr,
}

impl Places {
    pub(super) fn new(in_all_max: usize, each_max: usize) -> Arc<Self> {
        Arc::new(Self {
            in_all_max,
            each_max,
            held: Mutex::default(),
        })
    }

    /// A place for who connects from this address, if there is one left for it.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let neighbour = neighbour(address);
        let mut held = self.held();
        if held.in_all >= self.in_all_max {
            return None;
        }
        let own = held.by_neighbour.entry(neighbour).or_default();
        if *own >= self.each_max {
            return None;
        }
        *own += 1;
        held.in_all += 1;
        Some(Place {
            places: self.clone(),
            neighbour,
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Counts are changed together, without anything between that could panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.in_all -= 1;
        if let Some(own) = held.by_neighbour.get_mut(&self.neighbour) {
            *own -= 1;
            if *own == 0 {
                held.by_neighbour.remove(&self.neighbour);
            }
        }
    }
}

/// Whom an address belongs to, as far as it shows: whoever has one address of
/// IPv6 has the 2^64 around it.
fn neighbour(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_neighbour_cannot_take_every_place() {
        let places = Places::new(5, 2);
        let held: Vec<_> = (0..2).map(|_| places.take(address("192.0.2.1"))).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(address("192.0.2.1")).is_none());
        assert!(places.take(address("::ffff:192.0.2.1")).is_none());
        assert!(places.take(address("192.0.2.2")).is_some());
        drop(held);
        assert!(places.take(address("192.0.2.1")).is_some());
        assert!(places.held().by_neighbour.is_empty());
        assert_eq!(places.held().in_all, 0);
    }

    #[test]
    fn a_network_of_ipv6_is_one_neighbour() {
        let places = Places::new(5, 1);
        let _held = places.take(address("2001:db8::1")).unwrap();
        assert!(places.take(address("2001:db8::2")).is_none());
        assert!(places.take(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn all_places_together_are_bounded() {
        let places = Places::new(2, 2);
        let _held = ["192.0.2.1", "192.0.2.2"].map(|it| places.take(address(it)).unwrap());
        assert!(places.take(address("192.0.2.3")).is_none());
    }
}
