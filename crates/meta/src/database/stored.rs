//! Converts values to and from columns.
//!
//! Ids are text, times are milliseconds, compound values are JSON. Values that are read are checked
//! like any input.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use showreport_model::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::sum::Sum;
use crate::error::Error;

/// A row, for reading its columns.
pub(crate) struct Stored<'r>(pub(crate) &'r SqliteRow);

impl Stored<'_> {
    /// A value of a type that the driver decodes.
    pub(crate) fn plain<T>(&self, column: &'static str) -> Result<T, Error>
    where
        T: for<'v> Decode<'v, Sqlite> + Type<Sqlite>,
    {
        checked(column, self.0.try_get(column))
    }

    /// Compares the stored checksum of the row with `sum`, which was computed of its values.
    pub(crate) fn check(&self, table: &str, sum: i64) -> Result<(), Error> {
        if self.plain::<i64>("sum")? == sum {
            return Ok(());
        }
        let problem = format!("a row of {table} does not match its checksum");
        Err(Error::damaged(&problem))
    }

    /// An integer of another type than `i64`.
    pub(crate) fn number<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, Error> {
        checked(column, T::try_from(self.plain(column)?))
    }

    /// A value that is stored as text.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, Error> {
        checked(column, self.plain::<String>(column)?.parse())
    }

    /// A time.
    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, Error> {
        checked(column, Timestamp::from_millis(self.plain(column)?))
    }

    /// A time that may be null.
    pub(crate) fn time_if_any(&self, column: &'static str) -> Result<Option<Timestamp>, Error> {
        self.plain::<Option<i64>>(column)?
            .map(|millis| checked(column, Timestamp::from_millis(millis)))
            .transpose()
    }

    /// A compound value.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Error> {
        checked(column, serde_json::from_str(&self.plain::<String>(column)?))
    }

    /// A value that [`to_sealed`] stored and that may be null.
    pub(crate) fn unsealed_if_any<T: DeserializeOwned>(
        &self,
        column: &'static str,
        owner: &str,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.plain::<Option<String>>(column)? else {
            return Ok(None);
        };
        match text.split_at_checked(SEAL_DIGITS) {
            Some((found, json)) if found == seal(column, owner, json) => {
                checked(column, serde_json::from_str(json)).map(Some)
            }
            _ => Err(Error::damaged(&format!(
                "{column} of {owner} does not match its checksum"
            ))),
        }
    }

    /// A member of a model enum, by its name.
    pub(crate) fn named<T>(
        &self,
        column: &'static str,
        from_name: fn(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let name: String = self.plain(column)?;
        checked(column, from_name(&name).ok_or("no such name"))
    }

    /// A member of a model enum that may be null.
    pub(crate) fn named_if_any<T>(
        &self,
        column: &'static str,
        from_name: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.plain::<Option<String>>(column)?
            .map(|name| checked(column, from_name(&name).ok_or("no such name")))
            .transpose()
    }
}

/// Hexadecimal digits of the checksum before a sealed value.
const SEAL_DIGITS: usize = 8;

/// A compound value with a checksum of its own, which covers the column and the owner too. For
/// columns that are written at other times than the rest of the row.
pub(crate) fn to_sealed(column: &str, owner: &str, value: &impl Serialize) -> String {
    let json = to_json(value);
    format!("{}{json}", seal(column, owner, &json))
}

fn seal(column: &str, owner: &str, json: &str) -> String {
    let sum = Sum::of(column).text(owner).text(json).finish();
    format!("{sum:0SEAL_DIGITS$x}")
}

/// A compound value as JSON.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("these types have text keys and no failing parts")
}

pub(crate) fn to_integer(count: u64) -> i64 {
    i64::try_from(count).expect("no count comes near 2^63")
}

pub(crate) fn checked<T>(what: &'static str, value: Result<T, impl Display>) -> Result<T, Error> {
    value.map_err(|problem| Error::damaged(&format!("{what} cannot be read: {problem}")))
}
