//! Overload: the server sheds what is too much, stays quick with the rest, and loses nothing that
//! it acknowledged.

mod traffic;

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::scenario::{Control, Outcome, Rounds, Scenario, Setting};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use showreport_testkit::{Apart, Client, NO_PROCESSOR, Product, Server, request};
use traffic::{Responses, Traffic};

/// The load, as a multiple of what the server can do.
const TIMES: f64 = 4.0;

/// How long an accepted request waits for its response, 99 of 100 times.
const RESPONSE_MAX: Duration = Duration::from_secs(1);

/// The same on a slow machine: a multiple of the time at rest.
const RESPONSE_TIMES_MAX: u32 = 8;

/// The longest time without any accepted request.
const GAP_MAX: Duration = Duration::from_secs(2);

/// The part of its own rate at rest that the server accepts beside reports and refusals.
const ACCEPTED_MIN: f64 = 0.2;

const MEMORY_MAX: u64 = 512 << 20;

/// How soon after the overload the server is as before.
const RECOVERED_AFTER: Duration = Duration::from_secs(5);

/// How long the server is measured at rest.
const AT_REST: Duration = Duration::from_secs(3);

/// Records of the event that reports are about.
const RECORDS: u64 = 20_000;

/// The overload leaves millions of records in the journal, which one processor has to flush.
const COUNTED_WITHIN: Duration = Duration::from_mins(10);

/// A shorter overload, as the check's is, is too short to judge times. It judges responses, memory
/// and records only.
const JUDGED_SECONDS: u64 = 30;

pub(crate) struct Overload;

impl Scenario for Overload {
    fn name(&self) -> &'static str {
        "overload"
    }

    fn about(&self) -> &'static str {
        "an overloaded server sheds load and loses nothing that it acknowledged"
    }

    fn rounds(&self) -> Rounds {
        Rounds { full: 60, small: 6 }
    }

    fn run(&self, setting: &Setting) -> anyhow::Result<Outcome> {
        run(setting)
    }
}

fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let product = Product::fresh(&setting.binary, setting.folder.join("data"))?;
    let Some((_apart, server)) = Apart::start(|| Server::start(&product, &[]))? else {
        return Ok(Outcome::LeftOut(NO_PROCESSOR.to_owned()));
    };
    prepare(&server.client)?;
    let traffic = Traffic::new(&server.client);
    let before = traffic.at_rest(AT_REST)?;
    server.forget_peak()?;
    let lasting = Duration::from_secs(setting.rounds);
    let during = traffic.overload(before.per_second() * TIMES, lasting)?;
    let peak = server.peak_bytes()?;
    thread::sleep(RECOVERED_AFTER);
    let after = traffic.at_rest(AT_REST)?;
    let kept = kept(&server.client)?;
    let acknowledged = before.accepted() + during.accepted() + after.accepted();
    let sent = acknowledged + before.refused() + during.refused() + after.refused();
    ensure!(
        (acknowledged..=sent).contains(&kept),
        "{acknowledged} records were acknowledged of {sent} sent, and {kept} are there"
    );
    let held = format!(
        "{:.0} records a second at rest; of {TIMES} times as many, for {} s: {:.0} a second accepted, \
         {:.0} refused, p99 {:.0?} (before {:.0?}, 5 s later {:.0?}), longest gap {:.0?}; of {} other \
         requests {} refused; {} MiB; {acknowledged} acknowledged, none lost",
        before.per_second(),
        lasting.as_secs(),
        during.per_second(),
        during.refused_per_second(),
        during.percentile(),
        before.percentile(),
        after.percentile(),
        during.longest_gap(),
        during.asked,
        during.asked_refused,
        peak >> 20,
    );
    ensure!(peak <= MEMORY_MAX, "too much memory: {held}");
    if setting.rounds >= JUDGED_SECONDS {
        judge(&before, &during, &after).with_context(|| held.clone())?;
    }
    let control = control(&server.client, &traffic, kept)?;
    Ok(Outcome::Held(held, control))
}

/// Records that are sent after the count are not in it, and the next count must have them.
fn control(client: &Client, traffic: &Traffic, counted: u64) -> anyhow::Result<Control> {
    let later = traffic.at_rest(Duration::from_secs(1))?.accepted();
    let noticed = later > 0 && kept(client)? >= counted + later;
    Control::noticed(noticed, "acknowledged records that a count does not have")
}

fn judge(before: &Responses, during: &Responses, after: &Responses) -> anyhow::Result<()> {
    ensure!(
        during.refused() > 0 && during.asked_refused > 0,
        "nothing was refused, so it was no overload"
    );
    let answer_max = RESPONSE_MAX.max(before.percentile() * RESPONSE_TIMES_MAX);
    ensure!(
        during.percentile() <= answer_max,
        "accepted requests waited {:?} for a response",
        during.percentile()
    );
    ensure!(
        during.longest_gap() <= GAP_MAX.max(answer_max),
        "no request was accepted for {:?}",
        during.longest_gap()
    );
    let part = during.per_second() / before.per_second();
    ensure!(
        part >= ACCEPTED_MIN,
        "only {part:.2} of the rate at rest was accepted"
    );
    ensure!(
        after.refused() == 0 && after.percentile() <= before.percentile() * 3 + RESPONSE_MAX / 10,
        "{RECOVERED_AFTER:?} later responses take {:?} and {} are refused; before it was {:?}",
        after.percentile(),
        after.refused(),
        before.percentile()
    );
    Ok(())
}

/// Sends the event that reports are about.
fn prepare(client: &Client) -> anyhow::Result<()> {
    let mut connection = client.connect()?;
    let token = HeaderValue::from_str(&format!("Bearer {}", client.token))?;
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
        let mut request = request("POST", "/collect", body)?;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        request.headers_mut().insert(AUTHORIZATION, token.clone());
        let status = connection.send_request(request)?.status;
        ensure!(status == 202, "records were answered {status}");
    }
    Ok(())
}

/// The records of the traffic that the server has, each of which is a view.
fn kept(client: &Client) -> anyhow::Result<u64> {
    let begun = Instant::now();
    loop {
        let path = format!("/api/v1/events/{}/figures?fresh=true", traffic::EVENT);
        let response = client.get(&path)?;
        if response.status == 200 {
            let figures: Value = serde_json::from_slice(&response.body)?;
            return figures["views"].as_u64().context("read the views");
        }
        ensure!(
            begun.elapsed() < COUNTED_WITHIN,
            "{COUNTED_WITHIN:?} later figures are still answered {}",
            response.status
        );
        thread::sleep(Duration::from_secs(1));
    }
}
