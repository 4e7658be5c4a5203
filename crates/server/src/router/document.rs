//! The parts of `openapi.json` that no single route describes.

use serde::Serialize;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response};
use utoipa::{OpenApi as _, ToSchema};

use super::google::YOUTUBE;
use super::parameters::refuses_unknown;

/// A refusal, in the form of google.rpc.Status.
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

/// A refusal on the `YouTube` paths, as Google's services say it.
#[derive(Debug, Serialize, ToSchema)]
struct GoogleRefusal {
    /// What is wrong.
    error: GoogleStatus,
}

#[derive(Debug, Serialize, ToSchema)]
struct GoogleStatus {
    /// The status of HTTP.
    #[schema(example = 400)]
    code: u16,
    /// What is wrong and what would be right.
    message: String,
    /// The name of the google.rpc.Code.
    #[schema(example = "INVALID_ARGUMENT")]
    status: String,
    /// As older clients read it: `message`, `domain` and `reason` of each.
    #[schema(value_type = Vec<Object>)]
    errors: Vec<serde_json::Value>,
    /// As in other refusals.
    #[schema(value_type = Vec<Object>)]
    details: Vec<serde_json::Value>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Showreport",
        description = "Takes the facts of a show (who watched when, what was said, what was voted) and turns them into reports.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Status, GoogleRefusal)),
    tags(
        (name = "collect", description = "Records go in"),
        (name = "event reports", description = "Reports, as BlendVision's clients ask for them"),
        (name = "bulk reports", description = "A report a day, as YouTube Reporting's clients ask for them"),
        (name = "downloads", description = "Files of reports"),
        (name = "api", description = "Events, figures and reports"),
        (name = "operations", description = "Running the server"),
    ),
)]
struct Base;

/// The document before any route.
pub(super) fn base() -> OpenApi {
    let mut openapi = Base::openapi();
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some("`Authorization: Bearer <token>`".to_owned());
    openapi
        .components
        .get_or_insert_default()
        .add_security_scheme("token", SecurityScheme::Http(token));
    openapi
}

/// Says of every refusal that it is a [`Status`], or a [`GoogleRefusal`], where requests are counted, and
/// names paths as `OpenAPI` does.
pub(super) fn complete(openapi: &mut OpenApi) {
    // The star says to the router that a name holds slashes; the document does not know it.
    let paths = std::mem::take(&mut openapi.paths.paths);
    let plain = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item));
    openapi.paths.paths = plain.collect();
    for (path, item) in &mut openapi.paths.paths {
        let refusal = if path.starts_with(YOUTUBE) {
            "GoogleRefusal"
        } else {
            "Status"
        };
        let operations = [
            &mut item.get,
            &mut item.head,
            &mut item.post,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            // Every request for reports is counted, by whom it was made.
            if operation.security.is_some() && path != "/collect" {
                let busy = "too many requests; `Retry-After` says when to go on";
                let responses = &mut operation.responses.responses;
                let limit = responses.entry("429".to_owned());
                limit.or_insert_with(|| RefOr::T(Response::new(busy)));
            }
            if operation.security.is_some() && refuses_unknown(path) {
                let unknown = "a parameter that the request does not have";
                let refusal = operation.responses.responses.entry("400".to_owned());
                refusal.or_insert_with(|| RefOr::T(Response::new(unknown)));
            }
            for (status, response) in &mut operation.responses.responses {
                let is_refusal = status.starts_with(['4', '5']);
                if let RefOr::T(response) = response
                    && is_refusal
                {
                    let schema = RefOr::Ref(Ref::from_schema_name(refusal));
                    let content = ContentBuilder::new().schema(Some(schema)).build();
                    response
                        .content
                        .insert("application/json".to_owned(), RefOr::T(content));
                }
            }
        }
    }
}
