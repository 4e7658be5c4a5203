//! Kills report workers, or stops them past their lease and continues them: one file of each report
//! is published, with the same bytes as without.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::audit::{download, look, order, wait};
use super::installation::{Installation, dies_at};
use super::load::fill;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{Client, Random};

const EVENT: &str = "keynote";
const SUCCEEDED: &str = "EVENT_REPORT_STATUS_SUCCEEDED";

/// Views of the event, so many that a report takes a while.
const VIEWS: u64 = 20_000;

/// Views that come in each round, so that a report from newer facts is another file.
const LATE_VIEWS: u64 = 10;

/// Facts stay in the journal until a report flushes them. `hurry` shortens leases.
const FLAGS: [&str; 2] = ["--flush-after", "1d"];
const HURRY: &str = "hurry=return";

/// Fail points at which a worker dies, each with the most passes before.
const POINTS: [(&str, u64); 13] = [
    ("order-after-commit", 1),
    ("job-begun", 1),
    ("renew-after-commit", 1),
    ("flush-after-table", 1),
    ("heads-before-commit", 1),
    ("heads-after-commit", 1),
    ("pin-before-commit", 1),
    ("pin-after-commit", 1),
    ("file-before-sync", 6),
    ("file-before-name", 6),
    ("file-after-name", 6),
    ("report-after-file", 1),
    ("publish-before-commit", 1),
];

/// Fail points at which a worker sleeps, so that it is stopped there.
const STOPS: [&str; 5] = [
    "job-begun",
    "pin-after-commit",
    "flush-after-table",
    "file-before-name",
    "report-after-file",
];

/// The longest life of a worker that is killed at a random time, and at a fail point.
const LIFE_MS_MAX: u64 = 400;
const POINT_WITHIN: Duration = Duration::from_secs(3);

/// A stopped worker may hold a lock that the other needs. It is continued after this time.
const STOPPED_MAX: Duration = Duration::from_secs(15);

/// Kills for each stop.
const KILLS_EACH_STOP: u64 = 2;

pub(crate) struct Workers;

impl Scenario for Workers {
    fn name(&self) -> &'static str {
        "workers"
    }

    fn about(&self) -> &'static str {
        "a killed or stopped worker of reports publishes one file of each"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 200,
            small: 4,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let installation = setting.installation("data")?;
    let mut server = installation.start_well(HURRY, &FLAGS)?;
    fill(&server.client, EVENT, 0..VIEWS)?;
    server.kill()?;
    let mut site = Site {
        installation,
        random: setting.random.clone(),
        views: VIEWS,
        published: Vec::new(),
        seen: BTreeSet::new(),
        tally: Tally::default(),
    };
    while site.tally.kills < setting.rounds {
        site.kill_one()
            .with_context(|| format!("after {} kills", site.tally.kills))?;
        if site.tally.kills.is_multiple_of(KILLS_EACH_STOP) {
            site.stop_one()
                .with_context(|| format!("after {} stops", site.tally.stops))?;
        }
    }
    let control = site.demand_unchanged()?;
    let tally = site.tally;
    let held = format!(
        "{} workers killed ({} at fail points), {} stopped past their lease and continued ({} had \
         been overtaken): {} reports, one file of each, the same as without; the slowest was \
         there {:.1} s after a restart",
        tally.kills,
        tally.at_points,
        tally.stops,
        tally.overtaken,
        site.published.len(),
        tally.slowest.as_secs_f64()
    );
    Ok(Outcome::Held(held, control))
}

#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    at_points: u64,
    stops: u64,
    /// Stopped workers that were continued after another server had made their report.
    overtaken: u64,
    slowest: Duration,
}

/// A report, its file, and its state when it was first seen made.
struct Published {
    id: String,
    file: String,
    state: String,
}

struct Site {
    installation: Installation,
    random: Random,
    views: u64,
    published: Vec<Published>,
    /// Ids of reports that were seen.
    seen: BTreeSet<String>,
    tally: Tally,
}

impl Site {
    /// Kills the worker of a report, which the next server makes.
    fn kill_one(&mut self) -> anyhow::Result<()> {
        // Either the order pins the facts and newer ones are sent, or the facts are in the journal
        // and the worker flushes them.
        let pinned = self.random.bool();
        self.send_more()?;
        let before = pinned.then(|| self.reference()).transpose()?;
        let (points, time) = self.choose_death()?;
        let mut server = self.installation.start_well(&points, &FLAGS)?;
        let ordered = order_one(&server.client);
        let status = match server.ends_within(time)? {
            Some(status) => status,
            None => server.kill()?,
        };
        self.tally.kills += 1;
        if std::os::unix::process::ExitStatusExt::signal(&status) == Some(6) {
            self.tally.at_points += 1;
        }
        let begun = Instant::now();
        let server = self.installation.start_well(HURRY, &FLAGS)?;
        // The worker may have died before the response to the order.
        let id = ordered.or_else(|_| self.unanswered(&server.client))?;
        if pinned {
            let views = self.next_views();
            fill(&server.client, EVENT, views)?;
        }
        let report = wait(&server.client, std::slice::from_ref(&id))?.remove(0);
        self.tally.slowest = self.tally.slowest.max(begun.elapsed());
        let file = download(&server.client, &report)?;
        drop(server);
        let reference = match before {
            Some(report) => report,
            None => self.reference()?,
        };
        self.publish(id, &report, file, &reference)
    }

    /// Fail points, and when the worker is killed if it reaches none.
    fn choose_death(&mut self) -> anyhow::Result<(String, Duration)> {
        if self.random.u64(..3) == 0 {
            let time = Duration::from_millis(self.random.u64(..LIFE_MS_MAX));
            return Ok((HURRY.to_owned(), time));
        }
        let (name, passes_max) = self.random.choice(POINTS).context("no points")?;
        let points = format!("{HURRY};{}", dies_at(name, self.random.u64(..passes_max)));
        Ok((points, POINT_WITHIN))
    }

    /// The report of an order without a response. It is ordered again if the server has none.
    fn unanswered(&self, client: &Client) -> anyhow::Result<String> {
        let listed = client.get("/api/v1/reports")?;
        ensure!(
            listed.status == 200,
            "the list of reports was answered {}",
            listed.status
        );
        let listed: Value = serde_json::from_slice(&listed.body)?;
        match listed["reports"][0]["id"].as_str() {
            Some(newest) if !self.seen.contains(newest) => Ok(newest.to_owned()),
            _ => order_one(client),
        }
    }

    /// Stops the worker of a report, lets another server take over, and continues the first.
    fn stop_one(&mut self) -> anyhow::Result<()> {
        self.send_more()?;
        let reference = self.reference()?;
        let stop = self.random.choice(STOPS).context("no points")?;
        let points = format!("{HURRY};{stop}=sleep(300)");
        // The server that takes the order begins with it at once; the other polls the queue.
        let other = self.installation.start_well(HURRY, &FLAGS)?;
        let stopped = self.installation.start_well(&points, &FLAGS)?;
        let id = order_one(&stopped.client)?;
        std::thread::sleep(Duration::from_millis(self.random.u64(..LIFE_MS_MAX)));
        stopped.signal("STOP")?;
        let views = self.next_views();
        let before = std::thread::scope(|scope| {
            // It may have been stopped inside a transaction. Then all writers wait until it goes
            // on.
            let filling = scope.spawn(|| fill(&other.client, EVENT, views));
            let before = made_within(STOPPED_MAX, &other.client, &id);
            stopped.signal("CONT")?;
            filling.join().expect("it does not panic")?;
            before
        })?;
        self.tally.stops += 1;
        let report = wait(&other.client, std::slice::from_ref(&id))?.remove(0);
        if before["status"] == SUCCEEDED {
            self.tally.overtaken += 1;
            ensure!(state(&before) == state(&report), "{before} became {report}");
        }
        // Once the stopped server has made another report, it has finished what it was at.
        let next = order_one(&stopped.client)?;
        self.seen.insert(next.clone());
        wait(&stopped.client, std::slice::from_ref(&next))?;
        let after = look(&stopped.client, std::slice::from_ref(&id))?.remove(0);
        ensure!(state(&after) == state(&report), "{report} became {after}");
        let file = download(&stopped.client, &after)?;
        stopped.stop()?;
        other.stop()?;
        self.publish(id, &after, file, &reference)
    }

    fn publish(
        &mut self,
        id: String,
        report: &Value,
        file: String,
        reference: &Value,
    ) -> anyhow::Result<()> {
        ensure!(
            report["status"] == SUCCEEDED,
            "a report was not made: {report}"
        );
        ensure!(
            report["sha256"] == reference["sha256"],
            "without a disturbance it is {reference}, and now {report}"
        );
        self.seen.insert(id.clone());
        self.published.push(Published {
            id,
            file,
            state: state(report),
        });
        Ok(())
    }

    /// The same report without a disturbance. Afterwards all facts are in the lake.
    fn reference(&mut self) -> anyhow::Result<Value> {
        let server = self.installation.start_well(HURRY, &FLAGS)?;
        let id = order_one(&server.client)?;
        let report = wait(&server.client, std::slice::from_ref(&id))?.remove(0);
        ensure!(
            report["status"] == SUCCEEDED,
            "a report was not made: {report}"
        );
        self.seen.insert(id);
        Ok(report)
    }

    fn send_more(&mut self) -> anyhow::Result<()> {
        let server = self.installation.start_well(HURRY, &FLAGS)?;
        let views = self.next_views();
        fill(&server.client, EVENT, views)
    }

    fn next_views(&mut self) -> std::ops::Range<u64> {
        let first = self.views;
        self.views += LATE_VIEWS;
        first..self.views
    }

    /// Every report has the state and the file that it had when it was first seen made.
    fn demand_unchanged(&self) -> anyhow::Result<Control> {
        let server = self.installation.start_well(HURRY, &FLAGS)?;
        for published in &self.published {
            let id = std::slice::from_ref(&published.id);
            let report = look(&server.client, id)?.remove(0);
            ensure!(
                state(&report) == published.state,
                "{} became {report}",
                published.state
            );
            ensure!(
                download(&server.client, &report)? == published.file,
                "the file of {report} is another now"
            );
        }
        // Each is of more facts than the one before, so their files differ. If they did not, a
        // changed file would not be noticed.
        let files = self.published.iter().map(|published| &published.file);
        let different = files.collect::<BTreeSet<_>>().len();
        Control::noticed(
            different == self.published.len(),
            "another file, for each report of other facts",
        )
    }
}

fn order_one(client: &Client) -> anyhow::Result<String> {
    let entry = json!([{"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]}]);
    let ids = order(client, EVENT, &entry)?;
    Ok(ids.context("the event is not known")?.remove(0))
}

/// The report once it is made, or its state after this time.
fn made_within(time: Duration, client: &Client, id: &str) -> anyhow::Result<Value> {
    let begun = Instant::now();
    loop {
        let report = look(client, &[id.to_owned()])?.remove(0);
        if report["status"] == SUCCEEDED || begun.elapsed() > time {
            return Ok(report);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The members of a report that never change once it is made.
fn state(report: &Value) -> String {
    let members = [
        "id",
        "status",
        "sha256",
        "size_bytes",
        "row_count",
        "finished_at",
    ];
    members.map(|member| report[member].to_string()).join(" ")
}
