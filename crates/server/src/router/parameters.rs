//! Finds query parameters that a route does not have.
//!
//! If a misspelt filter were ignored, the client would take the whole list for a filtered one. So
//! our own API and, as Google's services do, the `YouTube` paths refuse parameters that the
//! description of the route does not have. Links, `/collect` and `BlendVision`'s paths ignore them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use utoipa::openapi::path::{Operation, ParameterIn, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

use super::google::is_youtube;
use crate::extract::{UnknownParameters, lower_camel_case};
use crate::youtube::STANDARD_PARAMETERS;

/// The prefix of our own API.
const OWN: &str = "/api/v1/";

/// Unknown names that an error lists, and characters of each.
const NAMES_MAX: usize = 20;
const NAME_CHARACTERS_MAX: usize = 64;

/// The query parameters of each route, by its path and method.
#[derive(Debug, Clone)]
pub(super) struct RouteParameters(Arc<BTreeMap<(String, Method), BTreeSet<String>>>);

impl RouteParameters {
    /// The parameters in the description of the routes.
    pub(super) fn new(openapi: &OpenApi) -> Self {
        let mut routes = BTreeMap::new();
        for (path, item) in &openapi.paths.paths {
            for (method, operation) in operations(item) {
                routes.insert((path.clone(), method), query_parameters(operation));
            }
        }
        Self(Arc::new(routes))
    }

    fn unknown(&self, request: &Request) -> Option<UnknownParameters> {
        let Query(given) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).ok()?;
        let path = request.extensions().get::<MatchedPath>()?.as_str();
        if !refuses_unknown(path) {
            return None;
        }
        let is_google = is_youtube(path);
        // The router marks a parameter that may have slashes with a star, the description does not.
        let key = (path.replace("{*", "{"), method(request));
        let known = self.0.get(&key)?;
        let is_known = |name: &str| {
            known.contains(name)
                || is_google
                    && (STANDARD_PARAMETERS.contains(&name)
                        || known.contains(&lower_camel_case(name)))
        };
        let mut names: Vec<String> = Vec::new();
        for (name, _) in given {
            let shown: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
            if !is_known(&name) && !names.contains(&shown) && names.len() < NAMES_MAX {
                names.push(shown);
            }
        }
        (!names.is_empty()).then(|| UnknownParameters {
            names,
            known: listed(known),
        })
    }
}

/// Whether requests to a path are refused if they have unknown parameters.
pub(super) fn refuses_unknown(path: &str) -> bool {
    path.starts_with(OWN) || is_youtube(path)
}

/// Adds unknown parameters to the request. It is refused after its token is checked (`auth`).
pub(super) async fn find_unknown(
    State(routes): State<RouteParameters>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(unknown) = routes.unknown(&request) {
        request.extensions_mut().insert(unknown);
    }
    next.run(request).await
}

/// The method of the route: that of `GET` for `HEAD`.
fn method(request: &Request) -> Method {
    match *request.method() {
        Method::HEAD => Method::GET,
        ref method => method.clone(),
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (Method, &Operation)> {
    let all = [
        (Method::GET, &item.get),
        (Method::POST, &item.post),
        (Method::PUT, &item.put),
        (Method::PATCH, &item.patch),
        (Method::DELETE, &item.delete),
    ];
    let described = all.into_iter();
    described.filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

fn query_parameters(operation: &Operation) -> BTreeSet<String> {
    let all = operation.parameters.iter().flatten();
    all.filter_map(|it| match it {
        RefOr::T(it) if it.parameter_in == ParameterIn::Query => Some(it.name.clone()),
        _ => None,
    })
    .collect()
}

fn listed(known: &BTreeSet<String>) -> String {
    match known.len() {
        0 => "none".to_owned(),
        _ => known.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}
