//! Collecting over HTTP, beside inserting into `PostgreSQL`. Both respond when the rows are
//! durable.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use super::batches::Batches;
use super::figures::{Samples, Unit};
use super::generator::{CONNECTIONS, Load};
use super::import;
use super::part::Part;
use super::reports::{self, BY_CUSTOMER};
use super::run::{Run, Size};
use super::table::{Comparison, Table};
use showreport_testkit::Server;
use showreport_testkit::root;

const BATCH: usize = 100;

const PEER: &str = "PostgreSQL 15";

/// The aim for the 99th percentile of responses, in seconds.
const PERCENTILE_MAX: f64 = 0.050;

/// Reports of a median.
const REPORTS: usize = 7;

/// How much slower a report about another event may be meanwhile.
const SLOWER_MAX: f64 = 2.0;

pub(crate) struct Collect;

impl Part for Collect {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn title(&self) -> &'static str {
        "collecting over HTTP"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

fn measure(run: &mut Run) -> anyhow::Result<()> {
    let keynote = run.keynote()?;
    let batches = Batches::read(&keynote, BATCH)?;
    let single = Batches::read(&keynote, 1)?;
    let mut table = Table::of_comparisons("Collecting over HTTP").note(format!(
        "{CONNECTIONS} connections, every response durable, the load made on the same machine. The peer: pgbench, prepared statements, fsync on, the \
         same columns and no index. Equal: every record was accepted, every row is there.",
    ));
    let rows = compare(run, &batches, &insert_batch())?;
    let rows = Comparison {
        what: "rows, 100 at once".to_owned(),
        ..rows
    };
    let beacons = compare(run, &single, &fs::read_to_string(script("insert_one.sql"))?)?;
    let beacons = Comparison {
        what: "single beacons".to_owned(),
        aim: 0.5,
        ..beacons
    };
    let pace = beacons.ours.median() / 2.0;
    if run.postgres.is_some() {
        table.compare(&rows);
        table.compare(&beacons);
    }
    run.tables.push(table);
    let meanwhile = meanwhile(run, &batches, &single, pace)?;
    run.tables.push(meanwhile);
    Ok(())
}

/// Runs the product and the peer in turn, each with fresh data.
fn compare(run: &Run, batches: &Batches, script: &str) -> anyhow::Result<Comparison> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut ours_peak, mut theirs_bytes, mut difference) = (0, None, None);
    for _ in 0..run.pairs() {
        let product = run.fresh("collected")?;
        let server = Server::start(&product, &[])?;
        let sent = Load {
            client: &server.client,
            batches,
            pace: None,
        }
        .lasting(lasting(run))?;
        ours.push(sent.records_per_second);
        ours_peak = ours_peak.max(server.peak_bytes()?);
        if sent.refused > 0 {
            println!(
                "   {} requests were refused: the server was busy",
                sent.refused
            );
        }
        server.stop()?;
        if let Some(postgres) = &run.postgres {
            let cluster = postgres.start()?;
            let (transactions, per_second) = cluster.insert(script, lasting(run))?;
            let each = u32::try_from(batches.records_each)?;
            theirs.push(per_second * f64::from(each));
            let rows: u64 = cluster.ask("SELECT count(*) FROM records")?.parse()?;
            if rows != transactions * u64::from(each) {
                difference = Some(format!("{transactions} transactions left {rows} rows"));
            }
            let size = cluster.ask("SELECT pg_total_relation_size('records')")?;
            theirs_bytes = Some(size.parse()?);
        }
    }
    Ok(Comparison {
        unit: Unit::PerSecond,
        ours: Samples::new(ours),
        theirs: Samples::new(theirs),
        ours_peak: Some(ours_peak),
        theirs_bytes,
        difference,
        ..Comparison::by_time("", PEER, &[], &[])
    })
}

/// The times of responses and reports while records come in.
fn meanwhile(run: &Run, batches: &Batches, single: &Batches, pace: f64) -> anyhow::Result<Table> {
    let other = run.show("other", (run.records / 100).clamp(1_000, 200_000))?;
    let product = run.fresh("collected")?;
    import::file(&product, &other.path)?;
    let server = Server::start(&product, &[])?;
    let reports = || {
        let made = (0..REPORTS).map(|_| reports::make(&server, "other", BY_CUSTOMER));
        let seconds = made.map(|report| Ok(report?.measured.seconds));
        Ok(Samples::new(seconds.collect::<anyhow::Result<_>>()?))
    };
    let mut table = Table::new("While collecting", &["load", "what", "figure", "aim"]).note(
        "The report is about another event, by customer; its quiet time is taken just before.",
    );
    let paced = Load {
        client: &server.client,
        batches: single,
        pace: Some(pace),
    };
    let sent = paced.lasting(lasting(run))?;
    let load = format!(
        "single beacons, {:.0}/s of {pace:.0}/s wanted",
        sent.requests_per_second
    );
    let half = Unit::Seconds.shown(sent.latencies.percentile(50));
    table.row(vec![
        load.clone(),
        "response, 50th percentile".to_owned(),
        half,
        String::new(),
    ]);
    let most = sent.latencies.percentile(99);
    let what = "response, 99th percentile";
    let verdict = table.verdict(what, most < PERCENTILE_MAX, "< 50 ms");
    let cells = [
        load.clone(),
        what.to_owned(),
        Unit::Seconds.shown(most),
        verdict,
    ];
    table.row(cells.to_vec());
    let quiet = reports()?;
    let cells = [
        "none".to_owned(),
        "report".to_owned(),
        quiet.shown(Unit::Seconds),
        String::new(),
    ];
    table.row(cells.to_vec());
    let whole = Load {
        client: &server.client,
        batches,
        pace: None,
    };
    for (load, name) in [
        (&paced, load.as_str()),
        (&whole, "batches of 100, all that is taken"),
    ] {
        let (busy, _) = load.during(reports)?;
        let slower = busy.median() / quiet.median();
        let verdict = table.verdict(
            &format!("report while {name}"),
            slower <= SLOWER_MAX,
            "≤ 2× quiet",
        );
        let figure = format!("{}, {slower:.2}×", busy.shown(Unit::Seconds));
        table.row(vec![name.to_owned(), "report".to_owned(), figure, verdict]);
    }
    server.stop()?;
    Ok(table)
}

const fn lasting(run: &Run) -> Duration {
    match run.size {
        Size::Full => Duration::from_secs(10),
        Size::Small => Duration::from_secs(1),
    }
}

fn script(name: &str) -> std::path::PathBuf {
    root().join("crates/bench/queries").join(name)
}

/// A statement of a hundred rows. Only their times are variable, since pgbench takes at most 256
/// variables. Text that it need not send makes it quicker, if anything.
fn insert_batch() -> String {
    let mut script = String::from(
        "\\set moment random(1795446000000, 1795449600000)\nINSERT INTO records VALUES\n",
    );
    for row in 0..BATCH {
        let end = if row + 1 < BATCH { ",\n" } else { ";\n" };
        write!(
            script,
            "('keynote', 'playback-{row:016}', 'customer-{row:08}', 'device-{row:08}', 'iOS', 'TW-A', :moment::bigint + {row}, :moment::bigint + {row} + 10000){end}",
        )
        .expect("writing to a string");
    }
    script
}
