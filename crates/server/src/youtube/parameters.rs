//! Parameters after `?`, read as Google's services do: names are `lowerCamelCase` or `snake_case`, and of
//! several values of one name the last holds.

use std::num::ParseIntError;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::error::ApiError;
use crate::extract::{
    InvalidToken, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, Violations, lower_camel_case, read_token,
};

/// What Google's services take with every request, and what its clients for Python add.
pub(crate) const STANDARD_PARAMETERS: [&str; 23] = [
    "$.xgafv",
    "$alt",
    "$callback",
    "$fields",
    "$key",
    "$prettyPrint",
    "$userProject",
    "access_token",
    "alt",
    "callback",
    "fields",
    "includeSystemManaged",
    "key",
    "oauth_token",
    "onBehalfOfContentOwner",
    "pp",
    "prettyPrint",
    "quotaUser",
    "strict",
    "trace",
    "uploadType",
    "upload_protocol",
    "userIp",
];

/// What a client appended to the path.
#[derive(Debug, Default)]
pub(crate) struct Given(Vec<(String, String)>);

impl Given {
    /// A text; none where it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.word(name).filter(|value| !value.is_empty())
    }

    /// A number, which an empty value is not; none where it is absent.
    pub(super) fn number(&self, name: &str) -> Option<Result<i32, ParseIntError>> {
        self.word(name).map(str::parse)
    }

    /// What was given, an empty value too, for who takes only some words; none where it is absent.
    pub(super) fn word(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev().filter(|(known, _)| known == name);
        values.next().map(|(_, value)| value.as_str())
    }
}

/// Pages, by `pageSize` and `pageToken`. As at Google, 0 is the same as no size, and a size above
/// the greatest means that one.
impl Given {
    /// The page of a list that has no other parameters.
    pub(super) fn page(&self) -> Result<Page<i64>, ApiError> {
        let mut violations = Violations::default();
        let page = self.read_page(&mut violations);
        violations.into_result(Some(page))
    }

    /// The page; whatever is wrong with it is added to the violations.
    pub(super) fn read_page(&self, violations: &mut Violations) -> Page<i64> {
        let size = match self.number("pageSize") {
            None | Some(Ok(0)) => PAGE_SIZE_DEFAULT,
            Some(Ok(size)) if size > 0 => usize::try_from(size).unwrap_or(usize::MAX),
            _ => {
                let problem =
                    format!("must be a whole number from 1 on; at most {PAGE_SIZE_MAX} are given");
                violations.add("pageSize", problem);
                PAGE_SIZE_DEFAULT
            }
        };
        let token = self.text("pageToken").unwrap_or_default();
        let after = read_token(token).unwrap_or_else(|InvalidToken| {
            let problem = "must be the nextPageToken of the page before, unchanged";
            violations.add("pageToken", problem);
            None
        });
        Page::new(size, after)
    }
}

impl<S: Sync> FromRequestParts<S> for Given {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(pairs): Query<Vec<(String, String)>>| {
                let pairs = pairs.into_iter();
                Self(
                    pairs
                        .map(|(name, value)| (lower_camel_case(&name), value))
                        .collect(),
                )
            })
            .map_err(|_| {
                ApiError::bad_request("INVALID_QUERY", "the parameters after `?` cannot be read")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn given(query: &str) -> Given {
        let request = axum::http::Request::get(format!("/v1/jobs?{query}"));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        Given::from_request_parts(&mut parts, &()).await.unwrap()
    }

    #[tokio::test]
    async fn a_name_is_written_in_one_of_two_ways() {
        let given = given("page_size=2&startTimeBefore=x").await;
        assert_eq!(given.number("pageSize"), Some(Ok(2)));
        assert_eq!(given.text("startTimeBefore"), Some("x"));
    }

    #[tokio::test]
    async fn a_page_size_is_read_as_google_reads_it() {
        let page = async |query| given(query).await.page().map_err(|it| it.violated_fields());
        let sized = |size| Ok(Page::new(size, None));
        for (query, size) in [("", 100), ("pageSize=0", 100), ("pageSize=3", 3)] {
            assert_eq!(page(query).await, sized(size), "{query}");
        }
        assert_eq!(page("page_size=2000000").await, sized(1000));
        assert_eq!(page("pageToken=").await, sized(100));
        let wrong = page("pageSize=-1&pageToken=AAAA").await;
        assert_eq!(wrong.unwrap_err(), ["pageSize", "pageToken"]);
        for query in ["pageSize=", "pageSize=ten", "pageSize=1.5"] {
            assert_eq!(page(query).await.unwrap_err(), ["pageSize"], "{query}");
        }
    }

    #[tokio::test]
    async fn the_last_of_several_values_holds_and_the_unknown_is_passed_over() {
        let given = given("alt=media&alt=json&$.xgafv=2&trace=&pp=1&pageToken=a%2Fb").await;
        assert_eq!(given.text("alt"), Some("json"));
        assert_eq!(given.text("pageToken"), Some("a/b"));
        assert_eq!(given.text("trace"), None);
        assert_eq!(given.number("pageSize"), None);
    }
}
