//! How deep JSON nests, measured before it is parsed.
//!
//! The parser keeps a byte for each open bracket. So a body of brackets alone would take as much
//! memory again as the body.

/// The most levels. Records have three.
const DEPTH_MAX: usize = 128;

/// Shorter texts are not measured, since the parser takes too little memory for them.
const SHORT_BYTES: usize = 64 << 10;

/// Whether the first value of a long text nests deeper than [`DEPTH_MAX`].
pub(crate) fn is_too_deep(text: &[u8]) -> bool {
    if text.len() <= SHORT_BYTES {
        return false;
    }
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth <= 1 => return false,
            b']' | b'}' => depth -= 1,
            // Brackets in strings do not count.
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => drop(bytes.next()),
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_brackets_outside_strings_count() {
        let long = |inner: &str| format!("[{inner}, \"{}\"]", "a".repeat(SHORT_BYTES));
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(!is_too_deep(long(&nested(DEPTH_MAX - 1)).as_bytes()));
        assert!(is_too_deep(long(&nested(DEPTH_MAX)).as_bytes()));
        let in_string = format!("\"\\\"{}\"", "[".repeat(200));
        assert!(!is_too_deep(long(&in_string).as_bytes()));
        assert!(!is_too_deep(long(&"{}, ".repeat(200)).as_bytes()));
        assert!(is_too_deep("[".repeat(SHORT_BYTES + 1).as_bytes()));
        assert!(!is_too_deep("[".repeat(SHORT_BYTES).as_bytes()));
    }
}
