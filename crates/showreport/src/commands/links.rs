//! How links begin: the public URL.

use showreport_server::PUBLIC_URL_BYTES_MAX;

/// The beginning of links.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Links {
    /// Base URL of links, as clients reach the server [default: http:// and the listen address]
    #[arg(long, value_name = "URL", value_parser = public_url)]
    pub(super) public_url: Option<String>,
}

fn public_url(text: &str) -> Result<String, String> {
    let address = text.trim_end_matches('/');
    let is_plain = reqwest::Url::parse(address).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    // The parser strips blanks and encodes other letters, but links begin with this text unchanged.
    let is_ascii = address.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain || !is_ascii || address.contains(['?', '#', '\\']) {
        return Err(
            "must be an http or https URL without user, query and fragment, such as \
             https://reports.example.com or https://example.com/reports"
                .to_owned(),
        );
    }
    if address.len() > PUBLIC_URL_BYTES_MAX {
        return Err(format!(
            "has {} characters, at most {PUBLIC_URL_BYTES_MAX} are allowed: links to bulk reports \
             must not exceed 1,000",
            address.len()
        ));
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_has_no_slash_at_its_end() {
        let url = Ok("https://reports.example.com".to_owned());
        assert_eq!(public_url("https://reports.example.com/"), url);
        for wrong in [
            "reports.example.com",
            "ftp://example.com",
            "https://",
            "http://a?b",
            "http://a?",
            "http://a#b",
            "http://a b",
            " http://a",
            "http://a\tb",
            "http:\\\\a",
            "https://user@a",
            "https://:word@a",
            "https://a:70000",
            "https://[::1",
            "https://münchen.example",
        ] {
            assert!(public_url(wrong).is_err(), "{wrong}");
        }
        for good in [
            "http://a",
            "https://a:1/b/c",
            "http://[::1]:8470",
            "https://a/%20b",
        ] {
            assert_eq!(public_url(good), Ok(good.to_owned()));
        }
    }

    #[test]
    fn a_public_url_leaves_room_for_the_addresses_of_bulk_reports() {
        let url = |length: usize| format!("https://a/{}", "b".repeat(length - 10));
        assert!(public_url(&url(PUBLIC_URL_BYTES_MAX)).is_ok());
        let error = public_url(&url(PUBLIC_URL_BYTES_MAX + 1)).expect_err("too long");
        assert!(error.contains("1,000"), "{error}");
    }
}
