//! `/reports`: make a report, with its first rows before, and the reports that were made.

mod problems;
mod choices;
mod names;
mod form;
mod history;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use showreport_meta::Role;
use showreport_model::report::{Event, ReportOrder};
use showreport_model::{EventId, OrgId, ReportId, Zone};
use showreport_query::Preview;

use self::form::{FormView, PreviewView};
use self::history::HistoryView;
use super::layout::{Identity, Layout, Section, respond};
use crate::answers::Freshness;
use crate::app::App;
use crate::auth::Visitor;
use crate::blendvision::{CreateReports, create, orders};
use crate::error::ApiError;
use crate::extract::{Form, PageQuery, Parameters};
pub(super) use choices::Choices;
use choices::Fields;
pub(super) use history::ReportRow;
pub(super) use problems::Problems;

/// Rows that are shown before a report is made.
const PREVIEW_ROWS: usize = 10;

#[derive(Template)]
#[template(path = "reports.html")]
struct ReportsPage {
    layout: Layout,
    zone: String,
    /// Nothing for visitors who may not make reports.
    form: Option<FormView>,
    preview: Option<PreviewView>,
    history: HistoryView,
}

/// Get the page of reports.
#[utoipa::path(
    get,
    path = "/reports",
    tag = "dashboard",
    params(
        ("event_id" = Option<String>, Query, description = "the event of the form and of the list; absent: the list has all"),
        ("dimension" = Option<String>, Query, description = "the name of a dimension in lower case, such as `watch_time`"),
        ("group_by" = Option<Vec<String>>, Query, description = "names of group columns, in their order"),
        ("granularity_seconds" = Option<String>, Query, description = "the width of buckets"),
        ("from" = Option<String>, Query, description = "RFC 3339, or a date with or without a time in the organisation's zone"),
        ("to" = Option<String>, Query, description = "as `from`; exclusive"),
        ("format" = Option<String>, Query, description = "the format of the file"),
        ("minimum_live_ratio" = Option<String>, Query, description = "of attendance: 0 to 1"),
        ("preview" = Option<String>, Query, description = "present: the first rows of the report are shown"),
        ("page_size" = Option<u32>, Query, minimum = 1, maximum = 1000, description = "reports of a page of the list; 100 if absent"),
        ("page_token" = Option<String>, Query, description = "the next page of the list"),
    ),
    responses(
        (status = 200, description = "a page", content_type = "text/html", body = String),
        (status = 303, description = "not signed in: to the page for signing in"),
        (status = 400, description = "every wrong choice is named"),
        (status = 404, description = "no such event"),
        (status = 503, description = "the first rows took too long, or the server is busy"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn show_reports(
    State(app): State<App>,
    visitor: Visitor,
    Parameters(fields): Parameters<Fields>,
) -> Result<Response, ApiError> {
    let choices = Choices::read(&fields);
    let previews = fields.iter().any(|(name, _)| name == "preview");
    let previewed = if previews && visitor.role >= Role::Analyst {
        preview(&app, &visitor.org, &choices).await.map(Some)
    } else {
        Ok(None)
    };
    let (preview, problems) = match previewed {
        Ok(preview) => (preview, Problems::default()),
        Err(error) => (None, Problems::of(error, choices::field_of)?),
    };
    page(&app, &visitor, fields, choices, preview, problems).await
}

/// Make a report.
#[utoipa::path(
    post,
    path = "/reports",
    tag = "dashboard",
    request_body(
        content = Object,
        content_type = "application/x-www-form-urlencoded",
        description = "the fields of the form, as the parameters of the page",
    ),
    responses(
        (status = 303, description = "to the page of the report, which is being made"),
        (status = 400, description = "every wrong choice is named"),
        (status = 403, description = "the role may not make reports, or the form comes from another site"),
        (status = 404, description = "no such event"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn make_report(
    State(app): State<App>,
    visitor: Visitor,
    Form(fields): Form<Fields>,
) -> Result<Response, ApiError> {
    visitor.require(Role::Analyst)?;
    let choices = Choices::read(&fields);
    match make(&app, &visitor.org, &fields, &choices).await {
        Ok(report) => Ok(Redirect::to(&format!("/reports/{report}")).into_response()),
        Err(error) => {
            let problems = Problems::of(error, choices::field_of)?;
            page(&app, &visitor, fields, choices, None, problems).await
        }
    }
}

/// Makes the report of the choices. A form that is sent twice makes one report.
async fn make(
    app: &App,
    org: &OrgId,
    fields: &Fields,
    choices: &Choices,
) -> Result<ReportId, ApiError> {
    let _permit = app.report_requests().acquire(org).await?;
    let body = body(app, org, choices).await?;
    let body = body.as_bytes();
    let made = create(app, org, body, key_of(fields, body)).await?;
    if let Some(report) = made.into_iter().next() {
        return Ok(report.id);
    }
    // The report of this form was deleted since.
    let again = create(app, org, body, None).await?;
    again
        .into_iter()
        .next()
        .map(|report| report.id)
        .ok_or_else(no_report)
}

/// The idempotency key of a form. Other choices in the same form are another report.
fn key_of(fields: &Fields, body: &[u8]) -> Option<String> {
    let (_, form) = fields.iter().find(|(name, _)| name == "form")?;
    let form: ReportId = form.parse().ok()?;
    let choices = URL_SAFE_NO_PAD.encode(Sha256::digest(body));
    Some(format!("form {form} {choices}"))
}

fn no_report() -> ApiError {
    ApiError::internal("an order without a report")
}

/// The body of the API's request for the report of the choices.
async fn body(app: &App, org: &OrgId, choices: &Choices) -> Result<String, ApiError> {
    let event = chosen_event(app, org, choices).await?;
    let zone = app.meta().zone(org).await?;
    let (body, mut wrong) = choices.to_body(&event, &zone);
    let body = body.to_string();
    if wrong.is_empty() {
        return Ok(body);
    }
    // The other choices are checked too, so that all that is wrong is named at once.
    if let Err(error) = CreateReports::read(body.as_bytes()) {
        wrong.extend_from_slice(error.wrong_fields());
    }
    Err(ApiError::violations(wrong))
}

async fn chosen_event(app: &App, org: &OrgId, choices: &Choices) -> Result<Event, ApiError> {
    if choices.event_id.is_empty() {
        return Err(ApiError::violation("id", "is missing; choose an event"));
    }
    let id = EventId::new(choices.event_id.as_str())
        .map_err(|error| ApiError::violation("id", error.to_string()))?;
    Ok(app.meta().event(org, &id).await?)
}

/// What is shown of a report before it is made.
struct Previewed {
    order: ReportOrder,
    preview: Preview,
    /// The body of the request that makes it.
    body: String,
}

/// The first rows of the report of the choices, from everything that was collected before.
async fn preview(app: &App, org: &OrgId, choices: &Choices) -> Result<Previewed, ApiError> {
    let body = body(app, org, choices).await?;
    let mut orders = orders(app, org, body.as_bytes()).await?;
    let order = orders.pop().ok_or_else(no_report)?;
    app.meta().ensure_can_be_made(&order).await?;
    let snapshot = app
        .answers()
        .snapshot(org, &order.event, Freshness::Fresh)
        .await?;
    let preview = app.answers().preview(&snapshot, &order, PREVIEW_ROWS);
    let preview = preview.await?;
    Ok(Previewed {
        order,
        preview,
        body,
    })
}

async fn page(
    app: &App,
    visitor: &Visitor,
    fields: Fields,
    choices: Choices,
    preview: Option<Previewed>,
    problems: Problems,
) -> Result<Response, ApiError> {
    let org = &visitor.org;
    let _permit = app.report_requests().acquire(org).await?;
    let zone: Zone = app.meta().zone(org).await?;
    let text = |name: &str| {
        let value = fields.iter().find(|(field, _)| field == name);
        value.map(|(_, value)| value.clone())
    };
    let query = PageQuery::new(text("page_size"), text("page_token"));
    let history = HistoryView::read(app, visitor, &choices, &query, &zone).await?;
    let status = problems.status;
    let base = app.config().base_url();
    let preview = preview.map(|it| PreviewView::new(&it, base, &zone));
    let form = if visitor.role >= Role::Analyst {
        Some(FormView::read(app, org, choices, problems, &zone).await?)
    } else {
        None
    };
    let page = ReportsPage {
        layout: Layout::new("Reports", Section::Reports, Identity::from(visitor)),
        zone: zone.name().to_owned(),
        form,
        preview,
        history,
    };
    respond(status, &page)
}
