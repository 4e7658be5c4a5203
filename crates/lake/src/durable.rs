//! [`DurableStore`]: a local object store whose every file survives a power cut.
//!
//! `object_store` 0.13 never calls fsync, so this decorator of its local store
//! does. **Content is durable before it is visible**: a file is written and
//! synced in a staging directory, then renamed or linked to its place, then the
//! directory that names it and all its new parents are synced. So whatever has a
//! name is whole, and when a call has returned, the name lasts too. Deleting
//! syncs nothing: a file that comes back is deleted again, or harms nobody.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use fail::fail_point;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    Result,
};

mod staging;
mod upload;

use showreport_meta::private;
use staging::{STAGING, Staged, Staging};
use upload::DurableUpload;

/// Directories may vanish between making them and naming a file in them, when
/// the last file of a report is deleted; so often it is tried again.
const PUBLISH_ATTEMPTS_MAX: u32 = 16;

/// Directories that are known to be durable at one time. Each report has two of its own, so a
/// server that never forgot them would keep 0.4 KB a report. A forgotten one costs a sync.
const DURABLE_MAX: usize = 4_096;

/// A store in a directory whose files survive a power cut.
#[derive(Debug, Clone)]
pub(crate) struct DurableStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    inner: LocalFileSystem,
    staging: Staging,
    /// Directories whose own entry is known to be durable.
    durable: Mutex<HashSet<PathBuf>>,
}

impl DurableStore {
    /// Opens the store at `root`, creates what is missing and clears what processes
    /// that died have left unfinished. Any number of processes may do so at a time.
    pub(crate) fn open(root: &FilePath) -> io::Result<Self> {
        private::make_directories(root)?;
        let root = root.canonicalize()?;
        if let Some(parent) = root.parent() {
            sync_directory(parent)?;
        }
        let staging = Staging::open(&root)?;
        let inner = LocalFileSystem::new_with_prefix(&root)
            .map_err(io::Error::from)?
            .with_automatic_cleanup(true);
        Ok(Self {
            shared: Arc::new(Shared {
                durable: Mutex::new(HashSet::from([root.clone()])),
                root,
                inner,
                staging,
            }),
        })
    }

    /// Makes every name in a directory durable, whoever gave it.
    pub(crate) async fn sync(&self, directory: &Path) -> Result<()> {
        let directory = self.shared.root.join(directory.as_ref());
        self.blocking(move |shared| {
            shared.make_directory(&directory).map_err(failed)?;
            sync_directory(&directory).map_err(failed)
        })
        .await
    }

    /// Lists what lies below a folder in any order, a part at a time. Listing in order keeps every name
    /// in memory until the last is found.
    pub(crate) fn list_unsorted(&self, folder: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.shared.inner.list(Some(folder))
    }

    /// Runs on a thread where waiting for the disk stops nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = self.shared.clone();
        tokio::task::spawn_blocking(move || work(&shared)).await?
    }

    async fn make_parent(&self, location: &Path) -> Result<PathBuf> {
        let path = self.shared.inner.path_to_filesystem(location)?;
        self.blocking(move |shared| {
            let parent = parent_of(&path).to_path_buf();
            shared.make_directory(&parent).map_err(failed)?;
            Ok(parent)
        })
        .await
    }

    async fn sync_parent(&self, parent: PathBuf) -> Result<()> {
        self.blocking(move |_| sync_directory(&parent).map_err(failed))
            .await
    }
}

impl Shared {
    /// Gives a staged file its name. Afterwards both last.
    fn publish(&self, staged: &Staged, place: &FilePath, mode: &PutMode) -> Result<()> {
        fail_point!("file-before-sync", |_| std::process::abort());
        sync_file(&staged.file, &staged.path);
        fail_point!("file-before-name", |_| std::process::abort());
        let mut attempts = 1;
        loop {
            match self.give_name(staged, place, mode) {
                Ok(()) => return Ok(()),
                Err(source) if source.kind() == ErrorKind::AlreadyExists => {
                    let path = place.display().to_string();
                    let source = source.into();
                    return Err(Error::AlreadyExists { path, source });
                }
                Err(source)
                    if source.kind() == ErrorKind::NotFound && attempts < PUBLISH_ATTEMPTS_MAX =>
                {
                    attempts += 1;
                    self.forget_directories();
                }
                Err(source) => return Err(failed(source)),
            }
        }
    }

    fn give_name(&self, staged: &Staged, place: &FilePath, mode: &PutMode) -> io::Result<()> {
        let parent = parent_of(place);
        self.make_directory(parent)?;
        match mode {
            PutMode::Create => fs::hard_link(&staged.path, place)?,
            PutMode::Overwrite | PutMode::Update(_) => fs::rename(&staged.path, place)?,
        }
        fail_point!("file-after-name", |_| std::process::abort());
        sync_directory(parent)
    }

    /// Creates a directory below the root, with its parents, and makes its entry durable.
    fn make_directory(&self, directory: &FilePath) -> io::Result<()> {
        if self.directories().contains(directory) {
            return Ok(());
        }
        let parent = parent_of(directory);
        self.make_directory(parent)?;
        match private::make_directory(directory) {
            Ok(()) => {}
            // Whoever made it may have died before it was durable.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        sync_directory(parent)?;
        if self.directories().len() >= DURABLE_MAX {
            self.forget_directories();
        }
        self.directories().insert(directory.to_path_buf());
        Ok(())
    }

    /// Forgets all but the root, which is always there. Others go with their last file.
    fn forget_directories(&self) {
        self.directories().retain(|known| *known == self.root);
    }

    fn directories(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.durable.lock().expect("nobody panics while holding it")
    }
}

fn parent_of(path: &FilePath) -> &FilePath {
    path.parent().expect("it lies below the root")
}

fn failed(source: io::Error) -> Error {
    Error::Generic {
        store: "DurableStore",
        source: source.into(),
    }
}

fn sync_file(file: &File, path: &FilePath) {
    // The control of the tests that cut the power: without this they must lose files.
    fail_point!("lake-without-sync", |_| ());
    if let Err(error) = file.sync_all() {
        end_process(path, &error);
    }
}

/// Makes the names in a directory durable. That it cannot be opened is an ordinary
/// error: it may have gone with its last file.
fn sync_directory(directory: &FilePath) -> io::Result<()> {
    let opened = File::open(directory)?;
    sync_file(&opened, directory);
    Ok(())
}

/// Ends the process after a failed fsync.
///
/// The kernel may have thrown the pages away and will call the next fsync a
/// success, so it is never tried again: what is on the disk is found out by
/// starting anew, from what was durable before.
fn end_process(path: &FilePath, error: &io::Error) -> ! {
    tracing::error!(path = %path.display(), %error, "fsync failed; the process ends, to start from what is durable");
    std::process::exit(70)
}

impl std::fmt::Display for DurableStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DurableStore({})", self.shared.root.display())
    }
}

fn is_staged(location: &Path) -> bool {
    lies_in(location, STAGING)
}

/// Whether this is, or lies in, that folder of the store's root.
pub(crate) fn lies_in(location: &Path, folder: &str) -> bool {
    let first = location.parts().next();
    first.is_some_and(|part| part.as_ref() == folder)
}

fn not_supported(operation: &str) -> Error {
    Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "DurableStore".to_owned(),
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for DurableStore {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) {
            return Err(not_supported("put with a condition on the version"));
        }
        if !options.attributes.is_empty() {
            return Err(not_supported("put with attributes"));
        }
        let place = self.shared.inner.path_to_filesystem(location)?;
        self.blocking(move |shared| {
            let mut staged = shared.staging.create().map_err(failed)?;
            staged.write_all(&payload).map_err(failed)?;
            shared.publish(&staged, &place, &options.mode)
        })
        .await?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        if !options.attributes.is_empty() {
            return Err(not_supported("put with attributes"));
        }
        let place = self.shared.inner.path_to_filesystem(location)?;
        let staged = self
            .blocking(|shared| shared.staging.create().map_err(failed))
            .await?;
        Ok(Box::new(DurableUpload::new(
            self.shared.clone(),
            staged,
            place,
        )))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.shared.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.shared.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.shared.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.shared.inner.list(prefix))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        in_order(self.shared.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let mut listed = self.shared.inner.list_with_delimiter(prefix).await?;
        listed.common_prefixes.retain(|prefix| !is_staged(prefix));
        listed.objects.retain(|object| !is_staged(&object.location));
        Ok(listed)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let parent = self.make_parent(to).await?;
        self.shared.inner.copy_opts(from, to, options).await?;
        self.sync_parent(parent).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let parent = self.make_parent(to).await?;
        self.shared.inner.rename_opts(from, to, options).await?;
        self.sync_parent(parent).await
    }
}

/// Sorts a listing by name and hides what is staged.
///
/// The Delta library takes it from every store but `file:` that names come in order.
fn in_order(
    listed: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    stream::once(sorted(listed))
        .map_ok(|listed| stream::iter(listed.into_iter().map(Ok)))
        .try_flatten()
        .boxed()
}

async fn sorted(listed: BoxStream<'static, Result<ObjectMeta>>) -> Result<Vec<ObjectMeta>> {
    let mut listed: Vec<ObjectMeta> = listed.try_collect().await?;
    listed.retain(|object| !is_staged(&object.location));
    listed.sort_unstable_by(|one, other| one.location.cmp(&other.location));
    Ok(listed)
}

#[cfg(test)]
mod tests;
