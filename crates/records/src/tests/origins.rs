//! The system and the region of a record that does not say them.

use showreport_origins::Origin;

use super::*;

#[test]
fn a_record_has_its_own_system_or_that_of_the_request() {
    let from_player = Context {
        origin: Origin {
            system: Some("macOS"),
            region: None,
        },
        ..context().clone()
    };
    let system = |mut record: Value, fields: &[(&str, &str)]| {
        record["device_os"] = Value::Null;
        for (field, value) in fields {
            record = with(record, field, json!(value));
        }
        let text = record.to_string();
        // The general decoder takes what has an escape, the fast one all else.
        let escaped = text.replace("\"e\"", "\"\\u0065\"");
        let read =
            |text: &str| match owned(decode_record(text.as_bytes(), 0, &from_player).unwrap()) {
                Record::Playback(record) => record.device_os,
                Record::Beat(record) => record.device_os,
                other => panic!("{other:?} has a system"),
            };
        assert_eq!(read(&escaped), read(&text), "{text}");
        read(&text)
    };
    for record in [playback(), beat()] {
        assert_eq!(system(record.clone(), &[]).as_deref(), Some("macOS"));
        let own = system(record.clone(), &[("device_os", "My OS")]);
        assert_eq!(own.as_deref(), Some("My OS"));
        assert_eq!(
            system(record.clone(), &[("user_agent", "curl/8.5.0")]),
            None
        );
        assert_eq!(
            system(record, &[("user_agent", "")]).as_deref(),
            Some("macOS")
        );
    }
}
