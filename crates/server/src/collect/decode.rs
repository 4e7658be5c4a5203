//! From the body of a request to records that are ready to be stored: read the body, take a permit,
//! decode.
//!
//! A small plain body is decoded on the thread of its request; others go to threads for blocking
//! work. The module above says what each limit is for.

use std::sync::Arc;

use axum::body::Body;
use hyper::body::Body as _;
use showreport_meta::{TokenSecret, ViewerTokens};
use showreport_model::OrgId;
use showreport_model::facts::Batches;
use showreport_records::{Context, DecodeError, GivenFields, Rejections, Verifier, decode_body};
use tokio::task::spawn_blocking;

use super::decompress::{Encoding, UnpackError, Window, unpack, unpacked_bytes};
use super::written::BodyFormat;
use crate::app::App;
use crate::auth::Collector;
use crate::error::{ApiError, Reason};
use crate::extract::{BufferedBody, body_too_large, read_body};
use crate::permits::{Permit, Reservation, read_with_permit};

/// The most bytes of a body, packed and unpacked.
const BODY_BYTES_MAX: usize = 16 << 20;

/// A plain body up to this size is decoded faster than it is handed to another thread.
const DECODED_IN_PLACE_BYTES_MAX: usize = 64 << 10;

/// Bodies up to this size, unpacked, do not wait behind larger ones. Nearly all that players and
/// back ends send is smaller.
const SMALL_BYTES_MAX: usize = 256 << 10;

/// Memory that a large body takes until its records are stored, for each byte of its text. Records
/// of events take the most: 60 bytes of text become 250 bytes.
const LARGE_EXPANSION: usize = 6;

/// Bytes, of a body or of its records, that take one permit of [`App::collecting`]: about as much
/// work as one small request.
const PERMIT_BYTES: usize = 4 << 10;

/// The most permits of [`App::collecting`] for one request. With more, a large request would wait
/// until all others have left.
const PERMITS_EACH_MAX: usize = 64;

/// The records of a body, with the permit to store them.
pub(super) struct DecodedBody {
    pub(super) good: Batches,
    pub(super) rejections: Rejections,
    /// Held until the records are stored.
    pub(super) permits: Permits,
}

/// What a request holds until its records are stored.
pub(super) struct Permits {
    /// The memory of the body, then of its records.
    _memory: Reservation,
    /// The permit to store them; of a large body, its memory.
    _storing: Permit<OrgId>,
}

/// Reads and decodes a body, once there is a permit for it.
pub(super) async fn decode(
    app: &App,
    collector: &Collector,
    body: Body,
    written: BodyFormat,
    given: GivenFields,
) -> Result<DecodedBody, ApiError> {
    let (body, permit) = read(app, &collector.org, body, written).await?;
    let work = Work {
        org: collector.org.clone(),
        written,
        context: Context {
            given,
            viewer_tokens: Arc::new(verifier(app, collector).await?),
            origin: collector.origin,
            ..Context::new(app.now(), app.origins().clone())
        },
    };
    if !is_decoded_in_place(body.len(), written) {
        // A permit that is held while the request waits for another one would hold up small bodies.
        drop(permit);
        return match decode_small(app, work.clone(), body).await? {
            Small::Decoded(mut records) => {
                let permits = permits_for(records.good.memory_bytes());
                let permit = app.collecting().acquire_many(&work.org, permits).await?;
                Ok(records.with(permit))
            }
            Small::Larger(body) => decode_large(app, work, body).await,
        };
    }
    let permit = if let Some(permit) = permit {
        permit
    } else {
        let permits = permits_for(body.len());
        app.collecting().acquire_many(&work.org, permits).await?
    };
    let decoded = work.decode(&body)?;
    Ok(Records::new(decoded, body).with(permit))
}

/// Verifies the viewer tokens of a request. The secrets are read after the body, which may take
/// minutes to arrive: a secret that was revoked since must verify nothing.
async fn verifier(app: &App, collector: &Collector) -> Result<Verifier, ApiError> {
    let keys = app.meta().viewer_keys(&collector.org).await?;
    let secrets = keys.secrets(app.now()).map(TokenSecret::expose);
    let verifier = Verifier::new(secrets).of_request(collector.viewer_token.clone());
    match keys.viewer_tokens() {
        ViewerTokens::Required if collector.is_only_collect => Ok(verifier.requiring_tokens()),
        _ => Ok(verifier),
    }
}

/// Reads a body. One that is decoded in place is read with its permit, so that a request is refused
/// before it causes work.
async fn read(
    app: &App,
    org: &OrgId,
    body: Body,
    written: BodyFormat,
) -> Result<(BufferedBody, Option<Permit<OrgId>>), ApiError> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let reading = read_body(app, org, body, BODY_BYTES_MAX);
    if !is_decoded_in_place(announced, written) {
        return Ok((reading.await?, None));
    }
    let permits = permits_for(announced);
    let permit = app.collecting().acquire_many(org, permits).await?;
    let (body, permit) = read_with_permit(permit, reading).await;
    Ok((body?, permit))
}

fn is_decoded_in_place(bytes: usize, written: BodyFormat) -> bool {
    written.encoding == Encoding::Identity && bytes <= DECODED_IN_PLACE_BYTES_MAX
}

/// The permits of [`App::collecting`] that so many bytes take.
fn permits_for(bytes: usize) -> usize {
    (1 + bytes / PERMIT_BYTES).min(PERMITS_EACH_MAX)
}

/// What threads for blocking work need to decode a body.
#[derive(Clone)]
struct Work {
    org: OrgId,
    written: BodyFormat,
    context: Context,
}

impl Work {
    fn decode(&self, text: &[u8]) -> Result<(Batches, Rejections), ApiError> {
        if let Some(encoding) = Encoding::from_head(text) {
            let message = format!(
                "the body is packed; send `Content-Encoding: {}` with it; nothing of it was stored",
                encoding.name()
            );
            return Err(ApiError::new(Reason::PackedBody, message));
        }
        let mut facts = Batches::new(self.org.clone());
        let rejections = decode_body(text, self.written.format, &self.context, |record| {
            record.push_to(facts.filling());
        });
        match rejections {
            Ok(rejections) => Ok((facts, rejections)),
            Err(error) => {
                let reason = match error {
                    DecodeError::Empty => Reason::EmptyBody,
                    DecodeError::MalformedJson(_) => Reason::BrokenBody,
                    DecodeError::NotUtf8(_) => Reason::NotUtf8,
                    DecodeError::TooManyRecords => Reason::TooManyRecords,
                };
                Err(ApiError::new(reason, error.to_string()))
            }
        }
    }
}

/// The records of a body with the memory that they take.
struct Records {
    good: Batches,
    rejections: Rejections,
    memory: Reservation,
}

impl Records {
    /// The memory of the body becomes that of its records.
    fn new((mut good, rejections): (Batches, Rejections), body: BufferedBody) -> Self {
        let mut memory = body.into_reservation();
        memory.set(good.memory_bytes());
        Self {
            good,
            rejections,
            memory,
        }
    }

    fn with(self, storing: Permit<OrgId>) -> DecodedBody {
        DecodedBody {
            good: self.good,
            rejections: self.rejections,
            permits: Permits {
                _memory: self.memory,
                _storing: storing,
            },
        }
    }
}

/// What comes of decoding a body as a small one.
enum Small {
    Decoded(Box<Records>),
    Larger(BufferedBody),
}

/// Unpacks and decodes a body, unless more comes out than a small one has.
async fn decode_small(app: &App, work: Work, body: BufferedBody) -> Result<Small, ApiError> {
    if body.len() > SMALL_BYTES_MAX {
        return Ok(Small::Larger(body));
    }
    let permit = app.small_bodies().acquire(&work.org).await?;
    let decoding = spawn_blocking(move || {
        let _permit = permit;
        let encoding = work.written.encoding;
        let decoded = if encoding == Encoding::Identity {
            work.decode(&body)?
        } else {
            match unpack(&body, encoding, Window::Usual, SMALL_BYTES_MAX) {
                Ok(text) => work.decode(&text)?,
                // It may need a larger window, which only large bodies get.
                Err(UnpackError::Damaged) if !encoding.has_large_window() => {
                    return Err(unpack_error(UnpackError::Damaged));
                }
                Err(_) => return Ok(Small::Larger(body)),
            }
        };
        Ok(Small::Decoded(Box::new(Records::new(decoded, body))))
    });
    decoding.await.map_err(ApiError::internal)?
}

/// Unpacks and decodes a body for which memory is reserved first. The memory is also its permit to
/// store: the journal stores large bodies in parts, and they take none of the permits of small
/// ones.
async fn decode_large(app: &App, work: Work, body: BufferedBody) -> Result<DecodedBody, ApiError> {
    let encoding = work.written.encoding;
    let (body, bytes) = if encoding == Encoding::Identity {
        let bytes = body.len();
        (body, bytes)
    } else {
        let measure = move || {
            let bytes = unpacked_bytes(&body, encoding, BODY_BYTES_MAX).map_err(unpack_error)?;
            Ok((body, bytes))
        };
        on_blocking_thread(app, &work.org, encoding, measure).await?
    };
    let memory = bytes * LARGE_EXPANSION;
    let mut reserved = app.large_bodies().acquire_many(&work.org, memory).await?;
    let org = work.org.clone();
    let decode = move || {
        let (mut good, rejections) = if encoding == Encoding::Identity {
            work.decode(&body)?
        } else {
            let text = unpack(&body, encoding, Window::Large, bytes).map_err(unpack_error)?;
            work.decode(&text)?
        };
        reserved.shrink_to(good.memory_bytes());
        // The records are counted there, and would else keep small bodies out.
        let mut memory = body.into_reservation();
        memory.set(0);
        let records = Records {
            good,
            rejections,
            memory,
        };
        Ok(records.with(reserved))
    };
    on_blocking_thread(app, &org, encoding, decode).await
}

/// Does a part of the work on a large body.
async fn on_blocking_thread<T: Send + 'static>(
    app: &App,
    org: &OrgId,
    encoding: Encoding,
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let thread = app.unpacking().acquire(org).await?;
    let window = if encoding.has_large_window() {
        Some(app.windows().acquire(org).await?)
    } else {
        None
    };
    let done = spawn_blocking(move || {
        let _permits = (thread, window);
        work()
    });
    done.await.map_err(ApiError::internal)?
}

pub(super) fn unpack_error(error: UnpackError) -> ApiError {
    match error {
        UnpackError::TooLarge => body_too_large(BODY_BYTES_MAX),
        UnpackError::Damaged => ApiError::new(
            Reason::BrokenEncoding,
            "the packed body is damaged, cut short, or something follows it; nothing of it was \
             stored",
        ),
    }
}
