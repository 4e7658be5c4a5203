//! A file that is written in parts, and its checksums with it.

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, PutPayload, PutResult, Result, UploadPart};

use super::CheckedStore;
use super::sums::Summing;

/// Sums parts up in their order, and stores the sums before the file is named.
#[derive(Debug)]
pub(super) struct CheckedUpload<S> {
    pub(super) store: CheckedStore<S>,
    pub(super) location: Path,
    pub(super) inner: Box<dyn MultipartUpload>,
    pub(super) summing: Summing,
}

#[async_trait]
impl<S: ObjectStore> MultipartUpload for CheckedUpload<S> {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        self.summing.add(&payload);
        self.inner.put_part(payload)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let sums = std::mem::take(&mut self.summing).finish();
        self.store.put_sums(&self.location, &sums).await?;
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
