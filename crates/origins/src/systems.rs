//! The system of a client hint, under one name for each system.

/// The system by the client hint `Sec-CH-UA-Platform`, a text in quotes.
pub(crate) fn by_hint(platform: &str) -> Option<&'static str> {
    let name = platform.trim().strip_prefix('"')?.strip_suffix('"')?;
    match name {
        "Chrome OS" | "Chromium OS" => Some("ChromeOS"),
        "Android" => Some("Android"),
        "Linux" => Some("Linux"),
        "Windows" => Some("Windows"),
        "iOS" => Some("iOS"),
        "macOS" => Some("macOS"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_a_name_in_quotes() {
        for (hint, system) in [
            ("\"Windows\"", Some("Windows")),
            ("\"macOS\"", Some("macOS")),
            ("\"Chrome OS\"", Some("ChromeOS")),
            ("\"Chromium OS\"", Some("ChromeOS")),
            ("\"Unknown\"", None),
            ("\"\"", None),
            ("Windows", None),
            ("\"", None),
            ("", None),
        ] {
            assert_eq!(by_hint(hint), system, "{hint}");
        }
    }
}
