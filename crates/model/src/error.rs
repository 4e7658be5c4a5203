//! The few kinds of failure that every crate sorts its errors into.

use std::error::Error;
use std::io;

/// What went wrong, as far as a caller can act on it.
///
/// Each kind has one answer on every surface; the server maps them in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request contradicts the contract; sending it again cannot help.
    Invalid,
    /// The caller did not say who it is.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// There is no such thing for this caller.
    NotFound,
    /// The request contradicts the present state.
    Conflict,
    /// It existed, and its bytes are no longer kept.
    Gone,
    /// Too much at the moment; the same request works later.
    Busy,
    /// A part that we need does not answer; the same request works later.
    Unavailable,
    /// There is no room left to store anything.
    StorageFull,
    /// A file does not hold what was written to it; only the operator can help.
    Damaged,
    /// A fault of ours.
    Internal,
}

/// An error that knows its [`ErrorKind`].
pub trait Failure: Error + Send + Sync + 'static {
    /// The kind of this failure.
    fn kind(&self) -> ErrorKind;
}

/// Whether the disk or a quota was full, somewhere down the chain of causes.
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
