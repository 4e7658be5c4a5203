//! A reader of brotli.
//!
//! The reader of the library accepts windows of a gigabyte and ignores bytes after the stream.

use std::io::{self, BufRead, Read};

use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, HeapAlloc, HuffmanCode};

type State = BrotliState<HeapAlloc<u8>, HeapAlloc<u32>, HeapAlloc<HuffmanCode>>;

/// Unpacks a whole body or file with a window of at most 16 MiB.
pub(super) struct BrotliReader<R> {
    input: R,
    written_total: usize,
    state: State,
    is_over: bool,
}

impl<R: BufRead> BrotliReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
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

/// The window of a stream as a power of 2, from its first bits (RFC 7932, section 9.1).
pub(super) fn window_log(body: &[u8]) -> u32 {
    let bits = u32::from(body.first().copied().unwrap_or_default());
    match (bits & 1, (bits >> 1) & 7, (bits >> 4) & 7) {
        (0, _, _) => 16,
        (_, 0, 0) => 17,
        (_, 0, more) => 8 + more,
        (_, more, _) => 17 + more,
    }
}

impl<R: BufRead> Read for BrotliReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written == 0 && !self.is_over && !buffer.is_empty() {
            let body = self.input.fill_buf()?;
            let mut left = body.len();
            let mut read = 0;
            let mut room = buffer.len();
            let result = BrotliDecompressStream(
                &mut left,
                &mut read,
                body,
                &mut room,
                &mut written,
                buffer,
                &mut self.written_total,
                &mut self.state,
            );
            let is_end = body.is_empty();
            self.input.consume(read);
            match result {
                BrotliResult::ResultSuccess if self.input.fill_buf()?.is_empty() => {
                    self.is_over = true;
                }
                BrotliResult::NeedsMoreOutput => {}
                BrotliResult::NeedsMoreInput if !is_end => {}
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
