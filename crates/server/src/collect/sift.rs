//! From a body to records that are ready to be stored, and when it is their turn.
//!
//! A body is small and plain, and read where it arrives, or it goes to threads of its own. Of either kind
//! only so many are worked on at one time, counted by their size, so that what is accepted is stored soon.

use axum::body::Body;
use hyper::body::Body as _;
use showreport_model::facts::FactsBuilder;
use showreport_model::{OrgId, Timestamp};
use tokio::task::spawn_blocking;

use super::decompress::{Encoding, Unpackable, unpack};
use super::parse::{Broken, Form, Rejections, parse_body};
use crate::app::App;
use crate::budget::Share;
use crate::error::ApiError;
use crate::extract::{Held, body_too_large, read_body};
use crate::turns::{Turn, read_in};

/// The most bytes of a body, packed and unpacked.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A plain body up to this size is parsed faster than it is handed to another thread.
const PARSED_IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// Bytes, of a body or of the records made of it, that are as much work as one more small request, as
/// turns are counted: so the wait for those before does not grow with their size.
const TURN_BYTES: usize = 4 << 10;

/// The most places that one request takes, or large ones would wait for all others to leave.
const TURN_PLACES_MAX: usize = 64;

/// How a body is written, as its headers say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
}

/// A body, read, and its turn to be stored.
pub(super) struct Sifted {
    pub(super) records: Records,
    pub(super) turn: Turn,
}

/// What a body held.
pub(super) struct Records {
    pub(super) good: FactsBuilder,
    pub(super) rejections: Rejections,
    /// The memory that the good records take until they are stored.
    pub(super) share: Share,
}

/// Reads a body, and the records in it, as soon as there is a turn for it.
pub(super) async fn sift(
    app: &App,
    org: OrgId,
    body: Body,
    writing: Writing,
) -> Result<Sifted, ApiError> {
    let (body, turn) = read(app, body, writing).await?;
    if !is_quick(body.len(), writing) {
        // Nobody keeps one turn while he waits for another.
        drop(turn);
        let mut records = parse_apart(app, org, body, writing).await?;
        let places = places(records.good.memory_bytes());
        let turn = app.collecting().next_wide(places).await?;
        return Ok(Sifted { records, turn });
    }
    let turn = match turn {
        Some(turn) => turn,
        None => app.collecting().next_wide(places(body.len())).await?,
    };
    let parsed = parse(&body, writing.form, org, app.now())?;
    let records = records(parsed, body);
    Ok(Sifted { records, turn })
}

/// Reads a body, in a turn if it is to be worked on where it arrives, so that whoever is refused was
/// hardly any work.
async fn read(app: &App, body: Body, writing: Writing) -> Result<(Held, Option<Turn>), ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let reading = read_body(app, body, BODY_BYTES_MAX);
    if !is_quick(announced, writing) {
        return Ok((reading.await?, None));
    }
    let turn = app.collecting().next_wide(places(announced)).await?;
    let (body, turn) = read_in(turn, reading).await;
    Ok((body?, turn))
}

/// Whether a body of this size is worked on where it arrives.
fn is_quick(bytes: usize, writing: Writing) -> bool {
    writing.encoding == Encoding::Identity && bytes <= PARSED_IN_PLACE_BYTES_MAX
}

/// Unpacks and parses beside the threads that serve.
async fn parse_apart(
    app: &App,
    org: OrgId,
    body: Held,
    writing: Writing,
) -> Result<Records, ApiError> {
    let now = app.now();
    let turn = app.unpacking().next().await?;
    let window = if writing.encoding.has_large_window() {
        Some(app.windows().next().await?)
    } else {
        None
    };
    let parsed = spawn_blocking(move || {
        let _turn = turn;
        if writing.encoding == Encoding::Identity {
            let parsed = parse(&body, writing.form, org, now)?;
            return Ok(records(parsed, body));
        }
        let unpacked = unpack(&body, writing.encoding, BODY_BYTES_MAX).map_err(unpackable)?;
        drop(window);
        let parsed = parse(&unpacked, writing.form, org, now)?;
        Ok(records(parsed, body))
    });
    parsed.await.map_err(ApiError::internal)?
}

/// The memory that was the body's is that of what was made of it.
fn records((mut good, rejections): (FactsBuilder, Rejections), body: Held) -> Records {
    let mut share = body.into_share();
    share.set(good.memory_bytes());
    Records {
        good,
        rejections,
        share,
    }
}

/// How many places so many bytes take among those that are stored.
fn places(bytes: usize) -> u32 {
    let places = (1 + bytes / TURN_BYTES).min(TURN_PLACES_MAX);
    u32::try_from(places).expect("it is small")
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
