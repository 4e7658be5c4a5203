//! Pages of a list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::error::{ApiError, Violation};

/// Which page a request asks for, as it says so.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    page_size: Option<String>,
    page_token: Option<String>,
}

/// Which page: how many entries, after which one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page<T> {
    /// 1 to [`PAGE_SIZE_MAX`].
    pub(crate) size: u32,
    /// The last entry of the page before.
    pub(crate) after: Option<T>,
}

const PAGE_SIZE_MAX: u32 = 1000;
const PAGE_SIZE_DEFAULT: u32 = 100;

impl<T: std::str::FromStr + ToString> Page<T> {
    pub(crate) fn new(query: &PageQuery) -> Result<Self, ApiError> {
        let mut violations = Vec::new();
        let mut wrong = |field: &str, description: String| {
            violations.push(Violation {
                field: field.to_owned(),
                description,
            });
        };
        let size = match query.page_size.as_deref() {
            None => PAGE_SIZE_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|size| (1..=PAGE_SIZE_MAX).contains(size))
                .unwrap_or_else(|| {
                    wrong(
                        "page_size",
                        format!("must be a whole number from 1 to {PAGE_SIZE_MAX}"),
                    );
                    PAGE_SIZE_DEFAULT
                }),
        };
        let after = match query.page_token.as_deref() {
            None | Some("") => None,
            Some(token) => {
                let after = read_token(token);
                if after.is_none() {
                    wrong(
                        "page_token",
                        "must be the next_page_token of the page before, unchanged".to_owned(),
                    );
                }
                after
            }
        };
        if violations.is_empty() {
            Ok(Self { size, after })
        } else {
            Err(ApiError::violations(violations))
        }
    }

    /// One entry more than the page holds tells whether there is another page.
    pub(crate) fn limit(&self) -> u32 {
        self.size + 1
    }

    /// Cuts the entry too many off, and makes the next page's token, empty after the last page.
    pub(crate) fn cut<E>(&self, entries: &mut Vec<E>, id: impl Fn(&E) -> T) -> String {
        if entries.len() <= self.size as usize {
            return String::new();
        }
        entries.truncate(self.size as usize);
        entries
            .last()
            .map(|last| URL_SAFE_NO_PAD.encode(id(last).to_string()))
            .unwrap_or_default()
    }
}

fn read_token<T: std::str::FromStr>(token: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use showreport_model::EventId;

    use super::*;

    fn query(size: &str, token: &str) -> PageQuery {
        PageQuery {
            page_size: Some(size.to_owned()),
            page_token: Some(token.to_owned()),
        }
    }

    #[test]
    fn a_page_has_bounds() {
        for size in ["", "0", "1001", "-1", "ten", "1.5"] {
            assert!(Page::<EventId>::new(&query(size, "")).is_err(), "{size}");
        }
        assert_eq!(Page::<EventId>::new(&query("1000", "")).unwrap().size, 1000);
        let default = Page::<EventId>::new(&PageQuery::default()).unwrap();
        assert_eq!(default.size, 100);
    }

    #[test]
    fn a_token_leads_on() {
        let page = Page::<EventId>::new(&query("2", "")).unwrap();
        let mut entries = ["a", "b/ü", "c"]
            .map(|id| EventId::new(id).unwrap())
            .to_vec();
        let token = page.cut(&mut entries, EventId::clone);
        assert_eq!(entries.len(), 2);
        let next = Page::<EventId>::new(&query("2", &token)).unwrap();
        assert_eq!(next.after, Some(EventId::new("b/ü").unwrap()));
        assert_eq!(next.cut(&mut entries, EventId::clone), "");
        assert!(Page::<EventId>::new(&query("2", "!")).is_err());
    }
}
