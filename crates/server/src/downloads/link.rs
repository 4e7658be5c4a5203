//! Links that are signed: `/downloads/{report}/{expires}/{signature}/{file name}`.
//!
//! The signature stands in the path, so that `?variant=` can be appended, and
//! covers every other part of it. Whoever holds a link may use it until it
//! expires; nobody can make one, or lengthen one, without the key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Deserialize;
use sha2::Sha256;
use showreport_meta::{SigningKey, SigningKeys};
use showreport_model::{ReportId, Timestamp};

/// A right to download one report for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The report.
    pub(crate) report: ReportId,
    /// When the link stops opening.
    pub(crate) expires_at: Timestamp,
    /// The last part, under which `curl -O` saves the file.
    pub(crate) file_name: String,
}

/// The parts of a link's path, as somebody sent them.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkParts {
    pub(crate) report: String,
    pub(crate) expires: String,
    pub(crate) signature: String,
    pub(crate) file_name: String,
}

impl Link {
    /// The path, signed.
    pub(crate) fn path(&self, key: &SigningKey) -> String {
        let report = self.report.to_string();
        let expires = self.expires_at.as_millis().to_string();
        let code = code(key.expose(), &report, &expires, &self.file_name);
        let signature = URL_SAFE_NO_PAD.encode(code.finalize().into_bytes());
        let file_name = percent_encoded(&self.file_name);
        format!("/downloads/{report}/{expires}/{signature}/{file_name}")
    }

    /// The link that the parts are, unless any of them was bent, or its key is over.
    pub(super) fn verify(parts: &LinkParts, keys: &SigningKeys, now: Timestamp) -> Option<Self> {
        keys.opening(now)
            .find_map(|key| Self::verify_with(parts, key.expose()))
    }

    pub(crate) fn verify_with(parts: &LinkParts, key: &[u8; 32]) -> Option<Self> {
        let signature = URL_SAFE_NO_PAD.decode(&parts.signature).ok()?;
        // Takes the same time wherever the first difference is.
        code(key, &parts.report, &parts.expires, &parts.file_name)
            .verify_slice(&signature)
            .ok()?;
        Some(Self {
            report: parts.report.parse().ok()?,
            expires_at: Timestamp::from_millis(parts.expires.parse().ok()?).ok()?,
            file_name: parts.file_name.clone(),
        })
    }
}

/// What is signed: the use first, so that the key may serve other uses, and
/// the free text last, so that no part can reach into another.
fn code(key: &[u8; 32], report: &str, expires: &str, file_name: &str) -> Hmac<Sha256> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in ["download/1", report, expires] {
        code.update(part.as_bytes());
        code.update(b"\n");
    }
    code.update(file_name.as_bytes());
    code
}

/// Every byte as `%XX`, except unreserved characters (RFC 3986, section 2.3).
pub(super) fn percent_encoded(text: &str) -> PercentEncode<'_> {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn parts() -> LinkParts {
        let report = ReportId::generate().to_string();
        let expires = "1800000000000".to_owned();
        let file_name = "keynote-watch-time.csv".to_owned();
        let code = code(&KEY, &report, &expires, &file_name);
        LinkParts {
            signature: URL_SAFE_NO_PAD.encode(code.finalize().into_bytes()),
            report,
            expires,
            file_name,
        }
    }

    #[test]
    fn a_link_opens_with_its_key_only() {
        let parts = parts();
        let link = Link::verify_with(&parts, &KEY).unwrap();
        assert_eq!(link.report.to_string(), parts.report);
        assert_eq!(link.expires_at.as_millis(), 1_800_000_000_000);
        assert!(Link::verify_with(&parts, &[8; 32]).is_none());
    }

    #[test]
    fn a_bent_link_opens_nothing() {
        let bend: [fn(&mut LinkParts); 7] = [
            |it| it.report = ReportId::generate().to_string(),
            |it| it.report = it.report.to_uppercase(),
            |it| it.expires = "1800000000001".to_owned(),
            |it| it.expires.insert(0, '0'),
            |it| it.file_name.push('x'),
            |it| it.signature.push('='),
            |it| it.signature.clear(),
        ];
        for (number, bend) in bend.iter().enumerate() {
            let mut parts = parts();
            bend(&mut parts);
            assert!(Link::verify_with(&parts, &KEY).is_none(), "{number}");
        }
    }

    #[test]
    fn no_character_of_a_signature_can_be_changed() {
        let whole = parts();
        for place in 0..whole.signature.len() {
            for other in ['A', 'Q', '-', '_', 'z'] {
                let mut signature: Vec<char> = whole.signature.chars().collect();
                if signature[place] == other {
                    continue;
                }
                signature[place] = other;
                let bent = LinkParts {
                    report: whole.report.clone(),
                    expires: whole.expires.clone(),
                    file_name: whole.file_name.clone(),
                    signature: signature.into_iter().collect(),
                };
                assert!(Link::verify_with(&bent, &KEY).is_none());
            }
        }
    }

    #[test]
    fn a_name_travels_in_a_path() {
        assert_eq!(percent_encoded("a-b_c~.csv").to_string(), "a-b_c~.csv");
        assert_eq!(
            percent_encoded("é /\x7f\0").to_string(),
            "%C3%A9%20%2F%7F%00"
        );
    }
}
