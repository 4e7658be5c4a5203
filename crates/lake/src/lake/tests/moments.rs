//! A lake and a database of two moments: they are refused, and a table that was counted on is
//! never made anew.

use std::path::{Path, PathBuf};

use showreport_model::Damage;

use super::*;

/// Copies a directory, as a backup or a restore does.
pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

fn part(viewing: Viewing) -> [showreport_model::facts::Collected; 1] {
    [testing::collected("acme", [viewing])]
}

impl World {
    fn store(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    /// A data directory with the store and the database that lie in two.
    async fn together(store: &Path, database: &Path) -> Result<Lake, Error> {
        let directory = tempfile::tempdir().unwrap();
        copy(store, &directory.path().join("store"));
        for name in ["meta.sqlite", "meta.sqlite-wal", "meta.acknowledged"] {
            std::fs::copy(database.join(name), directory.path().join(name)).unwrap();
        }
        let path = directory.path().join("meta.sqlite");
        let clock = Arc::new(showreport_model::SystemClock);
        let meta = Meta::open(&showreport_meta::Config::new(path), clock)
            .await
            .unwrap();
        Lake::open(&config(directory.path()), meta).await
    }

    async fn load(&self, viewing: Viewing) {
        self.lake.load(&org(), &part(viewing)).await.unwrap();
    }
}

fn refused(opened: Result<Lake, Error>) -> Damage {
    let error = opened.unwrap_err();
    let damage = error.damage().cloned();
    damage.unwrap_or_else(|| panic!("no damage: {error:?}"))
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_made_anew() {
    let world = World::new().await;
    world.load(viewing("a", 0, 10)).await;
    std::fs::remove_dir_all(world.store()).unwrap();
    for _ in 0..2 {
        let config = config(world.directory.path());
        let damage = refused(Lake::open(&config, world.meta.clone()).await);
        assert_eq!(damage.file, "store/lake/spans/_delta_log");
        assert!(
            damage.problem.contains("older than the database"),
            "{damage}"
        );
    }
    // Nor by a server that runs.
    let later = world.lake.load(&org(), &part(viewing("b", 0, 10))).await;
    assert!(later.unwrap_err().damage().is_some());
    assert!(!world.store().join("lake/spans/_delta_log").exists());
    world.end().await;
}

#[tokio::test]
async fn a_lake_older_than_the_database_is_refused_by_its_log() {
    let world = World::new().await;
    world.load(viewing("a", 0, 10)).await;
    let backup = tempfile::tempdir().unwrap();
    copy(&world.store(), backup.path());
    for round in 1..4 {
        world.load(viewing("a", round * 20, round * 20 + 10)).await;
    }
    let damage = refused(World::together(backup.path(), world.directory.path()).await);
    assert_eq!(damage.file, "store/lake/spans/_delta_log");
    assert!(damage.problem.contains("it ends at version 1"), "{damage}");
    assert!(
        damage.problem.contains("lake is older than the database"),
        "{damage}"
    );

    // Put back below a server that runs, it is noticed before anything is built on it.
    std::fs::remove_dir_all(world.store()).unwrap();
    copy(backup.path(), &world.store());
    for _ in 0..4 {
        let later = world.lake.load(&org(), &part(viewing("b", 0, 10))).await;
        assert!(later.unwrap_err().damage().is_some());
    }
    world.end().await;
}

#[tokio::test]
async fn a_database_older_than_the_lake_is_refused_and_what_is_newer_not_undone() {
    let world = World::new().await;
    world.load(viewing("a", 0, 10)).await;
    let backup = tempfile::tempdir().unwrap();
    copy(world.directory.path(), backup.path());
    let mut damage = None;
    for round in 1..4 {
        // From the first version on: it is no version that died before its head.
        world.load(viewing("a", round * 20, round * 20 + 10)).await;
        damage = Some(refused(
            World::together(&world.store(), backup.path()).await,
        ));
    }
    let damage = damage.unwrap();
    assert_eq!(damage.file, "meta.sqlite");
    assert!(
        damage.problem.contains("database is older than the lake"),
        "{damage}"
    );
    // Each with its own is as good as ever.
    for directory in [world.directory.path(), backup.path()] {
        let lake = World::together(&directory.join("store"), directory).await;
        lake.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn a_lake_that_went_another_way_is_refused_by_its_entry() {
    let (one, other) = (World::new().await, World::new().await);
    for round in 0..3 {
        one.load(viewing("a", round * 20, round * 20 + 10)).await;
        other.load(viewing("b", round * 20, round * 20 + 5)).await;
    }
    let damage = refused(World::together(&other.store(), one.directory.path()).await);
    let entry = "store/lake/spans/_delta_log/00000000000000000003.json";
    assert_eq!(damage.file, entry);
    assert!(
        damage.problem.contains("must come from one backup"),
        "{damage}"
    );
    one.end().await;
    other.end().await;
}
