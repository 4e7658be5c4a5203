//! Two organisations, `acme` and `globex`, each with a show, reports and a job, on one server.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::super::Torment;
use crate::rig::{Answer, Connection, ORG, Product, Random, Server, output};

/// The other organisation.
pub(super) const OTHER: &str = "globex";

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Acme = 0,
    Globex = 1,
}

/// What is asked for by id.
#[derive(Debug, Clone)]
pub(super) struct Ids {
    pub(super) event: String,
    pub(super) report: String,
    pub(super) job: String,
    pub(super) bulk_report: String,
    /// What follows `/v1/media/`.
    pub(super) media: String,
    /// The path of a signed link.
    pub(super) link: String,
}

/// An organisation.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) name: &'static str,
    /// In every text that it sends, and nowhere else.
    pub(super) canary: String,
    pub(super) ids: Ids,
    pub(super) collector: String,
    pub(super) reader: String,
    pub(super) admin: String,
    /// It could do everything, and was revoked before the server began.
    pub(super) revoked: String,
}

/// A request, but for who makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
    /// More headers, each line with its end.
    pub(super) headers: String,
}

/// An answer to somebody.
pub(super) struct Told {
    /// Nobody, if nobody was signed in.
    pub(super) reader: Option<Side>,
    pub(super) question: Ask,
    /// Head and body.
    pub(super) answer: Vec<u8>,
}

/// The two beside each other, and everything that they were told.
pub(super) struct Stage {
    pub(super) product: Product,
    pub(super) server: Server,
    pub(super) tenants: [Tenant; 2],
    /// The date of both shows.
    pub(super) day: String,
    /// Everything that anybody was told.
    pub(super) told: Vec<Told>,
    log: PathBuf,
}

/// Far longer than a report of a few rows takes.
const MADE_WITHIN: Duration = Duration::from_mins(2);

const DAY_MS: u128 = 86_400_000;

impl Stage {
    /// Has both shows collected, and all their reports made.
    pub(super) fn set(torment: &Torment, random: &mut Random) -> anyhow::Result<Self> {
        let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
        product.org(OTHER)?;
        let tenants = [
            Tenant::new(&product, ORG, random)?,
            Tenant::new(&product, OTHER, random)?,
        ];
        let server = Server::start(&product, &["--log-level", "debug"])?;
        // Its folder was made a moment ago, and so tells the time.
        let made = fs::metadata(&torment.folder)?.modified()?;
        let now = made.duration_since(UNIX_EPOCH)?.as_millis();
        let noon_ms = (now / DAY_MS - 3) * DAY_MS + DAY_MS / 2;
        let mut stage = Self {
            log: product.data_dir.with_extension("log"),
            product,
            server,
            tenants,
            day: String::new(),
            told: Vec::new(),
        };
        for side in [Side::Acme, Side::Globex] {
            stage.play(side, noon_ms)?;
        }
        Ok(stage)
    }

    pub(super) fn tenant(&self, side: Side) -> &Tenant {
        &self.tenants[side as usize]
    }

    /// What the server has logged so far.
    pub(super) fn log(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(&self.log).context("read the server's log")
    }

    /// Asks on a connection of its own, and keeps what was said.
    pub(super) fn ask(
        &mut self,
        side: Option<Side>,
        token: Option<&str>,
        ask: &Ask,
    ) -> anyhow::Result<Answer> {
        let mut connection = self.server.connect()?;
        let answer = send(&mut connection, token, ask)?;
        self.told.push(Told {
            reader: side,
            question: ask.clone(),
            answer: [answer.head.as_bytes(), &answer.body].concat(),
        });
        Ok(answer)
    }

    /// What a tenant's reader is answered, which must be a success.
    pub(super) fn read(&mut self, side: Side, ask: &Ask) -> anyhow::Result<Value> {
        let token = self.tenant(side).reader.clone();
        let answer = self.ask(Some(side), Some(&token), ask)?;
        ensure!(
            answer.status == 200,
            "{} {} answered {}: {}",
            ask.method,
            ask.path,
            answer.status,
            answer.text()
        );
        serde_json::from_slice(&answer.body).context("read an answer")
    }

    /// Sends a tenant's records, and has every report made of them.
    fn play(&mut self, side: Side, noon_ms: u128) -> anyhow::Result<()> {
        let collector = self.tenant(side).collector.clone();
        let tenant = self.tenant(side);
        let records = records(&tenant.canary, &tenant.ids.event, noon_ms)?;
        let collect = Ask::post("/collect", records);
        let answer = self.ask(Some(side), Some(&collector), &collect)?;
        ensure!(answer.status == 202, "records: {}", answer.text());
        for event in [self.tenant(side).ids.event.clone(), "keynote".to_owned()] {
            self.make_reports(side, &event)?;
        }
        self.make_bulk_reports(side)
    }

    /// Every dimension in two forms, and each file of it.
    fn make_reports(&mut self, side: Side, event: &str) -> anyhow::Result<()> {
        let mut created = self.read(side, &Ask::post(super::operations::REPORTS, orders(event)))?;
        let reports = created["reports"].take();
        let ids: Vec<Value> = list(&reports)?
            .iter()
            .map(|report| json!({"id": report["id"]}))
            .collect();
        let path = format!("{}:batch-get", super::operations::REPORTS);
        let question = Ask::post(&path, json!({ "reports": ids }).to_string());
        let begun = Instant::now();
        let answered = loop {
            let answered = self.read(side, &question)?;
            let reports = list(&answered["reports"])?;
            if reports
                .iter()
                .all(|it| it["status"] == "EVENT_REPORT_STATUS_SUCCEEDED")
            {
                break reports.clone();
            }
            ensure!(
                begun.elapsed() < MADE_WITHIN,
                "reports are not made: {answered}"
            );
            std::thread::sleep(Duration::from_millis(50));
        };
        for report in &answered {
            let link = path_of(&report["uri"])?;
            for variant in ["", "?variant=raw"] {
                let answer = self.ask(Some(side), None, &Ask::get(&format!("{link}{variant}")))?;
                ensure!(answer.status == 200, "{link}: {}", answer.text());
            }
            let ids = &mut self.tenants[side as usize].ids;
            text(&report["id"])?.clone_into(&mut ids.report);
            ids.link = link;
        }
        Ok(())
    }

    /// A job of every type but one, which is left for others to make.
    fn make_bulk_reports(&mut self, side: Side) -> anyhow::Result<()> {
        for report_type in ["customers", "poll_summaries", "poll_votes", "chat_messages"] {
            let job = json!({"reportTypeId": format!("event_{report_type}_a1"), "name": "daily"});
            let job = self.read(side, &Ask::post("/v1/jobs", job.to_string()))?;
            let job = text(&job["id"])?.to_owned();
            let path = format!("/v1/jobs/{job}/reports?pageSize=1000");
            let begun = Instant::now();
            let report = loop {
                let page = self.read(side, &Ask::get(&path))?;
                let mut reports = page["reports"].as_array().into_iter().flatten();
                if let Some(report) = reports.find(|it| it["rowCount"].as_u64() > Some(0)) {
                    break report.clone();
                }
                ensure!(
                    begun.elapsed() < MADE_WITHIN,
                    "no bulk report has rows: {page}"
                );
                std::thread::sleep(Duration::from_millis(100));
            };
            let url = path_of(&report["downloadUrl"])?;
            let reader = self.tenant(side).reader.clone();
            let file = self.ask(Some(side), Some(&reader), &Ask::get(&url))?;
            ensure!(
                file.status == 200 && file.text().lines().count() > 1,
                "the bulk report of a day with data: {} {}",
                file.status,
                file.text()
            );
            text(&report["startTime"])?[..10].clone_into(&mut self.day);
            let ids = &mut self.tenants[side as usize].ids;
            ids.job = job;
            text(&report["id"])?.clone_into(&mut ids.bulk_report);
            let name = url.trim_start_matches("/v1/media/");
            name.split('?')
                .next()
                .unwrap_or_default()
                .clone_into(&mut ids.media);
        }
        Ok(())
    }
}

impl Tenant {
    fn new(product: &Product, name: &'static str, random: &mut Random) -> anyhow::Result<Self> {
        let token = |scope| {
            let create = ["token", "create", "--org", name, "--scope", scope];
            output(&mut product.command(&create))
        };
        let revoked = token("admin")?;
        let listed = output(&mut product.command(&["token", "list", "--org", name]))?;
        let id = listed.split_whitespace().next().context("a token's id")?;
        output(&mut product.command(&["token", "revoke", id]))?;
        let canary = format!("canary{:016x}", random.next());
        Ok(Self {
            name,
            ids: Ids {
                event: format!("only{:016x}", random.next()),
                report: String::new(),
                job: String::new(),
                bulk_report: String::new(),
                media: String::new(),
                link: String::new(),
            },
            collector: token("collect")?,
            reader: token("report")?,
            admin: token("admin")?,
            revoked,
            canary,
        })
    }

    /// Every secret of it.
    pub(super) fn secrets(&self) -> [&str; 4] {
        [&self.collector, &self.reader, &self.admin, &self.revoked]
    }
}

impl Ask {
    pub(super) fn new(method: &'static str, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            body: String::new(),
            headers: String::new(),
        }
    }

    pub(super) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(super) fn post(path: &str, body: String) -> Self {
        Self {
            body,
            ..Self::new("POST", path)
        }
    }

    pub(super) fn with(mut self, header: &str, value: &str) -> Self {
        self.headers = format!("{}{header}: {value}\r\n", self.headers);
        self
    }
}

/// Sends a request as whoever holds the token.
pub(super) fn send(
    connection: &mut Connection,
    token: Option<&str>,
    ask: &Ask,
) -> anyhow::Result<Answer> {
    let kind = if ask.path.starts_with("/collect") {
        "application/x-ndjson"
    } else {
        "application/json"
    };
    let who = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let head = format!(
        "{} {} HTTP/1.1\r\nHost: torture\r\n{who}{}Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        ask.method,
        ask.path,
        ask.headers,
        ask.body.len()
    );
    connection.send(head.as_bytes(), ask.body.as_bytes())
}

/// The path of an address of ours.
pub(super) fn path_of(address: &Value) -> anyhow::Result<String> {
    let rest = text(address)?.split_once("://");
    let place = rest.and_then(|(_, rest)| rest.find('/').map(|place| &rest[place..]));
    Ok(place.context("an absolute address")?.to_owned())
}

pub(super) fn text(value: &Value) -> anyhow::Result<&str> {
    value
        .as_str()
        .with_context(|| format!("a text instead of {value}"))
}

pub(super) fn list(value: &Value) -> anyhow::Result<&Vec<Value>> {
    value
        .as_array()
        .with_context(|| format!("a list instead of {value}"))
}

/// A show, told twice: of an event that both have, and of one that nobody else has.
fn records(canary: &str, own: &str, noon_ms: u128) -> anyhow::Result<String> {
    let noon = u64::try_from(noon_ms)?;
    let later = noon + 1_800_000;
    let mut lines = String::new();
    for event in [own, "keynote"] {
        let records = [
            json!({"type": "event", "event_id": event, "kind": "live", "title": format!("title {canary}")}),
            json!({"type": "playback", "event_id": event, "playback_id": "tab-1", "from": noon, "to": later,
                "customer_id": format!("who-{canary}"), "device_id": format!("device-{canary}"),
                "device_os": format!("os-{canary}"), "geo_region": "TW"}),
            json!({"type": "chat", "event_id": event, "message_id": "m1", "sent_at": noon, "name": format!("name {canary}"),
                "customer_id": format!("who-{canary}"), "text": format!("text {canary}")}),
            json!({"type": "poll", "event_id": event, "poll_id": "p1", "choice": "single", "status": "active",
                "question": format!("question {canary}"),
                "options": [{"id": "yes", "text": format!("yes {canary}")}, {"id": "no", "text": "no"}]}),
            json!({"type": "vote", "event_id": event, "poll_id": "p1", "option_ids": ["yes"], "voted_at": noon,
                "customer_id": format!("who-{canary}"), "name": format!("name {canary}")}),
        ];
        for record in records {
            lines += &record.to_string();
            lines.push('\n');
        }
    }
    Ok(lines)
}

/// Every dimension, whole and grouped, as CSV and as NDJSON.
fn orders(event: &str) -> String {
    let mut entries = Vec::new();
    for dimension in [
        "WATCH_TIME",
        "CHAT_HISTORIES",
        "POLL_SUMMARIES",
        "POLL_VOTES",
    ] {
        for fields in [
            json!([]),
            json!(["GROUP_BY_FIELD_CUSTOMER_ID", "GROUP_BY_FIELD_DEVICE_OS"]),
        ] {
            for format in ["csv", "ndjson"] {
                entries.push(json!({
                    "dimension": format!("REPORT_DIMENSION_{dimension}"),
                    "group_by_fields": fields, "format": format,
                }));
            }
        }
    }
    json!({"id": event, "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries})
        .to_string()
}
