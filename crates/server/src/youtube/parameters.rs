//! Parameters after `?`, read as Google's services do: names are `lowerCamelCase` or `snake_case`, and of
//! several values of one name the last holds.

use std::num::ParseIntError;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use crate::error::ApiError;
use crate::extract::lower_camel_case;

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
    async fn the_last_of_several_values_holds_and_the_unknown_is_passed_over() {
        let given = given("alt=media&alt=json&$.xgafv=2&trace=&pp=1&pageToken=a%2Fb").await;
        assert_eq!(given.text("alt"), Some("json"));
        assert_eq!(given.text("pageToken"), Some("a/b"));
        assert_eq!(given.text("trace"), None);
        assert_eq!(given.number("pageSize"), None);
    }
}
