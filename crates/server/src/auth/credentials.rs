//! Reads the secrets of a request out of its headers.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::cookie::NAME;
use crate::error::{ApiError, Reason};

/// The user name of the one `Authorization: Basic` header.
pub(super) fn basic_user(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(user, _)| user)
}

/// Its password.
pub(super) fn basic_password(headers: &HeaderMap) -> Option<String> {
    basic(headers).map(|(_, password)| password)
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, credentials) = value.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(credentials.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The token of the one `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(no_token());
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.trim().split_once(' '))
        .ok_or_else(no_token)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(no_token());
    }
    Ok(token.trim())
}

pub(super) fn no_token() -> ApiError {
    ApiError::new(
        Reason::TokenMissing,
        "this needs a token: send one header `Authorization: Bearer <token>`",
    )
}

/// The secret of the session, from the cookie. `None` if there are two different ones: a page of
/// another host of the same site may have set one, to sign the visitor in as its own user.
pub(super) fn session_secret(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(COOKIE).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';'));
    let mut secrets = pairs.filter_map(|pair| {
        let (name, secret) = pair.trim().split_once('=')?;
        (name == NAME).then_some(secret)
    });
    let first = secrets.next()?;
    secrets.all(|secret| secret == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        named(&AUTHORIZATION, values)
    }

    fn named(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_write_key_is_the_user_name_of_one_basic_header() {
        for good in ["Basic c3JfeDo=", "basic  c3JfeDo= ", "Basic c3JfeDpwYXNz"] {
            assert_eq!(basic_user(&headers(&[good])).as_deref(), Some("sr_x"));
        }
        for wrong in [
            &[][..],
            &["Basic"],
            &["Basic ~"],
            &["Basic c3JfeA=="],
            &["Bearer c3JfeDo="],
            &["Basic c3JfeDo=", "Basic c3JfeDo="],
        ] {
            assert_eq!(basic_user(&headers(wrong)), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_token_may_be_the_password_of_one_basic_header() {
        // "any:sr_x", ":sr_x" and "a:b:c".
        for (good, password) in [
            ("Basic YW55OnNyX3g=", "sr_x"),
            ("basic OnNyX3g=", "sr_x"),
            ("Basic YTpiOmM=", "b:c"),
        ] {
            let found = basic_password(&headers(&[good]));
            assert_eq!(found.as_deref(), Some(password));
        }
        assert_eq!(basic_password(&headers(&["Bearer OnNyX3g="])), None);
    }

    #[test]
    fn a_session_comes_in_one_cookie() {
        let found = |values: &[&'static str]| {
            let headers = named(&COOKIE, values);
            session_secret(&headers).map(str::to_owned)
        };
        for good in [
            &["showreport_session=sr_x"][..],
            &["a=b; showreport_session=sr_x;c=d"],
            &["a=b", "showreport_session=sr_x"],
            &["showreport_session=sr_x; showreport_session=sr_x"],
        ] {
            assert_eq!(found(good).as_deref(), Some("sr_x"), "{good:?}");
        }
        for wrong in [
            &[][..],
            &["showreport_session"],
            &["Showreport_session=sr_x"],
            &["a_showreport_session=sr_x"],
            // Another host of the same site may have set one of them.
            &["showreport_session=sr_x; showreport_session=sr_y"],
            &["showreport_session=sr_x", "showreport_session=sr_y"],
        ] {
            assert_eq!(found(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_token_comes_in_one_bearer_header() {
        assert_eq!(bearer(&headers(&["Bearer sr_x"])).unwrap(), "sr_x");
        assert_eq!(bearer(&headers(&["bearer  sr_x "])).unwrap(), "sr_x");
        for wrong in [
            &[][..],
            &["Bearer"],
            &["Basic sr_x"],
            &["sr_x"],
            &["Bearer a", "Bearer a"],
        ] {
            assert!(bearer(&headers(wrong)).is_err(), "{wrong:?}");
        }
    }
}
