//! Files that are gone, empty, cut or longer: each is named, and none counts as no rows.

use std::path::{Path, PathBuf};

use super::moments::copy;
use super::*;

fn files_below(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect()
}

/// What may become of a file.
const LOSSES: [fn(&Path); 4] = [
    |file| std::fs::write(file, b"").unwrap(),
    |file| {
        let bytes = std::fs::read(file).unwrap();
        std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
    },
    |file| {
        let bytes = std::fs::read(file).unwrap();
        std::fs::write(file, [bytes.as_slice(), b"\n"].concat()).unwrap();
    },
    |file| std::fs::remove_file(file).unwrap(),
];

fn damage(error: &Error) -> String {
    let damage = error.damage();
    let damage = damage.unwrap_or_else(|| panic!("no damage: {error:?}"));
    damage.file.clone()
}

#[tokio::test]
async fn a_lost_data_file_is_named_by_readers_and_by_merges() {
    for lose in LOSSES {
        let world = World::new().await;
        world.flush_four_files().await;
        let directory = world.directory.path().join("store/lake/spans");
        let file = files_below(&directory, "parquet").remove(0);
        lose(&file);
        let name = file.file_name().unwrap().to_str().unwrap();
        let name = format!("store/lake/spans/{name}");
        let heads = world.meta.heads().await.unwrap();
        for lake in [&world.lake, &world.other_process().await] {
            let (org, event) = (org(), event());
            let found = lake.files(&heads, Table::Spans, sought(&org, &event));
            assert_eq!(damage(&found.await.unwrap_err()), name);
        }
        let unread = world.other_process().await;
        assert_eq!(damage(&unread.compact().await.unwrap_err()), name);
        // Once it was found it is left out, and the others are too few to be merged.
        for lake in [&unread, &world.lake] {
            assert_eq!(lake.compact().await.unwrap(), Compacted::default());
        }
        world.end().await;
    }
}

/// What is named when this lake is opened and read.
async fn named(world: &World, directory: &Path) -> String {
    let error = match Lake::open(&config(directory), world.meta.clone()).await {
        Err(error) => error,
        Ok(lake) => {
            let heads = world.meta.heads().await.unwrap();
            let (org, event) = (org(), event());
            let found = lake.files(&heads, Table::Spans, sought(&org, &event)).await;
            found.map(|files| files.len()).unwrap_err()
        }
    };
    damage(&error)
}

async fn load(world: &World, rounds: i64) {
    for round in 0..rounds {
        let part = testing::collected("acme", [viewing("a", round * 20, round * 20 + 10)]);
        world.lake.load(&org(), &[part]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_entry_of_a_log_is_named() {
    for lose in LOSSES {
        for version in [0, 3, 5] {
            let world = World::new().await;
            load(&world, 5).await;
            let entry = format!("store/lake/spans/_delta_log/{version:020}.json");
            lose(&world.directory.path().join(&entry));
            let named = named(&world, world.directory.path()).await;
            // A log without its newest entry may just as well be an older one.
            assert!(
                named == entry || named == "store/lake/spans/_delta_log",
                "{named}"
            );
            world.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_checkpoint_of_a_log_is_named_where_the_entries_before_it_are_gone() {
    let world = World::new().await;
    load(&world, 103).await;
    world.put_clock_forward(2 * DAY_MS);
    world.lake.vacuum().await.unwrap();
    for lose in LOSSES {
        let directory = tempfile::tempdir().unwrap();
        copy(world.directory.path(), directory.path());
        let log = directory.path().join("store/lake/spans/_delta_log");
        assert!(!log.join(format!("{:020}.json", 0)).exists());
        lose(&files_below(&log, "parquet").remove(0));
        let named = named(&world, directory.path()).await;
        assert!(named.starts_with("store/lake/spans/_delta_log/"), "{named}");
    }
    world.end().await;
}
