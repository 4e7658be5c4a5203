//! Vacuuming removes what is not needed, and nothing else.

use object_store::path::Path;
use showreport_meta::ReportEnd;
use showreport_model::report::{Dimension, Format, Pins, ReportFailure, ReportOrder};
use showreport_model::{ReportId, Window};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_keeps_what_heads_and_running_reports_need() {
    let world = World::new().await;
    world.flush_four_files().await;
    let pinned = world.meta.heads().await.unwrap();
    let report = running_report(&world, &pinned).await;
    world.lake.compact().await.unwrap();
    let spans = world.present_spans().await;

    assert_eq!(world.lake.vacuum().await.unwrap(), 0);
    world.put_clock_forward(2 * DAY_MS);
    assert_eq!(world.lake.vacuum().await.unwrap(), 0);
    assert_eq!(world.spans(&pinned).await, spans);

    let job = world.meta.claim_job(1_000).await.unwrap().unwrap();
    let failure = ReportFailure {
        reason: "TEST".to_owned(),
        message: "over".to_owned(),
    };
    let failed = world.meta.fail_report(&job, report, &failure).await;
    assert_eq!(failed.unwrap(), ReportEnd::Ended);
    assert_eq!(world.lake.vacuum().await.unwrap(), 4);
    assert_eq!(world.present_spans().await, spans);
    assert_eq!(world.lake.vacuum().await.unwrap(), 0);

    // The lake works as before, for this process and for others.
    world.collect_and_flush([viewing("b", 0, 10)]).await;
    assert_eq!(world.present_spans().await.len(), spans.len() + 1);
    let lake = world.other_process().await;
    let heads = world.meta.heads().await.unwrap();
    let files = lake
        .files(&heads, Table::Spans, sought(&org(), &event()))
        .await
        .unwrap();
    assert_eq!(read_spans(&lake, files).await.len(), spans.len() + 1);
    world.end().await;
}

/// A report that is being made from these heads.
async fn running_report(world: &World, heads: &Heads) -> ReportId {
    let order = ReportOrder {
        org: org(),
        event: event(),
        dimension: Dimension::WatchTime,
        group_by: Vec::new(),
        window: Window::ALL,
        granularity: showreport_model::buckets::Granularity::default(),
        minimum_live_ratio: None,
        format: Format::Csv,
    };
    let reports = world
        .meta
        .create_reports(&org(), &[order], None)
        .await
        .unwrap();
    let pins = Pins {
        heads: heads.clone(),
        zone: Zone::utc(),
        event: world.meta.event(&org(), &event()).await.unwrap(),
    };
    world.meta.pin_report(reports[0].id, &pins).await.unwrap();
    reports[0].id
}

/// Puts two files in the store, and checks that a day later one is removed and the other is not.
async fn removed_after_a_day(world: &World, left: &Path, kept: &Path) {
    let store = world.lake.store(&FoundDamage::default());
    for path in [left, kept] {
        store.put(path, "left".into()).await.unwrap();
    }
    assert_eq!(world.lake.vacuum().await.unwrap(), 0);
    world.put_clock_forward(2 * DAY_MS);
    assert_eq!(world.lake.vacuum().await.unwrap(), 1);
    assert!(store.head(left).await.is_err());
    assert!(store.head(kept).await.is_ok());
}

#[tokio::test]
async fn what_a_failed_write_has_left_is_removed_after_a_day() {
    let world = World::new().await;
    world.collect_and_flush([viewing("a", 0, 10)]).await;
    let left = Path::from("lake/spans/part-left.parquet");
    let report = Path::from("reports/acme/x/1-main");
    removed_after_a_day(&world, &left, &report).await;
    assert_eq!(world.present_spans().await, [span("a", 0, 10)]);
    world.end().await;
}

#[tokio::test]
async fn a_file_that_belongs_to_no_report_is_removed_after_a_day() {
    let world = World::new().await;
    world.collect_and_flush([viewing("a", 0, 10)]).await;
    let heads = world.meta.heads().await.unwrap();
    let running = running_report(&world, &heads).await;
    let file = |id: ReportId| Path::from(format!("reports/acme/{id}/1-main"));
    let (kept, stray) = (file(running), file(ReportId::generate()));
    removed_after_a_day(&world, &stray, &kept).await;
    world.end().await;
}
