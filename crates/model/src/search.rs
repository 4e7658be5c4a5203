//! Searching for a part of a text, whatever the case of its letters.

/// A text to search for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SearchText(String);

impl SearchText {
    /// `None` for a text without letters, which would be a part of every text.
    pub fn new(text: &str) -> Option<Self> {
        let folded = folded(text.trim());
        (!folded.is_empty()).then_some(Self(folded))
    }

    /// Whether it is a part of the text.
    pub fn is_part_of(&self, text: &str) -> bool {
        folded(text).contains(&self.0)
    }
}

/// The text without differences of case: each character in upper case, then in lower case, so that
/// `ß` is `ss` and each form of sigma is one.
fn folded(text: &str) -> String {
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_makes_no_difference_and_other_letters_do() {
        let is_part = |part: &str, text: &str| SearchText::new(part).expect(part).is_part_of(text);
        assert!(is_part("ADA", "Ada Lovelace"));
        assert!(is_part(" lace ", "Ada Lovelace"));
        assert!(is_part("STRASSE", "Hauptstraße 1"));
        assert!(is_part("ΟΔΟΣ", "οδοσα"));
        assert!(is_part("éa", "LÉA"));
        assert!(!is_part("ea", "Léa"));
        assert!(!is_part("ada b", "Ada Lovelace"));
    }

    #[test]
    fn an_empty_text_is_no_search() {
        assert_eq!(SearchText::new(""), None);
        assert_eq!(SearchText::new(" \t"), None);
    }
}
