//! One data directory, and the servers that are killed on it.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::Tally;
use super::{bulk, importer};
use crate::audit::{audit, order, wait};
use crate::installation::{Installation, Start, dies_at};
use crate::load::{SENDERS, Sender, under_load};
use crate::sent::{Request, Show, Verdict};
use showreport_testkit::{Client, Random, Server};

/// Fail points at which a server dies, each with the most passes before.
pub(super) const POINTS: [(&str, u64); 25] = [
    ("journal-before-commit", 40),
    ("journal-after-commit", 40),
    ("checkpoint-before", 3),
    ("checkpoint-after", 3),
    ("flush-after-taking", 6),
    ("flush-after-file", 12),
    ("flush-after-table", 12),
    ("file-before-sync", 24),
    ("file-before-name", 24),
    ("file-after-name", 24),
    ("heads-before-commit", 6),
    ("heads-after-commit", 6),
    ("compact-before-file", 2),
    ("compact-before-commit", 2),
    ("compact-after-commit", 2),
    ("vacuum-after-file", 12),
    ("order-after-commit", 3),
    ("claim-before-commit", 4),
    ("claim-after-commit", 4),
    ("job-begun", 4),
    ("renew-after-commit", 1),
    ("pin-before-commit", 3),
    ("pin-after-commit", 3),
    ("publish-before-commit", 4),
    ("publish-after-commit", 4),
];

/// The server flushes all the time, and `hurry` shortens the pauses of maintenance.
const FLAGS: [&str; 2] = ["--flush-after", "15ms"];
const HURRY: &str = "hurry=return";

/// Kills between two audits; each audit begins another event.
const AUDIT_EVERY: u64 = 12;

/// The longest life of a server that is killed at a random time, and at a fail point.
const LIFE_MS_MAX: u64 = 250;
const POINT_WITHIN: Duration = Duration::from_millis(1_500);

/// Between two orders of reports. All must be made in the end, so there must not be too many.
const ORDER_EVERY: Duration = Duration::from_millis(80);

pub(super) struct Lane {
    installation: Installation,
    random: Random,
    /// Whether reports are ordered all the time. Else unneeded files are vacuumed all the time,
    /// which a server does after a day, and which would take the files of a report away.
    orders: bool,
    ordered: Vec<String>,
    shows: Vec<Show>,
    pub(super) tally: Tally,
}

impl Lane {
    pub(super) fn new(installation: Installation, mut random: Random) -> Self {
        Self {
            installation,
            orders: random.bool(),
            random,
            ordered: Vec::new(),
            shows: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Kills servers, and audits every few kills and everything once more at the end.
    pub(super) fn run(&mut self, kills: u64) -> anyhow::Result<()> {
        let mut server = self.installation.start_well(HURRY, &FLAGS)?;
        let job = bulk::order_days(&server.client)?;
        server.kill()?;
        while self.tally.kills < kills {
            self.live_through_a_show(AUDIT_EVERY.min(kills - self.tally.kills), "")?;
            let show = self.shows.last().expect("there was one");
            let verdict = self.audit_of(&[show])?.remove(0);
            self.demand_clean(&verdict)?;
        }
        let shows: Vec<&Show> = self.shows.iter().collect();
        for verdict in self.audit_of(&shows)? {
            self.demand_clean(&verdict)?;
        }
        self.tally.audits += self.shows.len() as u64 * 2;
        self.demand_bulk(&job)?;
        self.demand_reports()
    }

    /// Whether a server that answers before it commits is seen to lose something.
    pub(super) fn loses_something(&mut self, kills: u64) -> anyhow::Result<bool> {
        while self.tally.kills < kills {
            self.live_through_a_show(4, ";answer-before-commit=return")?;
            let show = self.shows.last().expect("there was one");
            if !self.audit_of(&[show])?.remove(0).lost.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sends about one event, through the lives of some servers.
    fn live_through_a_show(&mut self, kills: u64, more_points: &str) -> anyhow::Result<()> {
        let event = format!("show-{}", self.shows.len());
        // The last of them imports.
        let mut senders: Vec<Sender> = (0..=SENDERS)
            .map(|number| Sender::new(number, &event, &mut self.random))
            .collect();
        for _ in 0..kills {
            self.live(&event, &mut senders, more_points)?;
        }
        let requests: Vec<Request> = senders.into_iter().flat_map(|it| it.requests).collect();
        for request in &requests {
            self.tally.facts += request.facts.len() as u64;
            self.tally.acknowledged += u64::from(request.acknowledged);
            self.tally.unanswered += u64::from(!request.acknowledged);
        }
        self.shows.push(Show { event, requests });
        Ok(())
    }

    /// One life of a server: started, under load, killed.
    fn live(
        &mut self,
        event: &str,
        senders: &mut [Sender],
        more_points: &str,
    ) -> anyhow::Result<()> {
        let mut points = format!("{HURRY}{more_points}");
        if !self.orders {
            points += ";vacuum-from-ahead=return";
        }
        let (mut point, mut time) = (None, POINT_WITHIN);
        if self.random.bool() {
            time = Duration::from_millis(self.random.u64(..LIFE_MS_MAX));
        } else {
            let (name, passes_max) = self.choose_point();
            let passes = self.random.u64(..passes_max);
            points = format!("{points};{}", dies_at(name, passes));
            point = Some(name);
        }
        let status = match self.installation.start(&points, &FLAGS)? {
            Start::Ended(status) => status,
            Start::Ready(mut server, after) => {
                self.tally.ready.push(after);
                self.load(&mut server, event, senders, time)?
            }
        };
        self.tally.kills += 1;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        if let (Some(6), Some(name)) = (signal, point) {
            *self.tally.at_points.entry(name).or_default() += 1;
        } else {
            ensure!(signal == Some(9), "a server ended with {status} by itself");
        }
        Ok(())
    }

    fn choose_point(&mut self) -> (&'static str, u64) {
        loop {
            let point = self.random.choice(POINTS).expect("there are points");
            let of_reports = ["order", "claim", "job", "renew", "pin", "publish"];
            let of_reports = of_reports.iter().any(|it| point.0.starts_with(it));
            let possible = if self.orders {
                !point.0.starts_with("vacuum")
            } else {
                !of_reports
            };
            if possible {
                return point;
            }
        }
    }

    /// Sends, imports and orders reports until the server dies, by itself or killed.
    fn load(
        &mut self,
        server: &mut Server,
        event: &str,
        senders: &mut [Sender],
        time: Duration,
    ) -> anyhow::Result<std::process::ExitStatus> {
        let client = server.client.clone();
        let orders = self.orders;
        let Self {
            installation,
            random,
            ..
        } = self;
        let mut random = random.fork();
        let (importing, senders) = senders.split_last_mut().expect("one imports");
        let (status, ordered, imported) = under_load(senders, &client, || {
            std::thread::scope(|scope| {
                let imports =
                    scope.spawn(|| keep_importing(installation, importing, &mut random, &client));
                let ordering = orders.then(|| scope.spawn(|| keep_ordering(&client, event)));
                let ended = server.ends_within(time);
                let status = ended.and_then(|ended| match ended {
                    Some(status) => Ok(status),
                    None => server.kill(),
                });
                let ordered = ordering.map(|it| it.join().expect("it does not panic"));
                let imported = imports.join().expect("it does not panic");
                (status, ordered.unwrap_or_default(), imported)
            })
        });
        self.ordered.extend(ordered);
        let (imports, points) = imported?;
        self.tally.imports += imports;
        for point in points {
            *self.tally.at_points.entry(point).or_default() += 1;
            self.tally.kills += 1;
        }
        status
    }

    /// Audits each of these events.
    fn audit_of(&self, shows: &[&Show]) -> anyhow::Result<Vec<Verdict>> {
        let mut server = self.installation.start_well(HURRY, &FLAGS)?;
        let verdicts = shows.iter().map(|show| audit(&server.client, show));
        let verdicts = verdicts.collect();
        server.kill()?;
        verdicts
    }

    fn demand_clean(&self, verdict: &Verdict) -> anyhow::Result<()> {
        verdict.demand_clean().with_context(|| {
            let place = self.installation.product.data_dir.display();
            format!("after {} kills on {place}", self.tally.kills)
        })
    }

    /// The bulk reports agree with the reports of the events.
    fn demand_bulk(&self, job: &str) -> anyhow::Result<()> {
        let mut server = self.installation.start_well(HURRY, &FLAGS)?;
        let events: Vec<&str> = self.shows.iter().map(|show| show.event.as_str()).collect();
        let agreed = bulk::wait_until_equal(&server.client, job, &events);
        server.kill()?;
        agreed.with_context(|| format!("on {}", self.installation.product.data_dir.display()))
    }

    /// Every report with an acknowledged order is made in the end.
    fn demand_reports(&mut self) -> anyhow::Result<()> {
        let server = self.installation.start_well(HURRY, &FLAGS)?;
        for ids in self.ordered.chunks(100) {
            for report in wait(&server.client, ids)? {
                let made = report["status"] == "EVENT_REPORT_STATUS_SUCCEEDED";
                ensure!(made, "a report was not made: {report}");
            }
        }
        self.tally.reports = self.ordered.len() as u64;
        Ok(())
    }
}

/// Orders reports until the server dies; gives the ids of those that it acknowledged.
fn keep_ordering(client: &Client, event: &str) -> Vec<String> {
    let entry = json!([{"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]}]);
    let mut ordered = Vec::new();
    while let Ok(ids) = order(client, event, &entry) {
        ordered.extend(ids.unwrap_or_default());
        std::thread::sleep(ORDER_EVERY);
    }
    ordered
}

/// Imports until the server dies; gives how often, and the fail points at which imports died.
fn keep_importing(
    installation: &Installation,
    importing: &mut Sender,
    random: &mut Random,
    client: &Client,
) -> anyhow::Result<(u64, Vec<&'static str>)> {
    let (mut imports, mut points) = (0, Vec::new());
    while client.connect().is_ok() {
        points.extend(importer::import_once(installation, importing, random)?);
        imports += 1;
    }
    Ok((imports, points))
}
