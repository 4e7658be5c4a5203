//! Changes links and tokens at random. None opens.

use anyhow::ensure;
use percent_encoding::percent_decode_str;

use super::request::{Request, send};
use super::site::{Side, Site};
use showreport_testkit::{Connection, Random};

/// Tries this many changed links.
pub(super) fn links(site: &Site, random: &mut Random, count: u64) -> anyhow::Result<u64> {
    let links = site.tenants.each_ref().map(|it| it.ids.link.clone());
    let mut wire = Wire::open(site)?;
    for link in &links {
        ensure!(wire.status(None, link)? == 200, "{link} does not open");
    }
    let mut bent_links = 0;
    while bent_links < count {
        let [link, other] = &links;
        let bent = if random.u32(..4) == 0 {
            crossed(random, link, other)
        } else {
            let kept = "/downloads/".len();
            format!(
                "{}{}",
                &link[..kept],
                bent(random, &link[kept..], LINK_CHARACTERS)
            )
        };
        if decoded(&bent) == decoded(link) || decoded(&bent) == decoded(other) {
            continue;
        }
        let status = wire.status(None, &bent)?;
        ensure!(status == 404, "{bent}, bent from {link}, answered {status}");
        bent_links += 1;
    }
    Ok(bent_links)
}

/// Tries this many changed tokens.
pub(super) fn tokens(site: &Site, random: &mut Random, count: u64) -> anyhow::Result<u64> {
    let tokens = site.tenants.each_ref().map(|it| it.reader.clone());
    let mut wire = Wire::open(site)?;
    for token in &tokens {
        ensure!(
            wire.status(Some(token), "/api/v1/events")? == 200,
            "a token does not open"
        );
        let (text, _) = token.split_at(token.len() - CHECKSUM_CHARACTERS);
        ensure!(
            *token == with_checksum(text),
            "the checksum of a token is another"
        );
    }
    let mut bent_tokens = 0;
    while bent_tokens < count {
        let [token, other] = &tokens;
        let mut bent = if random.u32(..4) == 0 {
            spliced(random, token, other)
        } else {
            bent(random, token, TOKEN_CHARACTERS)
        };
        // A token with a wrong checksum is not looked up.
        if random.bool() && bent.len() > CHECKSUM_CHARACTERS {
            bent = with_checksum(&bent[..bent.len() - CHECKSUM_CHARACTERS]);
        }
        if tokens.contains(&bent) {
            continue;
        }
        let status = wire.status(Some(&bent), "/api/v1/events")?;
        ensure!(status == 401, "a bent token answered {status}");
        bent_tokens += 1;
    }
    Ok(bent_tokens)
}

const CHECKSUM_CHARACTERS: usize = 6;

const TOKEN_CHARACTERS: &[u8] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-.";

/// The characters of a path.
const LINK_CHARACTERS: &[u8] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~!$&'()*+,;=:@%/";

/// A text with one to three changes.
pub(super) fn bent(random: &mut Random, text: &str, characters: &[u8]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.u32(..3) {
        let place = random.usize(..bytes.len());
        let character = characters[random.usize(..characters.len())];
        match random.u32(..6) {
            0 => bytes.insert(place, character),
            1 if bytes.len() > 1 => drop(bytes.remove(place)),
            2 => {
                let other = random.usize(..bytes.len());
                bytes.swap(place, other);
            }
            3 if place > 0 => bytes.truncate(place),
            4 if bytes[place].is_ascii_alphabetic() => bytes[place] ^= 0x20,
            _ => bytes[place] = character,
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// A link with parts of another, or with a later end.
fn crossed(random: &mut Random, link: &str, other: &str) -> String {
    let mut parts: Vec<String> = link.split('/').map(str::to_owned).collect();
    let others: Vec<&str> = other.split('/').collect();
    // After the first two parts: the report, the end, the signature, the name.
    let place = 2 + random.usize(..parts.len() - 2);
    if place == 3 {
        let later = parts[place].parse().unwrap_or(0) + 1 + random.u64(..1 << 40);
        parts[place] = later.to_string();
    } else {
        others[place].clone_into(&mut parts[place]);
    }
    parts.join("/")
}

/// The beginning of one token and the end of another.
pub(super) fn spliced(random: &mut Random, token: &str, other: &str) -> String {
    let place = random.usize(..token.len());
    format!("{}{}", &token[..place], &other[place..])
}

/// The bytes of a path that is percent-encoded.
fn decoded(path: &str) -> Vec<u8> {
    percent_decode_str(path).collect()
}

/// The text followed by the checksum of a token: the CRC-32 of ISO 3309 in base 62.
fn with_checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM_CHARACTERS];
    for digit in digits.iter_mut().rev() {
        *digit = TOKEN_CHARACTERS[(rest % 62) as usize];
        rest /= 62;
    }
    format!(
        "{text}{}",
        digits.map(char::from).iter().collect::<String>()
    )
}

/// A connection that is opened again after the server has closed it.
struct Wire<'a> {
    site: &'a Site,
    connection: Connection,
}

impl<'a> Wire<'a> {
    fn open(site: &'a Site) -> anyhow::Result<Self> {
        let connection = site.server.client.connect()?;
        Ok(Self { site, connection })
    }

    fn status(&mut self, token: Option<&str>, path: &str) -> anyhow::Result<u16> {
        let response = send(&mut self.connection, token, &Request::get(path))?;
        if response.header("connection") == "close" {
            self.connection = self.site.server.client.connect()?;
        }
        for side in [Side::Acme, Side::Globex] {
            let canary = &self.site.tenant(side).canary;
            ensure!(
                response.status == 200 || !response.text().contains(canary),
                "a refusal holds a canary: {}",
                response.text()
            );
        }
        Ok(response.status)
    }
}
