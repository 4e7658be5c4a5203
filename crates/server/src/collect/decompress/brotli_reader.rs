//! Brotli as a reader.
//!
//! The library's own reader takes windows of a gigabyte and overlooks what
//! follows the stream, so the stream is driven here.

use std::io::{self, Read};

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};

type State = BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>;

/// A whole packed body. It keeps a window of 16 MiB at most.
pub(super) struct BrotliReader<'a> {
    body: &'a [u8],
    left: usize,
    read: usize,
    written_total: usize,
    state: State,
    is_over: bool,
}

impl<'a> BrotliReader<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self {
            body,
            left: body.len(),
            read: 0,
            written_total: 0,
            state: State::new_strict(
                HeapAlloc::new(0),
                HeapAlloc::new(0),
                HeapAlloc::new(HuffmanCode::default()),
            ),
            is_over: false,
        }
    }
}

/// The window of a stream, as a power of 2: what its first bits say (RFC 7932, section 9.1).
pub(super) fn window_log(body: &[u8]) -> u32 {
    let bits = u32::from(body.first().copied().unwrap_or_default());
    match (bits & 1, (bits >> 1) & 7, (bits >> 4) & 7) {
        (0, _, _) => 16,
        (_, 0, 0) => 17,
        (_, 0, more) => 8 + more,
        (_, more, _) => 17 + more,
    }
}

impl Read for BrotliReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written == 0 && !self.is_over && !buffer.is_empty() {
            let mut room = buffer.len();
            let result = BrotliDecompressStream(
                &mut self.left,
                &mut self.read,
                self.body,
                &mut room,
                &mut written,
                buffer,
                &mut self.written_total,
                &mut self.state,
            );
            match result {
                BrotliResult::ResultSuccess if self.left == 0 => self.is_over = true,
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::ResultSuccess
                | BrotliResult::NeedsMoreInput
                | BrotliResult::ResultFailure => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        Ok(written)
    }
}
