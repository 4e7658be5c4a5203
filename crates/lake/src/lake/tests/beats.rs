//! A show of players that send beats: a beat takes few bytes once the lake is compacted.

use std::collections::BTreeSet;

use showreport_model::facts::FactsBuilder;

use super::year::scattered;
use super::*;
use crate::tables::beats::Beats;

const VIEWS: i64 = 100;
/// Beats of a view: an hour of one every ten seconds.
const BEATS: i64 = 360;
const BEAT_MS: i64 = 10_000;
/// Flushes of the show.
const FLUSHES: i64 = 4;
/// How late a timer of a player can be.
const LATE_MS: u128 = 30;

const BEAT_BYTES_MAX: f64 = 4.0;

#[tokio::test(flavor = "multi_thread")]
async fn a_beat_takes_few_bytes() {
    let world = World::new().await;
    for part in 0..FLUSHES {
        let mut sent = FactsBuilder::new(org());
        let each = BEATS / FLUSHES;
        for seq in part * each..(part + 1) * each {
            for view in 0..VIEWS {
                sent.push(beat(view, seq));
            }
        }
        let appended = world.meta.journal().append(world.token, sent).await;
        appended.unwrap();
        world.lake.flush().await.unwrap();
    }
    while world.lake.compact().await.unwrap().files_in > 0 {}
    let heads = world.meta.heads().await.unwrap();
    let (org, event) = (org(), event());
    let sought = sought(&org, &event);
    let files = world.lake.files(&heads, Table::Beats, sought).await;
    let files = files.unwrap();
    let (bytes, rows) = read(&world, &files).await;
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(rows, (0..VIEWS * BEATS).collect());
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let beat_bytes = bytes as f64 / (VIEWS * BEATS) as f64;
    assert!(beat_bytes <= BEAT_BYTES_MAX, "{beat_bytes} bytes a beat");
    world.end().await;
}

fn beat(view: i64, seq: i64) -> showreport_model::record::Record {
    let late = i64::try_from(noise(view * BEATS + seq) % LATE_MS).unwrap();
    let at = Timestamp::MIN.saturating_add_millis(view * 7 + seq * BEAT_MS + late);
    // Ids are as long and as random as those of real players.
    let playback = format!("{:032x}", scattered(view));
    testing::beat(&playback, Some(view * BEATS + seq), at, seq % 50 != 0)
}

/// A number without a pattern, which a compressor could find.
fn noise(number: i64) -> u128 {
    let number = scattered(number);
    (number ^ (number >> 59)).wrapping_mul(scattered(1)) >> 90
}

/// The bytes of the files, and the numbers of their beats.
async fn read(world: &World, files: &[DataFile]) -> (u64, BTreeSet<i64>) {
    let mut numbers = BTreeSet::new();
    for file in files {
        let reader = ParquetFileReader::new(world.lake.store(&FoundDamage::default()));
        let mut batches = reader.read_file(file.path.clone()).await.unwrap();
        while let Some(batch) = batches.try_next().await.unwrap() {
            let batch = conform(Table::Beats, &batch).unwrap();
            let rows = Beats::read(&batch).unwrap();
            numbers.extend(rows.iter().filter_map(|row| row.seq));
        }
    }
    (files.iter().map(|file| file.size_bytes).sum(), numbers)
}
