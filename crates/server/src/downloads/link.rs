//! Signed links: `/downloads/{report}/{expires}/{signature}/{file name}`.
//!
//! A link needs no token: its signature covers the report and the time of expiry. It is in the
//! path, so that clients can append `?variant=`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde::Deserialize;
use sha2::Sha256;
use showreport_meta::{SigningKey, SigningKeys};
use showreport_model::{ReportId, Timestamp};

/// A link to the file of one report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) report: ReportId,
    pub(crate) expires_at: Timestamp,
    /// The last part of the path, which `curl -O` takes as the file's name.
    pub(crate) file_name: String,
}

/// The parts of a link's path in a request, not verified.
#[derive(Debug, Deserialize)]
pub(crate) struct LinkParts {
    pub(crate) report: String,
    pub(crate) expires: String,
    pub(crate) signature: String,
    pub(crate) file_name: String,
}

impl Link {
    /// The signed path.
    pub(crate) fn path(&self, key: &SigningKey) -> String {
        let report = self.report.to_string();
        let expires = self.expires_at.as_millis().to_string();
        let code = code(key.expose(), &report, &expires, &self.file_name);
        let signature = URL_SAFE_NO_PAD.encode(code.finalize().into_bytes());
        let file_name = percent_encoded(&self.file_name);
        format!("/downloads/{report}/{expires}/{signature}/{file_name}")
    }

    /// The link, if the signature matches the other parts under a key that is still valid.
    pub(super) fn verify(parts: &LinkParts, keys: &SigningKeys, now: Timestamp) -> Option<Self> {
        keys.opening(now)
            .find_map(|key| Self::verify_with(parts, key.expose()))
    }

    pub(crate) fn verify_with(parts: &LinkParts, key: &[u8; 32]) -> Option<Self> {
        let signature = URL_SAFE_NO_PAD.decode(&parts.signature).ok()?;
        // Compares in constant time.
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

/// The signature. It covers the purpose first, so that the key can be used for other purposes, and
/// the free text last, so that two different links never have the same signed text.
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
pub(crate) fn percent_encoded(text: &str) -> PercentEncode<'_> {
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
    fn a_link_is_verified_with_its_key_only() {
        let parts = parts();
        let link = Link::verify_with(&parts, &KEY).unwrap();
        assert_eq!(link.report.to_string(), parts.report);
        assert_eq!(link.expires_at.as_millis(), 1_800_000_000_000);
        assert!(Link::verify_with(&parts, &[8; 32]).is_none());
    }

    #[test]
    fn a_changed_link_is_refused() {
        let changes: [fn(&mut LinkParts); 7] = [
            |it| it.report = ReportId::generate().to_string(),
            |it| it.report = it.report.to_uppercase(),
            |it| it.expires = "1800000000001".to_owned(),
            |it| it.expires.insert(0, '0'),
            |it| it.file_name.push('x'),
            |it| it.signature.push('='),
            |it| it.signature.clear(),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut parts = parts();
            change(&mut parts);
            assert!(Link::verify_with(&parts, &KEY).is_none(), "{number}");
        }
    }

    #[test]
    fn a_signature_with_any_changed_character_is_refused() {
        let whole = parts();
        for place in 0..whole.signature.len() {
            for other in ['A', 'Q', '-', '_', 'z'] {
                let mut signature: Vec<char> = whole.signature.chars().collect();
                if signature[place] == other {
                    continue;
                }
                signature[place] = other;
                let changed = LinkParts {
                    report: whole.report.clone(),
                    expires: whole.expires.clone(),
                    file_name: whole.file_name.clone(),
                    signature: signature.into_iter().collect(),
                };
                assert!(Link::verify_with(&changed, &KEY).is_none());
            }
        }
    }

    #[test]
    fn a_file_name_is_percent_encoded_in_a_path() {
        assert_eq!(percent_encoded("a-b_c~.csv").to_string(), "a-b_c~.csv");
        assert_eq!(
            percent_encoded("é /\x7f\0").to_string(),
            "%C3%A9%20%2F%7F%00"
        );
    }
}
