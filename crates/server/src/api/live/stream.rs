//! `GET /api/v1/events/{id}/live/stream`: live figures as server-sent events.
//!
//! A stream asks for the figures as a poller does, and the figures of a moment are worked out once.
//! So many streams of an event cost little more than one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Serialize;
use showreport_live::{LiveFigures, LivePoll};
use showreport_model::{EventId, OrgId};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use super::{LivePollResponse, LiveResponse, event_id, live_figures};
use crate::app::App;
use crate::auth::Caller;
use crate::error::{ApiError, Reason};
use crate::extract::Segments;
use crate::permits::Permit;
use crate::stopping::Stopping;

/// The messages of an event, in the event `messages` of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LiveMessages {
    at: String,
    /// All messages of the event, without the deleted ones.
    messages: u64,
    /// Those sent in the minute before `at`.
    messages_last_minute: u64,
}

/// The polls of an event, in the event `polls` of a stream.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct LivePolls {
    at: String,
    polls: Vec<LivePollResponse>,
}

/// A stream checks its token, messages and polls this often.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// `audience` is sent at each second check.
const CHECKS_PER_AUDIENCE: u64 = 2;

/// A comment is sent once in so many checks, for proxies that close silent connections.
const CHECKS_PER_COMMENT: u64 = 15;

/// Tells nginx not to collect the response before it is passed on.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// Stream the figures of an event while it runs.
///
/// Server-sent events: `audience` every two seconds, with the same fields as `live`; `messages` and
/// `polls` at the beginning and when they change. The id of each is its instant. A comment comes
/// every 15 seconds. The stream ends when its token is revoked and when the server stops; a browser
/// connects again by itself.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}/live/stream",
    tag = "api",
    params(("id" = String, Path, description = "the event's id")),
    responses(
        (status = 200, description = "the events, without an end; `data` of `audience` is a `LiveResponse`, of `messages` a `LiveMessages`, of `polls` a `LivePolls`", body = String, content_type = "text/event-stream"),
        (status = 401, description = "no token, or one that is unknown"),
        (status = 403, description = "the token may not read"),
        (status = 404, description = "no such event"),
        (status = 429, description = "as many streams are open as may be"),
        (status = 503, description = "it took too long, or the server is busy"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn stream_live(
    State(app): State<App>,
    caller: Caller,
    Segments(id): Segments<String>,
    parts: Parts,
) -> Result<Response, ApiError> {
    let event = event_id(&id)?;
    let permit = app.streams().try_acquire(&caller.org);
    let permit = permit.ok_or_else(|| too_many_streams(&app))?;
    let figures = live_figures(&app, &caller.org, &event).await?;
    let stopping = parts.extensions.get::<Stopping>().cloned();
    let mut stream = LiveStream {
        caller,
        event,
        ticks: ticks(),
        checks: 0,
        sent: Sent::default(),
        waiting: VecDeque::new(),
        stopping: stopping.map(|it| it.0).unwrap_or_default(),
        parts,
        app,
        _permit: permit,
    };
    stream.push(&figures);
    let events = stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let headers = [(CACHE_CONTROL, "no-store"), UNBUFFERED];
    Ok((headers, Sse::new(events)).into_response())
}

fn too_many_streams(app: &App) -> ApiError {
    let bounds = app.streams().bounds();
    let message = format!(
        "as many live streams are open as may be: {} of an organisation, {} in all; close one, or \
         ask for `live` instead",
        bounds.each_max, bounds.all_max
    );
    ApiError::new(Reason::StreamsFull, message)
}

fn ticks() -> Interval {
    let mut ticks = interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once.
    ticks.reset();
    ticks
}

/// A stream of one client.
struct LiveStream {
    app: App,
    caller: Caller,
    event: EventId,
    /// Of the request, with its credentials.
    parts: Parts,
    ticks: Interval,
    checks: u64,
    sent: Sent,
    waiting: VecDeque<Event>,
    /// Never cancelled where there is no listener, as in tests of the router.
    stopping: CancellationToken,
    _permit: Permit<OrgId>,
}

/// What was sent last.
#[derive(Debug, Default)]
struct Sent {
    messages: Option<u64>,
    polls: Option<Vec<LivePoll>>,
}

impl LiveStream {
    /// The next event. `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            tokio::select! {
                biased;
                () = self.stopping.cancelled() => return None,
                _ = self.ticks.tick() => {}
            }
            let Self {
                caller, parts, app, ..
            } = self;
            if !caller.may_still_read(parts, app).await {
                return None;
            }
            // Without figures the stream ends; the client connects again and gets the error.
            let figures = live_figures(app, &caller.org, &self.event).await.ok()?;
            self.checks += 1;
            self.push(&figures);
        }
    }

    /// Adds the events that these figures are worth.
    fn push(&mut self, figures: &LiveFigures) {
        let at = figures.at.to_string();
        if self.checks.is_multiple_of(CHECKS_PER_AUDIENCE) {
            let audience = LiveResponse::from(figures);
            self.waiting.push_back(event("audience", &at, &audience));
        }
        if self.sent.messages.replace(figures.messages) != Some(figures.messages) {
            let messages = LiveMessages {
                at: at.clone(),
                messages: figures.messages,
                messages_last_minute: figures.messages_last_minute,
            };
            self.waiting.push_back(event("messages", &at, &messages));
        }
        if self.sent.polls.as_ref() != Some(&figures.polls) {
            self.sent.polls = Some(figures.polls.clone());
            let polls = LivePolls {
                at: at.clone(),
                polls: figures.polls.iter().map(LivePollResponse::from).collect(),
            };
            self.waiting.push_back(event("polls", &at, &polls));
        }
        if self.checks % CHECKS_PER_COMMENT == CHECKS_PER_COMMENT - 1 {
            self.waiting
                .push_back(Event::default().comment("still here"));
        }
    }
}

fn event(name: &str, at: &str, data: &impl Serialize) -> Event {
    let event = Event::default().event(name).id(at);
    event.json_data(data).expect("plain fields")
}
