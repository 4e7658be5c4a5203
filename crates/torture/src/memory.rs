//! Work with a small input and a large result, in a bounded memory: facts that take a few megabytes
//! of the journal and unpack to gigabytes, and reports with a row for each second of weeks.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::audit::REPORTS;
use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use showreport_testkit::{Cgroup, DAY_MS, ORG, Product, Server, finish_watched, now_ms};

/// The peak of every process.
const MEMORY_MAX: u64 = 512 << 20;

/// The bound of the cgroup, past which the system kills a process.
const CGROUP_BYTES: u64 = 2 << 30;

/// Facts stay in the journal until a report flushes them.
const FLAGS: [&str; 2] = ["--flush-after", "1d"];

const SUCCEEDED: &str = "EVENT_REPORT_STATUS_SUCCEEDED";
const FAILED: &str = "EVENT_REPORT_STATUS_FAILED";

/// Longer than a step takes for each round, in a development build.
const ROUND_WITHIN: Duration = Duration::from_mins(1);

/// Polls of a body of just below 16 MiB, options of a poll, and bytes of the text of an option.
const POLLS: u64 = 250;
const OPTIONS: usize = 60;
const TEXT: usize = 1_000;

/// Votes in these polls.
const VOTES: u64 = 20_000;

pub(crate) struct Memory;

impl Scenario for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn about(&self) -> &'static str {
        "small input with a large result is processed in 512 MiB"
    }

    fn rounds(&self) -> Rounds {
        Rounds {
            full: 100,
            small: 4,
        }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let group = Cgroup::of(CGROUP_BYTES);
    let mut site = Site::open(setting, group)?;
    site.collect()?;
    site.event_reports()?;
    site.figures()?;
    site.bulk_reports()?;
    site.start_again()?;
    site.import()?;
    site.judge()
}

struct Site<'t> {
    setting: &'t Setting,
    group: Option<Cgroup>,
    product: Product,
    server: Server,
    /// Noon of a day that is closed, in milliseconds.
    noon: u64,
    /// What was done, and the peak of the process meanwhile, in bytes.
    peaks: Vec<(&'static str, u64)>,
}

impl<'t> Site<'t> {
    fn open(setting: &'t Setting, group: Option<Cgroup>) -> anyhow::Result<Self> {
        let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
        let server = Server::start(&product, &FLAGS)?;
        let site = Self {
            setting,
            group,
            product,
            server,
            noon: (now_ms() / DAY_MS - 3) * DAY_MS + DAY_MS / 2,
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

    /// Does the work, and notes the peak of the server meanwhile.
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

    /// Sends polls with long options, a body a round; votes; and a view of many days.
    fn collect(&mut self) -> anyhow::Result<()> {
        self.watched("collecting", |site| {
            for round in 0..site.setting.rounds {
                site.send("polls", &polls("polls", round))?;
            }
            site.send("polls", &site.votes("polls"))?;
            site.send("days", &site.days())
        })
    }

    /// The first report flushes everything.
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
                let path = format!("/api/v1/events/{event}/figures");
                let response = site.server.client.get(&path)?;
                ensure!(response.status == 200, "figures: {}", response.text());
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
        self.send("polls", &polls("polls", self.setting.rounds))?;
        let token = self.server.client.token.clone();
        // The server before is killed, and leaves a journal to read.
        self.server = Server::start_with(&self.product, token, &FLAGS)?;
        self.confine(self.server.id())?;
        let peak = self.server.peak_bytes()?;
        self.note("a start", peak);
        Ok(())
    }

    fn import(&mut self) -> anyhow::Result<()> {
        let path = self.setting.folder.join("records.ndjson");
        let mut file = File::create(&path)?;
        for round in 0..self.setting.rounds {
            file.write_all(polls("imported", round).as_bytes())?;
        }
        file.write_all(self.votes("imported").as_bytes())?;
        drop(file);
        let mut import = self.product.command(&["import", "--org", ORG]);
        import.arg(&path).stdout(Stdio::piped());
        // What it prints about its progress may be more than a pipe holds.
        import.stderr(File::create(self.setting.folder.join("import.log"))?);
        let import = import.spawn().context("start the import")?;
        self.confine(import.id())?;
        let (_, peak) = finish_watched(import, Duration::from_millis(5))?;
        fs::remove_file(&path)?;
        self.note("an import", peak);
        Ok(())
    }

    /// A process that takes more must be seen to.
    fn control() -> anyhow::Result<Control> {
        let mut python = Command::new("python3");
        python.args([
            "-c",
            "import time; taken = b'x' * (600 << 20); time.sleep(0.5)",
        ]);
        let python = python
            .stdout(Stdio::piped())
            .spawn()
            .context("start python3")?;
        let (_, peak) = finish_watched(python, Duration::from_millis(5))?;
        Control::noticed(peak > MEMORY_MAX, "a process that takes 600 MiB")
    }

    fn judge(self) -> anyhow::Result<Outcome> {
        let listed = |peaks: &mut dyn Iterator<Item = &(&'static str, u64)>| {
            let named = peaks.map(|(what, peak)| format!("{what} {} MiB", peak >> 20));
            named.collect::<Vec<_>>().join(", ")
        };
        let too_much = listed(&mut self.peaks.iter().filter(|(_, peak)| *peak > MEMORY_MAX));
        ensure!(too_much.is_empty(), "too much memory: {too_much}");
        let confined = match self.group {
            Some(_) => "in a cgroup of 2 GiB",
            None => "NOT IN A CGROUP OF 2 GiB, which this machine does not permit",
        };
        let peaks = listed(&mut self.peaks.iter());
        let held = format!(
            "{} bodies of 16 MiB, {confined}: {peaks}",
            self.setting.rounds
        );
        Ok(Outcome::Held(held, Self::control()?))
    }

    fn send(&self, what: &str, records: &str) -> anyhow::Result<()> {
        let records = Bytes::copy_from_slice(records.as_bytes());
        let begun = Instant::now();
        loop {
            let response = self
                .server
                .client
                .send("POST", "/collect", records.clone())?;
            if response.status == 503 && begun.elapsed() < ROUND_WITHIN {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            ensure!(
                response.status == 202 && response.text().contains("\"rejected\":[]"),
                "{what} were answered {}: {}",
                response.status,
                response.text()
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

    /// A view of a day for each round.
    fn days(&self) -> String {
        let day = |number: u64| {
            let to = self.noon - number * DAY_MS;
            let from = to - DAY_MS;
            format!(
                "{{\"type\":\"playback\",\"event_id\":\"days\",\"playback_id\":\"tab\",\
                 \"customer_id\":\"ada\",\"from\":{from},\"to\":{to}}}\n"
            )
        };
        (0..self.setting.rounds).map(day).collect()
    }

    fn report(&self, event: &str, entry: &Value) -> anyhow::Result<()> {
        let client = &self.server.client;
        let mut connection = client.connect()?;
        let order = json!({
            "id": event, "type": "EVENT_TYPE_LIVE", "dimension_with_conditions": [entry],
        });
        let mut answer = client.ask(&mut connection, REPORTS, &order)?;
        let these = json!({"reports": [{"id": answer["reports"][0]["id"]}]});
        let begun = Instant::now();
        while answer["reports"][0]["status"] != SUCCEEDED {
            ensure!(
                answer["reports"][0]["status"] != FAILED && begun.elapsed() < self.time_max(),
                "a report was not made: {answer}"
            );
            thread::sleep(Duration::from_millis(50));
            let path = format!("{REPORTS}:batch-get");
            answer = client.ask(&mut connection, &path, &these)?;
        }
        let rows = answer["reports"][0]["row_count"].as_u64();
        ensure!(rows > Some(0), "a report has no rows: {answer}");
        Ok(())
    }

    /// Makes a report job and waits for a report with rows.
    fn bulk_report(&self, report_type: &str) -> anyhow::Result<()> {
        let job = json!({"reportTypeId": format!("event_{report_type}_a1"), "name": "daily"});
        let client = &self.server.client;
        let job = client.ask(&mut client.connect()?, "/v1/jobs", &job)?;
        let job = job["id"].as_str().context("no id of the job")?;
        let path = format!("/v1/jobs/{job}/reports?pageSize=1000");
        let begun = Instant::now();
        loop {
            let page: Value = serde_json::from_slice(&client.get(&path)?.body)?;
            let mut reports = page["reports"].as_array().into_iter().flatten();
            if reports.any(|report| report["rowCount"].as_u64() > Some(0)) {
                return Ok(());
            }
            ensure!(
                begun.elapsed() < self.time_max(),
                "no {report_type} has rows: {page}"
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn time_max(&self) -> Duration {
        ROUND_WITHIN * u32::try_from(self.setting.rounds.max(1)).unwrap_or(u32::MAX)
    }
}

/// A body of polls that compresses to a hundredth, since all options have the same text.
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
