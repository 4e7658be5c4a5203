//! How the body of a request is written, as its headers say.

use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use showreport_records::{
    BODY_FORMATS, CLOUD_EVENT_DATA, DEFAULT_BODY_FORMAT, Format, GivenFields, body_format,
    shortened,
};

use super::decompress::Encoding;
use crate::error::{ApiError, Reason};

/// How a body is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyFormat {
    pub(super) format: &'static dyn Format,
    pub(super) encoding: Encoding,
}

/// The format of a body of records, by its media type or the headers of a `CloudEvent`, and what
/// the headers say of all records.
pub(super) fn format_of_records(
    headers: &HeaderMap,
) -> Result<(&'static dyn Format, GivenFields), ApiError> {
    let media_type = media_type(headers)?;
    // The media type decides first: envelopes may have such headers too.
    if headers.contains_key(CLOUD_EVENT_VERSION) && !media_type.starts_with(CLOUD_EVENTS) {
        return binary_cloud_event(headers, &media_type);
    }
    Ok((format(&media_type)?, GivenFields::default()))
}

/// The media type of a body in lower case, empty if it is not said. Its parameters are ignored,
/// since records are always UTF-8.
pub(super) fn media_type(headers: &HeaderMap) -> Result<String, ApiError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter().map(|value| {
        let text = value.to_str().unwrap_or("?");
        let essence = text.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    });
    let first = types.next().unwrap_or_default();
    if types.next().is_some() {
        return Err(unsupported_type("there are several content types"));
    }
    Ok(first)
}

/// The media types of envelopes begin with it.
const CLOUD_EVENTS: &str = "application/cloudevents";

/// The header that makes a request a `CloudEvent` in binary mode.
const CLOUD_EVENT_VERSION: &str = "ce-specversion";

/// A `CloudEvent` in binary mode: its attributes are headers, the body is its data.
fn binary_cloud_event(
    headers: &HeaderMap,
    media_type: &str,
) -> Result<(&'static dyn Format, GivenFields), ApiError> {
    let is_json = matches!(media_type, "" | "application/json") || media_type.ends_with("+json");
    if !is_json {
        let media_type = shortened(media_type);
        return Err(ApiError::new(
            Reason::UnsupportedType,
            format!(
                "the content type is {media_type}; with the header `{CLOUD_EVENT_VERSION}` the body \
                 is a record as application/json"
            ),
        ));
    }
    if headers
        .get_all(CLOUD_EVENT_VERSION)
        .iter()
        .any(|value| value != "1.0")
    {
        return Err(ApiError::violation(CLOUD_EVENT_VERSION, "must be 1.0"));
    }
    let event_type = headers.get("ce-type").and_then(|value| value.to_str().ok());
    let given = GivenFields {
        cloud_event_type: event_type.map(str::to_owned),
        ..GivenFields::default()
    };
    Ok((CLOUD_EVENT_DATA, given))
}

/// The format of a media type.
fn format(media_type: &str) -> Result<&'static dyn Format, ApiError> {
    let format = match media_type {
        "" => Some(DEFAULT_BODY_FORMAT),
        media_type => body_format(media_type),
    };
    format.ok_or_else(|| {
        let hint = match media_type {
            "application/x-www-form-urlencoded" => {
                ", which is what `curl -d` sends (`--data-binary` with \
                 `-H 'Content-Type: application/x-ndjson'` sends records)"
            }
            "multipart/form-data" => ", which is what forms and `curl -F` send",
            "text/csv" => ", which `showreport import` takes",
            "application/cmcd" | "text/cmcd" => ", which `/collect/cmcd/{event_id}` takes",
            "application/gzip" | "application/x-gzip" | "application/zstd" => {
                " (of a packed body, send the type of what it holds, and `Content-Encoding`)"
            }
            other => {
                let other = shortened(other);
                return unsupported_type(&format!("the content type is {other}"));
            }
        };
        unsupported_type(&format!("the content type is \"{media_type}\"{hint}"))
    })
}

/// The error names what was sent and what can be sent.
fn unsupported_type(what_was_sent: &str) -> ApiError {
    let formats = BODY_FORMATS
        .iter()
        .map(|format| format!("{} ({})", format.media_type(), format.description()));
    ApiError::new(
        Reason::UnsupportedType,
        format!(
            "{what_was_sent}; send {}, or none",
            formats.collect::<Vec<_>>().join(", ")
        ),
    )
}

/// The compression of the body: at most one.
pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    let unsupported = || {
        let all = headers.get_all(CONTENT_ENCODING).iter();
        let all: Vec<_> = all.map(|value| value.to_str().unwrap_or("?")).collect();
        ApiError::new(
            Reason::UnsupportedEncoding,
            format!(
                "the content encoding is {}; send one of {}, once, or none",
                shortened(&all.join(", ")),
                Encoding::NAMES
            ),
        )
        .with_header(ACCEPT_ENCODING, HeaderValue::from_static(Encoding::NAMES))
    };
    let mut packed = Encoding::Identity;
    for value in headers.get_all(CONTENT_ENCODING) {
        let names = value.to_str().map_err(|_| unsupported())?;
        let names = names.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            match (Encoding::from_name(name), packed) {
                (Some(Encoding::Identity), _) => {}
                (Some(encoding), Encoding::Identity) => packed = encoding,
                _ => return Err(unsupported()),
            }
        }
    }
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &axum::http::HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_body_is_compressed_once_at_most() {
        let read = |values: &[&'static str]| encoding(&headers(&CONTENT_ENCODING, values)).ok();
        assert_eq!(read(&[]), Some(Encoding::Identity));
        assert_eq!(read(&["identity"]), Some(Encoding::Identity));
        assert_eq!(read(&["GZIP"]), Some(Encoding::Gzip));
        assert_eq!(read(&["identity, zstd"]), Some(Encoding::Zstd));
        for wrong in [
            &["gzip, gzip"][..],
            &["gzip", "br"],
            &["deflate"],
            &["gzip, deflate"],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_error_names_what_was_sent_and_what_to_send() {
        let of_type =
            |values: &[&'static str]| format_of_records(&headers(&CONTENT_TYPE, values)).err();
        let of_encoding = |value| encoding(&headers(&CONTENT_ENCODING, &[value])).err();
        for (refusal, came, send) in [
            (
                of_type(&["application/x-www-form-urlencoded"]),
                "`curl -d`",
                "--data-binary",
            ),
            (
                of_type(&["multipart/form-data; boundary=x"]),
                "multipart/form-data",
                "x-ndjson",
            ),
            (of_type(&["text/csv"]), "text/csv", "showreport import"),
            (of_type(&["text/cmcd"]), "text/cmcd", "/collect/cmcd"),
            (
                of_type(&["application/gzip"]),
                "application/gzip",
                "Content-Encoding",
            ),
            (of_type(&["image/png"]), "image/png", "application/json"),
            (
                of_type(&["text/plain", "text/plain"]),
                "several",
                "text/plain",
            ),
            (of_encoding("deflate"), "deflate", "gzip, zstd, br"),
            (of_encoding("gzip, br"), "gzip, br", "once"),
        ] {
            let message = format!("{:?}", refusal.expect("a refusal"));
            assert!(
                message.contains(came) && message.contains(send),
                "{message}"
            );
        }
    }

    #[test]
    fn a_type_may_have_parameters() {
        let read = |values: &[&'static str]| {
            let read = format_of_records(&headers(&CONTENT_TYPE, values)).ok();
            read.map(|(format, _)| format.media_type())
        };
        assert_eq!(read(&[]), Some("text/plain"));
        let taken = [
            ("text/plain;charset=UTF-8", "text/plain"),
            ("Application/JSON; charset=utf-8", "application/json"),
            ("application/x-ndjson", "application/x-ndjson"),
            (
                "application/cloudevents+json; charset=utf-8",
                "application/cloudevents+json",
            ),
        ];
        for (sent, media_type) in taken {
            assert_eq!(read(&[sent]), Some(media_type), "{sent}");
        }
        for wrong in [
            &["text/csv"][..],
            &["application/x-www-form-urlencoded"],
            &["application/json", "text/plain"],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn headers_of_a_cloud_event_make_the_body_its_data() {
        let read = |content_type: &'static str, version: &'static str| {
            let mut headers = headers(&CONTENT_TYPE, &[content_type]);
            headers.append(CLOUD_EVENT_VERSION, HeaderValue::from_static(version));
            headers.append("ce-type", HeaderValue::from_static("com.example.chat"));
            let read = format_of_records(&headers).map_err(|error| error.reason());
            read.map(|(format, given)| (format!("{format:?}"), given.cloud_event_type))
        };
        let data = (
            "CloudEventData".to_owned(),
            Some("com.example.chat".to_owned()),
        );
        for content_type in ["application/json; charset=utf-8", "", "application/x+json"] {
            assert_eq!(
                read(content_type, "1.0"),
                Ok(data.clone()),
                "{content_type}"
            );
        }
        let envelope = ("CloudEvent".to_owned(), None);
        assert_eq!(read("application/cloudevents+json", "1.0"), Ok(envelope));
        assert_eq!(read("application/json", "0.3"), Err(Reason::InvalidField));
        assert_eq!(read("text/plain", "1.0"), Err(Reason::UnsupportedType));
    }
}
