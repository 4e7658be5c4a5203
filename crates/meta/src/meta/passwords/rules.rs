//! Which texts may be a new password.
//!
//! The rules are those of NIST SP 800-63B: a least length, any characters, no rules about kinds of
//! characters, no expiry, and no password that is easily guessed.

use unicode_normalization::UnicodeNormalization;

use super::super::people::EmailAddress;

/// NIST asks for 8 at least.
pub const PASSWORD_CHARACTERS_MIN: usize = 12;

/// NIST asks for 64 at least.
const PASSWORD_CHARACTERS_MAX: usize = 256;

/// Characters that are left when easily guessed words are taken out of a password.
const OTHER_CHARACTERS_MIN: usize = 6;

/// A password with fewer different characters is easily guessed.
const DIFFERENT_CHARACTERS_MIN: usize = 5;

/// Words of which the most used passwords are made, and rows of keys.
const WORDS: [&str; 14] = [
    "showreport",
    "password",
    "passwort",
    "passw0rd",
    "p@ssword",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "1234567890",
    "123456",
    "administrator",
    "letmein",
    "welcome",
    "iloveyou",
];

/// A password that may be set. It has no `Debug`.
pub struct NewPassword(String);

/// Why a text may not be a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    #[error("the password has fewer than {PASSWORD_CHARACTERS_MIN} characters; add some words")]
    TooShort,
    #[error("the password has more than {PASSWORD_CHARACTERS_MAX} characters")]
    TooLong,
    #[error(
        "the password is easily guessed: it is made of your address, of words that many use, or of \
         a few characters; add other words"
    )]
    TooSimple,
    #[error("the two passwords differ; write the same one twice")]
    Different,
}

impl NewPassword {
    /// The password of a person, written twice.
    pub fn new(password: &str, again: &str, email: &EmailAddress) -> Result<Self, PasswordProblem> {
        if password != again {
            return Err(PasswordProblem::Different);
        }
        let password = normalized(password);
        let characters = password.chars().count();
        if characters < PASSWORD_CHARACTERS_MIN {
            return Err(PasswordProblem::TooShort);
        }
        if characters > PASSWORD_CHARACTERS_MAX {
            return Err(PasswordProblem::TooLong);
        }
        if is_simple(&password, email) {
            return Err(PasswordProblem::TooSimple);
        }
        Ok(Self(password))
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}

/// The same text for the same characters, whatever keyboard has composed them.
pub(super) fn normalized(password: &str) -> String {
    password.nfkc().collect()
}

fn is_simple(password: &str, email: &EmailAddress) -> bool {
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    let mut others = password.to_lowercase();
    for word in [email.as_str(), email.name()].into_iter().chain(WORDS) {
        // Taking out a name such as "a" would spoil good passwords.
        if word.len() >= OTHER_CHARACTERS_MIN {
            others = others.replace(word, "");
        }
    }
    different.len() < DIFFERENT_CHARACTERS_MIN || others.chars().count() < OTHER_CHARACTERS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str) -> Result<(), PasswordProblem> {
        let email = "lovelace@example.com".parse().unwrap();
        NewPassword::new(password, password, &email).map(drop)
    }

    #[test]
    fn a_password_has_a_least_length_and_is_not_easily_guessed() {
        for good in [
            "correct horse battery staple",
            "correct-horse",
            "zwölf Zeichen",
            "            correct",
            "パスワードは十二文字以上です",
            "lovelace likes engines",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "correct horse ".repeat(18) + "four";
        assert_eq!(check(&long), Ok(()));
        for (wrong, problem) in [
            ("short", PasswordProblem::TooShort),
            ("elevenchars", PasswordProblem::TooShort),
            (&*(long + "5"), PasswordProblem::TooLong),
            ("aaaaaaaaaaaa", PasswordProblem::TooSimple),
            ("abababababab", PasswordProblem::TooSimple),
            ("password1234", PasswordProblem::TooSimple),
            ("PasswordPassword", PasswordProblem::TooSimple),
            ("123456789012", PasswordProblem::TooSimple),
            ("lovelace@example.com", PasswordProblem::TooSimple),
            ("Lovelace2026", PasswordProblem::TooSimple),
            ("Showreport26", PasswordProblem::TooSimple),
        ] {
            assert_eq!(check(wrong), Err(problem), "{wrong}");
        }
        let email = "a@b".parse().unwrap();
        let different = NewPassword::new("correct horse", "correct hors", &email);
        assert_eq!(different.map(drop), Err(PasswordProblem::Different));
    }

    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        let composed = normalized("zwo\u{308}lf Zeichen");
        assert_eq!(composed, normalized("zwölf Zeichen"));
    }
}
