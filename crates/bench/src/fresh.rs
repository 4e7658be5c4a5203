//! Reports right after collecting, when nothing is compacted and much is in the journal.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::ensure;

use super::data::Data;
use super::duck::{Duck, Source};
use super::figures::Measured;
use super::part::Part;
use super::progress::Progress;
use super::reports::{self, BY_CUSTOMER, BY_MINUTE, Grouping, difference};
use super::run::{Run, Size};
use super::table::{Comparison, Table};
use showreport_testkit::{Client, Server};

const PEAK_MAX: u64 = 512 << 20;

/// The size at which sending is quickest; a server takes at most 16 MiB.
const BODY_BYTES: u64 = 12 << 20;

pub(crate) struct Fresh;

impl Part for Fresh {
    fn name(&self) -> &'static str {
        "fresh"
    }

    fn title(&self) -> &'static str {
        "reports right after collecting"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

fn measure(run: &mut Run) -> anyhow::Result<()> {
    let keynote = run.keynote()?;
    let raw = run.duck.parquet(&keynote.path)?;
    let mut table = Table::of_comparisons("Reports, straight after collecting").note(
        "All records sent over one connection in bodies of 12 MiB, and the report ordered when the last is answered; the peak includes the collecting.",
    );
    for grouping in [BY_CUSTOMER, BY_MINUTE] {
        table.compare(&compare(run, &keynote, &raw, grouping)?);
    }
    run.tables.push(table);
    Ok(())
}

fn compare(
    run: &Run,
    keynote: &Data,
    raw: &Path,
    grouping: Grouping,
) -> anyhow::Result<Comparison> {
    let (mut ours, mut theirs, mut differs) = (Vec::new(), Vec::new(), None);
    // Each pair needs a fresh server, and collecting takes long.
    let pairs = if run.size == Size::Full { 2 } else { 1 };
    for _ in 0..pairs {
        let (measured, file) = collect_and_report(run, keynote, grouping)?;
        ours.push(measured);
        let (measured, their_file) = run.duck.report(Source::Raw(raw), grouping)?;
        theirs.push(measured);
        differs = differs.or_else(|| difference(&file, &their_file));
    }
    Ok(Comparison {
        difference: differs,
        ..Comparison::by_time(grouping.name, Duck::NAME, &ours, &theirs).aiming(6.0, Some(PEAK_MAX))
    })
}

fn collect_and_report(
    run: &Run,
    keynote: &Data,
    grouping: Grouping,
) -> anyhow::Result<(Measured, Vec<u8>)> {
    let product = run.fresh("fresh")?;
    let server = Server::start(&product, &[])?;
    collect(&server.client, keynote)?;
    let while_collecting = server.peak_bytes()?;
    let report = reports::make(&server, &keynote.event, grouping)?;
    let file = report.download(&server)?;
    server.stop()?;
    let peak_bytes = report.measured.peak_bytes.max(while_collecting);
    Ok((
        Measured {
            peak_bytes,
            ..report.measured
        },
        file,
    ))
}

/// Sends a file of records, each of which must be accepted.
fn collect(client: &Client, data: &Data) -> anyhow::Result<()> {
    let mut lines = BufReader::with_capacity(1 << 20, File::open(&data.path)?);
    let mut connection = client.connect()?;
    let mut sent = 0;
    let total = data.path.metadata()?.len();
    let progress = Progress::new("bytes collected", total);
    while sent < total {
        let mut body = Vec::new();
        lines.by_ref().take(BODY_BYTES).read_to_end(&mut body)?;
        lines.read_until(b'\n', &mut body)?;
        sent += u64::try_from(body.len())?;
        let response = connection.send("POST", "/collect", &client.token, body)?;
        let (status, text) = (response.status, response.text());
        let whole = status == 202 && text.ends_with("\"rejected\":[]}");
        ensure!(whole, "collecting was answered {status}: {text}");
        progress.at(sent);
    }
    Ok(())
}
