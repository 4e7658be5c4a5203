//! A sink that counts and hashes the bytes written to it.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::Sink;

pub(super) struct Hashed {
    sink: Sink,
    size_bytes: u64,
    sha256: Sha256,
}

impl Hashed {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            sink,
            size_bytes: 0,
            sha256: Sha256::new(),
        }
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.sink.write_all(bytes).await?;
        self.sha256.update(bytes);
        self.size_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Shuts the sink down. Returns the size and the hash in lower-case hexadecimal.
    pub(super) async fn finish(mut self) -> std::io::Result<(u64, String)> {
        self.sink.shutdown().await?;
        let mut hexadecimal = String::with_capacity(64);
        for byte in self.sha256.finalize() {
            write!(hexadecimal, "{byte:02x}").expect("writing to memory cannot fail");
        }
        Ok((self.size_bytes, hexadecimal))
    }
}
