//! A server that runs for a year, a show a day: the lake stays small, in bytes
//! and in files.

use std::fs;
use std::path::Path;

use super::*;

const DAYS: i64 = 365;
const VIEWS: i64 = 8;
/// Ten-second beats of a view: 38 minutes.
const BEATS: i64 = 228;
const BEAT_MS: i64 = 10_000;
/// Flushes of a show. Each lengthens every view.
const FLUSHES: i64 = 2;

/// Files of the lake at most: data, entries and checkpoints of the logs. Each has a file with its
/// checksums beside it, of about a hundred bytes.
const FILES_MAX: usize = 250;
const RECORD_BYTES_MAX: f64 = 0.5;

#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_shows_keeps_few_files_and_few_bytes() {
    let world = World::new().await;
    let store = world.directory.path().join("store");
    let mut most_files = 0;
    for day in 0..DAYS {
        for part in 0..FLUSHES {
            world.collect_and_flush(beats(day, part)).await;
        }
        world.put_clock_forward(DAY_MS);
        while world.lake.compact().await.unwrap().files_in > 0 {}
        world.lake.vacuum().await.unwrap();
        most_files = most_files.max(sizes(&store.join("lake")).len());
        let sums = sizes(&store.join(".sums/lake")).len();
        assert_eq!(
            sums,
            sizes(&store.join("lake")).len(),
            "each has its checksums"
        );
    }
    assert!(most_files <= FILES_MAX, "{most_files} files on some day");

    // Files that the last days have replaced are removed a day later.
    world.put_clock_forward(2 * DAY_MS);
    world.lake.vacuum().await.unwrap();
    let spans = [store.join("lake/spans"), store.join(".sums/lake/spans")];
    let bytes: u64 = spans.iter().flat_map(|it| sizes(it)).sum();
    let records = DAYS * VIEWS * BEATS;
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let record_bytes = bytes as f64 / records as f64;
    assert!(
        record_bytes <= RECORD_BYTES_MAX,
        "{record_bytes} bytes a record"
    );
    assert_eq!(world.meta.journal_depth().await.unwrap().rows, 0);
    world.end().await;
}

/// The beats of a part of a show, in the order of time. Ids are as long and as
/// random as those of real players, since they are most of what is stored.
fn beats(day: i64, part: i64) -> impl Iterator<Item = Viewing> {
    let each = BEATS / FLUSHES;
    (part * each..(part + 1) * each).flat_map(move |beat| {
        (0..VIEWS).map(move |view| {
            let from = day * DAY_MS + beat * BEAT_MS;
            let playback = scattered(day * VIEWS + view);
            Viewing {
                event: format!("show-{day}"),
                customer: Some(format!("customer-{:08}", playback % 50_000)),
                ..viewing(&format!("{playback:032x}"), from, from + BEAT_MS)
            }
        })
    })
}

/// A number that looks like no other's neighbour.
pub(super) fn scattered(number: i64) -> u128 {
    let odd = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    (u128::from(number.unsigned_abs()) + 1).wrapping_mul(odd)
}

/// The size of every file below a directory.
fn sizes(directory: &Path) -> Vec<u64> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(sizes(&entry.path()));
        } else {
            found.push(entry.metadata().unwrap().len());
        }
    }
    found
}
