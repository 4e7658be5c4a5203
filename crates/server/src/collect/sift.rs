//! From a body to records that are ready to be stored, and when it is their turn.
//!
//! A body is small and plain, and read where it arrives, or it goes to threads of its own. Of either kind
//! only so many are worked on at one time, counted by their size, so that what is accepted is stored soon.
//! Memory for a large one is reserved before it is read: a megabyte that is packed can be a hundred of records.

use axum::body::Body;
use hyper::body::Body as _;
use showreport_model::facts::Batches;
use showreport_model::{OrgId, Timestamp};
use showreport_records::{DecodeError, Format, Rejections, decode_body};
use tokio::task::spawn_blocking;

use super::decompress::{Encoding, Unpackable, Window, unpack, unpacked_bytes};
use crate::app::App;
use crate::budget::Share;
use crate::error::ApiError;
use crate::extract::{Held, body_too_large, read_body};
use crate::permits::Permit;
use crate::turns::read_in;

/// The most bytes of a body, packed and unpacked.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A plain body up to this size is parsed faster than it is handed to another thread.
const PARSED_IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// Bodies up to this size, unpacked, are not held up by larger ones. Nearly all that players and back
/// ends send is smaller.
const SMALL_BYTES_MAX: usize = 256 << 10;

/// Memory of a large body, of its records and of what is made of them on the way, for each byte of its
/// text. Records that say what events are take the most: a record of 60 bytes is 250 in memory.
const LARGE_EXPANSION: usize = 6;

/// Bytes, of a body or of the records made of it, that are as much work as one more small request, as
/// turns are counted: so the wait for those before does not grow with their size.
const TURN_BYTES: usize = 4 << 10;

/// The most places that one request takes, or large ones would wait for all others to leave.
const TURN_PLACES_MAX: usize = 64;

/// How a body is written, as its headers say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writing {
    pub(super) format: &'static dyn Format,
    pub(super) encoding: Encoding,
}

/// A body, read, and its turn to be stored: of a large one, its memory until it is.
pub(super) struct Sifted {
    pub(super) records: Records,
    pub(super) turn: Permit<OrgId>,
}

/// What a body held.
pub(super) struct Records {
    pub(super) good: Batches,
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
    let (body, turn) = read(app, &org, body, writing).await?;
    if !is_quick(body.len(), writing) {
        // A turn that is kept while another is waited for would hold up small bodies.
        drop(turn);
        let work = Work {
            org: org.clone(),
            writing,
            now: app.now(),
        };
        return match small(app, work.clone(), body).await? {
            Small::Read(mut records) => {
                let places = places(records.good.memory_bytes());
                let turn = app.collecting().acquire_many(&org, places).await?;
                let records = *records;
                Ok(Sifted { records, turn })
            }
            Small::Larger(body) => large(app, work, body).await,
        };
    }
    let turn = if let Some(turn) = turn {
        turn
    } else {
        let places = places(body.len());
        app.collecting().acquire_many(&org, places).await?
    };
    let parsed = parse(&body, writing.format, org, app.now())?;
    let records = records(parsed, body);
    Ok(Sifted { records, turn })
}

/// Reads a body, in a turn if it is to be worked on where it arrives, so that whoever is refused was
/// hardly any work.
async fn read(
    app: &App,
    org: &OrgId,
    body: Body,
    writing: Writing,
) -> Result<(Held, Option<Permit<OrgId>>), ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let reading = read_body(app, org, body, BODY_BYTES_MAX);
    if !is_quick(announced, writing) {
        return Ok((reading.await?, None));
    }
    let turn = app
        .collecting()
        .acquire_many(org, places(announced))
        .await?;
    let (body, turn) = read_in(turn, reading).await;
    Ok((body?, turn))
}

/// Whether a body of this size is worked on where it arrives.
fn is_quick(bytes: usize, writing: Writing) -> bool {
    writing.encoding == Encoding::Identity && bytes <= PARSED_IN_PLACE_BYTES_MAX
}

/// What is done with a body beside the threads that serve.
#[derive(Clone)]
struct Work {
    org: OrgId,
    writing: Writing,
    now: Timestamp,
}

impl Work {
    fn parse(self, text: &[u8]) -> Result<(Batches, Rejections), ApiError> {
        parse(text, self.writing.format, self.org, self.now)
    }
}

/// What came of trying to read a body as a small one.
enum Small {
    Read(Box<Records>),
    Larger(Held),
}

/// Unpacks and parses a body, unless it is larger than it seemed.
async fn small(app: &App, work: Work, body: Held) -> Result<Small, ApiError> {
    if body.len() > SMALL_BYTES_MAX {
        return Ok(Small::Larger(body));
    }
    let turn = app.small_bodies().acquire(&work.org).await?;
    let read = spawn_blocking(move || {
        let _turn = turn;
        let encoding = work.writing.encoding;
        if encoding == Encoding::Identity {
            let parsed = work.parse(&body)?;
            return Ok(Small::Read(Box::new(records(parsed, body))));
        }
        match unpack(&body, encoding, Window::Usual, SMALL_BYTES_MAX) {
            Ok(text) => {
                let parsed = work.parse(&text)?;
                Ok(Small::Read(Box::new(records(parsed, body))))
            }
            // It may only want a larger window, which is given to one body at a time.
            Err(Unpackable::Broken) if !encoding.has_large_window() => {
                Err(unpackable(Unpackable::Broken))
            }
            Err(_) => Ok(Small::Larger(body)),
        }
    });
    read.await.map_err(ApiError::internal)?
}

/// Unpacks and parses a body for which there is memory. The memory is its turn, too: what is large
/// takes no places of small ones, and the journal stores it in parts.
async fn large(app: &App, work: Work, body: Held) -> Result<Sifted, ApiError> {
    let encoding = work.writing.encoding;
    let (body, bytes) = if encoding == Encoding::Identity {
        let bytes = body.len();
        (body, bytes)
    } else {
        let measure = move || match unpacked_bytes(&body, encoding, BODY_BYTES_MAX) {
            Ok(bytes) => Ok((body, bytes)),
            Err(problem) => Err(unpackable(problem)),
        };
        apart(app, &work, measure).await?
    };
    let memory = bytes * LARGE_EXPANSION;
    let reserved = app.large_bodies().reserve(&work.org, memory).await?;
    let parsed = work.clone();
    let parse = move || {
        let (mut good, rejections) = if encoding == Encoding::Identity {
            parsed.parse(&body)?
        } else {
            let text = unpack(&body, encoding, Window::Large, bytes).map_err(unpackable)?;
            parsed.parse(&text)?
        };
        let turn = reserved.keep(good.memory_bytes());
        // The records are counted there, and would else keep small bodies out.
        let mut share = body.into_share();
        share.set(0);
        let records = Records {
            good,
            rejections,
            share,
        };
        Ok(Sifted { records, turn })
    };
    apart(app, &work, parse).await
}

/// Does a part of the work on a large body.
async fn apart<T: Send + 'static>(
    app: &App,
    of: &Work,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let turn = app.unpacking().acquire(&of.org).await?;
    let window = if of.writing.encoding.has_large_window() {
        Some(app.windows().acquire(&of.org).await?)
    } else {
        None
    };
    let done = spawn_blocking(move || {
        let _turns = (turn, window);
        work()
    });
    done.await.map_err(ApiError::internal)?
}

/// The memory that was the body's is that of what was made of it.
fn records((mut good, rejections): (Batches, Rejections), body: Held) -> Records {
    let mut share = body.into_share();
    share.set(good.memory_bytes());
    Records {
        good,
        rejections,
        share,
    }
}

/// How many places so many bytes take among those that are stored.
fn places(bytes: usize) -> usize {
    (1 + bytes / TURN_BYTES).min(TURN_PLACES_MAX)
}

fn parse(
    body: &[u8],
    format: &dyn Format,
    org: OrgId,
    now: Timestamp,
) -> Result<(Batches, Rejections), ApiError> {
    if let Some(encoding) = Encoding::from_head(body) {
        let message = format!(
            "the body is packed; send `Content-Encoding: {}` with it; nothing of it was stored",
            encoding.name()
        );
        return Err(ApiError::bad_request("PACKED_BODY", message));
    }
    let mut facts = Batches::new(org);
    let rejections = decode_body(body, format, now, |record| {
        record.push_to(facts.filling());
    });
    match rejections {
        Ok(rejections) => Ok((facts, rejections)),
        Err(error) => {
            let reason = match error {
                DecodeError::Empty => "EMPTY_BODY",
                DecodeError::MalformedJson(_) => "BROKEN_BODY",
                DecodeError::NotUtf8(_) => "NOT_UTF8",
                DecodeError::TooManyRecords => "TOO_MANY_RECORDS",
            };
            Err(ApiError::bad_request(reason, error.to_string()))
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
