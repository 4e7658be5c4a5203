//! The pages of reports: the first rows before a report is made, the form, the file, and deleting.

use serde_json::{Value, json};
use showreport_meta::Role;
use showreport_model::report::ReportFailure;

use crate::harness::app::PUBLIC_URL;
use crate::harness::reports::sha256;
use crate::harness::show::{says, watches};
use crate::harness::visitor::{Visitor, cells, figure, section};
use crate::harness::{Response, Show};

/// An event with twelve views, so that a preview does not have all.
async fn show() -> Show {
    let show = Show::in_zone("Europe/Berlin").await;
    let views = (10..22).map(|number| {
        let (customer, playback) = (format!("=ada{number}"), format!("tab{number}"));
        watches(&customer, &playback, "10:00..10:30")
    });
    show.send(views).await;
    show.send([
        json!({"type": "event", "kind": "live", "title": "The <keynote>",
        "starts_at": "2026-11-22T10:00:00Z", "ends_at": "2026-11-22T10:30:00Z"}),
    ])
    .await;
    show
}

/// The id of the report whose page a form led to.
#[track_caller]
fn made(response: &Response) -> String {
    response.is(303);
    let id = response.header("location").strip_prefix("/reports/");
    id.unwrap_or_else(|| panic!("{}", response.header("location")))
        .to_owned()
}

async fn reports(show: &Show) -> Vec<Value> {
    let listed = show.app.get(&show.org, "/api/v1/reports").await.ok();
    listed["reports"].as_array().expect("reports").clone()
}

#[tokio::test]
async fn the_first_rows_are_those_of_the_file_that_is_made_after() {
    let show = show().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let choices = "event_id=keynote&dimension=watch_time&group_by=customer_id&group_by=device_os\
                   &from=2026-11-22%2011%3A10&to=2026-11-22T10%3A20%3A00Z";
    let page = visitor.page(&format!("/reports?{choices}&preview=1")).await;
    let preview = section(&page, "preview");
    let rows = cells(preview);
    assert_eq!(
        (rows.len(), figure(preview, "row_count").as_str()),
        (10, "12")
    );
    assert_eq!(rows[0][0], "=ada10");
    assert!(page.contains("Times are of Europe/Berlin"));
    assert_eq!(reports(&show).await.len(), 0, "a preview makes no report");

    let fields = [
        ("event_id", "keynote"),
        ("dimension", "watch_time"),
        ("group_by", "customer_id"),
        ("group_by", "device_os"),
        ("from", "2026-11-22 11:10"),
        ("to", "2026-11-22T10:20:00Z"),
        ("format", "csv"),
    ];
    let id = made(&visitor.post("/reports", &fields).await);
    let running = visitor.page(&format!("/reports/{id}")).await;
    assert!(running.contains("data-refresh") && running.contains("http-equiv=\"refresh\""));
    show.app.work().await;
    let page = visitor.page(&format!("/reports/{id}")).await;
    assert!(!page.contains("data-refresh"), "{page}");

    let report = show
        .app
        .get(&show.org, &format!("/api/v1/reports/{id}"))
        .await
        .ok();
    for name in ["row_count", "size_bytes", "sha256"] {
        assert_eq!(figure(&page, name), report[name].to_string());
    }
    let raw = file(&show, &visitor, &id, "?variant=raw").await;
    let mut file_rows = csv::Reader::from_reader(&*raw.body);
    let file_rows: Vec<Vec<String>> = file_rows.deserialize().map(|row| row.unwrap()).collect();
    assert_eq!(rows, file_rows[..10]);
    let main = file(&show, &visitor, &id, "").await;
    assert_eq!(report["sha256"], sha256(&main.body));
    assert!(main.text().contains("'=ada10"), "the guarded text");
    let excel = file(&show, &visitor, &id, "?variant=excel").await;
    assert!(excel.body.starts_with(b"\xef\xbb\xbf"));
}

/// Opens the file of a report as its page links it.
async fn file(show: &Show, visitor: &Visitor<'_>, id: &str, variant: &str) -> Response {
    let response = visitor.get(&format!("/reports/{id}/file{variant}")).await;
    let link = response.is(303).header("location");
    let path = link.strip_prefix(PUBLIC_URL).expect("an absolute link");
    let request = axum::http::Request::get(path).body(axum::body::Body::empty());
    show.app.send(request.expect("a request")).await
}

#[tokio::test]
async fn every_wrong_choice_is_named_beside_its_field() {
    let show = show().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let fields = [
        ("event_id", "keynote"),
        ("dimension", "retention"),
        ("group_by", "device_os"),
        ("granularity_seconds", "7"),
        ("from", "2026-11-22 12:00"),
        ("to", "2026-11-22 11:00"),
        ("format", "doc"),
        ("minimum_live_ratio", "0.75"),
    ];
    let refused = visitor.post("/reports", &fields).await;
    let page = refused.is(400).text();
    for (field, words) in [
        ("granularity-problem", "Must be one of 1, 5, 10"),
        ("to-problem", "Must be after start_time"),
        ("format-problem", "Must be one of csv"),
        ("ratio-problem", "Must be absent, since it is of"),
    ] {
        assert!(section(page, field).contains(words), "{field}: {page}");
    }
    assert!(page.contains("Must be empty, since REPORT_DIMENSION_RETENTION cannot be grouped"));
    // What was chosen is still there.
    assert!(
        page.contains("value=\"2026-11-22 12:00\"") && page.contains("value=\"device_os\" checked")
    );

    let wrong_time = "/reports?event_id=keynote&preview=1&from=soon&to=2026-10-25%2002%3A30";
    let page = visitor.get(wrong_time).await;
    let page = page.is(400).text();
    assert!(section(page, "from-problem").contains("is no date such as 2026-11-22"));
    assert!(section(page, "to-problem").contains("is twice in Europe/Berlin"));
    let page = visitor.get(&format!("{wrong_time}&format=doc")).await;
    assert!(section(page.is(400).text(), "format-problem").contains("Must be one of csv"));
    let unknown = visitor.get("/reports?event_id=other&preview=1").await;
    assert!(section(unknown.is(404).text(), "event_id-problem").len() > 20);
    let missing = visitor.get("/reports?preview=1").await;
    assert!(
        missing
            .is(400)
            .text()
            .contains("Is missing; choose an event.")
    );
    assert_eq!(reports(&show).await.len(), 0);
}

#[tokio::test]
async fn attendance_is_previewed_with_its_minimum() {
    let show = show().await;
    show.send([watches("late", "late", "10:25..10:30")]).await;
    let visitor = show.app.visitor(&show.org, "report").await;
    for (minimum, count) in [("", "13"), ("0.75", "12"), ("1", "12")] {
        let choices = format!("dimension=attendance&minimum_live_ratio={minimum}");
        let path = format!("/reports?event_id=keynote&{choices}&preview=1");
        let page = visitor.page(&path).await;
        assert_eq!(
            figure(section(&page, "preview"), "row_count"),
            count,
            "{minimum}"
        );
    }
    let fields = [
        ("event_id", "keynote"),
        ("dimension", "attendance"),
        ("minimum_live_ratio", "0.75"),
    ];
    let id = made(&visitor.post("/reports", &fields).await);
    let page = visitor.page(&format!("/reports/{id}")).await;
    assert!(
        page.contains("Attendance, at least 0.75 of the show"),
        "{page}"
    );
    assert!(page.contains("minimum_live_ratio=0.75"), "{page}");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_makes_one_report() {
    let show = show().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let form = "0c5f4c1e-8b7c-4a5e-9a55-0d1f3a2b7c10";
    let fields = [("event_id", "keynote"), ("form", form)];
    let first = made(&visitor.post("/reports", &fields).await);
    assert_eq!(made(&visitor.post("/reports", &fields).await), first);
    let other = [("event_id", "keynote"), ("form", form), ("format", "xlsx")];
    assert_ne!(made(&visitor.post("/reports", &other).await), first);
    assert_eq!(reports(&show).await.len(), 2);
    // A report that was deleted since is made again.
    visitor
        .post(&format!("/reports/{first}/delete"), &[])
        .await
        .is(303);
    assert_ne!(made(&visitor.post("/reports", &fields).await), first);
}

#[tokio::test]
async fn the_history_is_listed_by_event_and_page() {
    let show = show().await;
    let mut other = says("ada", "m1", "10:00", "hello");
    other["event_id"] = json!("other");
    show.app.accept(&show.org, &[other]).await;
    let visitor = show.app.visitor(&show.org, "report").await;
    assert!(
        visitor
            .page("/reports")
            .await
            .contains("No report was made yet")
    );
    for event in ["keynote", "other", "keynote"] {
        made(&visitor.post("/reports", &[("event_id", event)]).await);
    }
    show.app.work().await;
    let page = visitor.page("/reports").await;
    assert_eq!(cells(section(&page, "history")).len(), 3);
    assert!(page.contains("The &#60;keynote&#62;") && !page.contains("The <keynote>"));
    let page = visitor.page("/reports?event_id=other").await;
    assert_eq!(cells(section(&page, "history")).len(), 1);
    let page = visitor.page("/reports?page_size=2").await;
    assert_eq!(cells(section(&page, "history")).len(), 2);
    let (_, rest) = page
        .split_once("/reports?page_token=")
        .expect("a next page");
    let token = rest.split('"').next().expect("a token");
    let page = visitor.page(&format!("/reports?page_token={token}")).await;
    assert_eq!(cells(section(&page, "history")).len(), 1);
}

#[tokio::test]
async fn a_report_is_deleted_or_cancelled_after_a_question() {
    let show = show().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let id = made(&visitor.post("/reports", &[("event_id", "keynote")]).await);
    let path = format!("/reports/{id}/delete");
    assert!(visitor.page(&path).await.contains("Cancel this report?"));
    visitor.get(&format!("/reports/{id}/file")).await.is(409);
    show.app.work().await;
    assert!(visitor.page(&path).await.contains("Delete this report?"));
    let deleted = visitor.post(&path, &[]).await;
    assert_eq!(deleted.is(303).header("location"), "/reports");
    visitor.get(&path).await.is(404);
    visitor.post(&path, &[]).await.is(404);
    assert_eq!(reports(&show).await.len(), 0);
}

#[tokio::test]
async fn a_failed_report_says_why() {
    let show = show().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let id = made(&visitor.post("/reports", &[("event_id", "keynote")]).await);
    let meta = &show.app.parts.meta;
    let job = meta
        .claim_job(1_000)
        .await
        .expect("the queue")
        .expect("a job");
    let failure = ReportFailure {
        reason: "REPORT_ROW_LIMIT".to_owned(),
        message: "ask for a coarser granularity".to_owned(),
    };
    let report = id.parse().expect("an id");
    meta.fail_report(&job, report, &failure)
        .await
        .expect("store the failure");
    let page = visitor.page(&format!("/reports/{id}")).await;
    assert!(page.contains("ask for a coarser granularity"), "{page}");
    assert!(
        page.contains("/reports?event_id=keynote&#38;dimension=watch_time"),
        "{page}"
    );
    assert!(visitor.page("/reports").await.contains("failed"));
}

#[tokio::test]
async fn what_belongs_to_another_organisation_does_not_exist() {
    let show = show().await;
    let visitor = show.app.visitor(&show.org, "report").await;
    let id = made(&visitor.post("/reports", &[("event_id", "keynote")]).await);
    show.app.work().await;
    let globex = show.app.org("globex", "UTC").await;
    let stranger = show.app.visitor(&globex, "admin").await;
    for path in [
        format!("/reports/{id}"),
        format!("/reports/{id}/file"),
        format!("/reports/{id}/delete"),
    ] {
        stranger.get(&path).await.is(404);
    }
    stranger
        .post(&format!("/reports/{id}/delete"), &[])
        .await
        .is(404);
    stranger
        .post("/reports", &[("event_id", "keynote")])
        .await
        .is(404);
    let page = stranger.page("/reports?event_id=keynote").await;
    assert!(!page.contains(&id) && !page.contains("The "), "{page}");
    visitor.page(&format!("/reports/{id}")).await;
}

#[tokio::test]
async fn readers_see_finished_reports_and_make_none() {
    let show = show().await;
    let analyst = show.app.visitor(&show.org, "report").await;
    let fields = [("event_id", "keynote")];
    let finished = made(&analyst.post("/reports", &fields).await);
    show.app.work().await;
    let running = made(&analyst.post("/reports", &fields).await);
    let reader = show.app.person(&show.org, Role::Reader).await;
    let page = reader.page("/reports?event_id=keynote&preview=1").await;
    assert_eq!(cells(section(&page, "history")).len(), 1);
    assert!(page.contains(&finished) && !page.contains(&running));
    assert!(!page.contains("Make a report") && !page.contains("id=\"preview\""));
    let page = reader.page(&format!("/reports/{finished}")).await;
    assert!(!page.contains("/delete"), "{page}");
    file(&show, &reader, &finished, "").await.is(200);
    reader.get(&format!("/reports/{running}")).await.is(404);
    reader
        .get(&format!("/reports/{running}/file"))
        .await
        .is(404);
    assert!(!reader.page("/jobs").await.contains("Make a job"));
    let delete = format!("/reports/{finished}/delete");
    reader.get(&delete).await.is(403);
    for path in [
        "/reports",
        "/jobs",
        "/install/key",
        delete.as_str(),
        "/jobs/x/delete",
    ] {
        let job = [("event_id", "keynote"), ("report_type", ""), ("name", "")];
        reader.post(path, &job).await.is(403);
    }
    reader.get("/status").await.is(403);
}
