//! A file that is written in parts, with its checksums.

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutPayload, PutResult, Result, UploadPart};

use super::CheckedStore;
use super::checksums::ChecksumsBuilder;

/// Computes the checksums of the parts, and stores them before the file gets its name.
#[derive(Debug)]
pub(super) struct CheckedUpload<S> {
    pub(super) store: CheckedStore<S>,
    pub(super) location: Path,
    pub(super) inner: Box<dyn MultipartUpload>,
    pub(super) checksums: ChecksumsBuilder,
}

#[async_trait]
impl<S: ObjectStore> MultipartUpload for CheckedUpload<S> {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        self.checksums.add(&payload);
        self.inner.put_part(payload)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let checksums = std::mem::take(&mut self.checksums).finish();
        self.store.put_checksums(&self.location, &checksums).await?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
