//! Bulk load: `showreport import` of a file of records, and `DuckDB` reading it into a table.

use super::duck::Duck;
use super::import;
use super::part::Part;
use super::run::Run;
use super::table::{Comparison, Table};
use showreport_testkit::size_bytes;

const PEAK_MAX: u64 = 1 << 30;

pub(crate) struct BulkLoad;

impl Part for BulkLoad {
    fn name(&self) -> &'static str {
        "load"
    }

    fn title(&self) -> &'static str {
        "bulk load"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

fn measure(run: &mut Run) -> anyhow::Result<()> {
    let keynote = run.keynote()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut ours_bytes, mut theirs_bytes) = (0, 0);
    let mut difference = None;
    for _ in 0..run.pairs() {
        let product = run.fresh("loaded")?;
        let (measured, accepted) = import::file(&product, &keynote.path)?;
        ours.push(measured);
        ours_bytes = size_bytes(&product.data_dir)?;
        run.keep_loaded(product);
        let (measured, rows, bytes) = run.duck.load(&keynote.path)?;
        theirs.push(measured);
        theirs_bytes = bytes;
        if (accepted, rows) != (keynote.records, keynote.records) {
            difference = Some(format!("showreport took {accepted} records, DuckDB {rows}"));
        }
    }
    let comparison = Comparison {
        ours_bytes: Some(ours_bytes),
        theirs_bytes: Some(theirs_bytes),
        difference,
        ..Comparison::by_time("NDJSON, whole", Duck::NAME, &ours, &theirs)
            .aiming(1.0, Some(PEAK_MAX))
    };
    let mut table = Table::of_comparisons("Bulk load").note(
        "`showreport import`, process start included, beside `read_json` with every type named into a table of a database file, checkpoint \
         included. Equal: both took every record.",
    );
    table.compare(&comparison);
    run.tables.push(table);
    Ok(())
}
