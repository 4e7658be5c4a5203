//! [`DurableStore`]: a local object store with files that survive a power cut.
//!
//! `object_store` 0.13 never calls fsync, so this decorator of its local store does. **Content is
//! durable before it is visible**: a file is written and synced in a staging directory, then
//! renamed or linked to its path, then its directory and all new parents are synced. So a file that
//! has a name is complete, and the name is durable once the call has returned. A deletion is not
//! synced: a file that reappears is deleted again, or does no harm.

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

/// How often a file is given its name at most. Its directory may be removed in between, when the
/// last file of a report is deleted.
const PUBLISH_ATTEMPTS_MAX: u32 = 16;

/// Directories that are remembered as durable at most. Each report has two, so without a limit a
/// server would hold 0.4 KB for each report. A directory that is not remembered costs a sync.
const DURABLE_MAX: usize = 4_096;

/// A store in a local directory with files that survive a power cut.
#[derive(Debug, Clone)]
pub(crate) struct DurableStore {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    inner: LocalFileSystem,
    staging: Staging,
    /// Directories that are known to be durable.
    durable: Mutex<HashSet<PathBuf>>,
}

impl DurableStore {
    /// Opens the store at `root`, creates missing directories and removes unfinished files of
    /// processes that died. Any number of processes may do so at once.
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

    /// Makes every name in a directory durable, also those that other processes gave.
    pub(crate) async fn sync(&self, directory: &Path) -> Result<()> {
        let directory = self.shared.root.join(directory.as_ref());
        self.blocking(move |shared| {
            shared.make_directory(&directory).map_err(failed)?;
            sync_directory(&directory).map_err(failed)
        })
        .await
    }

    /// Lists the files below a directory in any order, a part at a time. Listing in order would
    /// need all names in memory.
    pub(crate) fn list_unsorted(&self, folder: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.shared.inner.list(Some(folder))
    }

    /// Runs on a blocking thread.
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
    /// Gives a staged file its name. Afterwards content and name are durable.
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
            // The process that made it may have died before it was durable.
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

    /// Forgets all directories but the root. The others are removed with their last file.
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
    // The control of the power cut tests: with this fail point they must lose files.
    fail_point!("lake-without-sync", |_| ());
    if let Err(error) = file.sync_all() {
        end_process(path, &error);
    }
}

/// Makes the names in a directory durable. A failure to open it is an ordinary error: it may have
/// been removed with its last file.
fn sync_directory(directory: &FilePath) -> io::Result<()> {
    let opened = File::open(directory)?;
    sync_file(&opened, directory);
    Ok(())
}

/// Ends the process after a failed fsync.
///
/// The kernel may have dropped the pages and report success for the next fsync, so a sync is never
/// repeated. A restart reads what is on the disk.
fn end_process(path: &FilePath, error: &io::Error) -> ! {
    tracing::error!(
        path = %path.display(),
        %error,
        "fsync failed; the process ends, to start from what is durable"
    );
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

/// Whether the path is this directory of the store's root or lies below it.
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

/// Sorts a listing by name and leaves out staged files.
///
/// The Delta library expects names in order from every store but `file:`.
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
