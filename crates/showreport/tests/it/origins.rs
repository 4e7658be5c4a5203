//! The system and the region of viewers, and that nothing is kept of what they are worked out of.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, header};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use showreport_testkit::{files_below, mmdb};

use crate::command_line::{acme, command, fails, http, printed, started, write};
use crate::harness::show::watches;
use crate::harness::{Response, Show};
use crate::oracle::Dimension::WatchTime;

const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Unmistakable/7f3c9b1e55d2";
/// An address of a network that has been in China for decades.
const ADDRESS: &str = "2001:da8:7f3c:9b1e:55d2::117";

/// How a request is authorised, and its other headers.
struct Sender<'a> {
    query: String,
    bearer: Option<&'a str>,
    headers: &'a [(&'static str, &'static str)],
}

impl<'a> Sender<'a> {
    fn by_key(token: &str, headers: &'a [(&'static str, &'static str)]) -> Self {
        Self {
            query: format!("?key={token}"),
            bearer: None,
            headers,
        }
    }

    fn by_header(token: &'a str, headers: &'a [(&'static str, &'static str)]) -> Self {
        Self {
            query: String::new(),
            bearer: Some(token),
            headers,
        }
    }

    /// Sends a record from [`ADDRESS`] with the user agent [`MAC`].
    async fn send(&self, show: &Show, record: &Value) -> Response {
        let mut request = Request::post(format!("/collect{}", self.query))
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .header(header::USER_AGENT, MAC);
        if let Some(token) = self.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let mut record = record.clone();
        record["event_id"] = json!("keynote");
        let body = Body::from(record.to_string());
        let mut request = request.body(body).expect("a request");
        let peer = SocketAddr::new(ADDRESS.parse().expect("an address"), 40_000);
        request.extensions_mut().insert(ConnectInfo(peer));
        show.app.send(request).await
    }
}

/// A playback that has these fields too.
fn playback(id: &str, fields: &Value) -> Value {
    let mut record = watches("ada", id, "10:00..10:01");
    for (name, value) in fields.as_object().expect("fields") {
        record[name] = value.clone();
    }
    record
}

/// The system and the region of each view of a report.
fn origins(report: &str) -> Vec<[&str; 3]> {
    let rows = report.lines().skip(1).map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        [cells[2], cells[5], cells[6]]
    });
    rows.collect()
}

#[tokio::test]
async fn a_request_of_the_player_itself_says_what_its_records_do_not() {
    let show = Show::new().await;
    let collect = show.app.token(&show.org.id, "collect").await;
    let of_page = [("origin", "https://show.example")];
    let windows = [("sec-ch-ua-platform", "\"Windows\"")];
    let said = json!({"user_agent": "Roku/DVP-14.5 (14.5.4)", "ip": "140.112.0.1"});
    let own = json!({"device_os": "My OS", "geo_region": "JP-13", "ip": "140.112.0.1"});
    for (sender, record) in [
        (Sender::by_key(&collect, &[]), playback("1-key", &json!({}))),
        (
            Sender::by_header(&collect, &of_page),
            playback("2-origin", &json!({})),
        ),
        (
            Sender::by_key(&collect, &windows),
            playback("3-hint", &json!({})),
        ),
        (
            Sender::by_header(&collect, &[]),
            playback("4-back-end", &json!({})),
        ),
        (
            Sender::by_header(&show.org.token, &of_page),
            playback("5-admin", &json!({})),
        ),
        (Sender::by_header(&collect, &[]), playback("6-said", &said)),
        (Sender::by_key(&collect, &[]), playback("7-said", &said)),
        (Sender::by_key(&collect, &[]), playback("8-own", &own)),
    ] {
        sender.send(&show, &record).await.is(202);
    }
    let report = show.report(WatchTime, &[]).await;
    assert_eq!(
        origins(&report),
        [
            ["1-key", "macOS", "CN"],
            ["2-origin", "macOS", "CN"],
            ["3-hint", "Windows", "CN"],
            ["4-back-end", "", ""],
            ["5-admin", "", ""],
            ["6-said", "Roku", "TW"],
            ["7-said", "Roku", "TW"],
            ["8-own", "My OS", "JP-13"],
        ]
    );
}

/// Whether bytes hold the user agent or the address, as text or as bytes.
fn holds_a_trace(bytes: &[u8]) -> bool {
    let address: IpAddr = ADDRESS.parse().expect("an address");
    let IpAddr::V6(address) = address else {
        unreachable!("it is one of IPv6");
    };
    let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|it| it == wanted);
    holds(b"Unmistakable") || holds(ADDRESS.as_bytes()) || holds(&address.octets())
}

/// The rows of all Parquet files below, as text.
fn rows_of_parquet(directory: &Path) -> String {
    let files = files_below(directory).expect("a directory");
    // The checksums of a file have its name.
    let is_table = |file: &&PathBuf| {
        let is_checksums = file.components().any(|it| it.as_os_str() == ".sums");
        file.extension().is_some_and(|it| it == "parquet") && !is_checksums
    };
    let tables = files.iter().filter(is_table);
    let mut rows = String::new();
    for table in tables {
        let file = fs::File::open(directory.join(table)).expect("the file");
        let reader = SerializedFileReader::new(file).expect("Parquet");
        for row in reader.get_row_iter(None).expect("rows") {
            rows += &row.expect("a row").to_string();
        }
    }
    rows
}

#[tokio::test]
async fn no_address_and_no_user_agent_is_stored_or_answered() {
    let show = Show::new().await;
    let collect = show.app.token(&show.org.id, "collect").await;
    let said = json!({"user_agent": MAC, "ip": ADDRESS});
    let player = Sender::by_key(&collect, &[]);
    let back_end = Sender::by_header(&show.org.token, &[]);
    player
        .send(&show, &playback("player", &json!({})))
        .await
        .is(202);
    back_end
        .send(&show, &playback("back-end", &said))
        .await
        .is(202);
    for wrong in [
        json!({"user_agent": MAC, "ip": [ADDRESS]}),
        json!({"user_agent": {"is": MAC}, "ip": ADDRESS}),
        json!({"user_agent": MAC, "ip": ADDRESS, "to": "never"}),
        json!({"user_agent": MAC.repeat(30), "ip": ADDRESS}),
    ] {
        let response = back_end.send(&show, &playback("wrong", &wrong)).await;
        assert_eq!(response.status, 400);
        assert!(
            !holds_a_trace(response.text().as_bytes()),
            "{}",
            response.text()
        );
    }
    let waiting = show.app.parts.meta.journal_rows(0, u64::MAX).await;
    let waiting = waiting.expect("read the journal");
    assert!(!waiting.is_empty());
    for row in waiting {
        let facts = row.decompress().expect("a row");
        assert!(!holds_a_trace(&facts));
    }
    let report = show.report(WatchTime, &[]).await;
    let found = origins(&report);
    assert_eq!(
        found,
        [["back-end", "macOS", "CN"], ["player", "macOS", "CN"]]
    );
    let data = show.app.data_dir();
    let rows = rows_of_parquet(data);
    assert!(rows.contains("macOS"), "{rows}");
    assert!(!holds_a_trace(rows.as_bytes()), "{rows}");
    for file in files_below(data).expect("the data directory") {
        let bytes = fs::read(data.join(&file)).unwrap_or_default();
        assert!(!holds_a_trace(&bytes), "{}", file.display());
    }
}

/// A database that has one network.
fn regions(data: &Path) -> PathBuf {
    let place = json!({"country": {"iso_code": "DE"}, "subdivisions": [{"iso_code": "BY"}]});
    let path = data.join("regions.mmdb");
    fs::write(&path, mmdb("Test-City", &[("2001:da8::/32", place)])).expect("write");
    path
}

#[test]
fn a_trusted_proxy_says_the_address_and_a_file_its_region() {
    let outside = tempfile::tempdir().expect("a directory");
    let regions = regions(outside.path());
    let data = acme();
    let data = data.path();
    let token = printed(data, "token create --org acme --scope collect");
    let log = outside.path().join("server.log");
    let to_log = fs::File::create(&log).expect("a file for the log");
    let mut serve = command(data, "serve --listen 127.0.0.1:0 --log-level trace");
    serve
        .args(["--trusted-proxy", "10.0.0.0/8,127.0.0.1", "--geoip"])
        .arg(regions);
    let (server, address) = started(serve, to_log.into());
    let record = playback("tab", &json!({"event_id": "keynote"})).to_string();
    let request = format!(
        "POST /collect?key={} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: {MAC}\r\n\
         X-Forwarded-For: 192.0.2.1, {ADDRESS}, 10.1.2.3\r\nContent-Length: {}\r\n\r\n{record}",
        token.trim_end(),
        record.len()
    );
    let response = http(&address, &request);
    assert!(response.starts_with("HTTP/1.1 202"), "{response}");
    let report = printed(
        data,
        "report --org acme --event keynote --dimension watch-time",
    );
    assert_eq!(origins(&report), [["tab", "macOS", "DE-BY"]]);
    let metrics = http(
        &address,
        "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    assert!(!holds_a_trace(metrics.as_bytes()));
    drop(server);
    let logged = fs::read(&log).expect("the log");
    assert!(
        logged.windows(8).any(|it| it == b"/collect"),
        "the request is logged"
    );
    assert!(
        !holds_a_trace(&logged),
        "{}",
        String::from_utf8_lossy(&logged)
    );
    for file in files_below(data).expect("the data directory") {
        let bytes = fs::read(data.join(&file)).unwrap_or_default();
        assert!(!holds_a_trace(&bytes), "{}", file.display());
    }
}

#[test]
fn an_import_works_out_the_same() {
    let data = acme();
    let data = data.path();
    let regions = regions(data);
    let csv = format!(
        "type,event_id,playback_id,from,to,user_agent,ip\n\
         playback,keynote,tab,2025-03-01T10:00:00Z,2025-03-01T10:01:00Z,{MAC},{ADDRESS}\n\
         playback,keynote,tv,2025-03-01T10:00:00Z,2025-03-01T10:01:00Z,Roku/DVP-14.5,\n"
    );
    write(data, "records.csv", csv);
    let report = "report --org acme --event keynote --dimension watch-time";
    let found = |report: &str| {
        let rows = origins(report)
            .into_iter()
            .map(|row| row.map(str::to_owned));
        rows.collect::<Vec<_>>()
    };
    printed(data, "import records.csv --org acme");
    let first = found(&printed(data, report));
    assert_eq!(first, [["tab", "macOS", "CN"], ["tv", "Roku", ""]]);
    printed(data, "org create globex");
    let typed = format!(
        "import records.csv --org globex --geoip {}",
        regions.display()
    );
    printed(data, &typed);
    let second = found(&printed(data, &report.replace("acme", "globex")));
    assert_eq!(second, [["tab", "macOS", "DE-BY"], ["tv", "Roku", ""]]);
}

#[test]
fn a_database_or_a_network_that_cannot_be_used_is_named_at_the_start() {
    let data = acme();
    let data = data.path();
    write(data, "half.mmdb", "half a database");
    for (flags, code, wanted) in [
        ("--geoip missing.mmdb", 1, ["missing.mmdb", "--geoip"]),
        ("--geoip half.mmdb", 1, ["half.mmdb", "no database"]),
        (
            "--trusted-proxy proxy.example",
            2,
            ["proxy.example", "10.0.0.0/8"],
        ),
    ] {
        let mut serve = command(data, &format!("serve --listen 127.0.0.1:0 {flags}"));
        let output = serve
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        let why = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{flags}: {why}");
        for wanted in wanted {
            assert!(why.contains(wanted), "{flags}: {why}");
        }
    }
    write(data, "records.ndjson", "");
    fails(
        data,
        "import records.ndjson --org acme --geoip missing.mmdb",
        1,
    );
}
