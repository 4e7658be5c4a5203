//! What one organisation can do to the server, each with all its might.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::audit::REPORTS;
use showreport_testkit::{Answer, Connection, Server, head};

/// An attack: so many clients that repeat one request.
pub(super) struct Attack {
    /// What there is too much of.
    pub(super) name: &'static str,
    clients: u64,
    act: fn(&Attacker<'_>, &mut Connection) -> anyhow::Result<Answer>,
}

pub(super) const ATTACKS: [Attack; 5] = [
    Attack {
        name: "orders of 50 reports",
        clients: 4,
        act: |it, connection| it.order(connection),
    },
    Attack {
        name: "questions for a large day and event",
        clients: 24,
        act: |it, connection| it.question(connection),
    },
    Attack {
        name: "late bodies of thousands of events",
        clients: 2,
        act: |it, connection| it.send_late(connection),
    },
    Attack {
        name: "downloads of one file",
        clients: 24,
        act: |it, connection| it.download(connection),
    },
    Attack {
        name: "bodies of records",
        clients: 64,
        act: |it, connection| it.send_records(connection),
    },
];

/// The day of the large event, which is over.
const DAY: &str = "2026-09-21";
const DAY_MS: u64 = 1_789_948_800_000;

/// Views of the large event for each second that an attack lasts, up to a bound.
const VIEWS_A_ROUND: u64 = 5_000;
const VIEWS_MAX: u64 = 100_000;

/// Events of a late body for each second that an attack lasts, up to a bound.
const EVENTS_A_ROUND: u64 = 1_000;
const EVENTS_MAX: u64 = 20_000;

/// Records of a body.
const RECORDS: u64 = 400;

/// How long a client pauses that was refused, or has stored thousands of events.
const PAUSE: Duration = Duration::from_millis(100);

/// How long ago late records are of: a day that was reported on.
const LATE: Duration = Duration::from_hours(72);

/// The organisation that attacks.
pub(super) struct Attacker<'a> {
    server: &'a Server,
    events: u64,
    /// The path of a link to a large file.
    link: String,
    /// Things that were sent so far, so that each is another.
    sent: AtomicU64,
}

impl<'a> Attacker<'a> {
    /// A large event, a file of its views, and jobs of bulk reports.
    pub(super) fn prepare(server: &'a Server, rounds: u64) -> anyhow::Result<Self> {
        let mut attacker = Self {
            server,
            events: (rounds * EVENTS_A_ROUND).min(EVENTS_MAX),
            link: String::new(),
            sent: AtomicU64::new(0),
        };
        let mut connection = server.connect()?;
        for _ in 0..(rounds * VIEWS_A_ROUND).min(VIEWS_MAX) / RECORDS {
            let answer = attacker.send_records(&mut connection)?;
            ensure!(answer.status == 202, "it was answered {}", answer.status);
        }
        for kind in ["event_watch_time_a1", "event_customers_a1"] {
            let order = json!({"reportTypeId": kind, "name": "daily"});
            server.ask(&mut connection, "/v1/jobs", &order)?;
        }
        attacker.link = attacker.made(&mut connection)?;
        Ok(attacker)
    }

    /// Attacks while this is worked on. Gives how often it was acted, too.
    pub(super) fn run<T>(
        &self,
        attack: &Attack,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, u64)> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..attack.clients)
                .map(|_| scope.spawn(|| self.act(attack, &stop)))
                .collect();
            let worked = work();
            stop.store(true, Ordering::Relaxed);
            let mut acted = 0;
            for client in clients {
                let done = client.join().expect("a client does not panic");
                acted += done.with_context(|| attack.name)?;
            }
            Ok((worked?, acted))
        })
    }

    fn act(&self, attack: &Attack, stop: &AtomicBool) -> anyhow::Result<u64> {
        let mut connection = self.server.connect()?;
        let mut acted = 0;
        while !stop.load(Ordering::Relaxed) {
            let answer = (attack.act)(self, &mut connection)?;
            match answer.status {
                200..300 => acted += 1,
                429 | 503 | 507 if answer.retry_after().is_some() => thread::sleep(PAUSE),
                status => anyhow::bail!("it was answered {status}: {}", answer.text()),
            }
        }
        Ok(acted)
    }

    fn order(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        let entry = json!({
            "dimension": "REPORT_DIMENSION_WATCH_TIME",
            "group_by_fields": ["GROUP_BY_FIELD_WATCH_TIMESTAMP", "GROUP_BY_FIELD_CUSTOMER_ID"],
        });
        let order = order_of(&vec![entry; 50]);
        self.ask(connection, "POST", REPORTS, &order.to_string())
    }

    fn question(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        let day = format!("/bv/analytics/v1/reports/watch-time?time={DAY}");
        let path = match self.sent.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => day.as_str(),
            _ => "/api/v1/events/large/figures",
        };
        self.ask(connection, "GET", path, "")
    }

    fn send_late(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        let from = since_1970()?.saturating_sub(LATE).as_millis();
        let body = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut records = String::new();
        for event in 0..self.events {
            writeln!(
                records,
                r#"{{"type":"playback","event_id":"{body}-{event}","playback_id":"p","from":{from},"to":{}}}"#,
                from + 1_000
            )?;
        }
        let answer = self.ask(connection, "POST", "/collect", &records)?;
        thread::sleep(PAUSE);
        Ok(answer)
    }

    fn download(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        self.ask(connection, "GET", &self.link, "")
    }

    fn send_records(&self, connection: &mut Connection) -> anyhow::Result<Answer> {
        let body = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut records = String::new();
        for record in 0..RECORDS {
            let from = DAY_MS + record * 100_000;
            writeln!(
                records,
                r#"{{"type":"playback","event_id":"large","playback_id":"{body}-{record}","customer_id":"c{}","from":{from},"to":{}}}"#,
                body % 1_000,
                from + 3_600_000
            )?;
        }
        self.ask(connection, "POST", "/collect", &records)
    }

    /// The path of a report of all views.
    fn made(&self, connection: &mut Connection) -> anyhow::Result<String> {
        let entry = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME"});
        let created = self.server.ask(connection, REPORTS, &order_of(&[entry]))?;
        let id = created["reports"][0]["id"].as_str().context("no id")?;
        loop {
            let report = self.server.get(&format!("/api/v1/reports/{id}"))?;
            let report: Value = serde_json::from_slice(&report.body)?;
            if let Some(uri) = report["uri"].as_str().filter(|uri| !uri.is_empty()) {
                let path = uri.splitn(4, '/').nth(3).context("a link without a path")?;
                return Ok(format!("/{path}"));
            }
            ensure!(
                report["status"] == "EVENT_REPORT_STATUS_RUNNING",
                "a report was not made: {report}"
            );
            thread::sleep(PAUSE);
        }
    }

    fn ask(
        &self,
        connection: &mut Connection,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let head = head(method, path, &self.server.token, body.len());
        connection.send(head.as_bytes(), body.as_bytes())
    }
}

fn order_of(entries: &[Value]) -> Value {
    json!({"id": "large", "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries})
}

#[expect(
    clippy::disallowed_methods,
    reason = "the records are to be late by the server's own clock"
)]
fn since_1970() -> anyhow::Result<Duration> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}
