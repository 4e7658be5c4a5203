//! What the small organisation asks of the server, and how long each call took.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::audit::REPORTS;
use showreport_testkit::{Client, Response};

/// One kind of call.
struct Call {
    name: &'static str,
    /// A call that takes no longer is never too slow.
    wait_max: Duration,
    run: fn(&SmallOrg) -> anyhow::Result<Done>,
}

const WAIT_MAX: Duration = Duration::from_secs(1);

/// The schedule looks for due days every 5 s.
const BULK_WAIT_MAX: Duration = Duration::from_secs(10);

const CALLS: [Call; 5] = [
    Call {
        name: "report",
        wait_max: WAIT_MAX,
        run: |it| it.report(),
    },
    Call {
        name: "figure",
        wait_max: WAIT_MAX,
        run: |it| it.figures(),
    },
    Call {
        name: "list",
        wait_max: WAIT_MAX,
        run: |it| it.list(),
    },
    Call {
        name: "record",
        wait_max: WAIT_MAX,
        run: |it| it.record(),
    },
    Call {
        name: "bulk report",
        wait_max: BULK_WAIT_MAX,
        run: |it| it.bulk(),
    },
];

/// How many times as long as without an attack a call may take, if that is more than its wait.
const TIMES_MAX: u32 = 3;

/// Longer than any call takes.
const GIVEN_UP_AFTER: Duration = Duration::from_mins(2);

/// The pause between two looks at a report.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The small organisation.
pub(super) struct SmallOrg {
    client: Client,
}

/// How a call ended.
enum Done {
    Well,
    /// With the response.
    Refused(String),
}

/// How long calls took, by kind, and what was refused.
pub(super) struct Served {
    took: [Vec<Duration>; CALLS.len()],
    pub(super) refused: Vec<String>,
}

impl SmallOrg {
    /// Sends an event with one view.
    pub(super) fn prepare(client: Client) -> anyhow::Result<Self> {
        let small = Self { client };
        ensure!(
            matches!(small.record()?, Done::Well),
            "the first record was refused"
        );
        Ok(small)
    }

    /// Makes each call this often.
    pub(super) fn call_times(&self, times: u32) -> anyhow::Result<Served> {
        let mut served = Served::new();
        for _ in 0..times {
            self.call_each(&mut served)?;
        }
        Ok(served)
    }

    /// Makes calls for this long, each at least once.
    pub(super) fn call_for(&self, lasting: Duration) -> anyhow::Result<Served> {
        let begun = Instant::now();
        let mut served = Served::new();
        while begun.elapsed() < lasting || served.took[0].is_empty() {
            self.call_each(&mut served)?;
        }
        Ok(served)
    }

    fn call_each(&self, served: &mut Served) -> anyhow::Result<()> {
        for (Call { name, run, .. }, took) in CALLS.iter().zip(&mut served.took) {
            let begun = Instant::now();
            match run(self).with_context(|| format!("a {name} of the small organisation"))? {
                Done::Well => {}
                Done::Refused(reason) => served.refused.push(format!("{name}: {reason}")),
            }
            took.push(begun.elapsed());
        }
        Ok(())
    }

    /// Orders a report of one view and waits until it is made.
    fn report(&self) -> anyhow::Result<Done> {
        let order = json!({
            "id": "tiny", "type": "EVENT_TYPE_LIVE",
            "dimension_with_conditions": [{"dimension": "REPORT_DIMENSION_WATCH_TIME"}],
        });
        let created = self.ask("POST", REPORTS, &order.to_string())?;
        if created.status != 200 {
            return Ok(refused(&created));
        }
        let reports: Value = serde_json::from_slice(&created.body)?;
        let id = reports["reports"][0]["id"].as_str().context("no id")?;
        let path = format!("/api/v1/reports/{id}");
        let begun = Instant::now();
        loop {
            let report = self.ask("GET", &path, "")?;
            if report.status != 200 {
                return Ok(refused(&report));
            }
            let report: Value = serde_json::from_slice(&report.body)?;
            match report["status"].as_str() {
                Some("EVENT_REPORT_STATUS_SUCCEEDED") => return Ok(Done::Well),
                Some("EVENT_REPORT_STATUS_RUNNING") if begun.elapsed() < GIVEN_UP_AFTER => {
                    std::thread::sleep(LOOK_EVERY);
                }
                _ => return Ok(Done::Refused(report.to_string())),
            }
        }
    }

    fn figures(&self) -> anyhow::Result<Done> {
        self.ask_once("GET", "/api/v1/events/tiny/figures?fresh=true", "")
    }

    fn list(&self) -> anyhow::Result<Done> {
        self.ask_once("GET", "/api/v1/events", "")
    }

    /// Sends the one view again: it stays one fact.
    fn record(&self) -> anyhow::Result<Done> {
        let record = r#"{"type":"playback","event_id":"tiny","playback_id":"p","from":1790000000000,"to":1790000010000}"#;
        self.ask_once("POST", "/collect", record)
    }

    /// Makes a report job, waits for its first report and deletes the job.
    fn bulk(&self) -> anyhow::Result<Done> {
        let order = json!({"reportTypeId": "event_customers_a1", "name": "daily"});
        let created = self.ask("POST", "/v1/jobs", &order.to_string())?;
        if created.status != 200 {
            return Ok(refused(&created));
        }
        let job: Value = serde_json::from_slice(&created.body)?;
        let path = format!("/v1/jobs/{}", job["id"].as_str().context("no id")?);
        let begun = Instant::now();
        loop {
            let listed = self.ask("GET", &format!("{path}/reports"), "")?;
            if listed.status != 200 {
                return Ok(refused(&listed));
            }
            let listed: Value = serde_json::from_slice(&listed.body)?;
            if listed["reports"].is_array() {
                return self.ask_once("DELETE", &path, "");
            }
            if begun.elapsed() > GIVEN_UP_AFTER {
                return Ok(Done::Refused("no bulk report was made".to_owned()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn ask_once(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Done> {
        let response = self.ask(method, path, body)?;
        Ok(match response.status {
            200..300 => Done::Well,
            _ => refused(&response),
        })
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Response> {
        self.client.send(method, path, body.to_owned())
    }
}

fn refused(response: &Response) -> Done {
    Done::Refused(format!("{} {}", response.status, response.text()))
}

impl Served {
    fn new() -> Self {
        Self {
            took: Default::default(),
            refused: Vec::new(),
        }
    }

    /// The 90th percentile of each kind.
    fn times(&self) -> impl Iterator<Item = (&'static Call, Duration)> {
        CALLS.iter().zip(&self.took).map(|(call, took)| {
            let mut took = took.clone();
            took.sort_unstable();
            let place = (took.len() * 9 / 10).min(took.len().saturating_sub(1));
            (call, took.get(place).copied().unwrap_or_default())
        })
    }

    /// The calls that took much longer than without an attack, and those that were refused.
    pub(super) fn worse_than(&self, quiet: &Self, leeway: u32) -> Vec<String> {
        let times = quiet.times().zip(self.times());
        let late = times.filter_map(|((call, before), (_, now))| {
            let wait_max = call.wait_max.max(before * TIMES_MAX) * leeway;
            let name = call.name;
            (now > wait_max).then(|| format!("a {name} took {now:.1?} instead of {before:.1?}"))
        });
        let refused = self.refused.iter();
        late.chain(refused.map(|reason| format!("refused: {reason}")))
            .collect()
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (Call { name, .. }, took)) in self.times().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}a {name} takes {took:.0?}")?;
        }
        Ok(())
    }
}
