//! What a file can be had as, beside the file itself.

use utoipa::ToSchema;

use crate::error::ApiError;

/// Another text of the same report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Edition {
    /// The exact text, without the guard against formulas.
    Raw,
    /// The file after a byte-order mark.
    Excel,
}

impl Edition {
    /// Reads a request's `variant`.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        match text {
            "raw" => Ok(Self::Raw),
            "excel" => Ok(Self::Excel),
            _ => Err(ApiError::violation(
                "variant",
                "must be raw, excel or absent",
            )),
        }
    }
}
