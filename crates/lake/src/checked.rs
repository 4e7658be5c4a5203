//! [`CheckedStore`]: an object store that gives no byte that it was not given.
//!
//! Pages of Parquet files and entries of the Delta log have no checksums. So
//! beside each file lies a small one with the checksums of its blocks, under the
//! same name in a directory of its own where no other reader looks. It is stored
//! **before** the file has its name and goes after it, so a file is never without.
//! Every range that is read is read in whole blocks and compared: what does not
//! match is an error that names the file ([`Damage`]), never bytes.
//!
//! Two writers must not make the same name at once: the log is written under the
//! flush lock, and all other names are random or of one attempt.

mod known;
mod sums;
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

use crate::damaged::DamagedFiles;
use crate::durable::lies_in;
use known::Known;
use sums::{BLOCK_BYTES, Summing, Sums};
use upload::CheckedUpload;

/// Where checksums lie, under the names of their files.
const SUMS: &str = ".sums";

/// Read at once where a file goes out as a stream.
const PIECE_BYTES: u64 = 64 * BLOCK_BYTES;

/// The one file that is written again and again. It only says where a reader of
/// the log may begin, and one that is damaged, or whose checksums a crash has left
/// behind or ahead, is as good as none.
const HINT: &str = "_last_checkpoint";

/// A store whose every byte is compared with its checksum when it is read.
#[derive(Debug)]
pub(crate) struct CheckedStore<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    inner: S,
    /// What the operator knows the store as.
    name: String,
    known: Known,
    damaged: DamagedFiles,
}

impl<S> Clone for CheckedStore<S> {
    fn clone(&self) -> Self {
        let shared = self.shared.clone();
        Self { shared }
    }
}

impl<S: ObjectStore> CheckedStore<S> {
    /// Checks what is read from `inner`, which the operator knows by this name.
    pub(crate) fn new(inner: S, name: &str) -> Self {
        let name = name.to_owned();
        Self {
            shared: Arc::new(Shared {
                inner,
                name,
                known: Known::default(),
                damaged: DamagedFiles::default(),
            }),
        }
    }

    /// The store itself, unchecked.
    pub(crate) fn inner(&self) -> &S {
        &self.shared.inner
    }

    /// The files that were found damaged.
    pub(crate) fn damaged_files(&self) -> &DamagedFiles {
        &self.shared.damaged
    }

    /// What the operator knows a file as.
    pub(crate) fn name_of(&self, location: &Path) -> String {
        format!("{}/{location}", self.shared.name)
    }

    /// The path in the store of a file that damage was reported of; of checksums, that of their file.
    pub(crate) fn location_of(&self, file: &str) -> Option<Path> {
        let location = file.strip_prefix(&self.shared.name)?.strip_prefix('/')?;
        let sums = location
            .strip_prefix(SUMS)
            .and_then(|it| it.strip_prefix('/'));
        Path::parse(sums.unwrap_or(location)).ok()
    }

    async fn put_sums(&self, location: &Path, sums: &Sums) -> Result<()> {
        let payload = sums.encode(location).into();
        self.inner().put(&sums_of(location), payload).await?;
        Ok(())
    }

    async fn sums(&self, location: &Path) -> Result<Arc<Sums>> {
        if let Some(known) = self.shared.known.find(location) {
            return Ok(known);
        }
        let sums = Arc::new(self.stored_sums(location).await?);
        self.shared.known.keep(location, &sums);
        Ok(sums)
    }

    async fn stored_sums(&self, location: &Path) -> Result<Sums> {
        let place = sums_of(location);
        let stored = match self.inner().get(&place).await {
            Ok(stored) => stored.bytes().await?,
            Err(Error::NotFound { .. }) => {
                // Where there is no file either, that is what the caller should learn.
                self.inner().head(location).await?;
                return Err(self.damaged(&place, "it is missing, so its file cannot be checked"));
            }
            Err(error) => return Err(error),
        };
        Sums::decode(location, &stored)
            .ok_or_else(|| self.damaged(&place, "it does not match its own checksum"))
    }

    /// Bytes of whole blocks, checked.
    async fn read(
        &self,
        location: &Path,
        sums: &Sums,
        blocks: &[Range<u64>],
    ) -> Result<Vec<Bytes>> {
        let read = match self.inner().get_ranges(location, blocks).await {
            Ok(read) => read,
            Err(error) => {
                // A file that was cut, or is gone, fails to be read in ways of the system's own.
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

    /// The bytes of a range, piece by piece, checked.
    fn stream(
        &self,
        location: Path,
        sums: Arc<Sums>,
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

    /// What the store says of a file, if it is as long as it was written.
    ///
    /// The query engine takes a data file that is gone or empty for one without rows, so of
    /// these it must learn here. Other files are asked for to learn whether they are there.
    async fn described(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> Result<(GetResult, Arc<Sums>)> {
        let described = GetOptions {
            head: true,
            range: None,
            ..options
        };
        let found = match self.inner().get_opts(location, described).await {
            Err(Error::NotFound { path, source }) if is_data(location) => {
                let gone = Error::NotFound { path, source };
                let was_written = self.inner().head(&sums_of(location)).await.is_ok();
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

    /// Damage of a file of this store, in the operator's words. It is noted, whatever asked for the file.
    pub(crate) fn damage(&self, location: &Path, problem: &str) -> Damage {
        let damage = Damage {
            file: self.name_of(location),
            problem: problem.to_owned(),
        };
        if !is_hint(location) {
            self.shared.damaged.note(&damage);
        }
        damage
    }

    fn damaged(&self, location: &Path, problem: &str) -> Error {
        Error::Generic {
            store: "CheckedStore",
            source: self.damage(location, problem).into(),
        }
    }

    /// Refuses a name that is taken, before the checksums of what has it are written over.
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

    async fn forget_sums(&self, location: &Path) -> Result<()> {
        self.shared.known.forget(location);
        match self.inner().delete(&sums_of(location)).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn sums_of(location: &Path) -> Path {
    Path::from_iter([SUMS])
        .parts()
        .chain(location.parts())
        .collect()
}

fn is_sums(location: &Path) -> bool {
    lies_in(location, SUMS)
}

/// Whether it is a file of a table's rows. Their names are random, so none is given twice.
fn is_data(location: &Path) -> bool {
    location.extension() == Some("parquet") && !location.as_ref().contains("/_delta_log/")
}

fn is_hint(location: &Path) -> bool {
    location.filename() == Some(HINT)
}

/// The part of some bytes that begin and end where `around` does.
fn cut(around: &Range<u64>, bytes: &Bytes, wanted: &Range<u64>) -> Bytes {
    let place = |at: u64| usize::try_from(at - around.start).expect("it was read into memory");
    bytes.slice(place(wanted.start)..place(wanted.end))
}

/// Ranges that touch or overlap as one, in their order.
fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
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
        self.put_sums(location, &Sums::of(&payload)).await?;
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
            summing: Summing::default(),
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
                    store.forget_sums(&location).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        without_sums(self.inner().list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        without_sums(self.inner().list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.inner().list_with_delimiter(prefix).await?;
        listed.common_prefixes.retain(|prefix| !is_sums(prefix));
        listed.objects.retain(|object| !is_sums(&object.location));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        if options.mode == CopyMode::Create {
            self.ensure_free(to).await?;
        }
        let sums = self.sums(from).await?;
        self.put_sums(to, &sums).await?;
        self.inner().copy_opts(from, to, options).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        if options.target_mode == RenameTargetMode::Create {
            self.ensure_free(to).await?;
        }
        let sums = self.sums(from).await?;
        self.put_sums(to, &sums).await?;
        self.inner().rename_opts(from, to, options).await?;
        self.forget_sums(from).await
    }
}

fn without_sums(
    listed: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    listed
        .try_filter(|object| std::future::ready(!is_sums(&object.location)))
        .boxed()
}

fn no_hint(location: &Path, error: Error) -> Error {
    if matches!(error, Error::NotFound { .. }) {
        return error;
    }
    tracing::warn!(file = %location, %error, "a damaged hint is left aside");
    Error::NotFound {
        path: location.to_string(),
        source: Box::new(error),
    }
}

#[cfg(test)]
mod tests;
