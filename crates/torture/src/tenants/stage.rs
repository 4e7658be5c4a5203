//! Two organisations, `acme` and `globex`, each with a show, reports and a job, on one server.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::super::Torment;
use super::ask::{Ask, REPORTS, list, path_of, send, text};
use super::show::{orders, records};
use showreport_testkit::{Answer, ORG, Product, Random, Server, output};

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
        let mut created = self.read(side, &Ask::post(REPORTS, orders(event)))?;
        let reports = created["reports"].take();
        let ids: Vec<Value> = list(&reports)?
            .iter()
            .map(|report| json!({"id": report["id"]}))
            .collect();
        let path = format!("{REPORTS}:batch-get");
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
