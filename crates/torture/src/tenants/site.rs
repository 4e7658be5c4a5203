//! Two organisations, `acme` and `globex`, each with a show, reports and a job, on one server.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::request::{REPORTS, Request, list, send, text};
use super::show::{orders, records, traced};
use crate::scenario::Setting;
use showreport_testkit::{DAY_MS, ORG, Product, Random, Response, Server, now_ms, output, path_of};

/// The other organisation.
pub(super) const OTHER: &str = "globex";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Acme = 0,
    Globex = 1,
}

/// The ids of what belongs to an organisation.
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
    pub(super) share: String,
    /// An API token.
    pub(super) token: String,
    pub(super) person: String,
}

/// An organisation.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) name: &'static str,
    /// Part of every text that it sends.
    pub(super) canary: String,
    /// The user agent of its viewers, which no response, file or log may hold.
    pub(super) agent: String,
    /// Their address; the same.
    pub(super) address: String,
    pub(super) ids: Ids,
    pub(super) collector: String,
    pub(super) reader: String,
    pub(super) admin: String,
    /// The key of its viewer tokens.
    pub(super) viewer_secret: String,
    /// A token with every scope that was revoked before the server started.
    pub(super) revoked: String,
}

/// A request and its response.
pub(super) struct Exchange {
    /// `None` without a valid token.
    pub(super) reader: Option<Side>,
    pub(super) request: Request,
    /// Head and body.
    pub(super) response: Vec<u8>,
}

/// A server with both organisations, and all exchanges.
pub(super) struct Site {
    pub(super) product: Product,
    pub(super) server: Server,
    pub(super) tenants: [Tenant; 2],
    /// The date of both shows.
    pub(super) day: String,
    pub(super) exchanges: Vec<Exchange>,
    /// Valid viewer tokens that were sent.
    pub(super) viewer_tokens: Vec<String>,
    /// Secrets of sessions, invitations and share links.
    pub(super) page_secrets: Vec<String>,
    log: PathBuf,
}

/// Far longer than a report of a few rows takes.
const MADE_WITHIN: Duration = Duration::from_mins(2);

impl Site {
    /// Collects both shows, and makes all their reports.
    pub(super) fn open(setting: &Setting, random: &mut Random) -> anyhow::Result<Self> {
        let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
        product.org(OTHER)?;
        let tenants = [
            Tenant::new(&product, ORG, random)?,
            Tenant::new(&product, OTHER, random)?,
        ];
        let server = Server::start(
            &product,
            &["--log-level", "debug", "--trusted-proxy", "127.0.0.1"],
        )?;
        let noon_ms = (now_ms() / DAY_MS - 3) * DAY_MS + DAY_MS / 2;
        let mut site = Self {
            log: product.log(),
            product,
            server,
            tenants,
            day: String::new(),
            exchanges: Vec::new(),
            viewer_tokens: Vec::new(),
            page_secrets: Vec::new(),
        };
        for side in [Side::Acme, Side::Globex] {
            site.prepare(side, noon_ms)?;
        }
        Ok(site)
    }

    pub(super) fn tenant(&self, side: Side) -> &Tenant {
        &self.tenants[side as usize]
    }

    /// What the server has logged so far.
    pub(super) fn log(&self) -> anyhow::Result<Vec<u8>> {
        fs::read(&self.log).context("read the server's log")
    }

    /// Sends a request on a connection of its own, and keeps the exchange.
    pub(super) fn send(
        &mut self,
        side: Option<Side>,
        token: Option<&str>,
        request: &Request,
    ) -> anyhow::Result<Response> {
        let mut connection = self.server.client.connect()?;
        let response = send(&mut connection, token, request)?;
        self.exchanges.push(Exchange {
            reader: side,
            request: request.clone(),
            response: [response.head().as_bytes(), &response.body].concat(),
        });
        Ok(response)
    }

    /// Sends a request with the reader's token, which must succeed.
    pub(super) fn read(&mut self, side: Side, request: &Request) -> anyhow::Result<Value> {
        let token = self.tenant(side).reader.clone();
        let response = self.send(Some(side), Some(&token), request)?;
        ensure!(
            response.status == 200,
            "{} {} answered {}: {}",
            request.method,
            request.path,
            response.status,
            response.text()
        );
        serde_json::from_slice(&response.body).context("read an response")
    }

    /// Sends an organisation's records, and makes every report of them.
    fn prepare(&mut self, side: Side, noon_ms: u64) -> anyhow::Result<()> {
        let collector = self.tenant(side).collector.clone();
        let tenant = self.tenant(side);
        let records = records(&tenant.canary, &tenant.ids.event, noon_ms);
        let collect = Request::post("/collect", records);
        let response = self.send(Some(side), Some(&collector), &collect)?;
        ensure!(response.status == 202, "records: {}", response.text());
        self.send_traces(side, noon_ms)?;
        for event in [self.tenant(side).ids.event.clone(), "keynote".to_owned()] {
            self.make_reports(side, &event)?;
        }
        self.make_bulk_reports(side)?;
        self.share(side)
    }

    /// A share link, and a person that is only invited.
    fn share(&mut self, side: Side) -> anyhow::Result<()> {
        let tenant = self.tenant(side);
        let (name, email) = (tenant.name, format!("invited-{}", tenant.email()));
        let path = format!("/api/v1/events/{}/shares", tenant.ids.event);
        let made = self.read(side, &Request::post(&path, "{}".to_owned()))?;
        let invite = [
            "person", "invite", &email, "--org", name, "--role", "reader",
        ];
        let link = output(&mut self.product.command(&invite))?;
        for secret in [text(&made["uri"])?, link.trim_end()] {
            let secret = secret.rsplit('/').next().unwrap_or_default();
            self.page_secrets.push(secret.to_owned());
        }
        text(&made["id"])?.clone_into(&mut self.tenants[side as usize].ids.share);
        Ok(())
    }

    /// Sends playbacks from which system and region are worked out.
    fn send_traces(&mut self, side: Side, noon_ms: u64) -> anyhow::Result<()> {
        let tenant = self.tenant(side);
        let collector = tenant.collector.clone();
        let [of_back_end, of_player, wrong] = traced(tenant, noon_ms);
        let by_key = format!("/collect?key={collector}");
        let by_key = Request::post(&by_key, of_player)
            .with("user-agent", &tenant.agent)
            .with("x-forwarded-for", &tenant.address);
        let by_header = |body| Request::post("/collect", body);
        for (token, request, status) in [
            (Some(collector.as_str()), by_header(of_back_end), 202),
            (None, by_key, 202),
            (Some(collector.as_str()), by_header(wrong), 400),
        ] {
            let response = self.send(Some(side), token, &request)?;
            ensure!(response.status == status, "a trace: {}", response.text());
        }
        Ok(())
    }

    /// Every dimension in two output formats, and the files.
    fn make_reports(&mut self, side: Side, event: &str) -> anyhow::Result<()> {
        let mut created = self.read(side, &Request::post(REPORTS, orders(event)))?;
        let reports = created["reports"].take();
        let ids: Vec<Value> = list(&reports)?
            .iter()
            .map(|report| json!({"id": report["id"]}))
            .collect();
        let path = format!("{REPORTS}:batch-get");
        let question = Request::post(&path, json!({ "reports": ids }).to_string());
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
                "reports were not made: {answered}"
            );
            std::thread::sleep(Duration::from_millis(50));
        };
        for report in &answered {
            let link = path_of(&report["uri"])?;
            for variant in ["", "?variant=raw"] {
                let response =
                    self.send(Some(side), None, &Request::get(&format!("{link}{variant}")))?;
                ensure!(response.status == 200, "{link}: {}", response.text());
            }
            let ids = &mut self.tenants[side as usize].ids;
            text(&report["id"])?.clone_into(&mut ids.report);
            ids.link = link;
        }
        Ok(())
    }

    /// A report job of every type but one, which the callers make.
    fn make_bulk_reports(&mut self, side: Side) -> anyhow::Result<()> {
        for report_type in ["customers", "poll_summaries", "poll_votes", "chat_messages"] {
            let job = json!({"reportTypeId": format!("event_{report_type}_a1"), "name": "daily"});
            let job = self.read(side, &Request::post("/v1/jobs", job.to_string()))?;
            let job = text(&job["id"])?.to_owned();
            let path = format!("/v1/jobs/{job}/reports?pageSize=1000");
            let begun = Instant::now();
            let report = loop {
                let page = self.read(side, &Request::get(&path))?;
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
            let file = self.send(Some(side), Some(&reader), &Request::get(&url))?;
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
        let token = |scope| product.token_of(name, scope);
        let revoked = token("admin")?;
        let listed = output(&mut product.command(&["token", "list", "--org", name]))?;
        let id = listed.split_whitespace().next().context("a token's id")?;
        output(&mut product.command(&["token", "revoke", id]))?;
        let canary = format!("canary{:016x}", random.u64(..));
        // Without zeros in front, which an address is written without.
        let [a, b, c] = std::array::from_fn(|_| random.u16(0x1000..));
        Ok(Self {
            name,
            ids: Ids {
                event: format!("only{:016x}", random.u64(..)),
                report: String::new(),
                job: String::new(),
                bulk_report: String::new(),
                media: String::new(),
                link: String::new(),
                share: String::new(),
                token: id.to_owned(),
                // Pages show no id of a person, so this one is unknown to both.
                person: "019a1c2e-7f3a-7cc1-9d0b-0f1e2d3c4b5a".to_owned(),
            },
            collector: token("collect")?,
            reader: token("report")?,
            admin: token("admin")?,
            viewer_secret: token("viewer")?,
            revoked,
            canary,
            agent: format!(
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) agent{:016x}",
                random.u64(..)
            ),
            // A network that has been in China for decades.
            address: format!("2001:da8:1:2:{a:x}:{b:x}:{c:x}:1"),
        })
    }

    /// What its viewers are known by and must be forgotten.
    pub(super) fn traces(&self) -> [&[u8]; 2] {
        let (_, agent) = self.agent.split_once(") ").unwrap_or(("", &self.agent));
        [agent.as_bytes(), self.address.as_bytes()]
    }

    /// The address of a person who reads its pages.
    pub(super) fn email(&self) -> String {
        format!("reader@{}.example", self.canary)
    }

    /// All its tokens that are stored as hashes only.
    pub(super) fn secrets(&self) -> [&str; 4] {
        [&self.collector, &self.reader, &self.admin, &self.revoked]
    }
}
