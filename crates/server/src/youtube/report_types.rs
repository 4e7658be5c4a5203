//! `GET /v1/reportTypes`.

use axum::Json;
use serde::Serialize;
use showreport_model::bulk::ReportType;
use showreport_model::column::Column;
use utoipa::ToSchema;

use super::parameters::Given;
use crate::auth::Reader;
use crate::error::ApiError;

/// A page of types.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportTypes {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    report_types: Vec<ReportTypeAnswer>,
    /// The `pageToken` of the next page; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// What a job can be about.
#[derive(Debug, Serialize, ToSchema)]
struct ReportTypeAnswer {
    /// What a job names as its `reportTypeId`.
    id: &'static str,
    /// What people call it.
    name: &'static str,
    /// The columns of its files, in their order. Google's types do not say them.
    columns: Vec<ColumnAnswer>,
}

/// A column of a file.
#[derive(Debug, Serialize, ToSchema)]
struct ColumnAnswer {
    /// Its name in the header line.
    name: &'static str,
    /// `boolean`, `date`, `integer`, `number`, `text` or `time`.
    r#type: &'static str,
    /// What its cells mean.
    description: &'static str,
}

/// List the types of bulk reports.
#[utoipa::path(
    get,
    path = "/v1/reportTypes",
    tag = "bulk reports",
    params(
        ("pageSize" = Option<i32>, Query, minimum = 0, description = "at most 1000; 100 without it, or where it is 0"),
        ("pageToken" = Option<String>, Query, description = "the page before's `nextPageToken`"),
        ("includeSystemManaged" = Option<String>, Query, description = "changes nothing: no type of ours is system-managed"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "changes nothing: the token says whose reports they are"),
    ),
    responses(
        (status = 200, description = "the types, with their columns", body = ReportTypes),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_report_types(
    _reader: Reader,
    given: Given,
) -> Result<Json<ReportTypes>, ApiError> {
    let types = ReportType::ALL.iter().copied().map(ReportTypeAnswer::from);
    let (report_types, next_page_token) = given.page()?.of_list(types.collect());
    Ok(Json(ReportTypes {
        report_types,
        next_page_token,
    }))
}

impl From<ReportType> for ReportTypeAnswer {
    fn from(report_type: ReportType) -> Self {
        let columns = report_type.columns().iter();
        Self {
            id: report_type.name(),
            name: report_type.title(),
            columns: columns.map(ColumnAnswer::from).collect(),
        }
    }
}

impl From<&Column> for ColumnAnswer {
    fn from(column: &Column) -> Self {
        Self {
            name: column.name,
            r#type: column.kind.name(),
            description: column.meaning,
        }
    }
}
