//! A full disk: what needs space is refused, what frees space or revokes access works.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use showreport_meta::Scopes;

use crate::command_line::{Server, acme, printed};
use crate::harness::app::ndjson;
use crate::harness::show::watches;
use crate::harness::{Random, Show};
use crate::killing::post;
use crate::maintaining::is_expired;

/// Requests are accepted within this time after space is freed.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);

/// A disk without space for the reserve, which was given up.
struct FullDisk(PathBuf);

impl FullDisk {
    fn below(show: &Show) -> Self {
        let reserve = show.app.data_dir().join("meta.reserve");
        std::fs::remove_file(&reserve).expect("the room in reserve");
        std::os::unix::fs::symlink("/dev/full", &reserve).expect("a full disk");
        Self(reserve)
    }

    fn has_room_again(self) {
        std::fs::remove_file(&self.0).expect("the full disk");
    }
}

async fn ready(show: &Show) -> (u16, Value) {
    let response = show.app.get(&show.org, "/readyz").await;
    (response.status, response.json())
}

#[tokio::test]
async fn a_full_disk_refuses_records_and_still_deletes_and_revokes() {
    let show = Show::new().await;
    show.send([watches("ada", "tab", "10:00..10:30")]).await;
    let watch_time = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": []});
    let entries = [watch_time.clone(), watch_time];
    let made = show.app.make(&show.org, "keynote", &entries).await;
    let id = made[0].report["id"].as_str().expect("an id");
    let job = show.app.job(&show.org, "event_customers_a1").await;
    let scopes = Scopes::parse("collect").expect("scopes");
    let meta = &show.app.parts.meta;
    let (token, secret) = meta
        .create_token(&show.org.id, scopes, None)
        .await
        .expect("a token");
    assert_eq!(ready(&show).await.0, 200);

    let disk = FullDisk::below(&show);
    let mut more = watches("bob", "tab", "10:00..10:30");
    more["event_id"] = json!("keynote");
    let more = [more];
    show.app.collect(&show.org, &more).await.refused(507);
    let (status, why) = ready(&show).await;
    assert_eq!(status, 503, "{why}");
    assert_eq!(why["details"][0]["reason"], "STORAGE_FULL", "{why}");
    let path = format!("/api/v1/reports/{id}");
    show.app.delete(&show.org, &path).await.is(204);
    show.app.get(&show.org, &path).await.refused(404);
    show.app
        .delete(&show.org, &format!("/v1/jobs/{job}"))
        .await
        .is(200);
    meta.revoke_token(token).await.expect("revoked");
    let opened = meta.authenticate(secret.expose()).await;
    assert!(opened.is_err(), "{opened:?}");
    // Expiry and flushes free space as well.
    show.app.clock.advance_hours(31 * 24);
    show.app.maintain(true).await;
    assert!(is_expired(&show, &made[1].report).await);
    show.app.parts.lake.flush().await.expect("flush");

    disk.has_room_again();
    let begun = Instant::now();
    while ready(&show).await.0 != 200 {
        assert!(begun.elapsed() < NOTICED_WITHIN, "{:?}", ready(&show).await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    show.send([watches("bob", "tab", "10:00..10:30")]).await;
}

/// A server with a limit of a few mebibytes for each file. The system refuses further writes as
/// with an exhausted quota, which is another error than that of a full disk.
fn serve_within_quota(data: &std::path::Path) -> (Server, String) {
    let script = format!(
        "trap '' XFSZ; ulimit -f 4096; exec {} serve --listen 127.0.0.1:0",
        env!("CARGO_BIN_EXE_showreport")
    );
    let mut serve = Command::new("sh");
    serve.args(["-c", &script]).env("SHOWREPORT_DATA_DIR", data);
    serve.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Server(serve.spawn().expect("the program starts"));
    let mut line = String::new();
    let stdout = server.0.stdout.as_mut().expect("stdout");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line.trim_end().strip_prefix("listening on http://");
    let address = address.expect("an address").to_owned();
    (server, address)
}

#[test]
fn a_used_up_quota_refuses_records_and_does_not_end_the_server() {
    let data = acme();
    let token = printed(data.path(), "token create --org acme --scope collect");
    let (mut server, address) = serve_within_quota(data.path());
    let mut random = Random::new(7);
    // Texts that do not compress.
    let mut text = || -> String {
        let hex: Vec<String> = (0..100).map(|_| format!("{:x}", random.bits())).collect();
        hex.concat()
    };
    let mut statuses = Vec::new();
    for batch in 0..100 {
        let messages: Vec<Value> = (0..100)
            .map(|number| {
                json!({
                    "type": "chat", "event_id": "keynote", "message_id": format!("{batch}-{number}"),
                    "text": text(), "sent_at": "2025-03-01T10:00:00Z",
                })
            })
            .collect();
        let response = post(&address, token.trim_end(), &ndjson(&messages)).expect("a response");
        statuses.push(response[9..12].to_owned());
        if statuses.iter().filter(|status| *status == "507").count() > 3 {
            break;
        }
    }
    assert!(
        statuses.iter().any(|status| status == "202"),
        "{statuses:?}"
    );
    assert!(
        statuses
            .iter()
            .all(|status| status == "202" || status == "507"),
        "{statuses:?}"
    );
    assert!(
        statuses.iter().any(|status| status == "507"),
        "{statuses:?}"
    );
    assert!(
        server.0.try_wait().expect("its state").is_none(),
        "it has ended"
    );
}
