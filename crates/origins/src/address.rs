//! Addresses as records and proxies write them.

use std::net::{IpAddr, SocketAddr};

/// An address with or without a port, and that of IPv6 with or without brackets.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || Some(text.parse::<SocketAddr>().ok()?.ip());
    let address = text.parse().ok().or_else(in_brackets).or_else(with_port)?;
    // An IPv4 address in the form of IPv6 is the same address.
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_have_a_port() {
        for (text, wanted) in [
            ("192.0.2.7", "192.0.2.7"),
            (" 192.0.2.7 ", "192.0.2.7"),
            ("192.0.2.7:443", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(address(text), Some(wanted.parse().unwrap()), "{text}");
        }
        for wrong in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.7/24",
            "[192.0.2.7",
            "a.example",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
