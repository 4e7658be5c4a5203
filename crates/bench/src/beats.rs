//! Reports of beats, beside reports of the same facts as spans.

use super::import;
use super::lake::live_files;
use super::part::Part;
use super::reports::{self, BY_CUSTOMER, BY_MINUTE, Grouping, difference};
use super::run::{Run, Size};
use super::show::Show;
use super::table::{Comparison, Table};
use showreport_testkit::{ORG, Product, Server};

/// A report of beats may take three times as long: all beats are read, and spans were merged.
const RATIO: f64 = 0.33;

const PEAK_MAX: u64 = 512 << 20;

/// Reports of a pair.
const EACH: usize = 3;

const SEED: u64 = 18;

pub(crate) struct Beats;

impl Part for Beats {
    fn name(&self) -> &'static str {
        "beats"
    }

    fn title(&self) -> &'static str {
        "reports of beats"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        let table = measure(run)?;
        run.tables.push(table);
        Ok(())
    }
}

fn measure(run: &Run) -> anyhow::Result<Table> {
    let (as_beats, as_spans) = (run.fresh("as-beats")?, run.fresh("as-spans")?);
    import::show(&as_beats, ORG, Show::of_beats("keynote", SEED, run.records))?;
    import::show(&as_spans, ORG, Show::new("keynote", SEED, run.records))?;
    let servers = [started(run, &as_beats)?, started(run, &as_spans)?];
    let mut table = Table::of_comparisons("Reports of beats").note(
        "The peer is showreport with the same views as playback records, in a data directory of its own. Both lakes are compacted. Disk: the files of \
         the table. Equal: the files hold the same rows.",
    );
    let bytes = |product: &Product, table: &str| -> anyhow::Result<u64> {
        Ok(live_files(&product.data_dir, table)?.into_values().sum())
    };
    let bytes = [bytes(&as_beats, "beats")?, bytes(&as_spans, "spans")?];
    for grouping in [BY_CUSTOMER, BY_MINUTE] {
        let comparison = compare(run, &servers, grouping)?;
        table.compare(&Comparison {
            ours_bytes: Some(bytes[0]),
            theirs_bytes: Some(bytes[1]),
            ..comparison
        });
    }
    for server in servers {
        server.stop()?;
    }
    Ok(table)
}

fn started(run: &Run, product: &Product) -> anyhow::Result<Server> {
    let server = Server::start(product, &[])?;
    if run.size == Size::Full {
        server.wait_until_compacted(&product.database_log())?;
    }
    Ok(server)
}

fn compare(run: &Run, servers: &[Server; 2], grouping: Grouping) -> anyhow::Result<Comparison> {
    let mut measured = [Vec::new(), Vec::new()];
    let mut differs = None;
    for _ in 0..run.pairs() {
        let mut files = [Vec::new(), Vec::new()];
        for (side, server) in servers.iter().enumerate() {
            for _ in 0..EACH {
                let report = reports::make(server, "keynote", grouping)?;
                measured[side].push(report.measured);
                files[side] = report.download(server)?;
            }
        }
        differs = differs.or(difference(&files[0], &files[1]));
    }
    let [beats, spans] = measured;
    Ok(Comparison {
        difference: differs,
        ..Comparison::by_time(grouping.name, "as spans", &beats, &spans)
            .aiming(RATIO, Some(PEAK_MAX))
    })
}
