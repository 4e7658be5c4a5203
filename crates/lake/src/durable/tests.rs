use futures::TryStreamExt;
use object_store::{ObjectStoreExt, WriteMultipart};

use super::*;

fn store() -> (tempfile::TempDir, DurableStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = DurableStore::open(directory.path()).unwrap();
    (directory, store)
}

async fn content(store: &DurableStore, path: &Path) -> Bytes {
    store.get(path).await.unwrap().bytes().await.unwrap()
}

async fn names(store: &DurableStore) -> Vec<String> {
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    let mut names: Vec<_> = listed
        .iter()
        .map(|object| object.location.to_string())
        .collect();
    names.sort();
    names
}

fn staged_files(directory: &FilePath) -> usize {
    let processes = fs::read_dir(directory.join(STAGING)).unwrap();
    let files = processes.flat_map(|process| fs::read_dir(process.unwrap().path()).unwrap());
    files
        .filter(|file| file.as_ref().unwrap().file_name() != "lock")
        .count()
}

#[tokio::test]
async fn what_is_put_is_there_whole() {
    let (directory, store) = store();
    let path = Path::from("a/b/c");
    store.put(&path, "first".into()).await.unwrap();
    store.put(&path, "second".into()).await.unwrap();
    assert_eq!(content(&store, &path).await, "second");
    assert_eq!(names(&store).await, ["a/b/c"]);
    assert_eq!(staged_files(directory.path()), 0);
}

#[tokio::test]
async fn a_name_is_created_only_once() {
    let (directory, store) = store();
    let path = Path::from("log/1");
    let create = |text: &'static str| store.put_opts(&path, text.into(), PutMode::Create.into());
    create("first").await.unwrap();
    let again = create("second").await;
    assert!(
        matches!(again, Err(Error::AlreadyExists { .. })),
        "{again:?}"
    );
    assert_eq!(content(&store, &path).await, "first");
    assert_eq!(staged_files(directory.path()), 0);
}

#[tokio::test]
async fn an_upload_is_seen_only_when_complete() {
    let (directory, store) = store();
    let path = Path::from("reports/1");
    let upload = store.put_multipart(&path).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 3);
    upload.write(b"0123456789");
    assert!(names(&store).await.is_empty());
    upload.finish().await.unwrap();
    assert_eq!(content(&store, &path).await, "0123456789");
    assert_eq!(staged_files(directory.path()), 0);
}

#[tokio::test]
async fn an_upload_with_a_hole_is_never_completed() {
    let (_directory, store) = store();
    let mut upload = store.put_multipart(&Path::from("x")).await.unwrap();
    drop(upload.put_part("lost".into()));
    upload.put_part("kept".into()).await.unwrap();
    assert!(upload.complete().await.is_err());
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn an_aborted_or_dropped_upload_leaves_nothing() {
    let (directory, store) = store();
    for dropped in [true, false] {
        let mut upload = store.put_multipart(&Path::from("x")).await.unwrap();
        upload.put_part("part".into()).await.unwrap();
        assert_eq!(staged_files(directory.path()), 1);
        if dropped {
            drop(upload);
        } else {
            upload.abort().await.unwrap();
        }
        assert_eq!(staged_files(directory.path()), 0);
    }
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn opening_removes_what_dead_processes_left_and_nothing_else() {
    let (directory, living) = store();
    let dead = directory.path().join(STAGING).join("dead");
    fs::create_dir(&dead).unwrap();
    File::create(dead.join("lock")).unwrap();
    File::create(dead.join("0")).unwrap();
    let newborn = directory.path().join(STAGING).join("newborn");
    fs::create_dir(&newborn).unwrap();
    let mut upload = living.put_multipart(&Path::from("x")).await.unwrap();
    upload.put_part("part".into()).await.unwrap();

    let opened = DurableStore::open(directory.path()).unwrap();
    assert!(!dead.exists());
    assert!(!newborn.exists());
    upload.complete().await.unwrap();
    assert_eq!(content(&opened, &Path::from("x")).await, "part");
    drop(living);
    drop(upload);
    drop(opened);
    assert_eq!(
        fs::read_dir(directory.path().join(STAGING))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn staging_is_hidden() {
    let (_directory, store) = store();
    store.put(&Path::from("a/1"), "1".into()).await.unwrap();
    let upload = store.put_multipart(&Path::from("b")).await.unwrap();
    let listed = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(listed.common_prefixes, [Path::from("a")]);
    assert!(listed.objects.is_empty());
    assert_eq!(names(&store).await, ["a/1"]);
    drop(upload);
}

#[tokio::test]
async fn copies_and_renames_make_their_directories() {
    let (_directory, store) = store();
    let path = |text| Path::from(text);
    store.put(&path("a"), "1".into()).await.unwrap();
    store.copy(&path("a"), &path("b/c")).await.unwrap();
    store.rename(&path("a"), &path("d/e/f")).await.unwrap();
    let taken = store.copy_if_not_exists(&path("b/c"), &path("d/e/f")).await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })));
    assert_eq!(names(&store).await, ["b/c", "d/e/f"]);
}

#[tokio::test]
async fn a_directory_that_went_with_its_last_file_is_made_again() {
    let (directory, store) = store();
    let path = Path::from("reports/acme/1/main");
    for _ in 0..3 {
        store.put(&path, "1".into()).await.unwrap();
        store.delete(&path).await.unwrap();
        assert!(!directory.path().join("reports").exists());
    }
}

#[tokio::test]
async fn directories_are_known_up_to_a_bound() {
    let (_directory, store) = store();
    let gone = (0..DURABLE_MAX).map(|number| FilePath::new("gone").join(number.to_string()));
    store.shared.directories().extend(gone);
    let path = Path::from("reports/acme/1/file");
    store.put(&path, "content".into()).await.unwrap();
    assert_eq!(content(&store, &path).await, "content");
    // The root and the three of this file.
    assert_eq!(store.shared.directories().len(), 4);
}
