//! The quotas of one organisation.

use super::*;
use crate::meta::day_files::DayFile;
use crate::quotas::{Quota, Quotas};

/// The quota that a refusal names, and how much is kept.
fn exceeded<T: std::fmt::Debug>(refused: Result<T, Error>) -> (Quota, u64) {
    match refused.unwrap_err() {
        Error::QuotaExceeded { quota, kept, .. } => (quota, kept),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_organisation_cannot_exceed_its_quota_of_reports() {
    let quotas = Quotas {
        reports_max: 3,
        ..Quotas::default()
    };
    let show = Fixture::with_quotas(quotas).await;
    show.add_events(&["keynote"]).await;
    let orders = [show.order("keynote"), show.order("keynote")];
    let create = || show.meta.create_reports(&show.org, &orders, None);
    let first = create().await.unwrap();
    assert_eq!(exceeded(create().await), (Quota::Reports, 2));
    // A report counts while it runs or has a file.
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let now = show.clock.now();
    let made = job.payload.parse().unwrap();
    let published = show
        .meta
        .publish_report(&job, made, &file(1), now)
        .await
        .unwrap();
    assert_eq!(published, ReportEnd::Ended);
    assert_eq!(exceeded(create().await), (Quota::Reports, 2));
    show.meta.clear_report_file(made).await.unwrap();
    assert_eq!(create().await.unwrap().len(), 2);
    assert_eq!(first.len(), 2);
}

#[tokio::test]
async fn an_organisation_cannot_exceed_its_quota_of_bytes() {
    let quotas = Quotas {
        day_files_max: 1,
        file_bytes_max: 2 * file(1).stored_bytes(),
        ..Quotas::default()
    };
    let show = Fixture::with_quotas(quotas).await;
    show.add_events(&["keynote"]).await;
    let day_file = || DayFile {
        id: ReportId::generate(),
        org: show.org.clone(),
        file: file(1),
        expires_at: show.clock.now(),
    };
    let first = day_file();
    show.meta.ensure_day_file_room(&show.org).await.unwrap();
    show.meta.add_day_file(&first).await.unwrap();
    let more = show.meta.ensure_day_file_room(&show.org).await;
    assert_eq!(exceeded(more), (Quota::DayFiles, 1));
    show.meta.ensure_bulk_report_room(&show.org).await.unwrap();

    let id = show.create("keynote").await.id;
    let job = show.meta.claim_job(30_000).await.unwrap().unwrap();
    let published = show
        .meta
        .publish_report(&job, id, &file(1), show.clock.now())
        .await
        .unwrap();
    assert_eq!(published, ReportEnd::Ended);
    let bytes = 2 * file(1).stored_bytes();
    let more = show.meta.ensure_bulk_report_room(&show.org).await;
    assert_eq!(exceeded(more), (Quota::FileBytes, bytes));
    let orders = [show.order("keynote")];
    let more = show.meta.create_reports(&show.org, &orders, None).await;
    assert_eq!(exceeded(more), (Quota::FileBytes, bytes));
    // Another organisation has its own.
    let rival = org("rival");
    show.meta.ensure_day_file_room(&rival).await.unwrap();

    show.meta.remove_day_file(first.id).await.unwrap();
    show.meta
        .create_reports(&show.org, &orders, None)
        .await
        .unwrap();
}
