//! A reader of gzip that accepts what `gzip -d` does: several members, and zeros after them.
//!
//! Tapes and some object stores fill their last block with zeros. The reader of the library reports
//! them as a damaged member.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Unpacks a whole body or file.
pub(super) struct GzipReader<R> {
    /// The member that is being read; `None` after the last.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> GzipReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            member: Some(GzDecoder::new(input)),
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.member else {
                return Ok(0);
            };
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let Some(mut rest) = self.member.take().map(GzDecoder::into_inner) else {
                return Ok(0);
            };
            if !is_padding(&mut rest)? {
                self.member = Some(GzDecoder::new(rest));
            }
        }
    }
}

/// Whether nothing but zeros follows.
fn is_padding(rest: &mut impl BufRead) -> io::Result<bool> {
    let mut is_first = true;
    loop {
        let bytes = rest.fill_buf()?;
        let count = bytes.len();
        if count == 0 {
            return Ok(true);
        }
        if is_first && bytes[0] != 0 {
            return Ok(false);
        }
        if bytes.iter().any(|byte| *byte != 0) {
            let problem = "something follows the packed data";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        rest.consume(count);
        is_first = false;
    }
}
