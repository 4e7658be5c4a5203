//! Query parameters, read as Google's services do: names are `lowerCamelCase` or `snake_case`, and
//! the last of several values of one name is used.

use std::num::ParseIntError;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::error::{ApiError, Reason};
use crate::extract::{
    InvalidToken, PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, Page, Violations, lower_camel_case, read_token,
};

/// Parameters that Google's services accept in every request, and those that its Python client
/// adds.
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

/// The query parameters of a request: names in `lowerCamelCase`, and values.
#[derive(Debug, Default)]
pub(crate) struct QueryParameters(Vec<(String, String)>);

impl QueryParameters {
    /// A text; an empty one is the same as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).filter(|value| !value.is_empty())
    }

    /// A number; an empty value is an error.
    pub(super) fn number(&self, name: &str) -> Option<Result<i32, ParseIntError>> {
        self.value(name).map(str::parse)
    }

    /// The value, which may be empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev().filter(|(given, _)| given == name);
        values.next().map(|(_, value)| value.as_str())
    }
}

/// Pages, by `pageSize` and `pageToken`. As at Google, 0 is the same as no size, and a size above
/// the greatest means that one.
impl QueryParameters {
    /// The page of a list that has no other parameters.
    pub(super) fn page(&self) -> Result<Page<i64>, ApiError> {
        let mut violations = Violations::default();
        let page = self.read_page(&mut violations);
        violations.into_result(Some(page))
    }

    /// The page; wrong parameters are added to the violations.
    pub(super) fn read_page(&self, violations: &mut Violations) -> Page<i64> {
        let size = match self.number("pageSize") {
            None | Some(Ok(0)) => PAGE_SIZE_DEFAULT,
            Some(Ok(size)) if size > 0 => usize::try_from(size).unwrap_or(usize::MAX),
            _ => {
                let problem =
                    format!("must be a whole number; a page has at most {PAGE_SIZE_MAX} entries");
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

impl<S: Sync> FromRequestParts<S> for QueryParameters {
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
                ApiError::new(
                    Reason::InvalidQuery,
                    "the parameters after `?` cannot be read",
                )
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn given(query: &str) -> QueryParameters {
        let request = axum::http::Request::get(format!("/v1/jobs?{query}"));
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        QueryParameters::from_request_parts(&mut parts, &())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_name_may_be_in_either_case() {
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
    async fn the_last_of_several_values_is_used_and_unknown_names_are_ignored() {
        let given = given("alt=media&alt=json&$.xgafv=2&trace=&pp=1&pageToken=a%2Fb").await;
        assert_eq!(given.text("alt"), Some("json"));
        assert_eq!(given.text("pageToken"), Some("a/b"));
        assert_eq!(given.text("trace"), None);
        assert_eq!(given.number("pageSize"), None);
    }
}
