//! [`EmailAddress`]: what a person is known by.

use std::fmt;
use std::str::FromStr;

/// An e-mail address in lower case. Nothing is sent to it. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// The text is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.com, of at most 254 characters")]
pub struct EmailError;

/// The longest address that mail can be sent to (RFC 5321).
const CHARACTERS_MAX: usize = 254;

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What comes before the `@`.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(name, _)| name)
    }
}

impl FromStr for EmailAddress {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        let (name, host) = text.rsplit_once('@').ok_or(EmailError)?;
        let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"<>\"(),;".contains(c);
        let is_valid = !name.is_empty()
            && !host.is_empty()
            && !name.contains('@')
            && text.chars().count() <= CHARACTERS_MAX
            && text.chars().all(is_plain);
        if !is_valid {
            return Err(EmailError);
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_and_a_host_and_is_kept_in_lower_case() {
        let address: EmailAddress = " Ada.Lovelace@Example.COM ".parse().unwrap();
        assert_eq!(address.as_str(), "ada.lovelace@example.com");
        assert_eq!(address.name(), "ada.lovelace");
        assert_eq!(format!("{address:?}"), "EmailAddress");
        for wrong in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@c",
            "a b@c",
            "Ada <ada@example.com>",
            "a\n@b",
        ] {
            assert_eq!(wrong.parse::<EmailAddress>(), Err(EmailError), "{wrong:?}");
        }
        let long = format!("{}@example.com", "a".repeat(243));
        assert!(long.parse::<EmailAddress>().is_err());
        assert!(long[1..].parse::<EmailAddress>().is_ok());
    }
}
