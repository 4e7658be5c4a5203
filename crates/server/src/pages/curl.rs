//! The command lines that do the same as a page.

/// Reads an address of the API.
pub(crate) fn read(base_url: &str, path: &str) -> String {
    format!(
        "curl {} -H \"Authorization: Bearer $TOKEN\"",
        quoted(&format!("{base_url}{path}"))
    )
}

/// Sends JSON to an address of the API.
pub(crate) fn posted(base_url: &str, path: &str, body: &str) -> String {
    format!(
        "{} \\\n  -H 'Content-Type: application/json' -d {}",
        read(base_url, path),
        quoted(body)
    )
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_quotes_is_one_word() {
        let line = posted("http://a", "/b", r#"{"title":"it's"}"#);
        assert_eq!(
            line,
            "curl 'http://a/b' -H \"Authorization: Bearer $TOKEN\" \\\n  \
             -H 'Content-Type: application/json' -d '{\"title\":\"it'\\''s\"}'"
        );
    }
}
