//! Reports of a compacted lake. `DuckDB` makes the same ones from the raw records, and from the
//! files of the lake.

use std::path::{Path, PathBuf};

use super::duck::{Duck, Source};
use super::lake::live_files;
use super::part::Part;
use super::reports::{self, BY_CUSTOMER, BY_MINUTE, Grouping, difference};
use super::run::Run;
use super::table::{Comparison, Table};
use showreport_testkit::Server;

const PEAK_MAX: u64 = 512 << 20;

/// Reports of the product for one of `DuckDB`, which takes much longer.
const OURS_EACH: usize = 3;

pub(crate) struct Compacted;

impl Part for Compacted {
    fn name(&self) -> &'static str {
        "compacted"
    }

    fn title(&self) -> &'static str {
        "reports of a compacted lake"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

fn measure(run: &mut Run) -> anyhow::Result<()> {
    let keynote = run.keynote()?;
    let raw = run.duck.parquet(&keynote.path)?;
    let product = run.take_compacted()?;
    let server = Server::start(&product, &[])?;
    let lake: Vec<PathBuf> = live_files(&product.data_dir, "spans")?
        .into_keys()
        .collect();
    let mut table = Table::of_comparisons("Reports, compacted lake").note(
        "From the order to SUCCEEDED over HTTP, beside DuckDB writing the same CSV from the records as they were sent (Parquet, zstd), and from the \
         files of the lake. Equal: the files hold the same rows.",
    );
    for grouping in [BY_CUSTOMER, BY_MINUTE] {
        for comparison in compare(run, &server, grouping, &raw, &lake)? {
            table.compare(&comparison);
        }
    }
    server.stop()?;
    run.keep_loaded(product);
    run.tables.push(table);
    Ok(())
}

fn compare(
    run: &Run,
    server: &Server,
    grouping: Grouping,
    raw: &Path,
    lake: &[PathBuf],
) -> anyhow::Result<[Comparison; 2]> {
    let (mut ours, mut from_raw, mut from_lake) = (Vec::new(), Vec::new(), Vec::new());
    let mut differences = [None, None];
    for _ in 0..run.pairs() {
        let mut file = Vec::new();
        for _ in 0..OURS_EACH {
            let report = reports::make(server, "keynote", grouping)?;
            ours.push(report.measured);
            file = report.download(server)?;
        }
        let (measured, theirs) = run.duck.report(Source::Raw(raw), grouping)?;
        from_raw.push(measured);
        differences[0] = difference(&file, &theirs);
        let (measured, theirs) = run.duck.report(Source::Lake(lake), grouping)?;
        from_lake.push(measured);
        differences[1] = difference(&file, &theirs);
    }
    let [raw_differs, lake_differs] = differences;
    let of = |from: &str| format!("{}, peer reads {from}", grouping.name);
    Ok([
        Comparison {
            difference: raw_differs,
            ..Comparison::by_time(of("raw records"), Duck::NAME, &ours, &from_raw)
                .aiming(50.0, Some(PEAK_MAX))
        },
        Comparison {
            difference: lake_differs,
            ..Comparison::by_time(of("the lake"), Duck::NAME, &ours, &from_lake)
                .aiming(0.5, Some(PEAK_MAX))
        },
    ])
}
