//! Little that says much: what fills a few megabytes of the journal and unpacks to gigabytes, and reports
//! of a row for each second of weeks. Whatever the doors take is done in a bounded memory, so a process
//! that is given more than that is never ended for it.

use std::fs::{self, File};
use std::io::Write;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Outcome, Torment};
use showreport_testkit::{Cgroup, ORG, Product, Server, finish_watched, head};

/// What everything is done in.
const MEMORY_MAX: u64 = 512 << 20;

/// What the system lets the process have: past it, it is killed.
const CGROUP_BYTES: u64 = 2 << 30;

/// What comes in stays in the journal until it is asked for.
const FLAGS: [&str; 2] = ["--flush-after", "1d"];

const REPORTS: &str = "/bv/analytics/v1/events/reports";
const SUCCEEDED: &str = "EVENT_REPORT_STATUS_SUCCEEDED";
const FAILED: &str = "EVENT_REPORT_STATUS_FAILED";

/// Longer than anything here takes in a build for development, a round.
const PATIENCE: Duration = Duration::from_mins(1);

const DAY_MS: u64 = 86_400_000;

/// Polls of a body of just below 16 MiB, their options, and the length of the text of each.
const POLLS: u64 = 250;
const OPTIONS: usize = 60;
const TEXT: usize = 1_000;

/// Votes in them.
const VOTES: u64 = 20_000;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let group = Cgroup::of(CGROUP_BYTES);
    let mut site = Site::open(torment, group)?;
    site.collect()?;
    site.event_reports()?;
    site.figures()?;
    site.bulk_reports()?;
    site.start_again()?;
    site.import()?;
    site.judge()
}

struct Site<'t> {
    torment: &'t Torment,
    group: Option<Cgroup>,
    product: Product,
    server: Server,
    /// Noon of a day that is over and settled.
    noon: u64,
    /// What was done, and the most memory that the process had meanwhile.
    peaks: Vec<(&'static str, u64)>,
}

impl<'t> Site<'t> {
    fn open(torment: &'t Torment, group: Option<Cgroup>) -> anyhow::Result<Self> {
        let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
        let server = Server::start(&product, &FLAGS)?;
        // The program was copied here a moment ago.
        let now = fs::metadata(&torment.binary)?.modified()?;
        let now = u64::try_from(now.duration_since(UNIX_EPOCH)?.as_millis())?;
        let site = Self {
            torment,
            group,
            product,
            server,
            noon: now - now % DAY_MS - 3 * DAY_MS + DAY_MS / 2,
            peaks: Vec::new(),
        };
        site.confine(site.server.id())?;
        Ok(site)
    }

    fn confine(&self, process: u32) -> anyhow::Result<()> {
        self.group
            .as_ref()
            .map_or(Ok(()), |group| group.take(process))
    }

    fn note(&mut self, what: &'static str, peak: u64) {
        self.peaks.push((what, peak));
    }

    /// Does it, and notes how much memory the server had meanwhile.
    fn watched(
        &mut self,
        what: &'static str,
        work: impl FnOnce(&Self) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.server.forget_peak()?;
        work(self).with_context(|| format!("while {what}"))?;
        let peak = self.server.peak_bytes()?;
        self.note(what, peak);
        Ok(())
    }

    /// Polls with long options, a body a round; votes in them; and a viewer round the clock.
    fn collect(&mut self) -> anyhow::Result<()> {
        self.watched("collecting", |site| {
            for round in 0..site.torment.rounds {
                site.send("polls", &polls("polls", round))?;
            }
            site.send("polls", &site.votes("polls"))?;
            site.send("days", &site.days())
        })
    }

    /// The first report flushes all that was sent.
    fn event_reports(&mut self) -> anyhow::Result<()> {
        let by_os = json!(["GROUP_BY_FIELD_DEVICE_OS"]);
        for (what, dimension, fields) in [
            (
                "the flush and a report of polls",
                "POLL_SUMMARIES",
                json!([]),
            ),
            ("a report of votes", "POLL_VOTES", json!([])),
            ("a report of votes by OS", "POLL_VOTES", by_os),
        ] {
            let entry = json!({
                "dimension": format!("REPORT_DIMENSION_{dimension}"), "group_by_fields": fields,
            });
            self.watched(what, |site| site.report("polls", &entry))?;
        }
        let by_the_second = json!({
            "dimension": "REPORT_DIMENSION_WATCH_TIME", "granularity_seconds": 1,
            "group_by_fields": ["GROUP_BY_FIELD_CUSTOMER_ID", "GROUP_BY_FIELD_WATCH_TIMESTAMP"],
        });
        self.watched("a report by the second", |site| {
            site.report("days", &by_the_second)
        })
    }

    fn figures(&mut self) -> anyhow::Result<()> {
        self.watched("figures", |site| {
            for event in ["polls", "days"] {
                let answer = site
                    .server
                    .get(&format!("/api/v1/events/{event}/figures"))?;
                ensure!(answer.status == 200, "figures: {}", answer.text());
            }
            Ok(())
        })
    }

    fn bulk_reports(&mut self) -> anyhow::Result<()> {
        self.watched("bulk reports", |site| {
            for report_type in ["poll_summaries", "poll_votes", "watch_time"] {
                site.bulk_report(report_type)?;
            }
            Ok(())
        })
    }

    fn start_again(&mut self) -> anyhow::Result<()> {
        self.send("polls", &polls("polls", self.torment.rounds))?;
        let token = self.server.token.clone();
        // The one before is killed, and leaves a journal to be read.
        self.server = Server::start_with(&self.product, token, &FLAGS)?;
        self.confine(self.server.id())?;
        let peak = self.server.peak_bytes()?;
        self.note("a start", peak);
        Ok(())
    }

    fn import(&mut self) -> anyhow::Result<()> {
        let path = self.torment.folder.join("records.ndjson");
        let mut file = File::create(&path)?;
        for round in 0..self.torment.rounds {
            file.write_all(polls("imported", round).as_bytes())?;
        }
        file.write_all(self.votes("imported").as_bytes())?;
        drop(file);
        let mut import = self.product.command(&["import", "--org", ORG]);
        import.arg(&path).stdout(Stdio::piped());
        // Its progress may be longer than a pipe holds.
        import.stderr(File::create(self.torment.folder.join("import.log"))?);
        let import = import.spawn().context("start the import")?;
        self.confine(import.id())?;
        let (_, peak) = finish_watched(import, Duration::from_millis(5))?;
        fs::remove_file(&path)?;
        self.note("an import", peak);
        Ok(())
    }

    fn judge(self) -> anyhow::Result<Outcome> {
        let listed = |peaks: &mut dyn Iterator<Item = &(&'static str, u64)>| {
            let named = peaks.map(|(what, peak)| format!("{what} {} MiB", peak >> 20));
            named.collect::<Vec<_>>().join(", ")
        };
        let too_much = listed(&mut self.peaks.iter().filter(|(_, peak)| *peak > MEMORY_MAX));
        ensure!(too_much.is_empty(), "this took too much memory: {too_much}");
        let confined = match self.group {
            Some(_) => "in a cgroup of 2 GiB",
            None => "NOT IN A CGROUP OF 2 GiB, which this machine does not permit",
        };
        let peaks = listed(&mut self.peaks.iter());
        Ok(Outcome::Held(format!(
            "{} bodies of 16 MiB, {confined}: {peaks}",
            self.torment.rounds
        )))
    }

    fn send(&self, what: &str, records: &str) -> anyhow::Result<()> {
        let head = head("POST", "/collect", &self.server.token, records.len());
        let begun = Instant::now();
        loop {
            let answer = self
                .server
                .connect()?
                .send(head.as_bytes(), records.as_bytes())?;
            if answer.status == 503 && begun.elapsed() < PATIENCE {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            ensure!(
                answer.status == 202 && answer.text().contains("\"rejected\":[]"),
                "{what} were answered {}: {}",
                answer.status,
                answer.text()
            );
            return Ok(());
        }
    }

    fn votes(&self, event: &str) -> String {
        let vote = |number: u64| {
            let (poll, option) = (number % POLLS, number % OPTIONS as u64);
            let at = self.noon + number;
            format!(
                "{{\"type\":\"vote\",\"event_id\":\"{event}\",\"poll_id\":\"0-{poll}\",\
                 \"option_ids\":[\"{option}\"],\"voted_at\":{at},\"customer_id\":\"c{number}\"}}\n"
            )
        };
        (0..VOTES).map(vote).collect()
    }

    /// A day a round: of the small ones one has a third of a million seconds.
    fn days(&self) -> String {
        let day = |number: u64| {
            let to = self.noon - number * DAY_MS;
            let from = to - DAY_MS;
            format!(
                "{{\"type\":\"playback\",\"event_id\":\"days\",\"playback_id\":\"tab\",\
                 \"customer_id\":\"ada\",\"from\":{from},\"to\":{to}}}\n"
            )
        };
        (0..self.torment.rounds).map(day).collect()
    }

    fn report(&self, event: &str, entry: &Value) -> anyhow::Result<()> {
        let mut connection = self.server.connect()?;
        let order = json!({
            "id": event, "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": [entry],
        });
        let mut answer = self.server.ask(&mut connection, REPORTS, &order)?;
        let these = json!({"reports": [{"id": answer["reports"][0]["id"]}]});
        let begun = Instant::now();
        while answer["reports"][0]["status"] != SUCCEEDED {
            ensure!(
                answer["reports"][0]["status"] != FAILED && begun.elapsed() < self.patience(),
                "a report was not made: {answer}"
            );
            thread::sleep(Duration::from_millis(50));
            let path = format!("{REPORTS}:batch-get");
            answer = self.server.ask(&mut connection, &path, &these)?;
        }
        let rows = answer["reports"][0]["row_count"].as_u64();
        ensure!(rows > Some(0), "a report has no rows: {answer}");
        Ok(())
    }

    /// The report of the day of the votes, or of a day with a view.
    fn bulk_report(&self, report_type: &str) -> anyhow::Result<()> {
        let job = json!({"reportTypeId": format!("event_{report_type}_a1"), "name": "daily"});
        let job = self
            .server
            .ask(&mut self.server.connect()?, "/v1/jobs", &job)?;
        let job = job["id"].as_str().context("no id of the job")?;
        let path = format!("/v1/jobs/{job}/reports?pageSize=1000");
        let begun = Instant::now();
        loop {
            let page: Value = serde_json::from_slice(&self.server.get(&path)?.body)?;
            let mut reports = page["reports"].as_array().into_iter().flatten();
            if reports.any(|report| report["rowCount"].as_u64() > Some(0)) {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < self.patience(),
                "no {report_type} has rows: {page}"
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn patience(&self) -> Duration {
        PATIENCE * u32::try_from(self.torment.rounds.max(1)).unwrap_or(u32::MAX)
    }
}

/// A body of polls that pack to a hundredth: their options say the same.
fn polls(event: &str, round: u64) -> String {
    let text = "?".repeat(TEXT);
    let options = (0..OPTIONS).map(|option| format!("{{\"id\":\"{option}\",\"text\":\"{text}\"}}"));
    let options = options.collect::<Vec<_>>().join(",");
    let poll = |number| {
        format!(
            "{{\"type\":\"poll\",\"event_id\":\"{event}\",\"poll_id\":\"{round}-{number}\",\
             \"question\":\"which?\",\"choice\":\"single\",\"status\":\"active\",\
             \"options\":[{options}]}}\n"
        )
    };
    (0..POLLS).map(poll).collect()
}
