//! Scaling: other events in the lake do not slow down the reports of an event, and its own records
//! do so in proportion at most.

use super::figures::{Samples, Unit, thousands};
use super::import;
use super::part::Part;
use super::reports::{self, BY_CUSTOMER, BY_MINUTE, Grouping};
use super::run::{Run, Size};
use super::show::Show;
use super::table::Table;
use showreport_testkit::{ORG, Product, Server};

/// Records of an event; fewer in small runs.
const RECORDS_ONCE: u64 = 200_000;

/// Reports of a median.
const REPORTS: usize = 7;

/// How much slower a report may be beside other events.
const SLOWER_MAX: f64 = 1.3;

/// Another organisation, which has half of the other events.
const RIVAL: &str = "rival";

/// The multiples that are measured.
const fn times(run: &Run) -> &'static [u32] {
    match run.size {
        Size::Full => &[1, 10, 100],
        Size::Small => &[1, 10],
    }
}

const GROUPINGS: [Grouping; 2] = [BY_CUSTOMER, BY_MINUTE];

pub(crate) struct Flat;

impl Part for Flat {
    fn name(&self) -> &'static str {
        "flat"
    }

    fn title(&self) -> &'static str {
        "the time of reports as the lake grows"
    }

    fn run(&self, run: &mut Run) -> anyhow::Result<()> {
        measure(run)
    }
}

fn measure(run: &mut Run) -> anyhow::Result<()> {
    let once = RECORDS_ONCE.min(run.records / 100);
    let others = beside_others(run, once)?;
    run.tables.push(others);
    let own = of_its_own(run, once)?;
    run.tables.push(own);
    Ok(())
}

fn beside_others(run: &Run, once: u64) -> anyhow::Result<Table> {
    let [alone, beside] = [run.fresh("alone")?, run.fresh("flat")?];
    for product in [&alone, &beside] {
        import::show(product, ORG, Show::new("mine", 0, once))?;
    }
    beside.org(RIVAL)?;
    let header = ["other events", BY_CUSTOMER.name, BY_MINUTE.name, "aim"];
    let mut table = Table::new("Flat: beside other events", &header).note(format!(
        "The reports of one event of {} records, while the lake holds more and more other events of the same size, half of them of another \
         organisation. Each was imported by itself, and nothing is compacted. Made in turn with the same reports of a lake that holds nothing else.",
        thousands(once),
    ));
    let mut imported = 0;
    for &times in times(run) {
        for other in imported..times {
            let org = if other % 2 == 0 { ORG } else { RIVAL };
            let name = format!("other-{other}");
            let show = Show::new(&name, u64::from(other) + 1, once);
            import::show(&beside, org, show)?;
        }
        imported = times;
        let [quiet, crowded] = in_turn([&alone, &beside], "mine")?;
        let slower = crowded.times_as_slow(&quiet);
        let met = slower.iter().all(|slower| *slower <= SLOWER_MAX);
        let verdict = table.verdict(&format!("{times}× others"), met, "≤ 1.3×");
        if quiet.files != crowded.files {
            table.wrong.push(format!(
                "beside {times}× others the reports of the event differ from those without"
            ));
        }
        table.row(crowded.row(format!("{times}×"), &slower, verdict));
    }
    Ok(table)
}

fn of_its_own(run: &Run, once: u64) -> anyhow::Result<Table> {
    let product = run.fresh("flat")?;
    let header = ["own records", BY_CUSTOMER.name, BY_MINUTE.name, "aim"];
    let mut table = Table::new("Flat: of its own", &header)
        .note("The reports of events of more and more records. The aim: the time grows no faster than they do.");
    let mut first: Option<Timed> = None;
    for &times in times(run) {
        let event = format!("mine-{times}");
        let records = once * u64::from(times);
        import::show(&product, ORG, Show::new(&event, u64::from(times), records))?;
        let [timed] = in_turn([&product], &event)?;
        let grown = timed.times_as_slow(first.as_ref().unwrap_or(&timed));
        let met = grown.iter().all(|grown| *grown <= f64::from(times));
        let verdict = table.verdict(&format!("{times}× own"), met, &format!("≤ {times}×"));
        table.row(timed.row(thousands(records), &grown, verdict));
        first.get_or_insert(timed);
    }
    Ok(table)
}

/// The times and the file of each grouping.
#[derive(Debug, Default)]
struct Timed {
    samples: Vec<Samples>,
    files: Vec<Vec<u8>>,
}

impl Timed {
    fn times_as_slow(&self, other: &Self) -> Vec<f64> {
        let pairs = self.samples.iter().zip(&other.samples);
        pairs
            .map(|(ours, theirs)| ours.median() / theirs.median())
            .collect()
    }

    fn row(&self, what: String, ratios: &[f64], verdict: String) -> Vec<String> {
        let shown = self
            .samples
            .iter()
            .zip(ratios)
            .map(|(samples, ratio)| format!("{}, {ratio:.2}×", samples.shown(Unit::Seconds)));
        [what].into_iter().chain(shown).chain([verdict]).collect()
    }
}

/// Times the reports of an event of each data directory, in turn.
fn in_turn<const N: usize>(products: [&Product; N], event: &str) -> anyhow::Result<[Timed; N]> {
    let mut servers = Vec::new();
    for product in products {
        servers.push(Server::start(product, &[])?);
    }
    let mut all: [Timed; N] = std::array::from_fn(|_| Timed::default());
    for grouping in GROUPINGS {
        // The first report opens files and is not timed.
        for (server, timed) in servers.iter().zip(&mut all) {
            let first = reports::make(server, event, grouping)?;
            timed.files.push(first.download(server)?);
        }
        let mut seconds = vec![Vec::new(); N];
        for _ in 0..REPORTS {
            for (server, seconds) in servers.iter().zip(&mut seconds) {
                seconds.push(reports::make(server, event, grouping)?.measured.seconds);
            }
        }
        for (timed, seconds) in all.iter_mut().zip(seconds) {
            timed.samples.push(Samples::new(seconds));
        }
    }
    for server in servers {
        server.stop()?;
    }
    Ok(all)
}
