//! Texts of times, sizes and numbers on pages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use showreport_model::{Timestamp, Zone};

/// The date and time by the clocks of a zone, such as `2026-11-22 18:30:05`, as forms take
/// it. Milliseconds are only written if there are any.
pub(crate) fn wall_time(at: Timestamp, zone: &Zone) -> String {
    let Ok(wall) = Timestamp::from_millis(zone.wall_millis(at)) else {
        return at.to_string();
    };
    let text = wall.to_string().replace('T', " ");
    let text = text.trim_end_matches('Z');
    text.strip_suffix(".000").unwrap_or(text).to_owned()
}

/// A number of bytes with its unit, such as `12.3 kB`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = UNITS.iter().find(|(size, _)| count >= *size);
    match unit {
        None => format!("{count} B"),
        Some((size, name)) => {
            let tenths = count / (size / 10);
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// A whole number with commas, such as `1,234,567`.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time in its largest whole unit, such as `3 h`.
pub(crate) fn duration(millis: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min")];
    let unit = UNITS.iter().find(|(length, _)| millis >= 2 * length);
    match unit {
        None => format!("{} s", millis / 1_000),
        Some((length, name)) => format!("{} {name}", millis / length),
    }
}

/// A text as a part of an address.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// All but the characters that every client sends unchanged.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A name in `snake_case` as words that begin with a capital letter.
pub(crate) fn words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_zone() {
        let zone: Zone = "Asia/Taipei".parse().unwrap();
        let text = |at: &str| wall_time(at.parse().unwrap(), &zone);
        assert_eq!(text("2026-11-22T10:30:05Z"), "2026-11-22 18:30:05");
        assert_eq!(text("2026-11-22T10:30:05.25Z"), "2026-11-22 18:30:05.250");
    }

    #[test]
    fn numbers_have_units() {
        let sizes = [0, 999, 1_000, 12_345, 5_000_000, 2_999_999_999].map(bytes);
        let texts = ["0 B", "999 B", "1.0 kB", "12.3 kB", "5.0 MB", "2.9 GB"];
        assert_eq!(sizes, texts);
        let counts = [0, 999, 1_000, 1_234_567].map(number);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        let times = [0, 119_999, 120_000, 7_200_000, 172_800_000].map(duration);
        assert_eq!(times, ["0 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!(words("chat_histories"), "Chat histories");
    }
}
