//! From a body to records that are ready to be stored, and when it is their turn.
//!
//! A body is small and plain, and read where it arrives, or it goes to threads of its own. Of either kind
//! only so many are worked on at one time, counted by their size, so that what is accepted is stored soon.

use std::pin::pin;
use std::time::Duration;

use axum::body::Body;
use hyper::body::Body as _;
use showreport_model::facts::FactsBuilder;
use showreport_model::{OrgId, Timestamp};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::decompress::{Encoding, Unpackable, unpack};
use super::parse::{Broken, Form, Rejections, parse_body};
use crate::app::App;
use crate::budget::Share;
use crate::error::ApiError;
use crate::extract::{Held, body_too_large, read_body};
use crate::turns::Turn;

/// The most bytes of a body, packed and unpacked.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A plain body up to this size is parsed faster than it is handed to another thread.
const PARSED_IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// Bytes, of a body or of the records made of it, that are as much work as one more small request, as
/// turns are counted: so the wait for those before does not grow with their size.
const TURN_BYTES: usize = 4 << 10;

/// The most places that one request takes, or large ones would wait for all others to leave.
const TURN_PLACES_MAX: usize = 64;

/// How long a turn waits for a body: long enough for one that is there, too short for slow clients to
/// hold up others.
const AT_ONCE: Duration = Duration::from_millis(20);

/// How a body is written, as its headers say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
}

/// A body, read.
pub(super) struct Sifted {
    pub(super) good: FactsBuilder,
    pub(super) rejections: Rejections,
    /// The memory that the good records take until they are stored.
    pub(super) share: Share,
    /// The turn to store them.
    pub(super) turn: Turn,
}

/// Reads a body, and the records in it, as soon as there is a turn for it.
pub(super) async fn sift(
    app: &App,
    org: OrgId,
    body: Body,
    writing: Writing,
) -> Result<Sifted, ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let body = if is_quick(announced, writing) {
        match read_in_turn(app, body, announced).await? {
            (body, Some(turn)) if is_quick(body.len(), writing) => {
                return sift_here(app, org, body, writing, turn);
            }
            (body, _) => body,
        }
    } else {
        read_body(app, body, BODY_BYTES_MAX).await?
    };
    if is_quick(body.len(), writing) {
        let turn = app.collecting().next_wide(places(body.len())).await?;
        return sift_here(app, org, body, writing, turn);
    }
    sift_apart(app, org, body, writing).await
}

/// Whether a body of this size is worked on where it arrives.
fn is_quick(bytes: usize, writing: Writing) -> bool {
    writing.encoding == Encoding::Identity && bytes <= PARSED_IN_PLACE_BYTES_MAX
}

/// Waits for a turn and reads a body in it, so that whoever is refused was hardly any work. A body that
/// does not come at once is read without one.
async fn read_in_turn(
    app: &App,
    body: Body,
    announced: usize,
) -> Result<(Held, Option<Turn>), ApiError> {
    let turn = app.collecting().next_wide(places(announced)).await?;
    let mut reading = pin!(read_body(app, body, BODY_BYTES_MAX));
    if let Ok(body) = timeout(AT_ONCE, &mut reading).await {
        return Ok((body?, Some(turn)));
    }
    drop(turn);
    Ok((reading.await?, None))
}

fn sift_here(
    app: &App,
    org: OrgId,
    body: Held,
    writing: Writing,
    turn: Turn,
) -> Result<Sifted, ApiError> {
    let (mut good, rejections) = parse(&body, writing.form, org, app.now())?;
    let share = share(body, &mut good);
    Ok(Sifted {
        good,
        rejections,
        share,
        turn,
    })
}

/// Unpacks and parses beside the threads that serve, and waits for a turn afterwards: nobody keeps one
/// turn while he waits for another.
async fn sift_apart(
    app: &App,
    org: OrgId,
    body: Held,
    writing: Writing,
) -> Result<Sifted, ApiError> {
    let now = app.now();
    let unpacking = app.unpacking().next().await?;
    let window = if writing.encoding.has_large_window() {
        Some(app.windows().next().await?)
    } else {
        None
    };
    let read = spawn_blocking(move || {
        let _turn = unpacking;
        let (mut good, rejections) = if writing.encoding == Encoding::Identity {
            parse(&body, writing.form, org, now)?
        } else {
            let unpacked = unpack(&body, writing.encoding, BODY_BYTES_MAX).map_err(unpackable)?;
            drop(window);
            parse(&unpacked, writing.form, org, now)?
        };
        let share = share(body, &mut good);
        Ok::<_, ApiError>((good, rejections, share))
    });
    let (mut good, rejections, share) = read.await.map_err(ApiError::internal)??;
    let places = places(good.memory_bytes());
    let turn = app.collecting().next_wide(places).await?;
    Ok(Sifted {
        good,
        rejections,
        share,
        turn,
    })
}

/// How many places so many bytes take among those that are stored.
fn places(bytes: usize) -> u32 {
    let places = (1 + bytes / TURN_BYTES).min(TURN_PLACES_MAX);
    u32::try_from(places).expect("it is small")
}

/// The memory that was the body's, for what was made of it.
fn share(body: Held, good: &mut FactsBuilder) -> Share {
    let mut share = body.into_share();
    share.set(good.memory_bytes());
    share
}

fn parse(
    body: &[u8],
    form: Form,
    org: OrgId,
    now: Timestamp,
) -> Result<(FactsBuilder, Rejections), ApiError> {
    let mut facts = FactsBuilder::new(org);
    let rejections = parse_body(body, form, now, |record| {
        record.push_to(&mut facts);
    });
    match rejections {
        Ok(rejections) => Ok((facts, rejections)),
        Err(broken) => {
            let reason = match broken {
                Broken::Empty => "EMPTY_BODY",
                Broken::Json(_) => "BROKEN_BODY",
                Broken::TooMany => "TOO_MANY_RECORDS",
            };
            Err(ApiError::bad_request(reason, broken.to_string()))
        }
    }
}

fn unpackable(problem: Unpackable) -> ApiError {
    match problem {
        Unpackable::TooLarge => body_too_large(BODY_BYTES_MAX),
        Unpackable::Broken => ApiError::bad_request(
            "BROKEN_ENCODING",
            "the packed body is damaged, cut short, or something follows it; nothing of it was \
             stored",
        ),
    }
}
