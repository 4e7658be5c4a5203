//! Random streams of records, in disorder and with everything that may happen
//! between them: every report equals the oracle's, byte for byte.

pub(crate) mod records;
pub(crate) mod case;
pub(crate) mod run;

use std::ops::Range;
use std::time::{Duration, Instant};

use case::Case;

/// Seeds of the cases; `SHOWREPORT_TEST_SEEDS=100..400` tries others, however long it takes.
const SEEDS: Range<u64> = 1..25;

/// How long new cases are begun: a slow machine tries fewer of them.
const TIME_MAX: Duration = Duration::from_secs(75);

/// The seeds of `SHOWREPORT_TEST_SEEDS`.
#[expect(
    clippy::disallowed_methods,
    reason = "a test is set up by no settings file"
)]
fn asked_for() -> Option<Range<u64>> {
    let text = std::env::var("SHOWREPORT_TEST_SEEDS").ok()?;
    let (first, end) = text.split_once("..").expect("a range such as 100..400");
    Some(first.parse().expect("a number")..end.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_of_a_random_stream_equals_the_oracle() {
    let begun = Instant::now();
    let mut tried = 0;
    let asked_for = asked_for();
    for seed in asked_for.clone().unwrap_or(SEEDS) {
        if asked_for.is_none() && begun.elapsed() > TIME_MAX {
            break;
        }
        let case = Case::random(seed);
        if let Err(difference) = run::run(&case).await {
            eprintln!("seed {seed} differs, looking for the smallest case:\n{difference}");
            let (case, difference) = run::smallest(case, difference).await;
            panic!("seed {seed} differs\n{case}\n{difference}");
        }
        tried += 1;
    }
    assert!(tried > 0);
    eprintln!(
        "{tried} random streams in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}
