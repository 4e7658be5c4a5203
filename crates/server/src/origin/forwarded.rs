//! The address of the client behind proxies.
//!
//! Each proxy appends the address that it was called from, so the last entries are those of the
//! proxies that are trusted. A client can write any entries before them.

use std::net::IpAddr;

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use showreport_origins::address;

use crate::network::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client: that of the connection, unless a trusted proxy has it. `None` if the
/// proxies do not say one, or contradict each other.
pub(super) fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    trusted: &[Network],
) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    let is_trusted = |address| trusted.iter().any(|network| network.has(address));
    if !is_trusted(peer) {
        return Some(peer);
    }
    let last_untrusted = |hops: Vec<Option<IpAddr>>| {
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            client = hop?;
            if !is_trusted(client) {
                break;
            }
        }
        Some(client)
    };
    let by_standard = forwarded(headers).map(last_untrusted);
    let by_custom = x_forwarded_for(headers).map(last_untrusted);
    match (by_standard, by_custom) {
        // A proxy that writes one of them passes on the other as the client sent it.
        (Some(one), Some(other)) => one.filter(|one| Some(*one) == other),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Some(peer),
    }
}

/// The addresses of all `X-Forwarded-For` fields, in order; `None` without such a field.
fn x_forwarded_for(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let mut fields = headers.get_all(X_FORWARDED_FOR).iter().peekable();
    fields.peek()?;
    let mut hops = Vec::new();
    for field in fields {
        let text = field.to_str().unwrap_or_default();
        hops.extend(text.split(',').map(address));
    }
    Some(hops)
}

/// The addresses of all `Forwarded` fields (RFC 7239), in order; `None` without such a field.
fn forwarded(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let mut fields = headers.get_all(FORWARDED).iter().peekable();
    fields.peek()?;
    let mut hops = Vec::new();
    for field in fields {
        let text = field.to_str().unwrap_or_default();
        hops.extend(outside_quotes(text, ',').map(address_of_hop));
    }
    Some(hops)
}

/// The address after `for=`. Proxies may hide it behind another name.
fn address_of_hop(hop: &str) -> Option<IpAddr> {
    let node = outside_quotes(hop, ';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    })?;
    address(node.trim().trim_matches('"'))
}

/// The parts of a text between separators that are not in quotes.
fn outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |c| {
        let ends = c == separator && !is_quoted;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = is_quoted && c == '\\' && !is_escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn client(peer: &str, fields: &[(HeaderName, &'static str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name, HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.1"];
        let trusted = trusted.map(|it| it.parse().unwrap());
        let address = client_address(peer.parse().unwrap(), &headers, &trusted);
        address.map(|it| it.to_string())
    }

    #[test]
    fn only_trusted_proxies_say_the_address_of_the_client() {
        let said = [(X_FORWARDED_FOR, "203.0.113.9")];
        for (peer, wanted) in [
            ("198.51.100.7", "198.51.100.7"),
            ("192.0.2.2", "192.0.2.2"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("10.0.0.1", "203.0.113.9"),
            ("::ffff:10.0.0.1", "203.0.113.9"),
            ("192.0.2.1", "203.0.113.9"),
            ("2001:db8:1::5", "203.0.113.9"),
            ("2001:db8:2::5", "2001:db8:2::5"),
        ] {
            assert_eq!(client(peer, &said).as_deref(), Some(wanted), "{peer}");
        }
    }

    #[test]
    fn entries_count_from_the_right_while_they_are_trusted() {
        for (said, wanted) in [
            ("203.0.113.9", Some("203.0.113.9")),
            ("1.1.1.1, 203.0.113.9", Some("203.0.113.9")),
            ("1.1.1.1, 203.0.113.9, 10.9.9.9", Some("203.0.113.9")),
            ("203.0.113.9:4711,10.9.9.9:80", Some("203.0.113.9")),
            ("::ffff:203.0.113.9", Some("203.0.113.9")),
            ("10.1.1.1, 10.2.2.2", Some("10.1.1.1")),
            ("junk, 203.0.113.9", Some("203.0.113.9")),
            ("203.0.113.9, unknown", None),
            ("", None),
        ] {
            let found = client(PROXY, &[(X_FORWARDED_FOR, said)]);
            assert_eq!(found.as_deref(), wanted, "{said}");
        }
        let two = [
            (X_FORWARDED_FOR, "1.1.1.1, 203.0.113.9"),
            (X_FORWARDED_FOR, "10.9.9.9"),
        ];
        assert_eq!(client(PROXY, &two).as_deref(), Some("203.0.113.9"));
        assert_eq!(client(PROXY, &[]).as_deref(), Some(PROXY));
    }

    #[test]
    fn the_standard_field_is_read_too() {
        for (said, wanted) in [
            ("for=203.0.113.9", Some("203.0.113.9")),
            (
                "For=\"203.0.113.9:4711\";proto=https;by=10.0.0.1",
                Some("203.0.113.9"),
            ),
            (
                "for=\"[2001:db8:cafe::17]:4711\"",
                Some("2001:db8:cafe::17"),
            ),
            (
                "for=1.1.1.1, for=203.0.113.9;host=\"a,b;for=2.2.2.2\", for=10.1.1.1",
                Some("203.0.113.9"),
            ),
            (
                "proto=https;host=\"\\\"\";for=203.0.113.9",
                Some("203.0.113.9"),
            ),
            ("for=_hidden", None),
            ("for=203.0.113.9, for=unknown", None),
            ("proto=https", None),
        ] {
            let found = client(PROXY, &[(FORWARDED, said)]);
            assert_eq!(found.as_deref(), wanted, "{said}");
        }
    }

    #[test]
    fn two_fields_count_only_if_they_agree() {
        let both = |one, other| client(PROXY, &[(FORWARDED, one), (X_FORWARDED_FOR, other)]);
        let same = both("for=203.0.113.9", "203.0.113.9");
        assert_eq!(same.as_deref(), Some("203.0.113.9"));
        assert_eq!(both("for=1.1.1.1", "203.0.113.9"), None);
        assert_eq!(both("for=unknown", "203.0.113.9"), None);
    }
}
