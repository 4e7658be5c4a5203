//! Three polls and their votes: one with a correct option, one with several choices, and one that
//! is opened again after it was closed.

use showreport_model::record::{Choice, PollStatus};

use super::audience::Viewer;
use super::random::Random;
use super::wire::{At, PollOption, PollRecord, Record, VoteRecord};
use super::{ENDS_AT, MINUTE, SECOND, STARTS_AT, STREAM_STARTS_AT};

/// Every version of every poll, and every vote, with the time at which it is sent.
pub(super) fn draw_polls(viewers: &[Viewer], random: &mut Random) -> Vec<(i64, Record)> {
    let mut records = Vec::new();
    for poll in &POLLS {
        records.extend(versions(poll));
        records.extend(draw_votes(poll, viewers, random));
    }
    records
}

struct Poll {
    id: &'static str,
    question: &'static str,
    choice: Choice,
    /// Options with their weights.
    options: &'static [(PollOption, u64)],
    /// Periods in which the poll is open, in minutes after the start.
    open: &'static [(i64, i64)],
    /// Share of the viewers that vote.
    turnout_per_mille: u64,
}

const fn option(id: &'static str, text: &'static str, weight: u64) -> (PollOption, u64) {
    let correct = false;
    (PollOption { id, text, correct }, weight)
}

const fn correct_option(id: &'static str, text: &'static str, weight: u64) -> (PollOption, u64) {
    let correct = true;
    (PollOption { id, text, correct }, weight)
}

const POLLS: [Poll; 3] = [
    Poll {
        id: "poll-quiz",
        question: "How long did the demo take to count a million viewers?",
        choice: Choice::Single,
        options: &[
            option("a", "A blink", 35),
            option("b", "A sip of coffee", 25),
            correct_option("c", "Less than a second", 50),
            option("d", "It is still counting", 10),
        ],
        open: &[(20, 26)],
        turnout_per_mille: 420,
    },
    Poll {
        id: "poll-features",
        question: "What will you use first? (Choose as many as you like)",
        choice: Choice::Multi,
        options: &[
            option("reports", "Reports, at last", 40),
            option("live", "Live figures", 45),
            option("export", "Export, \"as is\"", 20),
            option("api", "The API", 30),
            option("other", "Something else", 5),
        ],
        open: &[(45, 53)],
        turnout_per_mille: 340,
    },
    Poll {
        id: "poll-next",
        question: "What is the next deep dive about?",
        choice: Choice::Single,
        options: &[
            option("storage", "Storage", 30),
            option("players", "Players", 25),
            option("chat", "Chat, moderation and polls", 28),
        ],
        open: &[(70, 75), (77, 82)],
        turnout_per_mille: 300,
    },
];

/// The versions of a poll: queued, then active and closed for each period, then archived.
fn versions(poll: &Poll) -> Vec<(i64, Record)> {
    let version = |at: i64, status, started_at, ended_at| {
        let record = PollRecord {
            poll_id: poll.id,
            question: poll.question,
            choice: poll.choice,
            options: poll.options.iter().map(|&(option, _)| option).collect(),
            status,
            started_at,
            ended_at,
            updated_at: At(at),
        };
        (at, Record::Poll(record))
    };
    let started_at = poll.open.first().map(|&(opens, _)| At(minute(opens)));
    let mut versions = vec![version(STREAM_STARTS_AT, PollStatus::Queued, None, None)];
    let mut ended_at = None;
    for &(opens, closes) in poll.open {
        versions.push(version(minute(opens), PollStatus::Active, started_at, None));
        ended_at = Some(At(minute(closes)));
        versions.push(version(
            minute(closes),
            PollStatus::Closed,
            started_at,
            ended_at,
        ));
    }
    versions.push(version(
        ENDS_AT + 5 * MINUTE,
        PollStatus::Archived,
        started_at,
        ended_at,
    ));
    versions
}

fn draw_votes(poll: &Poll, viewers: &[Viewer], random: &mut Random) -> Vec<(i64, Record)> {
    let mut votes = Vec::new();
    for viewer in viewers {
        if !random.chance(poll.turnout_per_mille) {
            continue;
        }
        let (opens, closes) = random.pick(poll.open);
        let window = minute(opens) + 2 * SECOND..minute(closes);
        // The lesser of two draws makes most votes early.
        let voted_at = random
            .between(window.clone())
            .min(random.between(window.clone()));
        let chosen = draw_choice(poll, random, votes.len());
        let Some(vote) = vote(poll, viewer, voted_at, chosen) else {
            continue;
        };
        if let Some(second) = draw_change(poll, random, &vote, window.end) {
            votes.push(second);
        }
        votes.push(vote);
    }
    // Only votes of customers have a `vote_id`, so that both kinds are simulated.
    for (number, vote) in votes.iter_mut().enumerate() {
        vote.vote_id = vote
            .customer_id
            .is_some()
            .then(|| format!("{}-vote-{number:05}", poll.id));
    }
    votes
        .into_iter()
        .map(|vote| (vote.voted_at.0, Record::Vote(vote)))
        .collect()
}

/// The chosen options. The fourth vote, and a few others, name an option that the poll does not
/// have, as an outdated app could.
fn draw_choice(poll: &Poll, random: &mut Random, voters: usize) -> Vec<&'static str> {
    if voters == 3 || random.chance(4) {
        return vec!["retired"];
    }
    match poll.choice {
        Choice::Single => vec![random.weighted(poll.options).id],
        Choice::Multi => {
            let chosen: Vec<_> = poll
                .options
                .iter()
                .filter(|(_, weight)| random.chance(weight * 15))
                .map(|(option, _)| option.id)
                .collect();
            if chosen.is_empty() {
                vec![random.weighted(poll.options).id]
            } else {
                chosen
            }
        }
    }
}

/// A later vote of the same viewer: some change the vote, a few withdraw it.
fn draw_change(
    poll: &Poll,
    random: &mut Random,
    vote: &VoteRecord,
    closes_at: i64,
) -> Option<VoteRecord> {
    let option_ids = match random.below(100) {
        0..9 => draw_choice(poll, random, usize::MAX),
        9..12 => Vec::new(),
        _ => return None,
    };
    let voted_at =
        At(random.between(vote.voted_at.0 + SECOND..closes_at.max(vote.voted_at.0 + 2 * SECOND)));
    Some(VoteRecord {
        option_ids,
        voted_at,
        ..vote.clone()
    })
}

/// The vote, if the viewer is watching at that time.
fn vote(
    poll: &Poll,
    viewer: &Viewer,
    voted_at: i64,
    option_ids: Vec<&'static str>,
) -> Option<VoteRecord> {
    let view = viewer.watching(voted_at)?;
    Some(VoteRecord {
        poll_id: poll.id,
        option_ids,
        voted_at: At(voted_at),
        customer_id: viewer.customer.clone(),
        device_id: view.device.id.clone(),
        name: viewer.name.clone(),
        vote_id: None,
    })
}

const fn minute(after_start: i64) -> i64 {
    STARTS_AT + after_start * MINUTE
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use PollStatus::{Active, Archived, Closed, Queued};

    use super::*;

    #[test]
    fn some_votes_are_changed_withdrawn_or_invalid() {
        let viewers: Vec<Viewer> = (0..2000).map(|number| Viewer::draw(number, 1)).collect();
        let records = draw_polls(&viewers, &mut Random::new(1, 1));
        let votes: Vec<&VoteRecord> = records
            .iter()
            .filter_map(|(_, record)| match record {
                Record::Vote(vote) => Some(vote),
                _ => None,
            })
            .collect();
        assert!((500..3000).contains(&votes.len()), "{}", votes.len());
        let mut votes_of_voter: BTreeMap<_, usize> = BTreeMap::new();
        for vote in &votes {
            *votes_of_voter
                .entry((vote.poll_id, &vote.customer_id, &vote.device_id))
                .or_default() += 1;
        }
        assert!(votes_of_voter.values().any(|&count| count > 1));
        assert!(votes.iter().any(|vote| vote.option_ids.is_empty()));
        assert!(votes.iter().any(|vote| vote.option_ids.len() > 1));
        assert!(votes.iter().any(|vote| vote.option_ids == ["retired"]));
    }

    #[test]
    fn one_poll_is_opened_twice_and_every_poll_is_archived() {
        let statuses = |poll: &Poll| -> Vec<PollStatus> {
            versions(poll)
                .into_iter()
                .map(|(_, record)| match record {
                    Record::Poll(poll) => poll.status,
                    other => panic!("{other:?} among the polls"),
                })
                .collect()
        };
        assert_eq!(statuses(&POLLS[0]), [Queued, Active, Closed, Archived]);
        assert_eq!(
            statuses(&POLLS[2]),
            [Queued, Active, Closed, Active, Closed, Archived]
        );
    }
}
