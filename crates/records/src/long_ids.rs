//! Ids that are integers of more than 64 bits.
//!
//! The JSON parser would round them, so that two ids became one. In the few records that have them
//! they are turned into strings before the record is parsed.

use crate::scan::{Parts, key_and_value};

/// The fields that are ids or contain ids. All others are copied as they are.
const IDS: [&str; 10] = [
    "event_id",
    "playback_id",
    "message_id",
    "poll_id",
    "vote_id",
    "customer_id",
    "device_id",
    "option_ids",
    "options",
    "id",
];

/// The record, its options, an option, its id. Deeper levels are copied, so that recursion is
/// bounded.
const LEVELS: usize = 4;

/// Integers with fewer digits fit into 64 bits.
const DIGITS: usize = 19;

/// The record with its long ids as strings.
pub(crate) fn with_long_ids_as_strings(record: &str) -> String {
    let mut written = String::with_capacity(record.len() + 32);
    write(record, LEVELS, &mut written);
    written
}

fn write(value: &str, levels: usize, written: &mut String) {
    if levels == 0 {
        written.push_str(value);
    } else if let Some(members) = Parts::of_object(value.as_bytes()) {
        let members = members.filter_map(|member| {
            let (key, value) = key_and_value(member)?;
            Some((str::from_utf8(key).ok()?, str::from_utf8(value).ok()?))
        });
        for (index, (key, value)) in members.enumerate() {
            written.push(if index == 0 { '{' } else { ',' });
            written.extend(["\"", key, "\":"]);
            if IDS.contains(&key) {
                write(value, levels - 1, written);
            } else {
                written.push_str(value);
            }
        }
        written.push('}');
    } else if let Some(elements) = Parts::of_array(value.as_bytes()) {
        let elements = elements.filter_map(|element| str::from_utf8(element).ok());
        written.push('[');
        for (index, element) in elements.enumerate() {
            if index > 0 {
                written.push(',');
            }
            write(element, levels - 1, written);
        }
        written.push(']');
    } else if is_long(value) {
        written.extend(["\"", value, "\""]);
    } else {
        written.push_str(value);
    }
}

fn is_long(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_ids_become_strings() {
        let long = "123456789012345678901234567890";
        let record = format!(
            r#" {{"event_id" : {long}, "customer_id":-{long},"device_id":7,"position_ms":{long},"text":"{{\"id\":{long}","options":[{{"id":{long},"text":{long}}}],"option_ids":[{long},"a"], "extra":[{long}]}} "#
        );
        let wanted = format!(
            r#"{{"event_id":"{long}","customer_id":"-{long}","device_id":7,"position_ms":{long},"text":"{{\"id\":{long}","options":[{{"id":"{long}","text":{long}}}],"option_ids":["{long}","a"],"extra":[{long}]}}"#
        );
        assert_eq!(with_long_ids_as_strings(&record), wanted);
        let deep = format!(
            r#"{{"options":{}{}}}"#,
            "[".repeat(30_000),
            "]".repeat(30_000)
        );
        assert_eq!(with_long_ids_as_strings(&deep), deep);
    }
}
