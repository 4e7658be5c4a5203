//! Two real conversations with published totals, sent over HTTP.
//!
//! The data is beside the repository and not part of it: see its README
//! for where it comes from and under which licence. Every comment is a poll
//! with the options `agree`, `disagree` and `pass`, every row of `votes.csv` a
//! vote, numbered by its row.
//!
//! The published files agree with each other without a gap: the totals of
//! `comments.csv` count every row; a cell of `participants-votes.csv` is the
//! voter's last vote on the comment, by time and then by row (one pair of rows
//! in the first conversation has the same time). Two comments of the second
//! conversation have no vote and totals of zero.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use showreport_testkit::shared_data;

use crate::harness::{Org, TestApp};
use crate::oracle::{Dimension, ReportSpec};

const OPTIONS: [(&str, &str); 3] = [("agree", "1"), ("disagree", "-1"), ("pass", "0")];

/// A CSV file as maps from column to cell.
type Rows = Vec<BTreeMap<String, String>>;

fn read(path: &Path) -> Rows {
    let text = std::fs::read_to_string(path).expect("a file of UTF-8");
    parse(&text)
}

/// RFC 4180: a quoted cell may hold commas, line breaks and doubled quotes.
fn parse(text: &str) -> Rows {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !quoted => {}
            other => cell.push(other),
        }
    }
    let mut rows = rows.into_iter();
    let header: Vec<String> = rows.next().expect("a header");
    rows.map(|row| header.iter().cloned().zip(row).collect())
        .collect()
}

/// Sends the conversation in batches.
async fn collect(app: &TestApp, org: &Org, comments: &Rows, votes: &Rows) {
    let polls: Vec<Value> = comments
        .iter()
        .map(|comment| {
            let options: Vec<Value> = OPTIONS.iter().map(|(id, _)| json!({"id": id, "text": id})).collect();
            json!({
                "type": "poll", "event_id": "conversation", "poll_id": comment["comment-id"],
                "question": comment["comment-body"].trim().chars().take(200).collect::<String>(), "choice": "single",
                "options": options, "status": "closed",
            })
        })
        .collect();
    app.accept(org, &polls).await;
    let records: Vec<Value> = votes
        .iter()
        .enumerate()
        .map(|(number, vote)| {
            let option = OPTIONS.iter().find(|(_, value)| *value == vote["vote"]).expect("a known vote").0;
            json!({
                "type": "vote", "event_id": "conversation", "poll_id": vote["comment-id"],
                "vote_id": format!("{number:06}"), "customer_id": vote["voter-id"],
                "voted_at": vote["timestamp"].parse::<i64>().expect("milliseconds"), "option_ids": [option],
            })
        })
        .collect();
    for batch in records.chunks(5000) {
        app.accept(org, batch).await;
    }
}

async fn published_totals_are_found(conversation: &str) {
    let folder = shared_data(&format!("votes/{conversation}")).expect("the real votes");
    let Some(folder) = folder else {
        return;
    };
    let [comments, votes, participants] = ["comments.csv", "votes.csv", "participants-votes.csv"]
        .map(|name| read(&folder.join(name)));
    let app = TestApp::new().await;
    let org = app.org("polis", "UTC").await;
    collect(&app, &org, &comments, &votes).await;
    let rows = parse(
        &app.csv(&org, "conversation", &ReportSpec::new(Dimension::PollVotes))
            .await,
    );
    assert_eq!(rows.len(), votes.len(), "no row is lost, and none is twice");
    assert_totals_of_every_row(&rows, &comments);
    assert_last_votes(&rows, &participants);
    let summaries = parse(
        &app.csv(
            &org,
            "conversation",
            &ReportSpec::new(Dimension::PollSummaries),
        )
        .await,
    );
    assert_eq!(summaries.len(), comments.len() * OPTIONS.len());
    assert_counted(&summaries, &participants);
}

/// The published totals of a comment count every row, votes that were changed later included.
fn assert_totals_of_every_row(rows: &Rows, comments: &Rows) {
    let mut totals: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows {
        *totals
            .entry((&row["poll_id"], &row["option_id"]))
            .or_default() += 1;
    }
    for comment in comments {
        let id = comment["comment-id"].as_str();
        for (option, published) in [("agree", "agrees"), ("disagree", "disagrees")] {
            let total = totals.get(&(id, option)).copied().unwrap_or(0);
            assert_eq!(
                total.to_string(),
                comment[published],
                "{published} of comment {id}"
            );
        }
    }
}

/// Each cell of a participant is the one vote that counts; there are no others.
fn assert_last_votes(rows: &Rows, participants: &Rows) {
    let mut counted: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut questions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows {
        let (voter, poll) = (row["customer_id"].as_str(), row["poll_id"].as_str());
        questions.entry(voter).or_default().insert(poll);
        if row["counted"] == "true" {
            let twice = counted.insert((voter, poll), &row["option_id"]);
            assert_eq!(twice, None, "one vote of {voter} counts on {poll}");
        }
    }
    let mut published = BTreeMap::new();
    for participant in participants {
        let voter = participant["participant"].as_str();
        assert_eq!(
            questions[voter].len().to_string(),
            participant["n-votes"],
            "questions of {voter}"
        );
        for (column, cell) in participant.iter().filter(|(_, cell)| !cell.is_empty()) {
            if column.parse::<u32>().is_ok() {
                let option = OPTIONS
                    .iter()
                    .find(|(_, value)| value == cell)
                    .expect("a known vote")
                    .0;
                published.insert((voter, column.as_str()), option);
            }
        }
    }
    assert_eq!(counted, published);
}

/// The summaries hold the same last votes.
fn assert_counted(summaries: &Rows, participants: &Rows) {
    for (option, value) in OPTIONS {
        let ours: usize = summaries
            .iter()
            .filter(|row| row["option_id"] == option)
            .map(|row| row["votes"].parse::<usize>().expect("a number"))
            .sum();
        let cells = participants.iter().flat_map(|participant| {
            participant
                .iter()
                .filter(|(column, cell)| column.parse::<u32>().is_ok() && *cell == value)
        });
        assert_eq!(ours, cells.count(), "{option}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_votes_of_vtaiwan_have_their_published_totals() {
    published_totals_are_found("vtaiwan.uberx").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_votes_of_scoop_hivemind_have_their_published_totals() {
    published_totals_are_found("scoop-hivemind.biodiversity").await;
}
