//! The memory of a flush does not grow with the unpacked size of the journal.

use showreport_model::facts::FactsBuilder;
use showreport_model::record::{Choice, PollOption, PollRecord, PollStatus, Record};
use showreport_model::{OptionId, PollId};

use super::*;

/// Polls that take little in the journal and much in memory.
fn polls(numbers: std::ops::Range<usize>, texts: usize) -> FactsBuilder {
    let mut builder = FactsBuilder::new(org());
    for number in numbers {
        let options = (0..texts).map(|option| PollOption {
            option: OptionId::new(option.to_string()).unwrap(),
            text: "?".repeat(1_024),
            correct: false,
        });
        builder.push(Record::Poll(PollRecord {
            event: event(),
            poll: PollId::new(format!("poll-{number}")).unwrap(),
            question: "which?".to_owned(),
            choice: Choice::Single,
            options: options.collect(),
            status: PollStatus::Active,
            started_at: None,
            ended_at: None,
            updated_at: None,
        }));
    }
    builder
}

#[tokio::test]
async fn a_flush_takes_no_more_rows_than_fit_unpacked() {
    let world = World::new().await;
    // Each about 0.4 MiB in memory and a few hundred bytes in the journal; a flush may hold 1 MiB.
    for number in 0..5 {
        let sent = polls(number..number + 1, 200);
        world
            .meta
            .journal()
            .append(world.token, sent)
            .await
            .unwrap();
    }
    assert!(world.meta.journal_depth().await.unwrap().bytes < 20_000);
    let mut taken = Vec::new();
    while world.meta.journal_depth().await.unwrap().rows > 0 {
        taken.push(world.lake.flush().await.unwrap().journal_rows);
    }
    assert_eq!(taken, [2, 2, 1]);
    world.end().await;
}

#[tokio::test]
async fn a_row_larger_than_the_bound_is_flushed_by_itself() {
    let world = World::new().await;
    for number in 0..2 {
        let sent = polls(number * 10..number * 10 + 10, 200);
        world
            .meta
            .journal()
            .append(world.token, sent)
            .await
            .unwrap();
    }
    for _ in 0..2 {
        assert_eq!(world.lake.flush().await.unwrap().journal_rows, 1);
    }
    assert_eq!(world.lake.flush().await.unwrap(), Flushed::default());
    world.end().await;
}
