//! The parameter `variant` of a download.

use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::error::ApiError;

/// An edition of a report's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    /// The published file; CSV with the guard against formulas.
    Guarded,
    /// The exact text, without the guard against formulas.
    Raw,
    /// The published file with a byte-order mark, by which spreadsheets recognise UTF-8.
    Excel,
}

/// The values of the parameter. It is empty or absent for the published file.
const NAMES: [(&str, Edition); 3] = [
    ("", Edition::Guarded),
    ("raw", Edition::Raw),
    ("excel", Edition::Excel),
];

impl Edition {
    /// Reads the value of the parameter.
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let found = NAMES.iter().find(|(name, _)| *name == text);
        let (_, edition) =
            found.ok_or_else(|| ApiError::violation("variant", "must be raw, excel or absent"))?;
        Ok(*edition)
    }
}

/// Written by hand, since the derive macro has no way to declare an empty value.
impl PartialSchema for Edition {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(NAMES.map(|(name, _)| name)))
            .into()
    }
}

impl ToSchema for Edition {}
