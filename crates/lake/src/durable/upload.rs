//! A file that is written in parts.

use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{Error, MultipartUpload, PutMode, PutPayload, PutResult, Result, UploadPart};

use super::staging::Staged;
use super::{Shared, failed};

/// A file that is written in parts and named when it is complete.
#[derive(Debug)]
pub(super) struct DurableUpload {
    /// `None` once it is completed or aborted.
    parts: Option<Arc<Parts>>,
    place: PathBuf,
    /// Offset of the next part.
    length: u64,
}

#[derive(Debug)]
struct Parts {
    shared: Arc<Shared>,
    staged: Mutex<Staged>,
    /// Bytes that were written without an error.
    written: AtomicU64,
}

impl DurableUpload {
    pub(super) fn new(shared: Arc<Shared>, staged: Staged, place: PathBuf) -> Self {
        Self {
            parts: Some(Arc::new(Parts {
                shared,
                staged: Mutex::new(staged),
                written: AtomicU64::new(0),
            })),
            place,
            length: 0,
        }
    }
}

impl Parts {
    fn write(&self, offset: u64, payload: &PutPayload) -> Result<()> {
        let mut staged = self.staged.lock().expect("nobody panics while holding it");
        staged.file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        staged.write_all(payload).map_err(failed)?;
        let length = payload.content_length() as u64;
        self.written.fetch_add(length, Ordering::Relaxed);
        Ok(())
    }
}

#[async_trait]
impl MultipartUpload for DurableUpload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let offset = self.length;
        self.length += payload.content_length() as u64;
        let parts = self.parts.clone();
        async move {
            let parts = parts.ok_or_else(over)?;
            tokio::task::spawn_blocking(move || parts.write(offset, &payload)).await?
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let parts = self.parts.take().ok_or_else(over)?;
        let (place, length) = (self.place.clone(), self.length);
        tokio::task::spawn_blocking(move || {
            let staged = parts.staged.lock().expect("nobody panics while holding it");
            // A part that failed, or was never awaited, would leave a hole.
            if parts.written.load(Ordering::Relaxed) != length {
                return Err(failed(std::io::Error::other("a part was not written")));
            }
            parts.shared.publish(&staged, &place, &PutMode::Overwrite)
        })
        .await??;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn abort(&mut self) -> Result<()> {
        // The staged file is deleted with its last reference. Aborting twice, or after a failed
        // completion, does nothing.
        let parts = self.parts.take();
        tokio::task::spawn_blocking(move || drop(parts)).await?;
        Ok(())
    }
}

fn over() -> Error {
    failed(std::io::Error::other("the upload is over"))
}
