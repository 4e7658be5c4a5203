//! Checksums of rows, because the pages of an `SQLite` database have none.
//!
//! Each row that a report depends on has a checksum of its values and of the name of its table. It
//! is computed when the row is written and compared when it is read.

/// Computes a checksum, value by value.
#[derive(Debug)]
pub(crate) struct Sum(crc32fast::Hasher);

impl Sum {
    /// Begins the checksum of a row of this table.
    pub(crate) fn of(table: &str) -> Self {
        Self(crc32fast::Hasher::new()).text(table)
    }

    /// Adds a text, after its length: otherwise "ab", "c" would have the checksum of "a", "bc".
    pub(crate) fn text(mut self, text: &str) -> Self {
        self.0.update(&[1]);
        self.0.update(&(text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Adds a number.
    pub(crate) fn number(mut self, number: i64) -> Self {
        self.0.update(&[2]);
        self.0.update(&number.to_le_bytes());
        self
    }

    /// Adds bytes, each as a number.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        bytes
            .iter()
            .fold(self, |sum, &byte| sum.number(byte.into()))
    }

    /// Adds a text that may be absent.
    pub(crate) fn text_if_any(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(text),
            None => self.absent(),
        }
    }

    /// Adds a number that may be absent.
    pub(crate) fn number_if_any(self, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.number(number),
            None => self.absent(),
        }
    }

    fn absent(mut self) -> Self {
        self.0.update(&[0]);
        self
    }

    /// The checksum as it is stored.
    pub(crate) fn finish(self) -> i64 {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_equal_when_joined_have_different_checksums() {
        let sums = [
            Sum::of("t").text("ab").text("c").finish(),
            Sum::of("t").text("a").text("bc").finish(),
            Sum::of("t").text("abc").finish(),
            Sum::of("u").text("abc").finish(),
            Sum::of("t").text_if_any(None).number(0).finish(),
            Sum::of("t").number(0).text_if_any(None).finish(),
            Sum::of("t").number_if_any(Some(0)).number(0).finish(),
        ];
        for (place, sum) in sums.iter().enumerate() {
            assert!(!sums[..place].contains(sum), "{place}");
        }
    }
}
