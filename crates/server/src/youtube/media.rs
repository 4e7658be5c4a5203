//! `GET` and `HEAD /v1/media/{resourceName}`: the files of bulk reports.

use axum::extract::State;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use showreport_model::bulk::{BulkReportId, ReportJob};
use showreport_model::ids::ID_CHARS_MAX;
use showreport_model::report::Format;
use showreport_model::{OrgId, ReportJobId, Timestamp};

use super::jobs::job_id;
use super::parameters::QueryParameters;
use super::reports::report_id;
use crate::app::App;
use crate::auth::Caller;
use crate::downloads::{Edition, FileName, StoredFile, send_file};
use crate::error::{ApiError, Reason};
use crate::extract::Segments;

/// The longest base address in bytes. With the longest id of an organisation and the greatest id of
/// a report, `downloadUrl` then has 1,000 characters, the most that clients expect.
pub const PUBLIC_URL_BYTES_MAX: usize = 1_000 - DOWNLOAD_PATH_BYTES_MAX;

const DOWNLOAD_PATH_BYTES_MAX: usize = "/v1/media/orgs//jobs//reports/?alt=media".len()
    + ID_CHARS_MAX
    + "00000000-0000-0000-0000-000000000000".len()
    + "9223372036854775807".len();

/// The shortest time between two records of a download. They only keep a job from ending, so
/// one an hour is enough, and a download rarely has to wait for a write.
const RECORD_DOWNLOAD_AFTER_MS: i64 = 3_600_000;

/// Download a bulk report.
///
/// The address is the `downloadUrl` of a report, and needs the token. Supports Range, If-Range,
/// If-Match and If-None-Match. Compresses with gzip if the client accepts it and no range is sent.
/// A malformed range is ignored. `HEAD` has the same response as `GET` without a range, without
/// the body.
#[utoipa::path(
    method(get, head),
    path = "/v1/media/{*resourceName}",
    tag = "bulk reports",
    params(
        ("resourceName" = String, Path, description = "as in the `downloadUrl` of a report; it has slashes"),
        ("alt" = Option<String>, Query, pattern = "^media$", description = "`media`, or absent"),
        ("variant" = inline(Option<Edition>), Query, description = "`raw`: the exact text, without the guard against formulas; `excel`: the file with a byte-order mark"),
    ),
    responses(
        (status = 200, description = "the file", content_type = "text/csv", body = Vec<u8>),
        (status = 206, description = "the requested range of the file"),
        (status = 304, description = "the client has the file already"),
        (status = 400, description = "`alt` is not `media`, or `variant` is unknown"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read reports"),
        (status = 404, description = "no such file"),
        (status = 410, description = "the file is no longer kept"),
        (status = 412, description = "the file is not the one that If-Match expects"),
        (status = 416, description = "the file has no such range"),
        (status = 503, description = "too many downloads at the moment"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn download_media(
    State(app): State<App>,
    caller: Caller,
    Segments(resource): Segments<String>,
    query: QueryParameters,
    request: Parts,
) -> Result<Response, ApiError> {
    if let Some(alt) = query.value("alt").filter(|alt| *alt != "media") {
        return Err(ApiError::violation(
            "alt",
            format!("is {alt:?}; a file needs alt=media, as in the downloadUrl of a report"),
        ));
    }
    let (job, report) = parse(&resource, &caller.org).ok_or_else(no_such_file)?;
    let report_job = app.meta().report_job(&caller.org, job_id(job)?).await?;
    let report = app
        .meta()
        .bulk_report(&caller.org, report_job.id, report_id(report)?)
        .await?;
    let stored = StoredFile {
        org: &report_job.org,
        id: report.file_id,
        file: &report.file,
        format: Format::Csv,
    };
    let name = format!("{}-{}.csv", report_job.report_type, report.day.digits());
    let variant = query.value("variant");
    let name = FileName::of_ascii(&name);
    let (method, headers) = (&request.method, &request.headers);
    let answer = send_file(&app, &stored, variant, &name, method, headers).await?;
    if request.method != Method::HEAD && must_record_download(&report_job, app.now()) {
        app.meta()
            .note_fetched(&report_job.org, report_job.id)
            .await?;
    }
    Ok(answer)
}

/// The address of a report's file.
pub(super) fn download_url(
    base_url: &str,
    org: &OrgId,
    report_job: ReportJobId,
    report: BulkReportId,
) -> String {
    format!("{base_url}{}", download_path(org, report_job, report))
}

/// Its path and query.
pub(crate) fn download_path(org: &OrgId, report_job: ReportJobId, report: BulkReportId) -> String {
    let name = resource_name(org, report_job, report);
    format!("/v1/media/{name}?alt=media")
}

/// The name of a report's file. It has only unreserved characters and slashes, which every client
/// sends unchanged.
fn resource_name(org: &OrgId, report_job: ReportJobId, report: BulkReportId) -> String {
    format!("orgs/{org}/jobs/{report_job}/reports/{report}")
}

fn no_such_file() -> ApiError {
    ApiError::new(
        Reason::MediaNotFound,
        "there is no such file; the address is the downloadUrl of a report, unchanged",
    )
}

/// The job and the report in a resource name of this organisation.
fn parse<'a>(name: &'a str, org: &OrgId) -> Option<(&'a str, &'a str)> {
    let rest = name.strip_prefix("orgs/")?.strip_prefix(org.as_str())?;
    rest.strip_prefix("/jobs/")?.split_once("/reports/")
}

fn must_record_download(report_job: &ReportJob, now: Timestamp) -> bool {
    report_job.ends_at.is_some()
        || now.as_millis() - report_job.fetched_at.as_millis() >= RECORD_DOWNLOAD_AFTER_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_download_url_has_1000_characters() {
        let base = "b".repeat(PUBLIC_URL_BYTES_MAX);
        let org = OrgId::new("o".repeat(ID_CHARS_MAX)).unwrap();
        let report = BulkReportId::new(i64::MAX);
        let url = download_url(&base, &org, ReportJobId::generate(), report);
        assert_eq!(url.len(), 1_000);
    }

    #[test]
    fn a_resource_name_belongs_to_one_organisation() {
        let acme = OrgId::new("acme").unwrap();
        let name = "orgs/acme/jobs/j/reports/7";
        assert_eq!(parse(name, &acme), Some(("j", "7")));
        for wrong in [
            "orgs/acme2/jobs/j/reports/7",
            "orgs/ac/jobs/j/reports/7",
            "acme/jobs/j/reports/7",
            "orgs/acme/jobs/j",
            "-",
        ] {
            assert_eq!(parse(wrong, &acme), None, "{wrong}");
        }
    }
}
