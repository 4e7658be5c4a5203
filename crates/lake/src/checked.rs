//! [`CheckedStore`]: an object store that compares everything it reads with checksums.
//!
//! Pages of Parquet files and entries of the Delta log have no checksums. So a second file holds the
//! checksums of each file's blocks, under the same name below [`CHECKSUMS`]. It is stored **before**
//! the file gets its name and deleted after it, so a file always has its checksums.
//! A range is read in whole blocks. A block that does not match is returned as an error that names
//! the file ([`Damage`]), and never as bytes.
//!
//! Two writers must not create the same name at once: the log is written under the flush lock, and
//! all other names are random or belong to one attempt.

mod cache;
mod checksums;
mod ranges;
mod upload;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode, Result,
};
use showreport_model::Damage;

use crate::damaged::{DamagedFiles, FoundDamage};
use crate::durable::lies_in;
use cache::ChecksumCache;
use checksums::{BLOCK_BYTES, Checksums, ChecksumsBuilder};
use ranges::{cut, merged};
use upload::CheckedUpload;

/// The directory of the files with checksums.
const CHECKSUMS: &str = ".sums";

/// What a stream reads at once.
const PIECE_BYTES: u64 = 64 * BLOCK_BYTES;

/// The one file that is overwritten. It only says where a reader of the log may begin. If it is
/// damaged, or a crash has left it with the checksums of another version, it is treated as missing.
const HINT: &str = "_last_checkpoint";

#[derive(Debug)]
pub(crate) struct CheckedStore<S> {
    shared: Arc<Shared<S>>,
    /// What the operation that reads through this handle has found.
    found: FoundDamage,
}

#[derive(Debug)]
struct Shared<S> {
    inner: S,
    /// The name of the store's directory, with which the names of damaged files begin.
    name: String,
    cache: ChecksumCache,
    damaged: DamagedFiles,
}

impl<S> Clone for CheckedStore<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            found: self.found.clone(),
        }
    }
}

impl<S: ObjectStore> CheckedStore<S> {
    /// Checks what is read from `inner`, a directory of this name.
    pub(crate) fn new(inner: S, name: &str) -> Self {
        let name = name.to_owned();
        Self {
            shared: Arc::new(Shared {
                inner,
                name,
                cache: ChecksumCache::default(),
                damaged: DamagedFiles::default(),
            }),
            found: FoundDamage::default(),
        }
    }

    /// The same store for one operation: damage that it finds is recorded in `found`.
    pub(crate) fn for_operation(&self, found: &FoundDamage) -> Self {
        Self {
            shared: self.shared.clone(),
            found: found.clone(),
        }
    }

    /// What was found through this handle.
    pub(crate) fn found(&self) -> &FoundDamage {
        &self.found
    }

    /// The store itself, unchecked.
    pub(crate) fn inner(&self) -> &S {
        &self.shared.inner
    }

    /// The files that were found damaged through any handle.
    pub(crate) fn damaged_files(&self) -> &DamagedFiles {
        &self.shared.damaged
    }

    /// The name of a file in messages.
    pub(crate) fn name_of(&self, location: &Path) -> String {
        format!("{}/{location}", self.shared.name)
    }

    /// The path of a file with this name; of a file of checksums, the path of the file they belong to.
    pub(crate) fn location_of(&self, file: &str) -> Option<Path> {
        let location = file.strip_prefix(&self.shared.name)?.strip_prefix('/')?;
        let sums = location
            .strip_prefix(CHECKSUMS)
            .and_then(|it| it.strip_prefix('/'));
        Path::parse(sums.unwrap_or(location)).ok()
    }

    async fn put_checksums(&self, location: &Path, sums: &Checksums) -> Result<()> {
        let payload = sums.encode(location).into();
        self.inner().put(&checksums_of(location), payload).await?;
        Ok(())
    }

    async fn sums(&self, location: &Path) -> Result<Arc<Checksums>> {
        if let Some(cached) = self.shared.cache.find(location) {
            return Ok(cached);
        }
        let sums = Arc::new(self.stored_checksums(location).await?);
        self.shared.cache.keep(location, &sums);
        Ok(sums)
    }

    async fn stored_checksums(&self, location: &Path) -> Result<Checksums> {
        let place = checksums_of(location);
        let stored = match self.inner().get(&place).await {
            Ok(stored) => stored.bytes().await?,
            Err(Error::NotFound { .. }) => {
                // If the file itself is missing, that is the error.
                self.inner().head(location).await?;
                return Err(self.damaged(&place, "it is missing, so its file cannot be checked"));
            }
            Err(error) => return Err(error),
        };
        Checksums::decode(location, &stored)
            .ok_or_else(|| self.damaged(&place, "it does not match its own checksum"))
    }

    /// Reads and checks whole blocks.
    async fn read(
        &self,
        location: &Path,
        sums: &Checksums,
        blocks: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let read = match self.inner().get_ranges(location, blocks).await {
            Ok(read) => read,
            Err(error) => {
                // A file that is shorter or missing fails with various errors of the system.
                self.described(location, GetOptions::default()).await?;
                return Err(error);
            }
        };
        for (range, bytes) in blocks.iter().zip(&read) {
            if bytes.len() as u64 != range.end - range.start {
                return Err(self.damaged(location, "it has been cut"));
            }
            if let Err(place) = sums.check(range.start, bytes) {
                let problem = format!("the block at byte {place} does not match its checksum");
                return Err(self.damaged(location, &problem));
            }
        }
        Ok(read)
    }

    /// Reads and checks a range, piece by piece.
    fn stream(
        &self,
        location: Path,
        sums: Arc<Checksums>,
        range: Range<u64>,
    ) -> BoxStream<'static, Result<Bytes>> {
        let store = self.clone();
        let start = range.start;
        stream::try_unfold((store, location, sums, start), move |state| {
            let end = range.end;
            async move {
                let (store, location, sums, start) = state;
                if start >= end {
                    return Ok(None);
                }
                let wanted = start..end.min(start / PIECE_BYTES * PIECE_BYTES + PIECE_BYTES);
                let blocks = sums.around(&wanted);
                let read = store
                    .read(&location, &sums, std::slice::from_ref(&blocks))
                    .await?;
                let bytes = cut(&blocks, &read[0], &wanted);
                Ok(Some((bytes, (store, location, sums, wanted.end))))
            }
        })
        .boxed()
    }

    /// The metadata of a file, if it is as long as it was written.
    ///
    /// The query engine reads a data file that is missing or empty as one without rows, so that is
    /// an error here. Other files may be missing: their readers ask whether they exist.
    async fn described(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> Result<(GetResult, Arc<Checksums>)> {
        let described = GetOptions {
            head: true,
            range: None,
            ..options
        };
        let found = match self.inner().get_opts(location, described).await {
            Err(Error::NotFound { path, source }) if is_data(location) => {
                let gone = Error::NotFound { path, source };
                let was_written = self.inner().head(&checksums_of(location)).await.is_ok();
                return Err(if was_written {
                    self.damaged(location, "it is missing")
                } else {
                    gone
                });
            }
            found => found?,
        };
        let (size, sums) = (found.meta.size, self.sums(location).await?);
        if size != sums.length {
            let problem = format!("it has {size} bytes, and {} were written", sums.length);
            return Err(self.damaged(location, &problem));
        }
        Ok((found, sums))
    }

    /// Damage of a file of this store. It is added to both lists: the operation's and the process's.
    pub(crate) fn damage(&self, location: &Path, problem: &str) -> Damage {
        let damage = Damage {
            file: self.name_of(location),
            problem: problem.to_owned(),
        };
        if !is_hint(location) {
            self.shared.damaged.add(&damage);
            self.found.add(&damage);
        }
        damage
    }

    fn damaged(&self, location: &Path, problem: &str) -> Error {
        Error::Generic {
            store: "CheckedStore",
            source: self.damage(location, problem).into(),
        }
    }

    /// Fails if the name is taken, before the checksums of the file with that name are overwritten.
    async fn ensure_free(&self, location: &Path) -> Result<()> {
        match self.inner().head(location).await {
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(Error::AlreadyExists {
                path: location.to_string(),
                source: "the name is taken".into(),
            }),
        }
    }

    async fn forget_checksums(&self, location: &Path) -> Result<()> {
        self.shared.cache.forget(location);
        match self.inner().delete(&checksums_of(location)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// An error of the store as an error of the lake: the damage, or else what `other` makes of it.
///
/// For callers without a library in between, which would make text of the error.
pub(crate) fn failed(error: Error, other: impl FnOnce(Error) -> crate::Error) -> crate::Error {
    match damage_of(&error) {
        Some(damage) => damage.clone().into(),
        None => other(error),
    }
}

/// The damage that the store itself reports with an error.
fn damage_of(error: &Error) -> Option<&Damage> {
    match error {
        Error::Generic { source, .. } => source.downcast_ref(),
        _ => None,
    }
}

fn checksums_of(location: &Path) -> Path {
    Path::from_iter([CHECKSUMS])
        .parts()
        .chain(location.parts())
        .collect()
}

fn is_checksums(location: &Path) -> bool {
    lies_in(location, CHECKSUMS)
}

/// Whether it is a data file of a table. Their names are random, so none is used twice.
fn is_data(location: &Path) -> bool {
    location.extension() == Some("parquet") && !location.as_ref().contains("/_delta_log/")
}

fn is_hint(location: &Path) -> bool {
    location.filename() == Some(HINT)
}

fn wrong_range(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Generic {
        store: "CheckedStore",
        source: error.into(),
    }
}

impl<S: ObjectStore> std::fmt::Display for CheckedStore<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CheckedStore({})", self.inner())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: ObjectStore> ObjectStore for CheckedStore<S> {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if options.mode == PutMode::Create {
            self.ensure_free(location).await?;
        }
        self.put_checksums(location, &Checksums::of(&payload))
            .await?;
        self.inner().put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner().put_multipart_opts(location, options).await?;
        Ok(Box::new(CheckedUpload {
            store: self.clone(),
            location: location.clone(),
            inner,
            checksums: ChecksumsBuilder::default(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (head_only, wanted) = (options.head, options.range.clone());
        let (found, sums) = match self.described(location, options).await {
            Err(error) if is_hint(location) => return Err(no_hint(location, error)),
            described => described?,
        };
        if head_only {
            return Ok(found);
        }
        let size = found.meta.size;
        let range = match wanted {
            Some(range) => range.as_range(size).map_err(wrong_range)?,
            None => 0..size,
        };
        let mut payload = self.stream(location.clone(), sums, range.clone());
        if is_hint(location) {
            let bytes: Result<Vec<Bytes>> = payload.try_collect().await;
            let bytes = bytes.map_err(|error| no_hint(location, error))?;
            payload = stream::iter(bytes.into_iter().map(Ok)).boxed();
        }
        Ok(GetResult {
            payload: GetResultPayload::Stream(payload),
            range,
            ..found
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let sums = self.sums(location).await?;
        if let Some(beyond) = ranges.iter().find(|range| range.end > sums.length) {
            let problem = format!(
                "a reader expects bytes {beyond:?}, and {} were written",
                sums.length
            );
            return Err(self.damaged(location, &problem));
        }
        let around = merged(ranges.iter().map(|range| sums.around(range)).collect());
        let read = self.read(location, &sums, &around).await?;
        let holds = |range: &Range<u64>| {
            let after = around.partition_point(|blocks| blocks.start <= range.start);
            after.saturating_sub(1)
        };
        let cut = |range| {
            let blocks = holds(range);
            cut(&around[blocks], &read[blocks], range)
        };
        Ok(ranges.iter().map(cut).collect())
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        self.inner()
            .delete_stream(locations)
            .and_then(move |location| {
                let store = store.clone();
                async move {
                    store.forget_checksums(&location).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        without_checksums(self.inner().list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        without_checksums(self.inner().list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner().list_with_delimiter(prefix).await?;
        listed
            .common_prefixes
            .retain(|prefix| !is_checksums(prefix));
        listed
            .objects
            .retain(|object| !is_checksums(&object.location));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if options.mode == CopyMode::Create {
            self.ensure_free(to).await?;
        }
        let sums = self.sums(from).await?;
        self.put_checksums(to, &sums).await?;
        self.inner().copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if options.target_mode == RenameTargetMode::Create {
            self.ensure_free(to).await?;
        }
        let sums = self.sums(from).await?;
        self.put_checksums(to, &sums).await?;
        self.inner().rename_opts(from, to, options).await?;
        self.forget_checksums(from).await
    }
}

fn without_checksums(
    listed: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    listed
        .try_filter(|object| std::future::ready(!is_checksums(&object.location)))
        .boxed()
}

fn no_hint(location: &Path, error: Error) -> Error {
    if matches!(error, Error::NotFound { .. }) {
        return error;
    }
    tracing::warn!(file = %location, %error, "a damaged hint is not used");
    Error::NotFound {
        path: location.to_string(),
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests;
