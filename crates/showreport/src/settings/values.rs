//! Parsers of values on the command line: durations and sizes.

use showreport_model::time::parse_duration_millis;

/// A duration in milliseconds.
pub(crate) fn duration_millis(text: &str) -> Result<i64, String> {
    parse_duration_millis(text)
        .ok_or_else(|| "must be a duration such as 30d, 12h, 90s or 1h 30m".to_owned())
}

/// A size in bytes, such as `512MiB`.
///
/// Read by hand: `bytesize` and `parse-size` would change what existing settings mean. They give
/// `4k` (4096) and `4kB` (4000) the same value, and accept fractions and zero.
pub(crate) fn size_bytes(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" | "k" => 1 << 10,
        "mib" | "m" => 1 << 20,
        "gib" | "g" => 1 << 30,
        "tib" | "t" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(SIZE_FORM.to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| SIZE_FORM.to_owned())
}

const SIZE_FORM: &str = "must be a size such as 512MiB, 2GiB or a number of bytes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(size_bytes("512MiB"), Ok(512 << 20));
        assert_eq!(size_bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(size_bytes("1500"), Ok(1500));
        assert_eq!(size_bytes("4k"), Ok(4096));
        assert_eq!(size_bytes("4kB"), Ok(4000));
        for wrong in ["", "0", "MiB", "1.5GiB", "2 lots", "99999999999TiB"] {
            assert!(size_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
