//! `GET /v1/reportTypes`.

use axum::Json;
use serde::Serialize;
use showreport_model::bulk::ReportType;
use showreport_model::column::Column;
use utoipa::ToSchema;

use super::parameters::QueryParameters;
use crate::auth::Reader;
use crate::error::ApiError;

/// A page of report types.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReportTypesResponse {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    report_types: Vec<ReportTypeResponse>,
    /// The `pageToken` of the next page; absent after the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

/// A type of bulk report.
#[derive(Debug, Serialize, ToSchema)]
struct ReportTypeResponse {
    /// The `reportTypeId` of a job.
    id: &'static str,
    /// A name for people.
    name: &'static str,
    /// The columns of its files, in their order. Google's types do not have them.
    columns: Vec<ColumnResponse>,
}

/// A column of a bulk report.
#[derive(Debug, Serialize, ToSchema)]
struct ColumnResponse {
    /// The name in the header line.
    name: &'static str,
    /// `boolean`, `date`, `integer`, `number`, `text` or `time`.
    r#type: &'static str,
    description: &'static str,
}

/// List the types of bulk reports.
#[utoipa::path(
    get,
    path = "/v1/reportTypes",
    tag = "bulk reports",
    params(
        ("pageSize" = Option<i32>, Query, minimum = 0, description = "0 or absent: 100; at most 1000"),
        ("pageToken" = Option<String>, Query, description = "`nextPageToken` of the page before"),
        ("includeSystemManaged" = Option<String>, Query, description = "has no effect: no type is system-managed"),
        ("onBehalfOfContentOwner" = Option<String>, Query, description = "has no effect: the token determines the organisation"),
    ),
    responses(
        (status = 200, description = "the types, with their columns", body = ReportTypesResponse),
        (status = 400, description = "every wrong parameter is named"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn list_report_types(
    _reader: Reader,
    query: QueryParameters,
) -> Result<Json<ReportTypesResponse>, ApiError> {
    let types = ReportType::ALL
        .iter()
        .copied()
        .map(ReportTypeResponse::from);
    let (report_types, next_page_token) = query.page()?.of_list(types.collect());
    Ok(Json(ReportTypesResponse {
        report_types,
        next_page_token,
    }))
}

impl From<ReportType> for ReportTypeResponse {
    fn from(report_type: ReportType) -> Self {
        let columns = report_type.columns().iter();
        Self {
            id: report_type.name(),
            name: report_type.title(),
            columns: columns.map(ColumnResponse::from).collect(),
        }
    }
}

impl From<&Column> for ColumnResponse {
    fn from(column: &Column) -> Self {
        Self {
            name: column.name,
            r#type: column.kind.name(),
            description: column.meaning,
        }
    }
}
