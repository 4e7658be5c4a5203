//! [`Damage`]: a file that does not hold what was written to it.
//!
//! Whoever finds one says so with this error, however deep below other
//! libraries it stands, and whoever answers looks for it: a figure made from
//! damaged bytes must never be given, and the operator must learn which file it is.

use std::error::Error;
use std::fmt;
use std::io;

/// A file that does not hold what was written to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, from the data directory on.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Damage {
    /// What callers know it as.
    pub const REASON: &'static str = "DATA_DAMAGED";

    /// The damage that an error comes from, if it does.
    pub fn below<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(damage) = error.downcast_ref() {
                return Some(damage);
            }
            // The `source` of an I/O error skips the error that it wraps.
            let wrapped = error.downcast_ref().and_then(io::Error::get_ref);
            next = match wrapped {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, problem } = self;
        write!(
            f,
            "the file {file} of the data directory is damaged: {problem}; the operator can \
             restore it from a backup"
        )
    }
}

impl Error for Damage {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_found_below_errors_that_wrap_it() {
        let damage = Damage {
            file: "store/a".to_owned(),
            problem: "a block does not match its checksum".to_owned(),
        };
        let wrapped = io::Error::other(io::Error::other(damage.clone()));
        assert_eq!(Damage::below(&wrapped), Some(&damage));
        assert_eq!(Damage::below(&io::Error::other("another")), None);
    }
}
