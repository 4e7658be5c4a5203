//! One data directory, and all that befalls the servers on it.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::Tally;
use super::{bulk, importer};
use crate::audit::{audit, order, wait};
use crate::book::{Request, Show, Verdict};
use crate::load::{CLIENTS, Client, under_load};
use crate::victim::{Birth, Caller, House, Victim, dies_at};
use showreport_testkit::Random;

/// Where a server can be made to end as if killed, and how many passes may come before.
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

/// A server flushes all the time, and keeps the lake in order all the time.
const FLAGS: [&str; 2] = ["--flush-after", "15ms"];
const HURRY: &str = "hurry=return";

/// Kills between two audits; each audit begins another event.
const AUDIT_EVERY: u64 = 12;

/// The longest that a server lives which is killed at any time, and at a point.
const LIFE_MS_MAX: u64 = 250;
const POINT_WITHIN: Duration = Duration::from_millis(1_500);

/// Between two orders of reports. All are made in the end, so there must not be too many.
const ORDER_EVERY: Duration = Duration::from_millis(80);

pub(super) struct Lane {
    house: House,
    random: Random,
    /// Reports are ordered all the time; else files that nobody needs are removed all the time,
    /// which real ones are only after a day.
    orders: bool,
    ordered: Vec<String>,
    shows: Vec<Show>,
    pub(super) tally: Tally,
}

impl Lane {
    pub(super) fn new(house: House, mut random: Random) -> Self {
        Self {
            house,
            orders: random.below(2) == 0,
            random,
            ordered: Vec::new(),
            shows: Vec::new(),
            tally: Tally::default(),
        }
    }

    /// Kills so often, and compares every few kills, and everything once more at the end.
    pub(super) fn run(&mut self, kills: u64) -> anyhow::Result<()> {
        let mut victim = self.house.start_well(HURRY, &FLAGS)?;
        let job = bulk::order_days(&victim.caller)?;
        victim.kill()?;
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

    /// Whether a server that answers too early is seen to lose something.
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

    /// One event, through some lives of servers.
    fn live_through_a_show(&mut self, kills: u64, more_points: &str) -> anyhow::Result<()> {
        let event = format!("show-{}", self.shows.len());
        // The last of them imports.
        let mut clients: Vec<Client> = (0..=CLIENTS)
            .map(|number| Client::new(number, &event, &mut self.random))
            .collect();
        for _ in 0..kills {
            self.live(&event, &mut clients, more_points)?;
        }
        let told: Vec<Request> = clients.into_iter().flat_map(|client| client.told).collect();
        for request in &told {
            self.tally.facts += request.facts.len() as u64;
            self.tally.acknowledged += u64::from(request.acknowledged);
            self.tally.unanswered += u64::from(!request.acknowledged);
        }
        self.shows.push(Show { event, told });
        Ok(())
    }

    /// One life of a server: it is started, sent to, and killed.
    fn live(
        &mut self,
        event: &str,
        clients: &mut [Client],
        more_points: &str,
    ) -> anyhow::Result<()> {
        let mut points = format!("{HURRY}{more_points}");
        if !self.orders {
            points += ";vacuum-from-ahead=return";
        }
        let (mut point, mut time) = (None, POINT_WITHIN);
        if self.random.below(2) == 0 {
            time = Duration::from_millis(self.random.below(LIFE_MS_MAX));
        } else {
            let (name, passes_max) = self.choose_point();
            let passes = self.random.below(passes_max);
            points = format!("{points};{}", dies_at(name, passes));
            point = Some(name);
        }
        let status = match self.house.start(&points, &FLAGS)? {
            Birth::Stillborn(status) => status,
            Birth::Alive(mut victim) => {
                self.tally.ready.push(victim.ready_after);
                self.load(&mut victim, event, clients, time)?
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
            let at = self.random.below(POINTS.len() as u64);
            let point = POINTS[usize::try_from(at).expect("it is small")];
            let of_orders = ["order", "claim", "job", "renew", "pin", "publish"];
            let of_orders = of_orders.iter().any(|it| point.0.starts_with(it));
            let possible = if self.orders {
                !point.0.starts_with("vacuum")
            } else {
                !of_orders
            };
            if possible {
                return point;
            }
        }
    }

    /// Clients send until the server dies, by itself or by us.
    fn load(
        &mut self,
        victim: &mut Victim,
        event: &str,
        clients: &mut [Client],
        time: Duration,
    ) -> anyhow::Result<std::process::ExitStatus> {
        let caller = victim.caller.clone();
        let orders = self.orders;
        let Self { house, random, .. } = self;
        let mut random = Random::new(random.next());
        let (importing, clients) = clients.split_last_mut().expect("one imports");
        let (status, ordered, imported) = under_load(clients, &caller, || {
            std::thread::scope(|scope| {
                let imports =
                    scope.spawn(|| keep_importing(house, importing, &mut random, &caller));
                let ordering = orders.then(|| scope.spawn(|| keep_ordering(&caller, event)));
                let ended = victim.ends_within(time);
                let status = ended.and_then(|ended| match ended {
                    Some(status) => Ok(status),
                    None => victim.kill(),
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

    /// What is wrong with each of these events.
    fn audit_of(&self, shows: &[&Show]) -> anyhow::Result<Vec<Verdict>> {
        let mut victim = self.house.start_well(HURRY, &FLAGS)?;
        let verdicts = shows.iter().map(|show| audit(&victim.caller, show));
        let verdicts = verdicts.collect();
        victim.kill()?;
        verdicts
    }

    fn demand_clean(&self, verdict: &Verdict) -> anyhow::Result<()> {
        verdict.demand_clean().with_context(|| {
            let place = self.house.product.data_dir.display();
            format!("after {} kills on {place}", self.tally.kills)
        })
    }

    /// What is published of the day is what the events' own reports say.
    fn demand_bulk(&self, job: &str) -> anyhow::Result<()> {
        let mut victim = self.house.start_well(HURRY, &FLAGS)?;
        let events: Vec<&str> = self.shows.iter().map(|show| show.event.as_str()).collect();
        let agreed = bulk::demand_agreement(&victim.caller, job, &events);
        victim.kill()?;
        agreed.with_context(|| format!("on {}", self.house.product.data_dir.display()))
    }

    /// Every report that was ordered is made, whoever had begun it.
    fn demand_reports(&mut self) -> anyhow::Result<()> {
        let victim = self.house.start_well(HURRY, &FLAGS)?;
        for ids in self.ordered.chunks(100) {
            for report in wait(&victim.caller, ids)? {
                let made = report["status"] == "EVENT_REPORT_STATUS_SUCCEEDED";
                ensure!(made, "a report was not made: {report}");
            }
        }
        self.tally.reports = self.ordered.len() as u64;
        Ok(())
    }
}

/// Orders reports until the server dies; returns those that it promised.
fn keep_ordering(caller: &Caller, event: &str) -> Vec<String> {
    let entry = json!([{"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]}]);
    let mut ordered = Vec::new();
    while let Ok(ids) = order(caller, event, &entry) {
        ordered.extend(ids.unwrap_or_default());
        std::thread::sleep(ORDER_EVERY);
    }
    ordered
}

/// Imports until the server dies; says how often, and at which fail points imports died.
fn keep_importing(
    house: &House,
    client: &mut Client,
    random: &mut Random,
    caller: &Caller,
) -> anyhow::Result<(u64, Vec<&'static str>)> {
    let (mut imports, mut points) = (0, Vec::new());
    while caller.connect().is_ok() {
        points.extend(importer::import_once(house, client, random)?);
        imports += 1;
    }
    Ok((imports, points))
}
