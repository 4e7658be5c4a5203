//! Coverage and beats: any order, repetition and division into files gives the same rows.

use showreport_model::facts::FactsBuilder;
use showreport_model::record::Record;
use showreport_model::{OrgId, Timestamp};

use super::*;
use crate::tables::beats::{BeatRow, Beats};
use crate::tables::coverage::{Coverage, CoverageRow};

/// A playback, the first millisecond of the media axis and the one after the last.
type Interval = (String, i64, i64);

fn intervals() -> impl Strategy<Value = Vec<Interval>> {
    let interval = (0u8..3, 0i64..6_000, 1i64..400);
    let interval =
        interval.prop_map(|(playback, from, length)| (format!("p{playback}"), from, from + length));
    prop::collection::vec(interval, 0..60)
}

fn viewing((playback, from, to): &Interval) -> Viewing {
    Viewing {
        coverage: Span::new(*from, *to),
        ..Viewing::new(playback, Span::new(MIDNIGHT, MIDNIGHT + 1).unwrap())
    }
}

/// The reference: every millisecond by itself, then the gaps of up to 250 between them.
fn closed(intervals: &[Interval]) -> Vec<Interval> {
    let mut of_views: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for (playback, from, to) in intervals {
        of_views.entry(playback).or_default().extend(*from..*to);
    }
    let mut closed: Vec<Interval> = Vec::new();
    for (playback, covered) in of_views {
        for at in covered {
            match closed.last_mut() {
                Some((last, _, to)) if last == playback && at - *to <= 250 => *to = at + 1,
                _ => closed.push((playback.to_owned(), at, at + 1)),
            }
        }
    }
    closed
}

fn read(rows: &[CoverageRow<'_>]) -> Vec<Interval> {
    let row = |row: &CoverageRow<'_>| (row.playback_id.to_string(), row.from_ms, row.to_ms);
    rows.iter().map(row).collect()
}

/// A record a row, in any order: playback, number, instant, whether it is playing.
type Beat = (u8, Option<i64>, i64, bool);

fn beats() -> impl Strategy<Value = Vec<Beat>> {
    let beat = (0u8..2, prop::option::of(0i64..3), -2i64..2, prop::bool::ANY);
    prop::collection::vec(beat, 0..60)
}

fn beat((playback, seq, at, playing): Beat) -> Record {
    let at = Timestamp::from_millis(MIDNIGHT + at).unwrap();
    testing::beat(&format!("p{playback}"), seq, at, playing)
}

fn said(rows: &[BeatRow<'_>]) -> Vec<(i64, String, Option<i64>, i64, bool)> {
    let row = |row: &BeatRow<'_>| {
        let at = row.at.0 / 1000 - MIDNIGHT;
        let day = i64::from(row.day.0) * MILLIS_PER_DAY - MIDNIGHT;
        (day, row.playback_id.to_string(), row.seq, at, row.playing)
    };
    rows.iter().map(row).collect()
}

/// What is sent, repeated, reversed and divided.
fn parts<T: Clone>(sent: &[T], cuts: &[usize], repeated: usize) -> Vec<Vec<T>> {
    let mut all = sent.to_vec();
    all.extend(sent.iter().take(repeated).cloned());
    all.reverse();
    let mut cuts: Vec<_> = cuts.iter().map(|&cut| cut.min(all.len())).collect();
    cuts.extend([0, all.len()]);
    cuts.sort_unstable();
    let parts = cuts.windows(2).map(|cut| all[cut[0]..cut[1]].to_vec());
    parts.collect()
}

proptest! {
    #[test]
    fn coverage_is_the_union_with_small_gaps_closed(
        intervals in intervals(),
        cuts in prop::collection::vec(0usize..60, 0..5),
        repeated in 0usize..60,
    ) {
        let wanted = closed(&intervals);
        let whole = file::<Coverage>(&[testing::facts("acme", intervals.iter().map(viewing))]);
        prop_assert_eq!(read(&Coverage::read(&whole).unwrap()), wanted.clone());
        let files = parts(&intervals, &cuts, repeated);
        let files = files
            .iter()
            .map(|part| file::<Coverage>(&[testing::facts("acme", part.iter().map(viewing))]));
        prop_assert_eq!(read(&merged::<Coverage>(files.collect())), wanted);
    }

    #[test]
    fn of_beats_only_exact_repetitions_are_dropped(
        beats in beats(),
        cuts in prop::collection::vec(0usize..60, 0..5),
        repeated in 0usize..60,
    ) {
        let file = |part: &Vec<Beat>| {
            let mut builder = FactsBuilder::new(OrgId::new("acme").unwrap());
            for sent in part {
                builder.push(beat(*sent));
            }
            super::file::<Beats>(&[builder.finish().facts])
        };
        // By day, view, number and instant.
        let wanted: BTreeSet<_> = beats
            .iter()
            .map(|&(playback, seq, at, playing)| {
                let day = if at < 0 { -MILLIS_PER_DAY } else { 0 };
                (day, format!("p{playback}"), seq, at, playing)
            })
            .collect();
        let wanted: Vec<_> = wanted.into_iter().collect();
        let whole = file(&beats);
        prop_assert_eq!(said(&Beats::read(&whole).unwrap()), wanted.clone());
        let files = parts(&beats, &cuts, repeated);
        prop_assert_eq!(said(&merged::<Beats>(files.iter().map(file).collect())), wanted);
    }
}
