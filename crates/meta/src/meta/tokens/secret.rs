//! The secret of a token: `sr_`, random characters, and a checksum.
//!
//! The prefix lets scanners find a leaked secret. The checksum tells a secret from other text
//! without a query.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Error;

/// The secret of a new token. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret(String);

/// The SHA-256 of a secret.
///
/// The comparison takes the same time wherever two hashes differ, so that its duration does not
/// show how much of a guess was right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenHash([u8; HASH_BYTES]);

/// The first half of a hash, by which a token is found.
///
/// The time of an index lookup may depend on the value. The other half is 128 bits that are only
/// compared, in constant time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TokenHandle([u8; HASH_BYTES / 2]);

const HASH_BYTES: usize = 32;

const PREFIX: &str = "sr_";

/// 62 values each: 178 bits; 128 are too many to guess.
const RANDOM_CHARACTERS: usize = 30;

/// Enough for any 32 bits.
const CHECKSUM_CHARACTERS: usize = 6;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl TokenSecret {
    /// A new random secret.
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut text = PREFIX.to_owned();
        let mut bytes = [0; 64];
        while text.len() < PREFIX.len() + RANDOM_CHARACTERS {
            getrandom::fill(&mut bytes).map_err(Error::Random)?;
            let missing = PREFIX.len() + RANDOM_CHARACTERS - text.len();
            // 248 is four times 62: without the bytes from there on, all characters are equally
            // likely.
            let fair = bytes.iter().filter(|byte| **byte < 248);
            text.extend(fair.take(missing).map(|byte| base62(u32::from(*byte))));
        }
        text.push_str(&checksum(&text));
        Ok(Self(text))
    }

    /// The secret, if the text has the form of one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let has_form = text.is_ascii()
            && text.len() == PREFIX.len() + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS
            && text.starts_with(PREFIX);
        if !has_form {
            return None;
        }
        let (checked, sum) = text.split_at(text.len() - CHECKSUM_CHARACTERS);
        (checksum(checked) == sum).then(|| Self(text.to_owned()))
    }

    /// The text of the secret.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(&self.0).into())
    }
}

impl TokenHash {
    /// `None` if they are not 32 bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn handle(&self) -> TokenHandle {
        TokenHandle(std::array::from_fn(|place| self.0[place]))
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl TokenHandle {
    /// The least and the greatest hash that have this handle.
    pub(crate) fn range(self) -> (TokenHash, TokenHash) {
        let filled = |rest| {
            let mut hash = [rest; HASH_BYTES];
            hash[..HASH_BYTES / 2].copy_from_slice(&self.0);
            TokenHash(hash)
        };
        (filled(0), filled(u8::MAX))
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret")
    }
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut characters = [b'0'; CHECKSUM_CHARACTERS];
    for character in characters.iter_mut().rev() {
        *character = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    characters.map(char::from).iter().collect()
}

fn base62(number: u32) -> char {
    char::from(BASE62[(number % 62) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_parsed_and_a_changed_one_is_not() {
        let secret = TokenSecret::generate().unwrap();
        let text = secret.expose();
        assert_eq!(text.len(), 39);
        assert_eq!(TokenSecret::parse(text), Some(secret.clone()));
        assert_eq!(format!("{secret:?}"), "TokenSecret");
        for place in 3..text.len() {
            let mut changed = text.to_owned().into_bytes();
            changed[place] = if changed[place] == b'a' { b'b' } else { b'a' };
            assert_eq!(
                TokenSecret::parse(&String::from_utf8(changed).unwrap()),
                None
            );
        }
        assert_eq!(TokenSecret::parse("sr_"), None);
        assert_eq!(TokenSecret::parse(&"é".repeat(20)), None);
    }
}
