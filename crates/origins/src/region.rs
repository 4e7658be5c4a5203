//! The code of a region.

use std::fmt;

/// The most bytes of a code: `GB-ENG`.
const BYTES_MAX: usize = 6;

/// An ISO 3166-2 or 3166-1 code, such as `DE-BY` or `TW`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region {
    bytes: [u8; BYTES_MAX],
    length: u8,
}

impl Region {
    /// The region of a country, and of a part of it if there is one. `None` if the country is no
    /// code; a part that is no code, such as a name, is left out.
    pub(crate) fn new(country: &str, part: Option<&str>) -> Option<Self> {
        // Registries of addresses write `UK`.
        let country = if country == "UK" { "GB" } else { country };
        let is_country = country.len() == 2 && country.bytes().all(|it| it.is_ascii_uppercase());
        if !is_country || NO_COUNTRIES.contains(&country) {
            return None;
        }
        let mut region = Self {
            bytes: [0; BYTES_MAX],
            length: 0,
        };
        region.push(country);
        let is_code = |part: &&str| {
            let is_upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
            (1..=3).contains(&part.len()) && part.bytes().all(is_upper)
        };
        if let Some(part) = part.filter(is_code) {
            region.push("-");
            region.push(part);
        }
        Some(region)
    }

    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("letters and digits")
    }

    fn push(&mut self, text: &str) {
        for byte in text.bytes() {
            self.bytes[usize::from(self.length)] = byte;
            self.length += 1;
        }
    }
}

/// Codes that databases of addresses have and ISO 3166-1 does not assign: unions of countries,
/// countries that no longer are, and marks for unknown.
const NO_COUNTRIES: [&str; 9] = ["AN", "AP", "CS", "EU", "NT", "OS", "SU", "XX", "ZZ"];

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_country_and_a_part_of_it() {
        let code = |country, part| Region::new(country, part).map(|it| it.as_str().to_owned());
        for (country, part, wanted) in [
            ("TW", None, Some("TW")),
            ("DE", Some("BY"), Some("DE-BY")),
            ("GB", Some("ENG"), Some("GB-ENG")),
            ("UK", None, Some("GB")),
            ("JP", Some("13"), Some("JP-13")),
            ("DE", Some("Bavaria"), Some("DE")),
            ("DE", Some(""), Some("DE")),
            ("EU", None, None),
            ("ZZ", Some("A"), None),
            ("tw", None, None),
            ("T1", None, None),
            ("TWN", None, None),
            ("", None, None),
        ] {
            assert_eq!(code(country, part).as_deref(), wanted, "{country} {part:?}");
        }
    }
}
