//! Viewer tokens: how a back end names the customer in a record that comes from a page.
//!
//! A token is `sr_v.<payload>.<signature>`, both base64url without padding. The payload is JSON:
//! an event, a customer, perhaps a name, and when it expires. The signature is the HMAC-SHA-256 of
//! the text before it, with a secret that the organisation shares with its back end. A token is
//! the secret of a person: no message and no `Debug` output holds a part of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::Sha256;
use showreport_model::{CustomerId, EventId, Timestamp};

use crate::fields::{Field, FieldError, TEXT_BYTES_MAX};
use crate::reason::Reason;
use crate::repeated::repeated_field;
use crate::value::{Fields, Value};

const PREFIX: &str = "sr_v.";

/// The field of a record.
const FIELD: &str = "viewer_token";

/// The parameter of a request.
const PARAMETER: &str = "?viewer=";

/// The most bytes of a token. The longest ids and name have 9 KiB as base64 if each character is
/// written as an escape.
const TOKEN_BYTES_MAX: usize = 16 << 10;

/// The most tokens of which the result is kept. It bounds memory; a body seldom has more viewers.
const VERIFIED_MAX: usize = 256;

/// Types of records that are of one viewer. Polls and events are not.
const OF_VIEWERS: [&str; 4] = ["playback", "beat", "chat", "vote"];

/// Verifies the viewer tokens of a request or of files. By default it has no secret, so that no
/// token is valid, and requires none.
#[derive(Default)]
pub struct Verifier {
    keys: Vec<Hmac<Sha256>>,
    of_request: Option<String>,
    is_required: bool,
    /// What is known of tokens that were seen. Most records of a body have the same token.
    verified: Mutex<HashMap<String, Result<Arc<Viewer>, Problem>>>,
}

impl Verifier {
    /// Verifies with these secrets: a token is valid if one of them signed it.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Self {
        let keys = secrets.into_iter().map(|secret| {
            Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length")
        });
        Self {
            keys: keys.collect(),
            ..Self::default()
        }
    }

    /// The token of the request, which is for records that have none of their own.
    #[must_use]
    pub fn of_request(mut self, token: Option<String>) -> Self {
        self.of_request = token.filter(|token| !token.is_empty());
        self
    }

    /// Rejects records of viewers that have no token.
    #[must_use]
    pub fn requiring_tokens(mut self) -> Self {
        self.is_required = true;
        self
    }

    /// Whether a token is needed for, or applies to, a record that has none of its own.
    pub(crate) fn concerns_all(&self) -> bool {
        self.is_required || self.of_request.is_some()
    }

    /// Checks the viewer token of a record, and completes the record with the token's customer and
    /// name. A record that is not of one viewer is not changed.
    pub(crate) fn apply(&self, fields: &mut Fields<'_>, now: Timestamp) -> Result<(), FieldError> {
        let Value::Text(record_type) = &fields.record_type else {
            return Ok(());
        };
        if !OF_VIEWERS.contains(&record_type.as_ref()) {
            return Ok(());
        }
        let own = Field::new(FIELD, &fields.viewer_token).present();
        let (token, source) = match (own, &self.of_request) {
            (Some(own), _) => (own.text(TOKEN_BYTES_MAX)?, FIELD),
            (None, Some(token)) => (token.as_str(), PARAMETER),
            (None, None) if self.is_required => return Err(missing()),
            (None, None) => return Ok(()),
        };
        let viewer = self.viewer(token);
        viewer
            .and_then(|viewer| viewer.ensure_valid(now).map(|()| viewer))
            .map_err(|problem| problem.error(source))?
            .complete(fields)
    }

    fn viewer(&self, token: &str) -> Result<Arc<Viewer>, Problem> {
        if let Some(known) = self.verified().get(token) {
            return known.clone();
        }
        let viewer = verify(token, &self.keys).map(Arc::new);
        let mut verified = self.verified();
        if verified.len() >= VERIFIED_MAX {
            verified.clear();
        }
        verified.insert(token.to_owned(), viewer.clone());
        viewer
    }

    fn verified(&self) -> MutexGuard<'_, HashMap<String, Result<Arc<Viewer>, Problem>>> {
        // A cache is valid whatever panicked while it was locked.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// What a viewer token says, once its signature is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Viewer {
    event: EventId,
    customer: CustomerId,
    name: Option<String>,
    expires_at: Timestamp,
}

impl Viewer {
    fn ensure_valid(&self, now: Timestamp) -> Result<(), Problem> {
        if self.expires_at < now {
            return Err(Problem::Expired);
        }
        Ok(())
    }

    /// Refuses a record of another event or customer. One without a customer gets the token's
    /// customer and name.
    fn complete(&self, fields: &mut Fields<'_>) -> Result<(), FieldError> {
        let event: EventId = Field::new("event_id", &fields.event_id).id()?;
        if event != self.event {
            return Err(foreign("event_id", "event"));
        }
        let customer = Field::new("customer_id", &fields.customer_id).present();
        if let Some(customer) = customer {
            if customer.id::<CustomerId>()? != self.customer {
                return Err(foreign("customer_id", "customer"));
            }
            return Ok(());
        }
        fields.customer_id = Value::Text(Cow::Owned(self.customer.as_str().to_owned()));
        if let Some(name) = &self.name {
            fields.name = Value::Text(Cow::Owned(name.clone()));
        }
        Ok(())
    }
}

fn missing() -> FieldError {
    FieldError::new(
        Reason::MissingViewerToken,
        FIELD,
        "is missing; the organisation requires one, in each record of a viewer or as `?viewer=` on \
         the request; a back end may send with an `admin` token instead",
    )
}

fn foreign(field: &str, what: &str) -> FieldError {
    FieldError::new(
        Reason::InvalidViewerToken,
        field,
        format!("is not the {what} that the viewer token is for; send the token of this {what}"),
    )
}

/// What is wrong with a viewer token.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Problem {
    Form,
    Signature,
    /// What is wrong with the payload, which was signed.
    Payload(String),
    Expired,
}

impl Problem {
    fn error(self, source: &str) -> FieldError {
        let problem: Cow<'static, str> = match self {
            Self::Form => {
                "is no viewer token; one is `sr_v.<payload>.<signature>`, both in base64url \
                           without padding"
                    .into()
            }
            Self::Signature => "is not signed by the organisation; sign the text `sr_v.<payload>` \
                                with HMAC-SHA-256, the key being the whole text that `showreport \
                                token create --scope viewer` printed, which is not revoked"
                .into(),
            Self::Payload(problem) => format!("has a payload in which {problem}").into(),
            Self::Expired => "has expired; make one with a later `exp`, well after the show".into(),
        };
        FieldError {
            message: format!("`{source}` {problem}"),
            ..FieldError::new(Reason::InvalidViewerToken, FIELD, "")
        }
    }
}

fn verify(token: &str, keys: &[Hmac<Sha256>]) -> Result<Viewer, Problem> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Problem::Form)?;
    let payload = signed.strip_prefix(PREFIX).ok_or(Problem::Form)?;
    // The decoder takes one text for each value: no padding, and no bits beyond the last byte.
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Problem::Form);
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    let is_signed_with = |key: &Hmac<Sha256>| {
        // Compares in constant time.
        let code = key.clone().chain_update(signed);
        code.verify_slice(&signature).is_ok()
    };
    if !keys.iter().any(is_signed_with) {
        return Err(Problem::Signature);
    }
    viewer(&payload).map_err(Problem::Payload)
}

/// The fields of a payload. Others are ignored.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    event_id: Value<'a>,
    #[serde(borrow, default)]
    customer_id: Value<'a>,
    #[serde(borrow, default)]
    name: Value<'a>,
    #[serde(borrow, default)]
    exp: Value<'a>,
}

/// Reads a payload. The error continues "a payload in which …".
fn viewer(payload: &[u8]) -> Result<Viewer, String> {
    let text = str::from_utf8(payload).map_err(|_| "the text is not UTF-8".to_owned())?;
    // Serde would also read the fields from an array.
    let is_object = text.trim_ascii_start().starts_with('{')
        && serde_json::from_str::<IgnoredAny>(text).is_ok();
    if !is_object {
        return Err("the text is no JSON object".to_owned());
    }
    if repeated_field(text).is_some() {
        return Err("a field is given twice".to_owned());
    }
    // What is left are texts that cannot be UTF-8 and numbers that no float holds.
    let payload = serde_json::from_str(text);
    let payload = payload.map_err(|_| "a value cannot be read".to_owned())?;
    checked(&payload).map_err(|error| error.message)
}

fn checked(fields: &Payload<'_>) -> Result<Viewer, FieldError> {
    let name = Field::new("name", &fields.name).present();
    Ok(Viewer {
        event: Field::new("event_id", &fields.event_id).id()?,
        customer: Field::new("customer_id", &fields.customer_id).id()?,
        name: name
            .map(|name| name.text(TEXT_BYTES_MAX).map(str::to_owned))
            .transpose()?,
        expires_at: expiry(&fields.exp)?,
    })
}

/// The time of `exp`: seconds since 1970, of which some languages give fractions.
fn expiry(exp: &Value<'_>) -> Result<Timestamp, FieldError> {
    const WANTED: &str = "the time at which the token expires, in seconds since 1970";
    let millis = match exp {
        Value::Integer(seconds) => seconds.checked_mul(1000),
        Value::Number(seconds) => whole_millis(*seconds),
        Value::Absent => return Err(FieldError::missing("exp", WANTED)),
        other => return Err(FieldError::wrong_type("exp", other.kind(), WANTED)),
    };
    let time = millis.and_then(|millis| Timestamp::from_millis(millis).ok());
    time.ok_or_else(|| {
        let problem = format!("is no time from 2000 to 9999; it must be {WANTED}");
        FieldError::new(Reason::InvalidTime, "exp", problem)
    })
}

fn whole_millis(seconds: f64) -> Option<i64> {
    const SECONDS_MAX: f64 = 1e12;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (0.0..SECONDS_MAX)
        .contains(&seconds)
        .then_some((seconds * 1000.0) as i64)
}

/// Reads a payload as if it were signed, for fuzzing.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_payload(payload: &[u8]) {
    drop(viewer(payload));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_tokens_are_kept_up_to_a_bound() {
        let verifier = Verifier::new(["sr_secret"]);
        for _ in 0..3 {
            assert_eq!(verifier.viewer("sr_v.e30.AA"), Err(Problem::Signature));
        }
        assert_eq!(verifier.verified().len(), 1);
        for number in 0..3 * VERIFIED_MAX {
            assert!(verifier.viewer(&format!("sr_v.{number}")).is_err());
            assert!(verifier.verified().len() <= VERIFIED_MAX);
        }
        assert_eq!(format!("{verifier:?}"), "Verifier");
    }
}
