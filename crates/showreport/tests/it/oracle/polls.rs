//! Poll summaries and poll votes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::clock::{Buckets, rfc3339};
use super::facts::{Facts, Identity, VoteDetails, VoteKey};
use super::group::{Person, columns};
use super::{ReportSpec, Table};

/// A row a chosen option of a vote, whether it counts or not.
pub(crate) fn votes(facts: &Facts, question: &ReportSpec) -> Table {
    let names = "poll_id,question,voted_at,customer_id,device_id,name,option_id,option_text,counted,device_os,geo_region";
    let counted = counted(facts);
    let mut rows = Vec::new();
    for (vote, details) in facts
        .votes
        .iter()
        .filter(|(vote, _)| question.holds(vote.voted_at))
    {
        let person = Person::of_words(facts, &details.customer, &details.device);
        for option in &vote.options {
            rows.push(vec![
                vote.poll.clone(),
                facts
                    .polls
                    .get(&vote.poll)
                    .map_or(String::new(), |poll| poll.question.clone()),
                rfc3339(vote.voted_at),
                details.customer.clone(),
                details.device.clone(),
                details.name.clone(),
                option.clone(),
                option_text(facts, &vote.poll, option),
                counted.contains(vote).to_string(),
                person.os.to_owned(),
                person.region.to_owned(),
            ]);
        }
    }
    Table::new(names.split(',').collect(), rows)
}

/// A row a poll, option and group that a counted vote chose.
pub(crate) fn grouped_votes(facts: &Facts, question: &ReportSpec, zone: &TimeZone) -> Table {
    let mut names = vec!["poll_id", "option_id"];
    names.extend(columns(question));
    names.push("votes");
    let mut rows = Vec::new();
    for ((poll, group), chosen) in &groups(facts, question, zone) {
        for (option, votes) in &chosen.votes {
            let mut cells = vec![poll.clone(), option.clone()];
            cells.extend(group.iter().cloned());
            cells.push(votes.to_string());
            rows.push(cells);
        }
    }
    Table::new(names, rows)
}

/// A row an option of every poll, zeros included, whatever the filter.
pub(crate) fn summaries(facts: &Facts, question: &ReportSpec) -> Table {
    let names = "poll_id,question,choice,status,started_at,ended_at,option_id,option_text,correct,votes,voters";
    let everyone = ReportSpec {
        group_by: Vec::new(),
        ..question.clone()
    };
    let groups = groups(facts, &everyone, &TimeZone::UTC);
    let mut rows = Vec::new();
    for (id, poll) in &facts.polls {
        let chosen = groups.get(&(id.clone(), Vec::new()));
        for (option, (words, correct)) in &poll.options {
            rows.push(vec![
                id.clone(),
                poll.question.clone(),
                poll.choice.clone(),
                poll.status.clone(),
                poll.started_at.map_or(String::new(), rfc3339),
                poll.ended_at.map_or(String::new(), rfc3339),
                option.clone(),
                words.clone(),
                correct.to_string(),
                chosen
                    .and_then(|chosen| chosen.votes.get(option))
                    .unwrap_or(&0)
                    .to_string(),
                chosen.map_or(0, |chosen| chosen.voters.len()).to_string(),
            ]);
        }
    }
    Table::new(names.split(',').collect(), rows)
}

/// A row a poll, option and group that a counted vote chose.
pub(crate) fn grouped_summaries(facts: &Facts, question: &ReportSpec, zone: &TimeZone) -> Table {
    let mut names = vec!["poll_id", "question", "option_id", "option_text"];
    names.extend(columns(question));
    names.extend(["votes", "voters"]);
    let mut rows = Vec::new();
    for ((poll, group), chosen) in &groups(facts, question, zone) {
        for (option, votes) in &chosen.votes {
            let mut cells = vec![
                poll.clone(),
                facts.polls[poll].question.clone(),
                option.clone(),
                option_text(facts, poll, option),
            ];
            cells.extend(group.iter().cloned());
            cells.extend([votes.to_string(), chosen.voters.len().to_string()]);
            rows.push(cells);
        }
    }
    Table::new(names, rows)
}

/// What was chosen in one poll and group.
#[derive(Default)]
struct Chosen {
    votes: BTreeMap<String, u64>,
    voters: BTreeSet<Identity>,
}

/// The counted votes inside the filter, by poll and group.
fn groups(
    facts: &Facts,
    question: &ReportSpec,
    zone: &TimeZone,
) -> BTreeMap<(String, Vec<String>), Chosen> {
    let mut buckets = Buckets::new(question.granularity_seconds, zone);
    let mut groups: BTreeMap<(String, Vec<String>), Chosen> = BTreeMap::new();
    for vote in counted(facts)
        .into_iter()
        .filter(|vote| question.holds(vote.voted_at))
    {
        let VoteDetails {
            customer, device, ..
        } = &facts.votes[&vote];
        let person = Person::of_words(facts, customer, device);
        let group = person.group(question, &mut buckets, vote.voted_at);
        let chosen = groups.entry((vote.poll, group)).or_default();
        for option in vote.options {
            *chosen.votes.entry(option).or_default() += 1;
        }
        chosen.voters.insert(vote.voter);
    }
    groups
}

/// The votes that count: of each voter in each poll the latest allowed one, unless it withdraws.
pub(crate) fn counted(facts: &Facts) -> BTreeSet<VoteKey> {
    let mut latest: BTreeMap<(&str, &Identity), &VoteKey> = BTreeMap::new();
    // The keys ascend by poll, voter, time, number and options: the last one is the latest.
    for vote in facts.votes.keys().filter(|vote| is_allowed(facts, vote)) {
        latest.insert((&vote.poll, &vote.voter), vote);
    }
    latest
        .into_values()
        .filter(|vote| !vote.options.is_empty())
        .cloned()
        .collect()
}

/// Whether the poll allows the vote.
fn is_allowed(facts: &Facts, vote: &VoteKey) -> bool {
    let Some(poll) = facts.polls.get(&vote.poll) else {
        return false;
    };
    let single = poll.choice == "single";
    vote.options
        .iter()
        .all(|option| poll.options.contains_key(option))
        && !(single && vote.options.len() > 1)
}

fn option_text(facts: &Facts, poll: &str, option: &str) -> String {
    let option = facts
        .polls
        .get(poll)
        .and_then(|poll| poll.options.get(option));
    option.map_or(String::new(), |(words, _)| words.clone())
}
