//! The parts of `openapi.json` that belong to no single route.

use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Response, Schema, Type};
use utoipa::{OpenApi as _, ToSchema};

use super::google::is_youtube;
use super::parameters::refuses_unknown;

/// An error, in the format of google.rpc.Status.
#[derive(Debug, Serialize, ToSchema)]
struct Status {
    /// The google.rpc.Code.
    #[schema(example = 3)]
    code: u16,
    /// What is wrong and what would be right.
    message: String,
    /// An `ErrorInfo` with `reason`, `domain` and `metadata`; for wrong fields a
    /// `BadRequest` with `field_violations`.
    #[schema(value_type = Vec<Object>)]
    details: Vec<serde_json::Value>,
}

/// An error on the `YouTube` paths, in the format of Google's services.
#[derive(Debug, Serialize, ToSchema)]
struct GoogleError {
    error: GoogleStatus,
}

#[derive(Debug, Serialize, ToSchema)]
struct GoogleStatus {
    /// The HTTP status.
    #[schema(example = 400)]
    code: u16,
    /// What is wrong and what would be right.
    message: String,
    /// The name of the google.rpc.Code.
    #[schema(example = "INVALID_ARGUMENT")]
    status: String,
    /// For older clients: objects with `message`, `domain` and `reason`.
    #[schema(value_type = Vec<Object>)]
    errors: Vec<serde_json::Value>,
    /// As in a `Status`.
    #[schema(value_type = Vec<Object>)]
    details: Vec<serde_json::Value>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Showreport",
        description = "Collects records of online events (playback, chat, polls, votes) and makes exact reports from them.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Status, GoogleError)),
    tags(
        (name = "collect", description = "Send records"),
        (name = "event reports", description = "Reports of an event, compatible with BlendVision's API"),
        (name = "bulk reports", description = "Reports of a day, compatible with the YouTube Reporting API"),
        (name = "downloads", description = "Download the files of reports"),
        (name = "api", description = "Events, figures and reports"),
        (name = "dashboard", description = "Pages for people, which work without scripts"),
        (name = "operations", description = "Health, metrics and the description of the API"),
    ),
)]
struct Base;

/// The document without routes.
pub(super) fn base() -> OpenApi {
    let mut openapi = Base::openapi();
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some("`Authorization: Bearer <token>`".to_owned());
    let mut basic = Http::new(HttpAuthScheme::Basic);
    basic.description = Some("for reads: the token as the password, any user name".to_owned());
    let session = "for reads and pages: the cookie of a session, from `POST /sign-in`";
    let session = ApiKeyValue::with_description("showreport_session", session);
    let components = openapi.components.get_or_insert_default();
    for (name, scheme) in [
        ("token", SecurityScheme::Http(token)),
        ("basic", SecurityScheme::Http(basic)),
        ("session", SecurityScheme::ApiKey(ApiKey::Cookie(session))),
    ] {
        components.add_security_scheme(name, scheme);
    }
    openapi
}

/// Adds to all routes what is the same for many: the body of error responses ([`Status`] or
/// [`GoogleError`]), the responses to unknown parameters and to too many requests, and the other
/// ways to authenticate a read.
pub(super) fn complete(openapi: &mut OpenApi) {
    // The router marks a parameter that may have slashes with a star, OpenAPI does not.
    let paths = std::mem::take(&mut openapi.paths.paths);
    let plain = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item));
    openapi.paths.paths = plain.collect();
    for (path, item) in &mut openapi.paths.paths {
        let schema = if is_youtube(path) {
            "GoogleError"
        } else {
            "Status"
        };
        for read in [&mut item.get, &mut item.head].into_iter().flatten() {
            take_basic_and_session(read);
        }
        let operations = [
            &mut item.get,
            &mut item.head,
            &mut item.post,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            // Requests other than those that collect have a rate for each organisation.
            let collects = operation.tags.iter().flatten().any(|tag| tag == "collect");
            if operation.security.is_some() && !collects {
                let busy = "too many requests; try again after `Retry-After`";
                let responses = &mut operation.responses.responses;
                let limit = responses.entry("429".to_owned());
                limit.or_insert_with(|| RefOr::T(Response::new(busy)));
            }
            if operation.security.is_some() && refuses_unknown(path) {
                let unknown = "an unknown parameter";
                let bad_request = operation.responses.responses.entry("400".to_owned());
                bad_request.or_insert_with(|| RefOr::T(Response::new(unknown)));
            }
            describe_errors(operation, schema);
        }
    }
}

/// Adds the bodies of error responses. Errors of pages are pages too, for clients that prefer HTML.
fn describe_errors(operation: &mut Operation, schema: &str) {
    let is_page = operation
        .tags
        .iter()
        .flatten()
        .any(|tag| tag == "dashboard");
    let responses = &mut operation.responses.responses;
    if is_page && operation.request_body.is_some() {
        let unreadable = responses.entry("400".to_owned());
        unreadable.or_insert_with(|| RefOr::T(Response::new("the form cannot be read")));
    }
    let json = RefOr::Ref(Ref::from_schema_name(schema));
    let page = RefOr::from(ObjectBuilder::new().schema_type(Type::String).build());
    for (status, response) in responses {
        let RefOr::T(response) = response else {
            continue;
        };
        if !status.starts_with(['4', '5']) {
            continue;
        }
        let mut describe = |media_type: &str, schema: &RefOr<Schema>| {
            let content = ContentBuilder::new().schema(Some(schema.clone())).build();
            let content = RefOr::T(content);
            response.content.insert(media_type.to_owned(), content);
        };
        describe("application/json", &json);
        if is_page {
            describe("text/html", &page);
        }
    }
}

/// A read that takes a token takes it as a password too, and the cookie of a session.
fn take_basic_and_session(read: &mut Operation) {
    let collects = read.tags.iter().flatten().any(|tag| tag == "collect");
    if let Some(security) = &mut read.security
        && !collects
    {
        let none: [&str; 0] = [];
        let token = SecurityRequirement::new("token", none);
        if security.contains(&token) {
            security.push(SecurityRequirement::new("basic", none));
            security.push(SecurityRequirement::new("session", none));
        }
    }
}
