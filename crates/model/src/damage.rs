//! [`Damage`]: a file that does not hold what was written to it.
//!
//! Whoever finds one says so with this error, however deep below other
//! libraries it stands, and whoever answers looks for it: a figure made from
//! damaged bytes must never be given, and the operator must learn which file it is.

use std::error::Error;
use std::fmt;

/// A file that does not hold what was written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, from the data directory on.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

/// The words around a file's name and its problem.
const BEFORE: &str = "the file ";
const BETWEEN: &str = " of the data directory is damaged: ";
const AFTER: &str = "; the operator can restore it from a backup";

impl Damage {
    /// What callers know it as.
    pub const REASON: &'static str = "DATA_DAMAGED";

    /// The damage that an error comes from, if it does.
    ///
    /// It is known by its words: the query engine makes text of some of the errors
    /// that it meets, and their types are lost.
    pub fn below(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut link = Some(error);
        while let Some(error) = link {
            if let Some(damage) = Self::parse(&error.to_string()) {
                return Some(damage);
            }
            link = error.source();
        }
        None
    }

    fn parse(said: &str) -> Option<Self> {
        let (before, rest) = said.split_once(BETWEEN)?;
        let (_, file) = before.rsplit_once(BEFORE)?;
        let (problem, _) = rest.split_once(AFTER)?;
        Some(Self {
            file: file.to_owned(),
            problem: problem.to_owned(),
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, problem } = self;
        write!(f, "{BEFORE}{file}{BETWEEN}{problem}{AFTER}")
    }
}

impl Error for Damage {}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn damage_is_found_below_errors_that_wrap_it_and_in_their_words() {
        let damage = Damage {
            file: "store/a".to_owned(),
            problem: "a block does not match its checksum".to_owned(),
        };
        let wrapped = io::Error::other(io::Error::other(damage.clone()));
        assert_eq!(Damage::below(&wrapped), Some(damage.clone()));
        let told = io::Error::other(format!(
            "cannot fetch: the file b: {damage}, twice: {damage}"
        ));
        assert_eq!(Damage::below(&told), Some(damage));
        assert_eq!(Damage::below(&io::Error::other("another")), None);
    }
}
