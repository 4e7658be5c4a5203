//! Flat: what others have in the lake costs an event's reports nothing, and its own records no more than in proportion.

use super::figures::{Samples, Unit, thousands};
use super::import;
use super::reports::{self, BY_CUSTOMER, BY_MINUTE, Grouping};
use super::run::{Run, Size};
use super::show::Show;
use super::table::Table;
use crate::rig::{ORG, Product, Server};

/// One times as much; fewer in small runs.
const RECORDS_ONCE: u64 = 200_000;

/// How often a report is made to know its time.
const REPORTS: usize = 7;

/// How much slower a report may be for what others have.
const SLOWER_MAX: f64 = 1.3;

/// Another organisation, to which every second of the other events belongs.
const RIVAL: &str = "rival";

/// How many times as much there is, in turn.
const fn times(run: &Run) -> &'static [u32] {
    match run.size {
        Size::Full => &[1, 10, 100],
        Size::Small => &[1, 10],
    }
}

const GROUPINGS: [Grouping; 2] = [BY_CUSTOMER, BY_MINUTE];

pub(crate) fn run(run: &mut Run) -> anyhow::Result<()> {
    let once = RECORDS_ONCE.min(run.records / 100);
    let others = beside_others(run, once)?;
    run.tables.push(others);
    let own = of_its_own(run, once)?;
    run.tables.push(own);
    Ok(())
}

fn beside_others(run: &Run, once: u64) -> anyhow::Result<Table> {
    let product = run.fresh("flat")?;
    product.org(RIVAL)?;
    import::told(&product, ORG, Show::new("mine", 0, once))?;
    let header = ["other events", BY_CUSTOMER.name, BY_MINUTE.name, "aim"];
    let mut table = Table::new("Flat: beside other events", &header).note(format!(
        "The reports of one event of {} records, while the lake holds more and more other events of the same size, half of them of another \
         organisation. Each was imported by itself, and nothing is compacted.",
        thousands(once),
    ));
    let mut quiet: Option<(Vec<f64>, Vec<Vec<u8>>)> = None;
    let mut told = 0;
    for times in std::iter::once(0).chain(times(run).iter().copied()) {
        for other in told..times {
            let org = if other % 2 == 0 { ORG } else { RIVAL };
            import::told(
                &product,
                org,
                Show::new(&format!("other-{other}"), u64::from(other) + 1, once),
            )?;
        }
        told = times;
        let (samples, files) = time_reports(&product, "mine")?;
        let medians: Vec<f64> = samples.iter().map(Samples::median).collect();
        let (quiet, first) = quiet.get_or_insert_with(|| (medians.clone(), files.clone()));
        let slower: Vec<f64> = medians
            .iter()
            .zip(&*quiet)
            .map(|(now, then)| now / then)
            .collect();
        let met = slower.iter().all(|slower| *slower <= SLOWER_MAX);
        let verdict = table.verdict(&format!("{times}× others"), met, "≤ 1.3×");
        if *first != files {
            table.wrong.push(format!(
                "beside {times}× others the reports of the event changed"
            ));
        }
        let shown = samples
            .iter()
            .zip(&slower)
            .map(|(samples, slower)| format!("{}, {slower:.2}×", samples.shown(Unit::Seconds)));
        table.row(
            [format!("{times}×")]
                .into_iter()
                .chain(shown)
                .chain([verdict])
                .collect(),
        );
    }
    Ok(table)
}

fn of_its_own(run: &Run, once: u64) -> anyhow::Result<Table> {
    let product = run.fresh("flat")?;
    let header = ["own records", BY_CUSTOMER.name, BY_MINUTE.name, "aim"];
    let mut table = Table::new("Flat: of its own", &header)
        .note("The reports of events of more and more records. The aim: the time grows no faster than they do.");
    let mut before: Option<Vec<f64>> = None;
    for &times in times(run) {
        let event = format!("mine-{times}");
        let records = once * u64::from(times);
        import::told(&product, ORG, Show::new(&event, u64::from(times), records))?;
        let (samples, _) = time_reports(&product, &event)?;
        let medians: Vec<f64> = samples.iter().map(Samples::median).collect();
        let first = before.get_or_insert_with(|| medians.clone());
        let grown: Vec<f64> = medians
            .iter()
            .zip(&*first)
            .map(|(now, then)| now / then)
            .collect();
        let met = grown.iter().all(|grown| *grown <= f64::from(times));
        let verdict = table.verdict(&format!("{times}× own"), met, &format!("≤ {times}×"));
        let shown = samples
            .iter()
            .zip(&grown)
            .map(|(samples, grown)| format!("{}, {grown:.2}×", samples.shown(Unit::Seconds)));
        table.row(
            [thousands(records)]
                .into_iter()
                .chain(shown)
                .chain([verdict])
                .collect(),
        );
    }
    Ok(table)
}

/// Each grouping's times, and its file.
fn time_reports(product: &Product, event: &str) -> anyhow::Result<(Vec<Samples>, Vec<Vec<u8>>)> {
    let server = Server::start(product, &[])?;
    let (mut all, mut files) = (Vec::new(), Vec::new());
    for grouping in GROUPINGS {
        // The first opens files and is not counted.
        let first = reports::make(&server, event, grouping)?;
        files.push(first.download(&server)?);
        let mut seconds = Vec::new();
        for _ in 0..REPORTS {
            seconds.push(reports::make(&server, event, grouping)?.measured.seconds);
        }
        all.push(Samples::new(seconds));
    }
    server.stop()?;
    Ok((all, files))
}
