//! `GET /api/v1/events/{id}/live` and the stream of the same figures.

mod stream;

pub(crate) use stream::{__path_stream_live, stream_live};

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use showreport_live::{LiveFigures, LiveOption, LivePoll, ViewersOfValue};
use showreport_model::{EventId, OrgId};
use utoipa::ToSchema;

use super::event_id::event_id;
use crate::app::App;
use crate::auth::Caller;
use crate::error::ApiError;
use crate::extract::Segments;

/// The figures of an event while it runs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveResponse {
    /// The instant of the figures. With many views they may be of up to a second ago.
    at: String,
    /// 15 seconds before: by then players have sent their records of that instant.
    settled_until: String,
    /// Concurrent viewers at `settled_until`, as reports will say.
    viewers: u64,
    /// Viewers with a record of the last 15 seconds.
    viewers_now: u64,
    /// Viewers that began to watch in the minute before `settled_until`.
    joined_last_minute: u64,
    /// Viewers that stopped watching in the minute before `settled_until`.
    left_last_minute: u64,
    /// The most viewers at one instant up to `settled_until`.
    peak_viewers: u64,
    /// The first instant with that many viewers; `null` without viewers.
    peak_at: Option<String>,
    by: LiveBreakdown,
    /// Messages sent in the minute before `at`, without the deleted ones.
    messages_last_minute: u64,
    polls: Vec<LivePollResponse>,
}

/// `viewers` by attribute, most viewers first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveBreakdown {
    device_os: Vec<LiveViewers>,
    geo_region: Vec<LiveViewers>,
}

/// Viewers with a value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveViewers {
    /// `null` if it is not known.
    value: Option<String>,
    viewers: u64,
}

/// A poll with the votes that count.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LivePollResponse {
    poll_id: String,
    question: String,
    choice: String,
    status: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    /// The votes of all options.
    votes: u64,
    /// Voters with a vote that counts.
    voters: u64,
    options: Vec<LiveOptionResponse>,
}

/// An option of a poll.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LiveOptionResponse {
    option_id: String,
    option_text: String,
    correct: bool,
    votes: u64,
    /// `votes` by `voters`, floored to 4 decimals; `null` without voters.
    #[serde(serialize_with = "serialize_share")]
    share: Option<f64>,
}

/// Get the figures of an event while it runs.
///
/// They are kept in memory: asking once a second costs little. The first request after a while reads
/// the event, which may take seconds.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/live",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the figures", body = LiveResponse),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn get_live(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
) -> Result<Response, ApiError> {
    let figures = live_figures(&app, &caller.org, &event_id(&id)?).await?;
    let body = Json(LiveResponse::from(figures.as_ref()));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// The live figures of an event of the organisation.
pub(crate) async fn live_figures(
    app: &App,
    org: &OrgId,
    event: &EventId,
) -> Result<Arc<LiveFigures>, ApiError> {
    if app.live().holds(org, event) {
        return Ok(app.live().event(org, event).await?);
    }
    app.meta().event(org, event).await?;
    // The event has to be read.
    let _permit = app.queries().acquire(org).await?;
    Ok(app.live().event(org, event).await?)
}

impl From<&LiveFigures> for LiveResponse {
    fn from(figures: &LiveFigures) -> Self {
        let viewers = |values: &[ViewersOfValue]| {
            let viewers = values.iter().map(|it| LiveViewers {
                value: it.value.clone(),
                viewers: it.viewers,
            });
            viewers.collect()
        };
        Self {
            at: figures.at.to_string(),
            settled_until: figures.settled_until.to_string(),
            viewers: figures.viewers,
            viewers_now: figures.viewers_now,
            joined_last_minute: figures.joined_last_minute,
            left_last_minute: figures.left_last_minute,
            peak_viewers: figures.peak_viewers,
            peak_at: figures.peak_at.map(|at| at.to_string()),
            by: LiveBreakdown {
                device_os: viewers(&figures.by_device_os),
                geo_region: viewers(&figures.by_geo_region),
            },
            messages_last_minute: figures.messages_last_minute,
            polls: figures.polls.iter().map(LivePollResponse::from).collect(),
        }
    }
}

impl From<&LivePoll> for LivePollResponse {
    fn from(poll: &LivePoll) -> Self {
        Self {
            poll_id: poll.poll_id.clone(),
            question: poll.question.clone(),
            choice: poll.choice.clone(),
            status: poll.status.clone(),
            started_at: poll.started_at.map(|at| at.to_string()),
            ended_at: poll.ended_at.map(|at| at.to_string()),
            votes: poll.votes,
            voters: poll.voters,
            options: poll.options.iter().map(LiveOptionResponse::from).collect(),
        }
    }
}

/// Writes a share with the digits of `…/polls`, where 0 and 1 have no decimals.
#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
fn serialize_share<S: Serializer>(share: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match *share {
        Some(share) if share >= 1.0 => to.serialize_u8(1),
        Some(share) if share <= 0.0 => to.serialize_u8(0),
        share => share.serialize(to),
    }
}

impl From<&LiveOption> for LiveOptionResponse {
    fn from(option: &LiveOption) -> Self {
        Self {
            option_id: option.option_id.clone(),
            option_text: option.option_text.clone(),
            correct: option.correct,
            votes: option.votes,
            share: option.share,
        }
    }
}
