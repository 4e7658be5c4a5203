//! The pages of report jobs, and what a restatement changed.

use serde_json::json;

use crate::harness::Show;
use crate::harness::bulk::job_with_reports;
use crate::harness::show::watches;
use crate::harness::visitor::{cells, section};

#[tokio::test]
async fn a_job_is_made_and_its_days_are_listed() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let visitor = show.app.visitor(&show.org, "report").await;
    assert!(visitor.page("/jobs").await.contains("There is no job yet"));
    let wrong = [("report_type", "event_customers_a1"), ("name", "")];
    let refused = visitor.post("/jobs", &wrong).await;
    let page = refused.is(400).text();
    assert!(section(page, "name-problem").contains("it must have 1 to 100 characters"));
    let fields = [("report_type", "event_customers_a1"), ("name", "daily")];
    let made = visitor.post("/jobs", &fields).await;
    let path = made.is(303).header("location").to_owned();
    let behind = visitor.page("/jobs").await;
    assert!(behind.contains("30 days, due for 0 s"), "{behind}");
    let again = visitor.post("/jobs", &fields).await;
    assert!(again.is(409).text().contains("daily"), "{}", again.text());
    show.app.keep_schedule().await;
    assert!(visitor.page("/jobs").await.contains("nothing waits"));
    let page = visitor.page(&path).await;
    let (_, file) = page.split_once("href=\"/v1/media/").expect("a file");
    let file = format!("/v1/media/{}", file.split('"').next().expect("a path"));
    visitor.get(&file.replace("&amp;", "&")).await.is(200);
    let restatement = format!("href=\"{path}/reports/");
    assert!(!page.contains(&restatement), "no day was made again");
}

#[tokio::test]
async fn a_restatement_shows_the_rows_that_changed() {
    let (show, job) = job_with_reports().await;
    show.send([
        watches("ada", "tab", "10:30..10:45"),
        watches("=bob", "tab2", "10:00..10:06"),
    ])
    .await;
    show.app.clock.advance_millis(60_000);
    show.app.keep_schedule().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let page = visitor.page(&format!("/jobs/{job}")).await;
    assert!(page.contains("rows before: 1"), "{page}");
    let (_, rest) = page
        .split_once(&format!("/jobs/{job}/reports/"))
        .expect("a restatement");
    let report = rest.split('"').next().expect("an id");
    let page = visitor.page(&format!("/jobs/{job}/reports/{report}")).await;
    let (_, changed) = page.split_once("Rows that changed").expect("the rows");
    let rows = cells(changed);
    let customers: Vec<&str> = rows.iter().map(|row| row[3].as_str()).collect();
    assert_eq!(customers, ["=bob", "ada", "ada"], "{page}");
    assert_eq!([rows[1][5].as_str(), rows[2][5].as_str()], ["30", "45"]);
    assert!(
        page.contains("1 of the report before, 2 of the report after"),
        "{page}"
    );
}

#[tokio::test]
async fn a_job_is_deleted_after_a_question_and_only_by_its_organisation() {
    let (show, job) = job_with_reports().await;
    let globex = show.app.org("globex", "UTC").await;
    let stranger = show.app.visitor(&globex, "admin").await;
    let path = format!("/jobs/{job}");
    let reports = show.app.bulk_reports(&show.org, &job, "").await;
    let report = reports[0]["id"].as_str().expect("an id");
    for path in [
        path.clone(),
        format!("{path}/delete"),
        format!("{path}/reports/{report}"),
    ] {
        stranger.get(&path).await.is(404);
    }
    stranger.post(&format!("{path}/delete"), &[]).await.is(404);
    let visitor = show.app.visitor(&show.org, "report").await;
    let first = visitor.page(&format!("{path}/reports/{report}")).await;
    assert!(first.contains("This is the first report of the day"));
    assert!(
        visitor
            .page(&format!("{path}/delete"))
            .await
            .contains("Delete this job?")
    );
    visitor.post(&format!("{path}/delete"), &[]).await.is(303);
    visitor.get(&path).await.is(404);
    let jobs = show.app.get(&show.org, "/v1/jobs").await.ok();
    assert_eq!(jobs, json!({}));
}
