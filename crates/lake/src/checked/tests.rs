use std::path::PathBuf;

use object_store::{GetRange, WriteMultipart};

use super::*;
use crate::DurableStore;

struct World {
    directory: tempfile::TempDir,
    store: CheckedStore<DurableStore>,
}

fn world() -> World {
    let directory = tempfile::tempdir().unwrap();
    let durable = DurableStore::open(directory.path()).unwrap();
    World {
        store: CheckedStore::new(durable, "store"),
        directory,
    }
}

impl World {
    fn file(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn flip(&self, path: &str, bit: usize) {
        let mut bytes = std::fs::read(self.file(path)).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(self.file(path), bytes).unwrap();
    }

    async fn whole(&self, path: &str) -> Result<Bytes> {
        self.store.get(&Path::from(path)).await?.bytes().await
    }

    async fn names(&self) -> Vec<String> {
        let listed: Vec<_> = self.store.list(None).try_collect().await.unwrap();
        listed.iter().map(|it| it.location.to_string()).collect()
    }

    /// Every file below the directory of checksums.
    fn sums(&self) -> Vec<String> {
        fn below(directory: &std::path::Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    below(&path, found);
                } else {
                    found.push(path.file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        let mut found = Vec::new();
        below(&self.file(CHECKSUMS), &mut found);
        found.sort();
        found
    }
}

fn bytes(length: u64) -> Vec<u8> {
    (0..length).map(|byte| (byte * 31 % 251) as u8).collect()
}

fn damage(error: &Error) -> Damage {
    let damage = damage_of(error).unwrap_or_else(|| panic!("no damage: {error:?}"));
    damage.clone()
}

#[tokio::test]
async fn every_range_gives_what_was_put() {
    let world = world();
    let path = Path::from("a/b");
    let written = bytes(PIECE_BYTES + 3 * BLOCK_BYTES + 5);
    world
        .store
        .put(&path, written.clone().into())
        .await
        .unwrap();
    assert_eq!(world.whole("a/b").await.unwrap(), written);

    let length = written.len() as u64;
    let ranges = [
        length - 8..length,
        0..1,
        BLOCK_BYTES - 1..BLOCK_BYTES + 1,
        BLOCK_BYTES * 2..BLOCK_BYTES * 3,
        PIECE_BYTES - 10..length,
    ];
    let read = world.store.get_ranges(&path, &ranges).await.unwrap();
    for (range, read) in ranges.iter().zip(read) {
        let place = |at: u64| usize::try_from(at).unwrap();
        let wanted = &written[place(range.start)..place(range.end)];
        assert_eq!(read, wanted, "{range:?}");
        let options = GetOptions::new().with_range(Some(GetRange::Bounded(range.clone())));
        let got = world.store.get_opts(&path, options).await.unwrap();
        assert_eq!(got.bytes().await.unwrap(), wanted, "{range:?}");
    }
    let options = GetOptions::new().with_range(Some(GetRange::Suffix(3)));
    let got = world.store.get_opts(&path, options).await.unwrap();
    assert_eq!(got.bytes().await.unwrap(), written[written.len() - 3..]);
}

#[tokio::test]
async fn a_flipped_bit_is_refused_by_name_and_the_other_blocks_are_read() {
    let world = world();
    let path = Path::from("lake/spans/1");
    let written = bytes(4 * BLOCK_BYTES);
    world.store.put(&path, written.into()).await.unwrap();
    world.flip("lake/spans/1", 20_000 * 8 + 3);

    let refused = world.whole("lake/spans/1").await.unwrap_err();
    assert_eq!(damage(&refused).file, "store/lake/spans/1");
    let in_it = world.store.get_range(&path, 30_000..30_001).await;
    let in_it = in_it.unwrap_err();
    assert!(damage(&in_it).problem.contains("16384"), "{in_it}");
    let beside = world.store.get_range(&path, 0..BLOCK_BYTES).await;
    assert_eq!(beside.unwrap(), bytes(BLOCK_BYTES));
}

#[tokio::test]
async fn a_file_that_was_cut_or_has_no_checksums_is_refused_by_name() {
    let world = world();
    let path = Path::from("a");
    world.store.put(&path, bytes(100).into()).await.unwrap();
    std::fs::write(world.file("a"), bytes(99)).unwrap();
    let refused = world.whole("a").await.unwrap_err();
    assert_eq!(damage(&refused).file, "store/a");

    std::fs::remove_file(world.file(".sums/a")).unwrap();
    let refused = world.whole("a").await.unwrap_err();
    assert_eq!(damage(&refused).file, "store/.sums/a");
    std::fs::remove_file(world.file("a")).unwrap();
    let gone = world.whole("a").await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone}");
}

#[tokio::test]
async fn checksums_are_not_listed_and_are_deleted_with_their_file() {
    let world = world();
    for path in ["a/1", "a/2"] {
        world.store.put(&path.into(), "1".into()).await.unwrap();
    }
    assert_eq!(world.names().await, ["a/1", "a/2"]);
    assert_eq!(world.sums(), ["1", "2"]);
    let listed = world.store.list_with_delimiter(None).await.unwrap();
    assert_eq!(listed.common_prefixes, [Path::from("a")]);
    world.store.delete(&"a/1".into()).await.unwrap();
    assert_eq!(world.names().await, ["a/2"]);
    assert_eq!(world.sums(), ["2"]);
}

#[tokio::test]
async fn a_second_file_of_a_name_is_refused_and_the_first_stays_readable() {
    let world = world();
    let path = Path::from("log/1");
    let create = |text: &'static str| {
        world
            .store
            .put_opts(&path, text.into(), PutMode::Create.into())
    };
    create("first").await.unwrap();
    let again = create("second").await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again}");
    assert_eq!(world.whole("log/1").await.unwrap(), "first");
}

#[tokio::test]
async fn an_upload_in_parts_is_checked_like_any_other_file() {
    let world = world();
    let written = bytes(3 * BLOCK_BYTES + 1);
    let upload = world.store.put_multipart(&"r".into()).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 10_000);
    upload.write(&written);
    upload.finish().await.unwrap();
    assert_eq!(world.whole("r").await.unwrap(), written);
    world.flip("r", 7);
    assert!(world.whole("r").await.is_err());
}

#[tokio::test]
async fn copied_and_renamed_files_have_checksums() {
    let world = world();
    let path = |text| Path::from(text);
    world.store.put(&path("a"), "1".into()).await.unwrap();
    world.store.copy(&path("a"), &path("b/c")).await.unwrap();
    world.store.rename(&path("a"), &path("d")).await.unwrap();
    assert_eq!(world.names().await, ["b/c", "d"]);
    assert_eq!(world.sums(), ["c", "d"]);
    assert_eq!(world.whole("b/c").await.unwrap(), "1");
    assert_eq!(world.whole("d").await.unwrap(), "1");
    let taken = world
        .store
        .copy_if_not_exists(&path("b/c"), &path("d"))
        .await;
    assert!(matches!(taken, Err(Error::AlreadyExists { .. })));
    world.flip("d", 0);
    world.store.copy(&path("d"), &path("e")).await.unwrap();
    assert!(
        world.whole("e").await.is_err(),
        "a copy of a damaged file is damaged"
    );
}

#[tokio::test]
async fn a_damaged_hint_is_treated_as_missing() {
    let world = world();
    let path = "lake/spans/_delta_log/_last_checkpoint";
    for text in ["{\"version\":10}", "{\"version\":20}"] {
        world.store.put(&path.into(), text.into()).await.unwrap();
        assert_eq!(world.whole(path).await.unwrap(), text);
    }
    world.flip(path, 11 * 8);
    let none = world.whole(path).await.unwrap_err();
    assert!(matches!(none, Error::NotFound { .. }), "{none}");
}

#[tokio::test]
async fn each_operation_finds_the_damage_of_its_own_files() {
    let world = world();
    for path in ["acme", "rival"] {
        world.store.put(&path.into(), "1".into()).await.unwrap();
        world.flip(path, 0);
    }
    let found = [(); 2].map(|()| FoundDamage::default());
    for (path, found) in ["acme", "rival"].into_iter().zip(&found) {
        let store = world.store.for_operation(found);
        let read = store.get(&path.into()).await.unwrap().bytes().await;
        read.unwrap_err();
        let file = found.get().map(|damage| damage.file);
        assert_eq!(file, Some(format!("store/{path}")));
    }
    assert_eq!(world.store.found().get(), None);
    assert_eq!(world.store.damaged_files().list().len(), 2);
}
