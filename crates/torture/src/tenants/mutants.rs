//! Links and tokens with a bend in them. None opens.

use anyhow::ensure;

use super::ask::{Ask, send};
use super::stage::{Side, Stage};
use showreport_testkit::{Connection, Random};

/// Bends links; how many.
pub(super) fn links(stage: &Stage, random: &mut Random, count: u64) -> anyhow::Result<u64> {
    let links = stage.tenants.each_ref().map(|it| it.ids.link.clone());
    let mut wire = Wire::open(stage)?;
    for link in &links {
        ensure!(wire.status(None, link)? == 200, "{link} does not open");
    }
    let mut bent_links = 0;
    while bent_links < count {
        let [link, other] = &links;
        let bent = if random.below(4) == 0 {
            crossed(random, link, other)
        } else {
            let kept = "/downloads/".len();
            format!(
                "{}{}",
                &link[..kept],
                bent(random, &link[kept..], LINK_CHARACTERS)
            )
        };
        if path_of(&bent) == path_of(link) || path_of(&bent) == path_of(other) {
            continue;
        }
        let status = wire.status(None, &bent)?;
        ensure!(status == 404, "{bent}, bent from {link}, answered {status}");
        bent_links += 1;
    }
    Ok(bent_links)
}

/// Bends tokens; how many.
pub(super) fn tokens(stage: &Stage, random: &mut Random, count: u64) -> anyhow::Result<u64> {
    let tokens = stage.tenants.each_ref().map(|it| it.reader.clone());
    let mut wire = Wire::open(stage)?;
    for token in &tokens {
        ensure!(
            wire.status(Some(token), "/api/v1/events")? == 200,
            "a token does not open"
        );
        let (text, _) = token.split_at(token.len() - CHECKSUM_CHARACTERS);
        ensure!(
            *token == with_checksum(text),
            "checksums are made in another way"
        );
    }
    let mut bent_tokens = 0;
    while bent_tokens < count {
        let [token, other] = &tokens;
        let mut bent = if random.below(4) == 0 {
            spliced(random, token, other)
        } else {
            bent(random, token, TOKEN_CHARACTERS)
        };
        // Without a right checksum a token would not even be looked up.
        if random.below(2) == 0 && bent.len() > CHECKSUM_CHARACTERS {
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

/// All that may stand in an address, without those that begin what is no path.
const LINK_CHARACTERS: &[u8] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._~!$&'()*+,;=:@%/";

/// A text with one to three things wrong.
fn bent(random: &mut Random, text: &str, characters: &[u8]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let place = below(random, bytes.len());
        let character = characters[below(random, characters.len())];
        match random.below(6) {
            0 => bytes.insert(place, character),
            1 if bytes.len() > 1 => drop(bytes.remove(place)),
            2 => {
                let other = below(random, bytes.len());
                bytes.swap(place, other);
            }
            3 if place > 0 => bytes.truncate(place),
            4 if bytes[place].is_ascii_alphabetic() => bytes[place] ^= 0x20,
            _ => bytes[place] = character,
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// A link with parts of another, or with a longer life.
fn crossed(random: &mut Random, link: &str, other: &str) -> String {
    let mut parts: Vec<String> = link.split('/').map(str::to_owned).collect();
    let others: Vec<&str> = other.split('/').collect();
    // Behind the first two: the report, the end, the signature, the name.
    let place = 2 + below(random, parts.len() - 2);
    if place == 3 {
        let later = parts[place].parse().unwrap_or(0) + 1 + random.below(1 << 40);
        parts[place] = later.to_string();
    } else {
        others[place].clone_into(&mut parts[place]);
    }
    parts.join("/")
}

/// The beginning of the one and the end of the other.
fn spliced(random: &mut Random, token: &str, other: &str) -> String {
    let place = below(random, token.len());
    format!("{}{}", &token[..place], &other[place..])
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap_or(0)
}

/// What an address names: its path, with what is escaped read.
fn path_of(address: &str) -> Vec<u8> {
    let bytes = address.as_bytes();
    let mut path = Vec::new();
    let mut place = 0;
    while place < bytes.len() {
        let escaped = (bytes[place] == b'%')
            .then(|| address.get(place + 1..place + 3))
            .flatten();
        if let Some(byte) = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            path.push(byte);
            place += 3;
        } else {
            path.push(bytes[place]);
            place += 1;
        }
    }
    path
}

/// The text with the checksum of a token behind it: the CRC-32 of ISO 3309 in base 62.
fn with_checksum(text: &str) -> String {
    let mut rest = !text.bytes().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(sum & 1))
        })
    });
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

/// A connection that is kept while the server keeps it.
struct Wire<'a> {
    stage: &'a Stage,
    connection: Connection,
}

impl<'a> Wire<'a> {
    fn open(stage: &'a Stage) -> anyhow::Result<Self> {
        let connection = stage.server.connect()?;
        Ok(Self { stage, connection })
    }

    fn status(&mut self, token: Option<&str>, path: &str) -> anyhow::Result<u16> {
        let answer = send(&mut self.connection, token, &Ask::get(path))?;
        if answer.header("connection") == "close" {
            self.connection = self.stage.server.connect()?;
        }
        for side in [Side::Acme, Side::Globex] {
            let canary = &self.stage.tenant(side).canary;
            ensure!(
                answer.status == 200 || !answer.text().contains(canary),
                "a refusal holds a canary: {}",
                answer.text()
            );
        }
        Ok(answer.status)
    }
}
