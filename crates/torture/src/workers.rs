//! Report workers that are killed, or stopped past their lease and continued: of each report one file
//! is published, the same as if nothing had happened.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::audit::{download, look, order, wait};
use super::load::fill;
use super::victim::{Caller, House, dies_at};
use super::{Outcome, Torment};
use showreport_testkit::Random;

const EVENT: &str = "keynote";
const SUCCEEDED: &str = "EVENT_REPORT_STATUS_SUCCEEDED";

/// Views of the event, so many that a report takes a while.
const VIEWS: u64 = 20_000;

/// Views that come in each round, so that a report from newer facts is another file.
const LATE_VIEWS: u64 = 10;

/// What comes in stays in the journal until a report asks for it. Leases are short.
const FLAGS: [&str; 2] = ["--flush-after", "1d"];
const HURRY: &str = "hurry=return";

/// Where a worker is killed, and how many passes may come before.
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

/// Where a worker tarries, so that it is stopped there.
const STOPS: [&str; 5] = [
    "job-begun",
    "pin-after-commit",
    "flush-after-table",
    "file-before-name",
    "report-after-file",
];

/// The longest that a worker lives which is killed at any time, and at a point.
const LIFE_MS_MAX: u64 = 400;
const POINT_WITHIN: Duration = Duration::from_secs(3);

/// A worker that was stopped may hold what the other needs; then it is continued sooner.
const PATIENCE: Duration = Duration::from_secs(15);

/// A stop for so many kills.
const KILLS_EACH_STOP: u64 = 2;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let house = torment.house("data")?;
    let mut victim = house.start_well(HURRY, &FLAGS)?;
    fill(&victim.caller, EVENT, 0..VIEWS)?;
    victim.kill()?;
    let mut site = Site {
        house,
        random: torment.random.clone(),
        views: VIEWS,
        published: Vec::new(),
        known: BTreeSet::new(),
        tally: Tally::default(),
    };
    while site.tally.kills < torment.rounds {
        site.kill_one()
            .with_context(|| format!("after {} kills", site.tally.kills))?;
        if site.tally.kills.is_multiple_of(KILLS_EACH_STOP) {
            site.stop_one()
                .with_context(|| format!("after {} stops", site.tally.stops))?;
        }
    }
    site.demand_unchanged()?;
    let tally = site.tally;
    Ok(Outcome::Held(format!(
        "{} workers killed ({} at fail points), {} stopped past their lease and continued ({} had \
         been overtaken): {} reports, one file of each, the same as undisturbed; the slowest was \
         there {:.1} s after a restart",
        tally.kills,
        tally.at_points,
        tally.stops,
        tally.overtaken,
        site.published.len(),
        tally.slowest.as_secs_f64()
    )))
}

#[derive(Debug, Default)]
struct Tally {
    kills: u64,
    at_points: u64,
    stops: u64,
    /// Of those stopped, how many came back to a report that another had made.
    overtaken: u64,
    slowest: Duration,
}

/// A report, its file, and how it stood when it was first seen made.
struct Published {
    id: String,
    file: String,
    stands: String,
}

struct Site {
    house: House,
    random: Random,
    views: u64,
    published: Vec<Published>,
    /// The reports that were heard of.
    known: BTreeSet<String>,
    tally: Tally,
}

impl Site {
    /// A report whose worker is killed, and whom the next server succeeds.
    fn kill_one(&mut self) -> anyhow::Result<()> {
        // Either the facts are pinned with the order and newer ones come in, or they wait in the
        // journal and the worker flushes them.
        let pinned = self.random.below(2) == 0;
        self.tell_more()?;
        let before = pinned.then(|| self.undisturbed()).transpose()?;
        let (points, time) = self.choose_death()?;
        let mut victim = self.house.start_well(&points, &FLAGS)?;
        let ordered = order_one(&victim.caller);
        let status = match victim.ends_within(time)? {
            Some(status) => status,
            None => victim.kill()?,
        };
        self.tally.kills += 1;
        if std::os::unix::process::ExitStatusExt::signal(&status) == Some(6) {
            self.tally.at_points += 1;
        }
        let begun = Instant::now();
        let victim = self.house.start_well(HURRY, &FLAGS)?;
        // The worker may have died before the order was answered.
        let id = ordered.or_else(|_| self.unanswered(&victim.caller))?;
        if pinned {
            let views = self.next_views();
            fill(&victim.caller, EVENT, views)?;
        }
        let report = wait(&victim.caller, std::slice::from_ref(&id))?.remove(0);
        self.tally.slowest = self.tally.slowest.max(begun.elapsed());
        let file = download(&victim.caller, &report)?;
        drop(victim);
        let undisturbed = match before {
            Some(report) => report,
            None => self.undisturbed()?,
        };
        self.publish(id, &report, file, &undisturbed)
    }

    /// Fail points, and when the worker is killed that does not meet one.
    fn choose_death(&mut self) -> anyhow::Result<(String, Duration)> {
        if self.random.below(3) == 0 {
            let time = Duration::from_millis(self.random.below(LIFE_MS_MAX));
            return Ok((HURRY.to_owned(), time));
        }
        let at = self.random.below(POINTS.len() as u64);
        let (name, passes_max) = POINTS[usize::try_from(at)?];
        let points = format!("{HURRY};{}", dies_at(name, self.random.below(passes_max)));
        Ok((points, POINT_WITHIN))
    }

    /// The report of an order that had no answer; it is ordered again if it was never heard.
    fn unanswered(&self, caller: &Caller) -> anyhow::Result<String> {
        let (status, body) = caller.get("/api/v1/reports")?;
        ensure!(status == 200, "the list of reports was answered {status}");
        let listed: Value = serde_json::from_slice(&body)?;
        match listed["reports"][0]["id"].as_str() {
            Some(newest) if !self.known.contains(newest) => Ok(newest.to_owned()),
            _ => order_one(caller),
        }
    }

    /// A report whose worker is stopped; another server takes over, and then the first goes on.
    fn stop_one(&mut self) -> anyhow::Result<()> {
        self.tell_more()?;
        let undisturbed = self.undisturbed()?;
        let at = self.random.below(STOPS.len() as u64);
        let points = format!("{HURRY};{}=sleep(300)", STOPS[usize::try_from(at)?]);
        // The other one looks for work now and then; who takes the order begins with it at once.
        let other = self.house.start_well(HURRY, &FLAGS)?;
        let stopped = self.house.start_well(&points, &FLAGS)?;
        let id = order_one(&stopped.caller)?;
        std::thread::sleep(Duration::from_millis(self.random.below(LIFE_MS_MAX)));
        stopped.signal("STOP")?;
        let views = self.next_views();
        let before = std::thread::scope(|scope| {
            // It may have been stopped while it wrote. Then all others wait until it goes on.
            let filling = scope.spawn(|| fill(&other.caller, EVENT, views));
            let before = made_within(PATIENCE, &other.caller, &id);
            stopped.signal("CONT")?;
            filling.join().expect("it does not panic")?;
            before
        })?;
        self.tally.stops += 1;
        let report = wait(&other.caller, std::slice::from_ref(&id))?.remove(0);
        if before["status"] == SUCCEEDED {
            self.tally.overtaken += 1;
            ensure!(
                stands(&before) == stands(&report),
                "{before} became {report}"
            );
        }
        // Who was stopped has come to the end of what it was at when it has made another report.
        let next = order_one(&stopped.caller)?;
        self.known.insert(next.clone());
        wait(&stopped.caller, std::slice::from_ref(&next))?;
        let after = look(&stopped.caller, std::slice::from_ref(&id))?.remove(0);
        ensure!(stands(&after) == stands(&report), "{report} became {after}");
        let file = download(&stopped.caller, &after)?;
        stopped.stop()?;
        other.stop()?;
        self.publish(id, &after, file, &undisturbed)
    }

    fn publish(
        &mut self,
        id: String,
        report: &Value,
        file: String,
        undisturbed: &Value,
    ) -> anyhow::Result<()> {
        ensure!(
            report["status"] == SUCCEEDED,
            "a report was not made: {report}"
        );
        ensure!(
            report["sha256"] == undisturbed["sha256"],
            "undisturbed it is {undisturbed}, and now {report}"
        );
        self.known.insert(id.clone());
        self.published.push(Published {
            id,
            file,
            stands: stands(report),
        });
        Ok(())
    }

    /// The same report as it is when nobody disturbs. Everything that was told is in the lake then.
    fn undisturbed(&mut self) -> anyhow::Result<Value> {
        let victim = self.house.start_well(HURRY, &FLAGS)?;
        let id = order_one(&victim.caller)?;
        let report = wait(&victim.caller, std::slice::from_ref(&id))?.remove(0);
        ensure!(
            report["status"] == SUCCEEDED,
            "a report was not made: {report}"
        );
        self.known.insert(id);
        Ok(report)
    }

    fn tell_more(&mut self) -> anyhow::Result<()> {
        let victim = self.house.start_well(HURRY, &FLAGS)?;
        let views = self.next_views();
        fill(&victim.caller, EVENT, views)
    }

    fn next_views(&mut self) -> std::ops::Range<u64> {
        let first = self.views;
        self.views += LATE_VIEWS;
        first..self.views
    }

    /// Every report stands as it did when it was first seen made, and has the same file.
    fn demand_unchanged(&self) -> anyhow::Result<()> {
        let victim = self.house.start_well(HURRY, &FLAGS)?;
        for published in &self.published {
            let id = std::slice::from_ref(&published.id);
            let report = look(&victim.caller, id)?.remove(0);
            ensure!(
                stands(&report) == published.stands,
                "{} became {report}",
                published.stands
            );
            ensure!(
                download(&victim.caller, &report)? == published.file,
                "the file of {report} is another now"
            );
        }
        // Each is of more facts than the one before; if their files did not differ, that none has
        // changed would prove nothing.
        let files = self.published.iter().map(|published| &published.file);
        let different = files.collect::<BTreeSet<_>>().len();
        ensure!(
            different == self.published.len(),
            "{} reports of different facts have {different} files",
            self.published.len()
        );
        Ok(())
    }
}

fn order_one(caller: &Caller) -> anyhow::Result<String> {
    let entry = json!([{"dimension": "REPORT_DIMENSION_WATCH_TIME", "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID"]}]);
    let ids = order(caller, EVENT, &entry)?;
    Ok(ids.context("the event is not known")?.remove(0))
}

/// The report once it is made, or as it is when that takes too long.
fn made_within(time: Duration, caller: &Caller, id: &str) -> anyhow::Result<Value> {
    let begun = Instant::now();
    loop {
        let report = look(caller, &[id.to_owned()])?.remove(0);
        if report["status"] == SUCCEEDED || begun.elapsed() > time {
            return Ok(report);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What never changes of a report that was made.
fn stands(report: &Value) -> String {
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
