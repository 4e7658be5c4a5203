//! What a report's file can be had as.

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::error::ApiError;

/// One of the texts of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// The file itself.
    File,
    /// The exact text, without the guard against formulas.
    Raw,
    /// The file after a byte-order mark.
    Excel,
}

/// What a request calls them in its `variant`.
const NAMES: [(&str, Edition); 3] = [
    ("", Edition::File),
    ("raw", Edition::Raw),
    ("excel", Edition::Excel),
];

impl Edition {
    /// Reads a request's `variant`.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let known = NAMES.iter().find(|(name, _)| *name == text);
        let (_, edition) =
            known.ok_or_else(|| ApiError::violation("variant", "must be raw, excel or absent"))?;
        Ok(*edition)
    }
}

/// By hand: the derived one knows no empty name.
impl PartialSchema for Edition {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(NAMES.map(|(name, _)| name)))
            .into()
    }
}

impl ToSchema for Edition {}
