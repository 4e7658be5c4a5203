//! Random streams of records, in disorder and with everything that may happen
//! between them: every report equals the oracle's, byte for byte.

pub(crate) mod records;
pub(crate) mod case;
pub(crate) mod run;

use std::time::{Duration, Instant};

use case::Case;

/// Cases of the test, each of a seed of its own.
const SEEDS: std::ops::Range<u64> = 1..9;

/// How long new cases are begun: a slow machine tries fewer of them.
const TIME_MAX: Duration = Duration::from_secs(75);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_report_of_a_random_stream_equals_the_oracle() {
    let begun = Instant::now();
    let mut tried = 0;
    for seed in SEEDS {
        if begun.elapsed() > TIME_MAX {
            break;
        }
        let case = Case::random(seed);
        if let Err(difference) = run::run(&case).await {
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
