//! Pages of a list, by `pageSize` and `pageToken`.
//!
//! A token is short, since clients send long addresses in another way, and
//! says nothing that a client could use.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::parameters::Given;
use crate::error::{ApiError, Violation};

/// Which page: how many entries, after which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Page {
    size: usize,
    /// Where the page before ended.
    pub(super) after: Option<i64>,
}

const PAGE_SIZE_MAX: usize = 1000;
const PAGE_SIZE_DEFAULT: usize = 100;

impl Page {
    /// Reads the two parameters, and adds what is wrong with them.
    pub(super) fn read(given: &Given, violations: &mut Vec<Violation>) -> Self {
        let mut wrong = |field: &str, description: &str| {
            violations.push(Violation {
                field: field.to_owned(),
                description: description.to_owned(),
            });
        };
        let size = match given.number("pageSize") {
            // Nought is how protocol buffers say nothing.
            None | Some(Ok(0)) => PAGE_SIZE_DEFAULT,
            Some(Ok(size)) if size > 0 => {
                usize::try_from(size).map_or(PAGE_SIZE_MAX, |size| size.min(PAGE_SIZE_MAX))
            }
            _ => {
                wrong(
                    "pageSize",
                    "must be a whole number from 1 on; at most 1000 are given",
                );
                PAGE_SIZE_DEFAULT
            }
        };
        let after = given.text("pageToken").and_then(|token| {
            let after = read_token(token);
            if after.is_none() {
                wrong(
                    "pageToken",
                    "must be the nextPageToken of the page before, unchanged",
                );
            }
            after
        });
        Self { size, after }
    }

    /// The page that the parameters ask for, where nothing else is asked.
    pub(super) fn new(given: &Given) -> Result<Self, ApiError> {
        let mut violations = Vec::new();
        let page = Self::read(given, &mut violations);
        if violations.is_empty() {
            Ok(page)
        } else {
            Err(ApiError::violations(violations))
        }
    }

    /// One entry more than the page holds tells whether there is another page.
    pub(super) fn limit(self) -> u32 {
        u32::try_from(self.size + 1).unwrap_or(u32::MAX)
    }

    /// Cuts the entry too many off, and makes the next page's token, if there is one.
    pub(super) fn cut<E>(self, entries: &mut Vec<E>, place: impl Fn(&E) -> i64) -> Option<String> {
        if entries.len() <= self.size {
            return None;
        }
        entries.truncate(self.size);
        entries
            .last()
            .map(|last| URL_SAFE_NO_PAD.encode(place(last).to_be_bytes()))
    }

    /// The page of a list that is whole in memory.
    pub(super) fn of<E>(self, mut entries: Vec<E>) -> (Vec<E>, Option<String>) {
        let before = self
            .after
            .map_or(0, |after| usize::try_from(after).unwrap_or(usize::MAX));
        entries.drain(..before.min(entries.len()));
        let mut numbered: Vec<(usize, E)> = (before + 1..).zip(entries).collect();
        let token = self.cut(&mut numbered, |(number, _)| {
            i64::try_from(*number).unwrap_or(i64::MAX)
        });
        (
            numbered.into_iter().map(|(_, entry)| entry).collect(),
            token,
        )
    }
}

fn read_token(token: &str) -> Option<i64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    Some(i64::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(size: usize, after: Option<&str>) -> Page {
        Page {
            size,
            after: after.map(|token| read_token(token).unwrap()),
        }
    }

    #[test]
    fn tokens_lead_through_a_list_once() {
        let all: Vec<i32> = (0..7).collect();
        let mut seen = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let (entries, next) = page(3, token.as_deref()).of(all.clone());
            seen.extend(entries);
            token = next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_token_is_short_and_nothing_else_is_one() {
        let mut entries = vec![1, 2];
        let token = page(1, None).cut(&mut entries, |_| i64::MAX).unwrap();
        assert_eq!(read_token(&token), Some(i64::MAX));
        assert!(token.len() <= 12, "{token}");
        for wrong in ["a", "!", "AAAA", "AAAAAAAAAAAAAAAA"] {
            assert_eq!(read_token(wrong), None, "{wrong}");
        }
    }
}
