//! Pages of a list, for every API that has lists.
//!
//! A page token is the cursor of the last entry of the page before, in URL-safe Base64. The names
//! of the parameters and the rules for a page size differ between APIs: [`PageQuery`] has those of
//! our own, `youtube::parameters` those of Google's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use showreport_model::ReportId;

use super::violations::Violations;
use crate::error::ApiError;

/// One page of a list: how many entries, and which one they follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page<T> {
    /// 1 to [`PAGE_SIZE_MAX`].
    size: usize,
    /// The cursor of the last entry of the page before; `None` for the first page.
    pub(crate) after: Option<T>,
}

/// What identifies an entry in the order of its list.
pub(crate) trait Cursor: Sized {
    /// The bytes inside a page token. Clients keep tokens, so they never change.
    fn to_bytes(&self) -> Vec<u8>;

    /// The cursor with these bytes; nothing if no list has it.
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;
}

/// The parameters of a list in our own API.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    page_size: Option<String>,
    page_token: Option<String>,
}

pub(crate) const PAGE_SIZE_MAX: usize = 1000;
pub(crate) const PAGE_SIZE_DEFAULT: usize = 100;

impl PageQuery {
    pub(crate) fn new(page_size: Option<String>, page_token: Option<String>) -> Self {
        Self {
            page_size,
            page_token,
        }
    }

    /// Reads both parameters; a size out of range is refused.
    pub(crate) fn read<T: Cursor>(&self) -> Result<Page<T>, ApiError> {
        let mut violations = Violations::default();
        let page = self.read_into(&mut violations);
        violations.into_result(page)
    }

    /// The same for a request that has other parameters too.
    pub(crate) fn read_into<T: Cursor>(&self, violations: &mut Violations) -> Option<Page<T>> {
        let size = match self.page_size.as_deref() {
            None => Some(PAGE_SIZE_DEFAULT),
            Some(text) => text.parse().ok(),
        };
        let size = size.filter(|size| (1..=PAGE_SIZE_MAX).contains(size));
        if size.is_none() {
            let problem = format!("must be a whole number from 1 to {PAGE_SIZE_MAX}");
            violations.add("page_size", problem);
        }
        let token = self.page_token.as_deref().unwrap_or_default();
        let after = read_token(token).unwrap_or_else(|InvalidToken| {
            let problem = "must be the next_page_token of the page before, unchanged";
            violations.add("page_token", problem);
            None
        });
        size.map(|size| Page { size, after })
    }
}

impl<T: Cursor> Page<T> {
    /// Takes sizes beyond the bounds for the nearest one within them.
    pub(crate) fn new(size: usize, after: Option<T>) -> Self {
        let size = size.clamp(1, PAGE_SIZE_MAX);
        Self { size, after }
    }

    /// How many entries to fetch: one more than the page holds, which shows whether another page
    /// follows.
    pub(crate) fn limit(&self) -> u32 {
        u32::try_from(self.size + 1).expect("at most PAGE_SIZE_MAX + 1")
    }

    /// Removes the extra entry, and returns the token of the next page if there is one.
    pub(crate) fn cut<E>(&self, entries: &mut Vec<E>, cursor: impl Fn(&E) -> T) -> Option<String> {
        if entries.len() <= self.size {
            return None;
        }
        entries.truncate(self.size);
        let last = entries.last()?;
        Some(URL_SAFE_NO_PAD.encode(cursor(last).to_bytes()))
    }
}

impl Page<i64> {
    /// The page of a list that is whole in memory, and the token of the next page. The cursor is
    /// the number of entries up to the end of the page.
    pub(crate) fn of_list<E>(&self, mut entries: Vec<E>) -> (Vec<E>, Option<String>) {
        let before = self
            .after
            .map_or(0, |after| usize::try_from(after).unwrap_or(usize::MAX));
        entries.drain(..before.min(entries.len()));
        let mut numbered: Vec<(usize, E)> = (before + 1..).zip(entries).collect();
        let token = self.cut(&mut numbered, |(number, _)| {
            i64::try_from(*number).unwrap_or(i64::MAX)
        });
        let entries = numbered.into_iter().map(|(_, entry)| entry);
        (entries.collect(), token)
    }
}

/// A page token that was not made by [`Page::cut`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidToken;

/// The cursor in a page token; `None` in an empty one.
pub(crate) fn read_token<T: Cursor>(token: &str) -> Result<Option<T>, InvalidToken> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| InvalidToken)?;
    T::from_bytes(bytes).map(Some).ok_or(InvalidToken)
}

impl Cursor for ReportId {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        String::from_utf8(bytes).ok()?.parse().ok()
    }
}

/// A number as its eight bytes: Google's clients send a long address in another way, so their
/// page tokens are short.
impl Cursor for i64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().into()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(Self::from_be_bytes(bytes.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use showreport_model::EventId;

    use super::*;

    // A cursor that is a text.
    impl Cursor for EventId {
        fn to_bytes(&self) -> Vec<u8> {
            self.as_str().into()
        }

        fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
            Self::new(String::from_utf8(bytes).ok()?).ok()
        }
    }

    fn query(size: &str, token: &str) -> PageQuery {
        PageQuery {
            page_size: Some(size.to_owned()),
            page_token: Some(token.to_owned()),
        }
    }

    fn read(size: &str, token: &str) -> Result<Page<EventId>, ApiError> {
        query(size, token).read()
    }

    #[test]
    fn a_page_has_bounds() {
        for size in ["", "0", "1001", "-1", "ten", "1.5"] {
            assert!(read(size, "").is_err(), "{size}");
        }
        assert_eq!(read("1000", "").unwrap().size, 1000);
        assert_eq!(PageQuery::default().read::<EventId>().unwrap().size, 100);
        assert_eq!(Page::<i64>::new(usize::MAX, None).size, 1000);
        assert_eq!(Page::<i64>::new(usize::MAX, None).limit(), 1001);
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let error = read("0", "!").unwrap_err();
        assert_eq!(error.violated_fields(), ["page_size", "page_token"]);
    }

    #[test]
    fn a_token_leads_to_the_next_page() {
        let page = read("2", "").unwrap();
        let mut entries = ["a", "b/ü", "c"]
            .map(|id| EventId::new(id).unwrap())
            .to_vec();
        let token = page.cut(&mut entries, EventId::clone).unwrap();
        assert_eq!(entries.len(), 2);
        let next = read("2", &token).unwrap();
        assert_eq!(next.after, Some(EventId::new("b/ü").unwrap()));
        assert_eq!(next.cut(&mut entries, EventId::clone), None);
    }

    #[test]
    fn tokens_are_the_same_in_every_version() {
        fn assert_token<T: Cursor + Clone + Debug + PartialEq>(cursor: &T, token: &str) {
            let next = Page::new(1, None).cut(&mut vec![(), ()], |()| cursor.clone());
            assert_eq!(next.as_deref(), Some(token));
            assert_eq!(read_token(token).as_ref(), Ok(&Some(cursor.clone())));
        }
        assert_token(&EventId::new("b/ü").unwrap(), "Yi_DvA");
        let report: ReportId = "0c5f4c1e-8b7c-4a5e-9a55-0d1f3a2b7c10".parse().unwrap();
        assert_token(&report, "MGM1ZjRjMWUtOGI3Yy00YTVlLTlhNTUtMGQxZjNhMmI3YzEw");
        assert_token(&3_i64, "AAAAAAAAAAM");
    }

    #[test]
    fn tokens_lead_through_a_list_once() {
        let all: Vec<i32> = (0..7).collect();
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page = Page::new(3, read_token(&token).unwrap());
            let (entries, next) = page.of_list(all.clone());
            seen.extend(entries);
            let Some(next) = next else { break };
            token = next;
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_token_of_a_number_is_short_and_nothing_else_is_one() {
        let mut entries = vec![1, 2];
        let page = Page::<i64>::new(1, None);
        let token = page.cut(&mut entries, |_| i64::MAX).unwrap();
        assert_eq!(read_token(&token), Ok(Some(i64::MAX)));
        assert!(token.len() <= 12, "{token}");
        for wrong in ["a", "!", "AAAA", "AAAAAAAAAAAAAAAA"] {
            assert_eq!(read_token::<i64>(wrong), Err(InvalidToken), "{wrong}");
        }
    }
}
