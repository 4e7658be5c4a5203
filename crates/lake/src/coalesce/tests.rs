use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::executor::block_on;
use proptest::prelude::*;
use showreport_model::Span;
use showreport_model::facts::{Facts, Table};
use showreport_model::time::MILLIS_PER_DAY;

use super::*;
use crate::schema::to_disk;
use crate::tables::spans::{SpanRow, Spans};
use crate::tables::with_fact;
use crate::testing::{self, Viewing};

mod merged;

const MIDNIGHT: i64 = 20_000 * MILLIS_PER_DAY;

/// Spans of a few views of two events around a midnight.
fn viewings() -> impl Strategy<Value = Vec<Viewing>> {
    let viewing = (-60i64..60, 1i64..20, 0u8..3, 0u8..2, 0u8..3, 0u8..3).prop_map(
        |(from, length, playback, event, customer, system)| {
            let from = MIDNIGHT + from;
            let span = Span::new(from, from + length).expect("not empty");
            let name = |kind: &str, number| (number > 0).then(|| format!("{kind}{number}"));
            Viewing {
                event: format!("e{event}"),
                customer: name("c", customer),
                device_os: name("os", system),
                ..Viewing::new(&format!("p{playback}"), span)
            }
        },
    );
    prop::collection::vec(viewing, 0..60)
}

/// The reference: of every view the milliseconds and the least
/// attributes.
type Said = BTreeMap<(String, String), (BTreeSet<i64>, Option<String>, Option<String>)>;

fn least(one: &mut Option<String>, other: Option<&str>) {
    if let Some(other) = other
        && one.as_deref().is_none_or(|one| other < one)
    {
        *one = Some(other.to_owned());
    }
}

fn said_by_viewings(viewings: &[Viewing]) -> Said {
    let mut said = Said::new();
    for viewing in viewings {
        let key = (viewing.event.clone(), viewing.playback.clone());
        let view = said.entry(key).or_default();
        view.0.extend(viewing.span.from()..viewing.span.to());
        least(&mut view.1, viewing.customer.as_deref());
        least(&mut view.2, viewing.device_os.as_deref());
    }
    said
}

fn said_by_rows(rows: &[SpanRow<'_>]) -> Said {
    let mut said = Said::new();
    for row in rows {
        let key = (row.event_id.to_string(), row.playback_id.to_string());
        let view = said.entry(key).or_default();
        view.0.extend(row.from_time.0 / 1000..row.to_time.0 / 1000);
        least(&mut view.1, row.customer_id.as_deref());
        least(&mut view.2, row.device_os.as_deref());
    }
    said
}

/// A file, as a flush would write it.
fn file<F: Fact>(facts: &[Facts]) -> RecordBatch {
    let batches = facts
        .iter()
        .map(|facts| to_disk(F::TABLE, facts.batch(F::TABLE)).unwrap());
    let batches: Vec<_> = batches.collect();
    let mut rows: Vec<_> = batches
        .iter()
        .flat_map(|batch| F::read(batch).unwrap())
        .collect();
    coalesce(&mut rows);
    F::write(&rows)
}

/// What a compaction of these files would write.
fn merged<F: Fact>(files: Vec<RecordBatch>) -> Vec<F::Row<'static>> {
    let stream = |file: RecordBatch| {
        // Small batches, so that spans of different batches touch.
        let rows = file.num_rows();
        let slices = (0..rows)
            .step_by(3)
            .map(move |at| file.slice(at, 3.min(rows - at)));
        futures::stream::iter(slices.map(Ok).collect::<Vec<_>>()).boxed()
    };
    block_on(async {
        let mut merge = Merge::<F>::open(files.into_iter().map(stream).collect())
            .await
            .unwrap();
        let mut rows = Vec::new();
        while let Some(row) = merge.next().await.unwrap() {
            rows.push(row);
        }
        rows
    })
}

proptest! {
    #[test]
    fn rows_say_what_the_viewings_say(viewings in viewings()) {
        let file = file::<Spans>(&[testing::facts("acme", viewings.clone())]);
        let rows = Spans::read(&file).unwrap();
        prop_assert_eq!(said_by_rows(&rows), said_by_viewings(&viewings));
        for row in &rows {
            let day = |micros: i64| micros.div_euclid(MILLIS_PER_DAY * 1000);
            prop_assert_eq!(day(row.from_time.0), i64::from(row.day.0));
            prop_assert_eq!(day(row.to_time.0 - 1), i64::from(row.day.0));
        }
        for pair in rows.windows(2) {
            let same_playback = pair[0].playback_id == pair[1].playback_id;
            let one_view = same_playback && pair[0].is_beside(&pair[1]);
            prop_assert!(!one_view || pair[0].to_time < pair[1].from_time);
        }
    }

    #[test]
    fn order_repetition_and_division_into_files_change_nothing(
        viewings in viewings(),
        cuts in prop::collection::vec(0usize..60, 0..5),
        repeated in 0usize..60,
    ) {
        let whole = file::<Spans>(&[testing::facts("acme", viewings.clone())]);
        let mut parts = viewings.clone();
        parts.extend(viewings.iter().take(repeated).cloned());
        parts.reverse();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(parts.len())).collect();
        cuts.extend([0, parts.len()]);
        cuts.sort_unstable();
        let files = cuts.windows(2).map(|cut| {
            file::<Spans>(&[testing::facts("acme", parts[cut[0]..cut[1]].to_vec())])
        });
        let rows = merged::<Spans>(files.collect());
        let bounds = |rows: &[SpanRow<'_>]| {
            rows.iter().map(|row| (row.from_time, row.to_time)).collect::<Vec<_>>()
        };
        prop_assert_eq!(bounds(&rows), bounds(&Spans::read(&whole).unwrap()));
        prop_assert_eq!(said_by_rows(&rows), said_by_viewings(&viewings));
    }
}

#[test]
fn rows_of_every_table_survive_and_equal_ones_become_one() {
    let facts = testing::one_of_each("acme").finish().facts;
    for &table in Table::ALL {
        with_fact!(table, F => {
            let disk = to_disk(table, facts.batch(table)).unwrap();
            let once = file::<F>(std::slice::from_ref(&facts));
            assert_eq!(once, disk, "{table}");
            assert_eq!(file::<F>(&[facts.clone(), facts.clone()]), once, "{table}");
            let rows = merged::<F>(vec![once.clone(), once.clone(), once.clone()]);
            assert_eq!(F::write(&rows), once, "{table}");
        });
    }
}

#[test]
fn versions_that_differ_anywhere_stay_apart() {
    let facts = testing::one_of_each("acme").finish().facts;
    let others = testing::one_of_each("other").finish().facts;
    for table in [
        Table::Chat,
        Table::Polls,
        Table::Votes,
        Table::Beats,
        Table::Coverage,
    ] {
        with_fact!(table, F => {
            let rows = file::<F>(&[facts.clone(), others.clone()]).num_rows();
            assert_eq!(rows, facts.batch(table).num_rows() + others.batch(table).num_rows());
        });
    }
}

#[test]
fn an_empty_attribute_is_none() {
    let span = |from, to| Span::new(MIDNIGHT + from, MIDNIGHT + to).unwrap();
    let viewing = |span, system: Option<&str>| Viewing {
        device_os: system.map(str::to_owned),
        ..Viewing::new("p", span)
    };
    let viewings = [
        viewing(span(0, 10), Some("")),
        viewing(span(5, 20), Some("b")),
        viewing(span(20, 30), None),
        viewing(span(30, 40), Some("a")),
    ];
    let file = file::<Spans>(&[testing::facts("acme", viewings)]);
    let rows = Spans::read(&file).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].device_os.as_deref(), Some("a"));
}
