//! Makes and downloads bulk reports with the crate `google-youtubereporting1`, unchanged.
//!
//!     youtube-rust BASE_URL TOKEN DAY REPORTS
//!
//! The same requests as in `youtube.py`: create, list, get, download, a report made again, delete.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use google_youtubereporting1::api::{Job, Report};
use google_youtubereporting1::hyper_util::client::legacy::Client;
use google_youtubereporting1::hyper_util::client::legacy::connect::HttpConnector;
use google_youtubereporting1::hyper_util::rt::TokioExecutor;
use google_youtubereporting1::{Error, YouTubeReporting};

type Hub = YouTubeReporting<HttpConnector>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

const TYPE: &str = "event_customers_a1";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let base = arguments.next().ok_or("an address")?;
    let token = arguments.next().ok_or("a token")?;
    let day = arguments.next().ok_or("a day")?;
    let count = arguments.next().ok_or("a number of reports")?.parse()?;
    collect(&base, &token, &playback(&day, "early"))?;
    let http = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
    let mut hub: Hub = YouTubeReporting::new(http, token.clone());
    hub.base_url(format!("{base}/"));
    hub.root_url(format!("{base}/"));

    let (_, types) = hub.report_types().list().page_size(2).doit().await?;
    assert_eq!(types.report_types.ok_or("types")?.len(), 2);
    assert!(types.next_page_token.is_some());
    let (_, none) = hub.jobs().list().doit().await?;
    assert!(none.jobs.is_none(), "{none:?}");

    let wanted = Job {
        name: Some("from Rust".to_owned()),
        report_type_id: Some(TYPE.to_owned()),
        ..Job::default()
    };
    let (_, job) = hub.jobs().create(wanted.clone()).doit().await?;
    let id = job.id.ok_or("an id")?;
    let Err(Error::BadRequest(refusal)) = hub.jobs().create(wanted).doit().await else {
        return Err("a second job was made".into());
    };
    assert_eq!(refusal["error"]["code"], 409, "{refusal}");
    let (_, found) = hub.jobs().get(&id).doit().await?;
    assert_eq!(found.name.as_deref(), Some("from Rust"));

    let first = all(&hub, &id, count).await?;
    let file = download(&hub, of_day(&first, &day)?).await?;
    assert!(
        file.starts_with("date,event_id,event_type,customer_id,"),
        "{file}"
    );
    assert!(
        file.contains(",early,") && !file.contains(",late,"),
        "{file}"
    );
    let number = first[0].id.as_deref().ok_or("an id")?;
    let (_, same) = hub.jobs().reports_get(&id, number).doit().await?;
    assert_eq!(same.create_time, first[0].create_time);

    collect(&base, &token, &playback(&day, "late"))?;
    let since = first[0].create_time.ok_or("a time")?;
    let restated = loop {
        let call = hub.jobs().reports_list(&id).created_after(since);
        if let Some(reports) = call.doit().await?.1.reports {
            break reports;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    assert_eq!(restated.len(), 1, "{restated:?}");
    let file = download(&hub, &restated[0]).await?;
    assert!(file.contains(",late,"), "{file}");

    hub.jobs().delete(&id).doit().await?;
    let gone = hub.jobs().get(&id).doit().await;
    assert!(matches!(gone, Err(Error::BadRequest(refusal)) if refusal["error"]["code"] == 404));
    println!("Rust: {} reports and a restatement", first.len());
    Ok(())
}

fn playback(day: &str, customer: &str) -> String {
    format!(
        r#"{{"type":"playback","event_id":"show","playback_id":"{customer}","customer_id":"{customer}","from":"{day}T12:00:00Z","to":"{day}T12:01:00Z"}}"#
    )
}

/// Sends a record over a socket.
fn collect(base: &str, token: &str, record: &str) -> Result<(), Failure> {
    let address = base.strip_prefix("http://").ok_or("an address")?;
    let mut connection = TcpStream::connect(address)?;
    write!(
        connection,
        "POST /collect HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{record}",
        record.len()
    )?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    Ok(())
}

fn of_day<'a>(reports: &'a [Report], day: &str) -> Result<&'a Report, Failure> {
    let starts = |report: &&Report| {
        let start = report.start_time.map(|start| start.to_string());
        start.is_some_and(|start| start.starts_with(day))
    };
    Ok(reports.iter().find(starts).ok_or("a report of the day")?)
}

/// The reports of a new job, once all are made.
async fn all(hub: &Hub, job: &str, count: usize) -> Result<Vec<Report>, Failure> {
    for _ in 0..240 {
        let (_, page) = hub.jobs().reports_list(job).doit().await?;
        let reports = page.reports.unwrap_or_default();
        if reports.len() == count {
            return Ok(reports);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err("the reports are not made within a minute".into())
}

async fn download(hub: &Hub, report: &Report) -> Result<String, Failure> {
    let url = report.download_url.as_deref().ok_or("a downloadUrl")?;
    let name = url.split("/v1/media/").nth(1).ok_or("a name")?;
    let name = name.trim_end_matches("?alt=media");
    let call = hub.media().download(name).param("alt", "media");
    let response = call.doit().await?.0;
    let body = google_youtubereporting1::common::to_bytes(response.into_body()).await;
    Ok(String::from_utf8(body.ok_or("a body")?.to_vec())?)
}
