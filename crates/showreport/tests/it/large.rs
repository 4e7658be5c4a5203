//! Large reports from few records: long views by the second, polls with many long options.

use serde_json::{Value, json};

use crate::harness::Show;
use crate::harness::reports::entry;
use crate::harness::show::{poll, votes, watches};
use crate::oracle::Dimension::{PollSummaries, PollVotes, WatchTime};
use crate::oracle::Field::{CustomerId, WatchTimestamp};
use crate::oracle::{Dimension, Field, ReportSpec};

/// 2026-11-01T00:00:00Z.
const FIRST_DAY: i64 = 1_793_491_200_000;

const DAY_MS: i64 = 86_400_000;

/// A view without a pause.
async fn watch_days(show: &Show, first: i64, days: i64) {
    let records = (0..days).map(|day| {
        let from = first + day * DAY_MS;
        let mut record = watches("ada", "tab", "10:00..10:01");
        record["from"] = json!(from);
        record["to"] = json!(from + DAY_MS);
        record
    });
    show.send(records.collect::<Vec<_>>()).await;
}

fn by_the_second(fields: &[Field]) -> ReportSpec {
    ReportSpec {
        granularity_seconds: 1,
        ..ReportSpec::new(WatchTime).by(fields)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_for_a_year_gives_a_row_for_each_second() {
    let show = Show::new().await;
    let days = 20;
    watch_days(&show, FIRST_DAY, days).await;
    let entries = [
        entry(&by_the_second(&[WatchTimestamp])),
        entry(&by_the_second(&[WatchTimestamp, CustomerId])),
    ];
    for made in show.app.make(&show.org, "keynote", &entries).await {
        let rows = days * 86_400;
        assert_eq!(made.report["row_count"], rows, "{}", made.report);
        let text = std::str::from_utf8(&made.file).expect("UTF-8");
        assert!(text.lines().skip(1).is_sorted_by(|one, next| one < next));
        let last = text.lines().next_back().expect("a row");
        assert!(last.starts_with("2026-11-20T23:59:59.000Z,"), "{last}");
        assert!(last.ends_with(",1,1,0,1.000,1.000"), "{last}");
    }
}

#[tokio::test]
async fn more_buckets_than_a_report_may_have_rows_are_refused_when_it_is_ordered() {
    let show = Show::new().await;
    watch_days(&show, FIRST_DAY - 2_000 * DAY_MS, 1).await;
    watch_days(&show, FIRST_DAY, 1).await;
    let ask = async |question: &ReportSpec| {
        let response = show
            .app
            .create(&show.org, "keynote", &[entry(question)])
            .await;
        (response.status, response.json())
    };
    // What was acknowledged is enough; nothing has been flushed.
    let (status, refused) = ask(&by_the_second(&[CustomerId, WatchTimestamp])).await;
    assert_eq!(status, 400, "{refused}");
    assert_eq!(refused["details"][0]["reason"], "REPORT_ROW_LIMIT");
    let message = refused["message"].as_str().expect("a message");
    assert!(
        message.contains("100000000") && message.contains("172886400"),
        "{message}"
    );
    // With a coarser granularity, a shorter filter or no grouping by time it is made.
    let coarser = ReportSpec {
        granularity_seconds: 5,
        ..by_the_second(&[WatchTimestamp])
    };
    let shorter = ReportSpec {
        start: Some(FIRST_DAY),
        ..by_the_second(&[WatchTimestamp])
    };
    let asked = [coarser, shorter, by_the_second(&[CustomerId])];
    for (question, rows) in asked.iter().zip([2 * 86_400 / 5, 86_400, 1]) {
        let made = show
            .app
            .make(&show.org, "keynote", &[entry(question)])
            .await;
        assert_eq!(made[0].report["row_count"], rows);
    }
}

/// The ids of as many options as a poll may have, nearly as long as they may then be.
fn options() -> Vec<String> {
    let id = |option: usize| format!("{option:03}-{}", "o".repeat(36));
    (0..1_000).map(id).collect()
}

/// Polls with all options, and votes of which one in a hundred chose them all.
fn much(polls: usize, voters: usize) -> Vec<Value> {
    let all = options();
    let asked = (0..polls).map(|number| {
        let mut asked = poll(&format!("poll-{number}"), "multi");
        let options = all.iter().map(|id| json!({"id": id, "text": "?"}));
        asked["options"] = options.collect();
        asked
    });
    let cast = (0..voters).map(|voter| {
        let chosen: Vec<&str> = match voter % 100 {
            0 => all.iter().map(String::as_str).collect(),
            _ => vec![all[voter % 1_000].as_str()],
        };
        let poll = format!("poll-{}", voter % polls);
        votes(&format!("c{voter}"), &poll, "10:00", &chosen)
    });
    asked.chain(cast).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_of_many_and_long_options_are_reported_and_counted() {
    let show = Show::new().await;
    let (polls, voters) = (20, 600);
    show.send(much(polls, voters)).await;
    let of = |dimension: Dimension| entry(&ReportSpec::new(dimension));
    let entries = [of(PollSummaries), of(PollVotes)];
    let made = show.app.make(&show.org, "keynote", &entries).await;
    let (whole, single) = (voters / 100, voters - voters / 100);
    assert_eq!(made[0].report["row_count"], polls * 1_000);
    assert_eq!(made[1].report["row_count"], whole * 1_000 + single);
    let counted = String::from_utf8_lossy(&made[1].file)
        .lines()
        .filter(|line| line.contains(",true,"))
        .count();
    assert_eq!(counted, whole * 1_000 + single);
    assert_eq!(voters_of_all(&made[0].file), voters as u64);
}

/// The voters of each poll, which stand on each row of it, summed over polls.
fn voters_of_all(file: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(file);
    let first = &options()[0];
    let rows = text.lines().filter(|line| line.contains(first));
    let voters = rows.filter_map(|row| row.rsplit(',').next()?.parse::<u64>().ok());
    voters.sum()
}
