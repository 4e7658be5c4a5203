//! What a format of records is, and what decoding a body gives.

use std::fmt::Debug;
use std::io::{self, BufRead};

use crate::blocks::Block;
use crate::charset::Charset;
use crate::context::Context;
use crate::reason::Reason;
use crate::record::{Decoded, RecordError, Rejection, check, decode, decode_as, without_bom};
use crate::value::{Element, Fields};

/// A format of request bodies.
pub trait Format: Debug + Sync {
    /// The media type in `Content-Type`, in lower case and without parameters.
    fn media_type(&self) -> &'static str;

    /// What a body of this format holds, in a few words for an error message.
    fn description(&self) -> &'static str;

    /// Decodes a body that is UTF-8, has no byte-order mark and is not blank.
    ///
    /// A record that is wrong goes to the sink as a rejection. An error means that the body as a
    /// whole is wrong: then no record of it counts.
    fn decode(&self, body: &[u8], sink: &mut Sink<'_>) -> Result<(), DecodeError>;

    /// Whether a body without a record is a valid one.
    fn may_be_empty(&self) -> bool {
        false
    }
}

/// A format of files.
pub trait FileFormat: Debug + Sync {
    /// The extensions of file names, in lower case and without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Reads the records of a file as NDJSON.
    fn read(&self, input: Box<dyn BufRead>) -> io::Result<Blocks>;
}

/// The blocks of a file, in order.
pub type Blocks = Box<dyn Iterator<Item = io::Result<Block>>>;

/// Why a body as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nothing but white space.
    #[error("the body is empty; send records as NDJSON, or as a JSON array or object")]
    Empty,
    /// Not one JSON value from its beginning to its end.
    #[error("the body is no whole JSON value: {0}; nothing of it was stored")]
    MalformedJson(&'static str),
    /// UTF-16 or UTF-32.
    #[error(
        "the body is {name}; records are UTF-8: convert it with `iconv -f {name} -t UTF-8`, in PowerShell \
         write it with `-Encoding utf8`; nothing of it was stored",
        name = .0.name()
    )]
    NotUtf8(Charset),
    /// More records than a body of good ones can have.
    #[error("the body has more than {RECORDS_MAX} records; nothing of it was stored")]
    TooManyRecords,
}

/// The most records of a body. A good record is longer than 40 bytes, so a body of 16 MiB with more
/// than these has bad ones, and each costs time.
pub(crate) const RECORDS_MAX: usize = 400_000;

/// The most rejections that a response lists: a list of millions would take more memory than the
/// body.
pub const REJECTIONS_LISTED_MAX: usize = 10_000;

/// The rejected records of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rejections {
    /// The first of them, at most [`REJECTIONS_LISTED_MAX`].
    pub listed: Vec<Rejection>,
    /// The number of all.
    pub total: usize,
}

/// Takes the records of a body from its [`Format`].
pub struct Sink<'k> {
    context: &'k Context,
    keep: &'k mut dyn FnMut(Decoded<'_>),
    records: usize,
    rejections: Rejections,
}

impl<'k> Sink<'k> {
    /// What is known beside the text of the records.
    pub(crate) fn context(&self) -> &'k Context {
        self.context
    }

    /// Takes the JSON of a record. `index` is the number of its line or element, from 0.
    pub fn record(&mut self, record: &[u8], index: usize) -> Result<(), DecodeError> {
        self.take(decode(record, self.context), index)
    }

    /// Takes the JSON of a record that may lack its type, which is then this one.
    pub(crate) fn record_of_type(
        &mut self,
        record: &[u8],
        record_type: Option<&str>,
        index: usize,
    ) -> Result<(), DecodeError> {
        self.take(decode_as(record, record_type, self.context), index)
    }

    /// Takes the fields of a record that is not written as the JSON of one.
    pub(crate) fn fields(&mut self, fields: Fields<'_>, index: usize) -> Result<(), DecodeError> {
        let record = check(Element::Object(fields), self.context);
        self.take(record.map(Decoded::Record), index)
    }

    /// Takes what is no record and is not meant to be one.
    pub(crate) fn ignore(&mut self) -> Result<(), DecodeError> {
        self.count()
    }

    /// Takes a record that is wrong.
    pub(crate) fn refuse(
        &mut self,
        error: RecordError<'_>,
        index: usize,
    ) -> Result<(), DecodeError> {
        self.reject_with(|| error.rejection(index))
    }

    fn take(
        &mut self,
        decoded: Result<Decoded<'_>, RecordError<'_>>,
        index: usize,
    ) -> Result<(), DecodeError> {
        match decoded {
            Ok(record) => {
                (self.keep)(record);
                self.count()
            }
            Err(error) => self.refuse(error, index),
        }
    }

    /// Takes a record that cannot be written as JSON.
    pub fn reject(
        &mut self,
        index: usize,
        reason: Reason,
        message: String,
    ) -> Result<(), DecodeError> {
        self.reject_with(|| Rejection {
            index,
            reason,
            message,
            field: None,
        })
    }

    fn reject_with(&mut self, rejection: impl FnOnce() -> Rejection) -> Result<(), DecodeError> {
        self.rejections.total += 1;
        if self.rejections.listed.len() < REJECTIONS_LISTED_MAX {
            self.rejections.listed.push(rejection());
        }
        self.count()
    }

    fn count(&mut self) -> Result<(), DecodeError> {
        self.records += 1;
        if self.records > RECORDS_MAX {
            return Err(DecodeError::TooManyRecords);
        }
        Ok(())
    }
}

/// Decodes a body: gives each good record to `keep`, and returns the bad ones.
///
/// After an error, what `keep` was given must be dropped.
pub fn decode_body(
    body: &[u8],
    format: &dyn Format,
    context: &Context,
    mut keep: impl FnMut(Decoded<'_>),
) -> Result<Rejections, DecodeError> {
    if let Some(charset) = Charset::detect(body) {
        return Err(DecodeError::NotUtf8(charset));
    }
    let body = without_bom(body);
    if body.trim_ascii().is_empty() {
        return if format.may_be_empty() {
            Ok(Rejections::default())
        } else {
            Err(DecodeError::Empty)
        };
    }
    let mut sink = Sink {
        context,
        keep: &mut keep,
        records: 0,
        rejections: Rejections::default(),
    };
    format.decode(body, &mut sink)?;
    Ok(sink.rejections)
}
