//! The bytes that a record takes on the disk once the lake is compacted.

use super::figures::{bytes, thousands};
use super::lake::live_files;
use super::part::Part;
use super::run::Run;
use super::table::Table;
use showreport_testkit::size_bytes;

const TABLES: [&str; 6] = ["spans", "chat", "polls", "votes", "beats", "coverage"];

/// The aim in bytes a record.
const EACH_MAX: f64 = 0.5;

pub(crate) struct SizeOnDisk;

impl Part for SizeOnDisk {
    fn name(&self) -> &'static str {
        "size"
    }

    fn title(&self) -> &'static str {
        "size on disk"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn measure(run: &mut Run) -> anyhow::Result<()> {
    let product = run.take_compacted()?;
    let mut files = 0;
    let mut lake = 0;
    for table in TABLES {
        let live = live_files(&product.data_dir, table)?;
        files += live.len();
        lake += live.values().sum::<u64>();
    }
    let mut log = 0;
    for table in TABLES {
        let folder = product
            .data_dir
            .join("store/lake")
            .join(table)
            .join("_delta_log");
        log += if folder.exists() {
            size_bytes(&folder)?
        } else {
            0
        };
    }
    let reports = product.data_dir.join("store/reports");
    let reports = if reports.exists() {
        size_bytes(&reports)?
    } else {
        0
    };
    let whole = size_bytes(&product.data_dir)? - reports;
    let header = ["what", "files", "bytes", "bytes a record", "aim"];
    let mut table = Table::new("Size", &header).note(format!(
        "{} records, compacted. What compaction replaced is kept for a day, for readers that still have it open.",
        thousands(run.records),
    ));
    let each = |bytes: u64| bytes as f64 / run.records as f64;
    let verdict = table.verdict(
        "tables and their logs",
        each(lake + log) <= EACH_MAX,
        "≤ 0.5",
    );
    for (what, files, size, aim) in [
        ("files that count", files.to_string(), lake, String::new()),
        (
            "and the logs of the tables",
            "–".to_owned(),
            lake + log,
            verdict,
        ),
        (
            "and all else but reports",
            "–".to_owned(),
            whole,
            String::new(),
        ),
    ] {
        let cells = [
            what.to_owned(),
            files,
            bytes(size),
            format!("{:.3}", each(size)),
            aim,
        ];
        table.row(cells.to_vec());
    }
    run.keep_loaded(product);
    run.tables.push(table);
    Ok(())
}
