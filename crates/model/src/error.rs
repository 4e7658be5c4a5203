//! The kinds of failure that every crate sorts its errors into.

use std::error::Error;
use std::fmt;
use std::io;

use crate::damage::Damage;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request contradicts the contract; sending it again cannot help.
    Invalid,
    /// The request carries no valid token.
    Unauthenticated,
    /// The organisation has no such thing.
    NotFound,
    /// The request contradicts the present state.
    Conflict,
    /// It existed, and its file was deleted.
    Gone,
    /// A limit is reached; the same request works later.
    Busy,
    /// The database or the store does not respond; the same request works later.
    Unavailable,
    /// The disk is full.
    StorageFull,
    /// A file does not hold what was written to it; the operator has to restore it.
    Damaged,
    /// A defect of this program.
    Internal,
}

/// An error with an [`ErrorKind`].
pub trait Failure: Error + Send + Sync + 'static {
    /// The kind of this failure.
    fn kind(&self) -> ErrorKind;

    /// The damaged file that caused it, if one did.
    fn damage(&self) -> Option<&Damage> {
        None
    }
}

/// Displays an error and its causes in one line: `open the lake: read a file: not found`.
#[derive(Debug, Clone, Copy)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Whether a full disk, or a used-up disk quota, is among the causes of an error.
pub fn is_storage_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            if matches!(
                error.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ) {
                return true;
            }
            // The `source` of an I/O error skips the error that it wraps.
            if let Some(wrapped) = error.get_ref() {
                return is_storage_full(wrapped);
            }
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_quota_is_a_full_disk_however_deep_it_lies() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            let wrapped = io::Error::other(io::Error::other(io::Error::from(kind)));
            assert!(is_storage_full(&wrapped), "{kind}");
        }
        assert!(!is_storage_full(&io::Error::other("another")));
    }
}
