//! SQL that `SQLite` and Postgres write differently.
//!
//! All other statements use parameters as `$1` and functions that both have.

/// The elements of the JSON array in a parameter: a table with the column `value`. An element that
/// is an array itself has columns as `value ->> 0`. Only `SQLite` has `json_each`.
macro_rules! elements {
    ($parameter:literal) => {
        concat!("json_each(", $parameter, ")")
    };
}

pub(crate) use elements;
