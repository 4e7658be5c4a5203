//! What the small organisation has done, and how long each took.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::audit::REPORTS;
use showreport_testkit::{Answer, Connection, Server, head};

/// What the small organisation does.
struct Errand {
    name: &'static str,
    /// How long it may take in any case.
    wait_max: Duration,
    run: fn(&Errands<'_>) -> anyhow::Result<Done>,
}

const WAIT_MAX: Duration = Duration::from_secs(1);

/// The schedule of bulk reports goes round every 5 s.
const BULK_WAIT_MAX: Duration = Duration::from_secs(10);

const ERRANDS: [Errand; 5] = [
    Errand {
        name: "report",
        wait_max: WAIT_MAX,
        run: |it| it.report(),
    },
    Errand {
        name: "figure",
        wait_max: WAIT_MAX,
        run: |it| it.figures(),
    },
    Errand {
        name: "list",
        wait_max: WAIT_MAX,
        run: |it| it.list(),
    },
    Errand {
        name: "record",
        wait_max: WAIT_MAX,
        run: |it| it.record(),
    },
    Errand {
        name: "bulk report",
        wait_max: BULK_WAIT_MAX,
        run: |it| it.bulk(),
    },
];

/// How many times as long as in quiet times an errand may take, if that is more than its wait.
const TIMES_MAX: u32 = 3;

/// Longer than anything may take here.
const GIVEN_UP_AFTER: Duration = Duration::from_mins(2);

/// How often it is asked whether something is made.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The small organisation.
pub(super) struct Errands<'a> {
    server: &'a Server,
    token: String,
}

/// How an errand ended.
enum Done {
    Well,
    /// With what the server said.
    Refused(String),
}

/// How long errands took, by errand, and what was refused.
pub(super) struct Served {
    took: [Vec<Duration>; ERRANDS.len()],
    pub(super) refused: Vec<String>,
}

impl<'a> Errands<'a> {
    /// An event with one view.
    pub(super) fn prepare(server: &'a Server, token: String) -> anyhow::Result<Self> {
        let errands = Self { server, token };
        ensure!(
            matches!(errands.record()?, Done::Well),
            "the first record was refused"
        );
        Ok(errands)
    }

    /// Runs each errand so many times.
    pub(super) fn run_times(&self, times: u32) -> anyhow::Result<Served> {
        let mut served = Served::new();
        for _ in 0..times {
            self.run_each(&mut served)?;
        }
        Ok(served)
    }

    /// Runs errands for so long, each at least once.
    pub(super) fn run_for(&self, lasting: Duration) -> anyhow::Result<Served> {
        let begun = Instant::now();
        let mut served = Served::new();
        while begun.elapsed() < lasting || served.took[0].is_empty() {
            self.run_each(&mut served)?;
        }
        Ok(served)
    }

    fn run_each(&self, served: &mut Served) -> anyhow::Result<()> {
        for (Errand { name, run, .. }, took) in ERRANDS.iter().zip(&mut served.took) {
            let begun = Instant::now();
            match run(self).with_context(|| format!("a {name} of the small one"))? {
                Done::Well => {}
                Done::Refused(said) => served.refused.push(format!("{name}: {said}")),
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
        self.ask_once("GET", "/api/v1/events/tiny/figures", "")
    }

    fn list(&self) -> anyhow::Result<Done> {
        self.ask_once("GET", "/api/v1/events", "")
    }

    /// Sends the one view again, which adds nothing.
    fn record(&self) -> anyhow::Result<Done> {
        let record = r#"{"type":"playback","event_id":"tiny","playback_id":"p","from":1790000000000,"to":1790000010000}"#;
        self.ask_once("POST", "/collect", record)
    }

    /// Makes a job, waits for its first report and deletes it.
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
        let answer = self.ask(method, path, body)?;
        Ok(match answer.status {
            200..300 => Done::Well,
            _ => refused(&answer),
        })
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Answer> {
        let head = head(method, path, &self.token, body.len());
        let mut connection: Connection = self.server.connect()?;
        connection.send(head.as_bytes(), body.as_bytes())
    }
}

fn refused(answer: &Answer) -> Done {
    Done::Refused(format!("{} {}", answer.status, answer.text()))
}

impl Served {
    fn new() -> Self {
        Self {
            took: Default::default(),
            refused: Vec::new(),
        }
    }

    /// What nine of ten of each errand took at most.
    fn times(&self) -> impl Iterator<Item = (&'static Errand, Duration)> {
        ERRANDS.iter().zip(&self.took).map(|(errand, took)| {
            let mut took = took.clone();
            took.sort_unstable();
            let place = (took.len() * 9 / 10).min(took.len().saturating_sub(1));
            (errand, took.get(place).copied().unwrap_or_default())
        })
    }

    /// What was served much later than in quiet times, or refused.
    pub(super) fn worse_than(&self, quiet: &Self, leeway: u32) -> Vec<String> {
        let times = quiet.times().zip(self.times());
        let late = times.filter_map(|((errand, before), (_, now))| {
            let wait_max = errand.wait_max.max(before * TIMES_MAX) * leeway;
            let name = errand.name;
            (now > wait_max).then(|| format!("a {name} took {now:.1?} instead of {before:.1?}"))
        });
        let refused = self.refused.iter();
        late.chain(refused.map(|said| format!("refused: {said}")))
            .collect()
    }
}

impl fmt::Display for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (Errand { name, .. }, took)) in self.times().enumerate() {
            let comma = if number > 0 { ", " } else { "" };
            write!(f, "{comma}a {name} takes {took:.0?}")?;
        }
        Ok(())
    }
}
