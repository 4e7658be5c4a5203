//! Viewer tokens in records and beside them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use showreport_model::record::Record;
use showreport_model::{CustomerId, Timestamp};
use showreport_origins::Origins;

use super::with;
use crate::context::Context;
use crate::reason::Reason;
use crate::record::{Decoded, Rejection, decode_record};
use crate::viewer_tokens::Verifier;

const FIELD: &str = "viewer_token";

const SECRET: &str = "sr_0123456789012345678901234567890123456789";

/// The expiry of `claims`, in seconds.
const EXP: i64 = 1_800_000_000;

fn claims() -> Value {
    json!({"event_id": "keynote", "customer_id": "ada", "name": "Ada", "exp": EXP})
}

fn code(secret: &str, text: &str) -> Vec<u8> {
    let key = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    key.chain_update(text).finalize().into_bytes().to_vec()
}

fn signed(secret: &str, payload: &[u8]) -> String {
    let text = format!("sr_v.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(code(secret, &text));
    format!("{text}.{signature}")
}

fn token(claims: &Value) -> String {
    signed(SECRET, claims.to_string().as_bytes())
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000).unwrap()
}

fn record(record_type: &str) -> Value {
    let mut record = match record_type {
        "playback" => {
            json!({"playback_id": "p", "from": (EXP - 20) * 1000, "to": (EXP - 10) * 1000})
        }
        "beat" => json!({"playback_id": "p", "at": (EXP - 10) * 1000, "playing": true}),
        "chat" => json!({"message_id": "m", "sent_at": (EXP - 10) * 1000, "text": "hello"}),
        "vote" => json!({"poll_id": "q", "option_ids": ["a"], "voted_at": (EXP - 10) * 1000}),
        other => panic!("{other}"),
    };
    record["type"] = json!(record_type);
    record["event_id"] = json!("keynote");
    record
}

/// Customer and name of a record that is decoded by these rules.
fn decoded(
    record: &Value,
    verifier: Verifier,
    now: Timestamp,
) -> Result<(Option<String>, Option<String>), Rejection> {
    let context = Context {
        viewer_tokens: Arc::new(verifier),
        ..Context::new(now, Origins::open(None).unwrap())
    };
    let text = record.to_string();
    let record = match decode_record(text.as_bytes(), 0, &context)? {
        Decoded::Playback(playback) => {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            return Ok((owned(playback.customer), owned(playback.name)));
        }
        Decoded::Record(record) => record,
    };
    let owned = |id: &CustomerId| id.as_str().to_owned();
    Ok(match record {
        Record::Playback(it) => (it.customer.as_ref().map(owned), it.name),
        Record::Beat(it) => (it.customer.as_ref().map(owned), it.name),
        Record::Chat(it) => (it.customer.as_ref().map(owned), it.name),
        Record::Vote(it) => (it.voter.customer().map(owned), it.name),
        _ => (None, None),
    })
}

fn ours() -> Verifier {
    Verifier::new([SECRET])
}

/// Reason and field of a playback that is rejected because of its token.
#[track_caller]
fn refused(token: impl Into<Value>, now: Timestamp) -> Rejection {
    let record = with(record("playback"), FIELD, token);
    decoded(&record, ours(), now).expect_err("rejected")
}

fn texts(customer: &str, name: &str) -> (Option<String>, Option<String>) {
    (Some(customer.to_owned()), Some(name.to_owned()))
}

#[test]
fn a_record_without_a_customer_gets_that_of_its_token() {
    for record_type in ["playback", "beat", "chat", "vote"] {
        let record = with(record(record_type), FIELD, token(&claims()));
        let got = decoded(&record, ours(), at(EXP));
        assert_eq!(got, Ok(texts("ada", "Ada")), "{record_type}");
        // The name of the page would be a claim that the token does not make.
        let named = with(record, "name", "The Queen");
        assert_eq!(decoded(&named, ours(), at(EXP)), Ok(texts("ada", "Ada")));
    }
    let without_name = with(claims(), "name", "");
    let record = with(record("chat"), FIELD, token(&without_name));
    let own = with(record, "name", "A.");
    assert_eq!(decoded(&own, ours(), at(EXP)), Ok(texts("ada", "A.")));
}

#[test]
fn a_record_of_the_same_customer_keeps_its_name() {
    let record = with(record("playback"), FIELD, token(&claims()));
    let record = with(with(record, "customer_id", "ada"), "name", "A.");
    assert_eq!(decoded(&record, ours(), at(EXP)), Ok(texts("ada", "A.")));
}

#[test]
fn a_record_of_another_event_or_customer_is_rejected() {
    for field in ["event_id", "customer_id"] {
        let record = with(record("vote"), FIELD, token(&claims()));
        let record = with(record, field, "other");
        let error = decoded(&record, ours(), at(EXP)).unwrap_err();
        assert_eq!(error.reason, Reason::InvalidViewerToken, "{field}");
        assert_eq!(error.field.as_deref(), Some(field));
    }
}

#[test]
fn ids_are_compared_as_records_have_them() {
    let numbers = with(with(claims(), "customer_id", 7), "event_id", "8");
    let record = with(record("chat"), FIELD, token(&numbers));
    let record = with(with(record, "customer_id", "7"), "event_id", 8);
    let got = decoded(&record, ours(), at(EXP)).unwrap();
    assert_eq!(got.0.as_deref(), Some("7"));
}

#[test]
fn a_token_is_good_until_its_expiry() {
    let record = with(record("chat"), FIELD, token(&claims()));
    assert!(decoded(&record, ours(), at(EXP)).is_ok());
    let later = at(EXP).saturating_add_millis(1);
    let error = decoded(&record, ours(), later).unwrap_err();
    assert_eq!(error.reason, Reason::InvalidViewerToken);
    assert!(error.message.contains("expired"), "{}", error.message);
    let fraction = with(claims(), "exp", 1_800_000_000.5);
    let record = with(record, FIELD, token(&fraction));
    assert!(decoded(&record, ours(), at(EXP).saturating_add_millis(500)).is_ok());
    assert!(decoded(&record, ours(), at(EXP).saturating_add_millis(501)).is_err());
}

#[test]
fn any_secret_of_the_organisation_verifies_and_no_other() {
    let record = with(record("playback"), FIELD, token(&claims()));
    let both = Verifier::new(["sr_old", SECRET]);
    assert!(decoded(&record, both, at(EXP)).is_ok());
    for secrets in [&[][..], &["sr_old"], &[&SECRET[1..]], &[""]] {
        let verifier = Verifier::new(secrets.iter().copied());
        let error = decoded(&record, verifier, at(EXP)).unwrap_err();
        assert_eq!(error.reason, Reason::InvalidViewerToken, "{secrets:?}");
    }
}

#[test]
fn a_changed_token_is_rejected_wherever_it_is_changed() {
    let whole = token(&claims());
    let mut changed = vec![
        format!("{whole}="),
        format!("{whole} "),
        format!(" {whole}"),
        format!("{whole}.{whole}"),
        whole.replacen('.', "", 1),
        whole.replace("sr_v.", "sr_w."),
        whole.replace("sr_v.", ""),
        whole[..whole.len() - 1].to_owned(),
        "sr_v..".to_owned(),
        "sr_v".to_owned(),
        "x".to_owned(),
    ];
    let alphabet = "ABQgwz019-_";
    for place in 0..whole.len() {
        for other in alphabet.chars() {
            let mut characters: Vec<char> = whole.chars().collect();
            if characters[place] != other {
                characters[place] = other;
                changed.push(characters.into_iter().collect());
            }
        }
    }
    for token in changed {
        let error = refused(token.as_str(), at(EXP));
        assert_eq!(error.reason, Reason::InvalidViewerToken, "{token}");
        assert_eq!(error.field.as_deref(), Some(FIELD));
    }
}

/// A payload with bits that its base64 does not need is signed, and yet no token: one value has one
/// text.
#[test]
fn base64_has_one_form() {
    for bend in [
        |payload: String| payload + "=",
        |payload: String| payload.replace('-', "+").replace('_', "/") + "+/",
        |mut payload: String| {
            payload.pop();
            payload + "B"
        },
    ] {
        let payload = bend(URL_SAFE_NO_PAD.encode(b"{}"));
        let text = format!("sr_v.{payload}");
        let signature = URL_SAFE_NO_PAD.encode(code(SECRET, &text));
        let error = refused(format!("{text}.{signature}"), at(EXP));
        assert_eq!(error.reason, Reason::InvalidViewerToken);
        assert!(
            error.message.contains("without padding"),
            "{text}: {}",
            error.message
        );
    }
}

#[test]
fn a_signed_payload_is_checked_field_by_field() {
    for (payload, named) in [
        ("", "JSON"),
        ("null", "JSON"),
        ("[]", "JSON"),
        ("{", "JSON"),
        ("{} {}", "JSON"),
        (r#"{"customer_id":"a","exp":1800000000}"#, "`event_id`"),
        (r#"{"event_id":"e","exp":1800000000}"#, "`customer_id`"),
        (r#"{"event_id":"e","customer_id":"a"}"#, "`exp`"),
        (
            r#"{"event_id":"e","customer_id":"","exp":1800000000}"#,
            "`customer_id`",
        ),
        (
            r#"{"event_id":"e","customer_id":"a","exp":"1800000000"}"#,
            "`exp`",
        ),
        (r#"{"event_id":"e","customer_id":"a","exp":true}"#, "`exp`"),
        (r#"{"event_id":"e","customer_id":"a","exp":-1}"#, "`exp`"),
        (
            r#"{"event_id":"e","customer_id":"a","exp":1800000000000}"#,
            "`exp`",
        ),
        (r#"{"event_id":"e","customer_id":"a","exp":1e300}"#, "`exp`"),
        (
            r#"{"event_id":"e","customer_id":"a","exp":99999999999999999999}"#,
            "`exp`",
        ),
        (
            r#"{"event_id":"e","customer_id":"a","exp":1800000000,"name":7}"#,
            "`name`",
        ),
        (
            r#"{"event_id":"e","customer_id":"a","exp":1800000000,"name":"\u0000"}"#,
            "`name`",
        ),
        (
            r#"{"event_id":"e","event_id":"e","customer_id":"a","exp":1800000000}"#,
            "twice",
        ),
    ] {
        let error = refused(signed(SECRET, payload.as_bytes()), at(EXP));
        assert_eq!(error.reason, Reason::InvalidViewerToken, "{payload}");
        assert!(
            error.message.contains(named),
            "{payload}: {}",
            error.message
        );
    }
    let not_utf8 = refused(signed(SECRET, b"\xff"), at(EXP));
    assert!(not_utf8.message.contains("UTF-8"), "{}", not_utf8.message);
    let more = with(with(claims(), "iat", 1), "iss", json!({"a": [1]}));
    let record = with(record("chat"), FIELD, token(&more));
    assert!(
        decoded(&record, ours(), at(EXP)).is_ok(),
        "unknown fields are ignored"
    );
}

#[test]
fn a_token_of_the_longest_ids_and_name_is_taken() {
    let id = "😀".repeat(128);
    let claims = json!({"event_id": id, "customer_id": id, "name": "😀".repeat(256), "exp": EXP});
    let escaped: String = claims
        .to_string()
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) => char::from(byte).to_string(),
            Err(_) => format!("\\u{unit:04x}"),
        })
        .collect();
    let token = signed(SECRET, escaped.as_bytes());
    let record = with(with(record("chat"), FIELD, token), "event_id", id);
    assert!(decoded(&record, ours(), at(EXP)).is_ok());
    let long = refused("x".repeat((16 << 10) + 1), at(EXP));
    assert_eq!(long.reason, Reason::TooLong);
    assert_eq!(refused(7, at(EXP)).reason, Reason::WrongType);
}

#[test]
fn the_token_of_the_request_is_for_records_without_one() {
    let of_request = || ours().of_request(Some(token(&claims())));
    for record_type in ["playback", "beat", "chat", "vote"] {
        for record in [
            record(record_type),
            with(record(record_type), FIELD, Value::Null),
        ] {
            let got = decoded(&record, of_request(), at(EXP));
            assert_eq!(got, Ok(texts("ada", "Ada")), "{record_type}");
        }
    }
    let bob = with(with(claims(), "customer_id", "bob"), "name", "Bob");
    let own = with(record("playback"), FIELD, token(&bob));
    assert_eq!(
        decoded(&own, of_request(), at(EXP)),
        Ok(texts("bob", "Bob"))
    );
    let bad = ours().of_request(Some("sr_v.bent.token".to_owned()));
    let error = decoded(&record("playback"), bad, at(EXP)).unwrap_err();
    assert_eq!(error.reason, Reason::InvalidViewerToken);
    assert!(
        error.message.starts_with("`?viewer=` "),
        "{}",
        error.message
    );
    let empty = ours().of_request(Some(String::new()));
    assert_eq!(
        decoded(&record("playback"), empty, at(EXP)),
        Ok((None, None))
    );
}

#[test]
fn only_records_of_viewers_need_a_token_where_it_is_required() {
    let required = || ours().requiring_tokens();
    for record_type in ["playback", "beat", "chat", "vote"] {
        let named = with(record(record_type), "customer_id", "ada");
        let error = decoded(&named, required(), at(EXP)).unwrap_err();
        assert_eq!(error.reason, Reason::MissingViewerToken, "{record_type}");
        let own = with(named, FIELD, token(&claims()));
        assert!(decoded(&own, required(), at(EXP)).is_ok(), "{record_type}");
    }
    let deletion =
        json!({"type": "chat", "event_id": "keynote", "message_id": "m", "deleted": true});
    let error = decoded(&deletion, required(), at(EXP)).unwrap_err();
    assert_eq!(error.reason, Reason::MissingViewerToken);
    let event = json!({"type": "event", "event_id": "other", "kind": "live", "title": "t"});
    let poll = json!({
        "type": "poll", "event_id": "other", "poll_id": "q", "question": "?", "choice": "single",
        "options": [{"id": "a", "text": "A"}], "status": "active",
    });
    for record in [event, poll] {
        let request = required().of_request(Some("bent".to_owned()));
        assert_eq!(decoded(&record, request, at(EXP)), Ok((None, None)));
    }
}

#[test]
fn no_message_repeats_a_token_or_what_it_says() {
    let secret_name = with(claims(), "customer_id", "secret-customer");
    let whole = token(&secret_name);
    let record = with(
        with(record("chat"), FIELD, whole.as_str()),
        "customer_id",
        "ada",
    );
    let payload = whole.split('.').nth(1).unwrap();
    let mut messages = vec![decoded(&record, ours(), at(EXP)).unwrap_err().message];
    for (token, now) in [
        (whole.as_str(), at(EXP + 1)),
        (&whole[..whole.len() - 1], at(EXP)),
        (&format!("{whole}x"), at(EXP)),
    ] {
        messages.push(refused(token, now).message);
    }
    for message in messages {
        assert!(!message.contains("secret-customer"), "{message}");
        assert!(!message.contains(payload), "{message}");
    }
    let verifier = ours().of_request(Some(whole));
    assert_eq!(format!("{verifier:?}"), "Verifier");
}
