//! Attacks: one kind of request, repeated on many connections.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::audit::REPORTS;
use showreport_testkit::{Client, Connection, DAY_MS, Response, now_ms, path_of};

/// One request that many clients repeat.
pub(super) struct Attack {
    /// Plural, for the report.
    pub(super) name: &'static str,
    clients: u64,
    act: fn(&Attacker<'_>, &mut Connection) -> anyhow::Result<Response>,
}

pub(super) const ATTACKS: [Attack; 5] = [
    Attack {
        name: "orders of 50 reports",
        clients: 4,
        act: |it, connection| it.order(connection),
    },
    Attack {
        name: "requests for figures of a large day and event",
        clients: 24,
        act: |it, connection| it.figures(connection),
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

/// The day of the large event, in the past, and its start.
const DAY: &str = "2026-09-21";
const DAY_BEGINS_MS: u64 = 1_789_948_800_000;

/// Views of the large event for each second that an attack lasts, up to a bound.
const VIEWS_A_ROUND: u64 = 5_000;
const VIEWS_MAX: u64 = 100_000;

/// Events of a late body for each second that an attack lasts, up to a bound.
const EVENTS_A_ROUND: u64 = 1_000;
const EVENTS_MAX: u64 = 20_000;

/// Records of a body.
const RECORDS: u64 = 400;

/// The pause of a client that was refused, or that has stored thousands of events.
const PAUSE: Duration = Duration::from_millis(100);

/// The age of late records: of a day that has a report.
const LATE_MS: u64 = 3 * DAY_MS;

/// The organisation that attacks.
pub(super) struct Attacker<'a> {
    client: &'a Client,
    events: u64,
    /// The path of a link to a large file.
    link: String,
    /// Requests so far, so that no two are equal.
    sent: AtomicU64,
}

impl<'a> Attacker<'a> {
    /// Makes a large event, a report of its views, and report jobs.
    pub(super) fn prepare(client: &'a Client, rounds: u64) -> anyhow::Result<Self> {
        let mut attacker = Self {
            client,
            events: (rounds * EVENTS_A_ROUND).min(EVENTS_MAX),
            link: String::new(),
            sent: AtomicU64::new(0),
        };
        let mut connection = client.connect()?;
        for _ in 0..(rounds * VIEWS_A_ROUND).min(VIEWS_MAX) / RECORDS {
            let response = attacker.send_records(&mut connection)?;
            ensure!(
                response.status == 202,
                "it was answered {}",
                response.status
            );
        }
        for kind in ["event_watch_time_a1", "event_customers_a1"] {
            let order = json!({"reportTypeId": kind, "name": "daily"});
            client.ask(&mut connection, "/v1/jobs", &order)?;
        }
        attacker.link = attacker.made(&mut connection)?;
        Ok(attacker)
    }

    /// Attacks while `work` is done. Gives the number of successful requests, too.
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
        let mut connection = self.client.connect()?;
        let mut acted = 0;
        while !stop.load(Ordering::Relaxed) {
            let response = (attack.act)(self, &mut connection)?;
            match response.status {
                200..300 => acted += 1,
                429 | 503 | 507 if response.retry_after().is_some() => thread::sleep(PAUSE),
                status => anyhow::bail!("it was answered {status}: {}", response.text()),
            }
        }
        Ok(acted)
    }

    fn order(&self, connection: &mut Connection) -> anyhow::Result<Response> {
        let entry = json!({
            "dimension": "REPORT_DIMENSION_WATCH_TIME",
            "group_by_fields": ["GROUP_BY_FIELD_WATCH_TIMESTAMP", "GROUP_BY_FIELD_CUSTOMER_ID"],
        });
        let order = order_of(&vec![entry; 50]);
        self.ask(connection, "POST", REPORTS, order.to_string())
    }

    fn figures(&self, connection: &mut Connection) -> anyhow::Result<Response> {
        let day = format!("/bv/analytics/v1/reports/watch-time?time={DAY}");
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        // Another filter each time: an answer that is kept would cost nothing.
        let (minute, second) = (number / 60 % 60, number % 60);
        let from = format!("2020-01-01T00:{minute:02}:{second:02}Z");
        let figures = format!("/api/v1/events/large/figures?from={from}");
        let path = if number.is_multiple_of(2) {
            &day
        } else {
            &figures
        };
        self.ask(connection, "GET", path, String::new())
    }

    fn send_late(&self, connection: &mut Connection) -> anyhow::Result<Response> {
        let from = now_ms() - LATE_MS;
        let body = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut records = String::new();
        for event in 0..self.events {
            writeln!(
                records,
                r#"{{"type":"playback","event_id":"{body}-{event}","playback_id":"p","from":{from},"to":{}}}"#,
                from + 1_000
            )?;
        }
        let response = self.ask(connection, "POST", "/collect", records)?;
        thread::sleep(PAUSE);
        Ok(response)
    }

    fn download(&self, connection: &mut Connection) -> anyhow::Result<Response> {
        self.ask(connection, "GET", &self.link, String::new())
    }

    fn send_records(&self, connection: &mut Connection) -> anyhow::Result<Response> {
        let body = self.sent.fetch_add(1, Ordering::Relaxed);
        let mut records = String::new();
        for record in 0..RECORDS {
            let from = DAY_BEGINS_MS + record * 100_000;
            writeln!(
                records,
                r#"{{"type":"playback","event_id":"large","playback_id":"{body}-{record}","customer_id":"c{}","from":{from},"to":{}}}"#,
                body % 1_000,
                from + 3_600_000
            )?;
        }
        self.ask(connection, "POST", "/collect", records)
    }

    /// Makes a report of all views; the path of its file.
    fn made(&self, connection: &mut Connection) -> anyhow::Result<String> {
        let entry = json!({"dimension": "REPORT_DIMENSION_WATCH_TIME"});
        let created = self.client.ask(connection, REPORTS, &order_of(&[entry]))?;
        let id = created["reports"][0]["id"].as_str().context("no id")?;
        loop {
            let report = self.client.get(&format!("/api/v1/reports/{id}"))?;
            let report: Value = serde_json::from_slice(&report.body)?;
            if report["uri"].as_str().is_some_and(|uri| !uri.is_empty()) {
                return path_of(&report["uri"]);
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
        body: String,
    ) -> anyhow::Result<Response> {
        connection.send(method, path, &self.client.token, body)
    }
}

fn order_of(entries: &[Value]) -> Value {
    json!({"id": "large", "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": entries})
}
