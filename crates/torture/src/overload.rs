//! Several times as much as the server can do: it refuses what is too much, stays quick with the
//! rest, and loses nothing that it took.

mod storm;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::{Outcome, Torment};
use showreport_testkit::{Apart, NO_PROCESSOR, Product, Server, head};
use storm::{Storm, Told};

/// How much more than the server can do is asked of it.
const TIMES: f64 = 4.0;

/// What an accepted record waits for its answer, 99 of 100 times.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// The same where the machine is slow: so many times as long as when nobody else sends.
const ANSWER_TIMES_MAX: u32 = 8;

/// The longest time in which no record at all is accepted.
const GAP_MAX: Duration = Duration::from_secs(2);

/// The part of what the server can take alone that it still takes beside reports and refusals.
const TAKEN_MIN: f64 = 0.2;

const MEMORY_MAX: u64 = 512 << 20;

/// How soon it is as before.
const CALM_AFTER: Duration = Duration::from_secs(5);

/// How long the server is measured in quiet times.
const QUIET: Duration = Duration::from_secs(3);

/// Records of the event that reports are asked of.
const RECORDS: u64 = 20_000;

/// The storm leaves millions of records in the journal, which one processor has to flush.
const COUNTED_WITHIN: Duration = Duration::from_mins(10);

/// A shorter storm, as the check's is, is too short to judge times by: there it is the answers, the
/// memory and the records that count.
const JUDGED_SECONDS: u64 = 30;

pub(crate) fn run(torment: &Torment) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&torment.binary, torment.folder.join("data"))?;
    let Some((_apart, server)) = Apart::start(|| Server::start(&product, &[]))? else {
        return Ok(Outcome::LeftOut(NO_PROCESSOR.to_owned()));
    };
    prepare(&server)?;
    let storm = Storm::new(&server);
    let before = storm.quiet(QUIET)?;
    server.forget_peak()?;
    let lasting = Duration::from_secs(torment.rounds);
    let during = storm.rage(before.per_second() * TIMES, lasting)?;
    let peak = server.peak_bytes()?;
    thread::sleep(CALM_AFTER);
    let after = storm.quiet(QUIET)?;
    let kept = kept(&server)?;
    let acknowledged = before.taken() + during.taken() + after.taken();
    let sent = acknowledged + before.refused() + during.refused() + after.refused();
    ensure!(
        (acknowledged..=sent).contains(&kept),
        "{acknowledged} records were acknowledged of {sent} sent, and {kept} are there"
    );
    let told = format!(
        "{:.0} records a second can be taken; clients who have {TIMES} times as many, for {} s: {:.0} a \
         second taken, {:.0} refused, p99 {:.0?} (before {:.0?}, 5 s later {:.0?}), longest gap {:.0?}; of \
         {} questions {} refused; {} MiB; {acknowledged} acknowledged, none lost",
        before.per_second(),
        lasting.as_secs(),
        during.per_second(),
        during.refused_per_second(),
        during.percentile(),
        before.percentile(),
        after.percentile(),
        during.longest_gap(),
        during.asked,
        during.denied,
        peak >> 20,
    );
    ensure!(peak <= MEMORY_MAX, "too much memory: {told}");
    if torment.rounds >= JUDGED_SECONDS {
        judge(&before, &during, &after).context(told.clone())?;
    }
    Ok(Outcome::Held(told))
}

fn judge(before: &Told, during: &Told, after: &Told) -> anyhow::Result<()> {
    ensure!(
        during.refused() > 0 && during.denied > 0,
        "nothing was refused, so it was no overload"
    );
    let answer_max = ANSWER_MAX.max(before.percentile() * ANSWER_TIMES_MAX);
    ensure!(
        during.percentile() <= answer_max,
        "accepted records waited {:?} for an answer",
        during.percentile()
    );
    ensure!(
        during.longest_gap() <= GAP_MAX.max(answer_max),
        "no record was accepted for {:?}",
        during.longest_gap()
    );
    let taken = during.per_second() / before.per_second();
    ensure!(
        taken >= TAKEN_MIN,
        "only {taken:.2} of what can be taken was"
    );
    ensure!(
        after.refused() == 0 && after.percentile() <= before.percentile() * 3 + ANSWER_MAX / 10,
        "{CALM_AFTER:?} later answers take {:?} and {} are refused; before it was {:?}",
        after.percentile(),
        after.refused(),
        before.percentile()
    );
    Ok(())
}

/// An event that reports can be asked of.
fn prepare(server: &Server) -> anyhow::Result<()> {
    let mut connection = server.connect()?;
    for batch in 0..RECORDS / 1_000 {
        let records = (0..1_000).map(|number| {
            let from = 1_790_000_000_000_u64 + number * 1_000;
            json!({
                "type": "playback", "event_id": "keynote",
                "playback_id": format!("{batch}-{number}"), "customer_id": format!("c{number}"),
                "from": from, "to": from + 600_000,
            })
        });
        let records: Vec<Value> = records.collect();
        let body = Value::from(records).to_string();
        let head = head("POST", "/collect", &server.token, body.len());
        let head = head.replace("application/x-ndjson", "application/json");
        let answer = connection.send(head.as_bytes(), body.as_bytes())?;
        ensure!(answer.status == 202, "it was answered {}", answer.status);
    }
    Ok(())
}

/// How many of the storm's records are there, each of which is a view.
fn kept(server: &Server) -> anyhow::Result<u64> {
    let begun = Instant::now();
    loop {
        let answer = server.get(&format!("/api/v1/events/{}/figures", storm::EVENT))?;
        if answer.status == 200 {
            let figures: Value = serde_json::from_slice(&answer.body)?;
            return figures["views"].as_u64().context("read the views");
        }
        ensure!(
            begun.elapsed() < COUNTED_WITHIN,
            "{COUNTED_WITHIN:?} later figures are still answered {}",
            answer.status
        );
        thread::sleep(Duration::from_secs(1));
    }
}
