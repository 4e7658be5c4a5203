//! The system and the region of a record that does not say them.

use showreport_origins::Origin;

use super::*;

const CHROME_OS: &str = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/131.0";

/// Names and values.
type Fields<'a> = &'a [(&'a str, &'a str)];

/// A system and a region.
type Texts<'a> = (Option<&'a str>, Option<&'a str>);

/// The system and the region of a playback with these fields.
fn origin(fields: Fields<'_>, context: &Context) -> (Option<String>, Option<String>) {
    let mut record = playback();
    for field in ["device_os", "geo_region", "user_agent", "ip"] {
        record = with(record, field, Value::Null);
    }
    for (field, value) in fields {
        record = with(record, field, json!(value));
    }
    let text = record.to_string();
    let beat = record["from"].take();
    let mut beat = with(with(record, "at", beat), "type", json!("beat"));
    beat["playing"] = json!(true);
    // The general decoder takes what has an escape, the fast one all else.
    let escaped = text.replace("\"e\"", "\"\\u0065\"");
    assert_ne!(escaped, text);
    let read = |text: &str| {
        let decoded = decode_record(text.as_bytes(), 0, context).expect("a good record");
        match owned(decoded) {
            Record::Playback(record) => (record.device_os, record.geo_region),
            Record::Beat(record) => (record.device_os, record.geo_region),
            other => panic!("{other:?} has an origin"),
        }
    };
    let found = read(&text);
    assert_eq!(read(&escaped), found, "{text}");
    assert_eq!(read(&beat.to_string()), found, "{beat}");
    found
}

#[test]
fn a_record_has_its_own_origin_or_that_of_its_player_or_that_of_the_request() {
    let from_player = Context {
        origin: Origin {
            system: Some("macOS"),
            region: context().origins.region("130.83.0.1".parse().unwrap()),
        },
        ..context().clone()
    };
    let cases: [(Fields<'_>, Texts<'_>, Texts<'_>); 6] = [
        (&[], (None, None), (Some("macOS"), Some("DE"))),
        (
            &[("user_agent", CHROME_OS), ("ip", "140.112.0.1")],
            (Some("ChromeOS"), Some("TW")),
            (Some("ChromeOS"), Some("TW")),
        ),
        (
            &[
                ("user_agent", CHROME_OS),
                ("device_os", "My OS"),
                ("ip", "140.112.0.1"),
                ("geo_region", "JP-13"),
            ],
            (Some("My OS"), Some("JP-13")),
            (Some("My OS"), Some("JP-13")),
        ),
        // What is said of the player counts even where it says nothing.
        (
            &[("user_agent", "curl/8.5.0"), ("ip", "10.0.0.1")],
            (None, None),
            (None, None),
        ),
        (&[("ip", "somewhere")], (None, None), (Some("macOS"), None)),
        (
            &[
                ("user_agent", ""),
                ("ip", ""),
                ("device_os", ""),
                ("geo_region", ""),
            ],
            (None, None),
            (Some("macOS"), Some("DE")),
        ),
    ];
    for (fields, alone, by_player) in cases {
        let owned =
            |(system, region): Texts<'_>| (system.map(str::to_owned), region.map(str::to_owned));
        assert_eq!(origin(fields, context()), owned(alone), "{fields:?}");
        assert_eq!(origin(fields, &from_player), owned(by_player), "{fields:?}");
    }
}
