//! A case: an organisation's zone, and what happens in which order.

use std::fmt;

use serde_json::Value;

use super::records::Records;
use crate::harness::Random;
use crate::oracle::{Dimension, Field, ReportSpec};

/// The events, in each of the organisations.
pub(crate) const EVENTS: [&str; 2] = ["keynote", "=late show"];

/// Zones and instants around which something happens to their days.
const MIDDLES: [(&str, i64); 8] = [
    ("UTC", 1_795_305_600_000),               // 2026-11-22T00:00Z
    ("Europe/Berlin", 1_792_886_400_000), // 2026-10-25T00:00Z, an hour before the clocks go back
    ("Europe/Berlin", 1_774_738_800_000), // 2026-03-28T23:00Z, midnight, then a day of 23 hours
    ("Asia/Taipei", 1_795_276_800_000),   // 2026-11-21T16:00Z, midnight
    ("Asia/Kolkata", 1_795_285_800_000),  // 2026-11-21T18:30Z, midnight
    ("America/St_Johns", 1_289_097_060_000), // 2010-11-07T02:31Z, the clocks go back over midnight
    ("Pacific/Apia", 1_325_239_200_000),  // 2011-12-30T10:00Z, a date is skipped
    ("America/Sao_Paulo", 1_541_300_400_000), // 2018-11-04T03:00Z, a day begins at 01:00
];

/// A step of a case.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// An organisation sends a batch to `/collect`.
    Send {
        org: usize,
        records: Vec<Value>,
    },
    /// An organisation's records are loaded straight into the lake.
    Load {
        org: usize,
        records: Vec<Value>,
    },
    Flush,
    /// Every so many of the rows that wait go to the lake ahead of the others.
    FlushAhead {
        every: usize,
    },
    Compact,
    Vacuum,
    Restart,
    Crash,
    NextDay,
    /// Reports are made; each is compared.
    Ask {
        org: usize,
        event: &'static str,
        questions: Vec<ReportSpec>,
    },
}

/// Everything that happens.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) zones: [&'static str; 2],
    pub(crate) steps: Vec<Step>,
}

impl Case {
    pub(crate) fn random(seed: u64) -> Self {
        let random = &mut Random::new(seed);
        let (zone, middle) = *random.pick(&MIDDLES);
        let zones = [zone, random.pick(&MIDDLES).0];
        let records = Records::around(middle);
        let mut sent: Vec<(usize, Value)> = Vec::new();
        for _ in 0..random.between(80, 320) {
            let event = EVENTS[usize::from(random.percent(25))];
            sent.push((
                usize::from(random.percent(20)),
                records.record(random, event),
            ));
        }
        for _ in 0..random.below(120) {
            let (org, record) = random.pick(&sent).clone();
            let again = if random.percent(50) {
                record
            } else {
                records.variant(random, &record)
            };
            sent.push((org, again));
        }
        random.shuffle(&mut sent);
        let mut steps = Vec::new();
        while !sent.is_empty() {
            let batch = sent.split_off(sent.len() - random.below(40).min(sent.len()));
            let org = random.below(2);
            for org in [org, 1 - org] {
                let records: Vec<Value> = batch
                    .iter()
                    .filter(|sent| sent.0 == org)
                    .map(|sent| sent.1.clone())
                    .collect();
                if !records.is_empty() {
                    steps.push(if random.percent(15) {
                        Step::Load { org, records }
                    } else {
                        Step::Send { org, records }
                    });
                }
            }
            steps.extend(between(random, middle));
        }
        for org in 0..2 {
            for event in EVENTS {
                steps.push(Step::Ask {
                    org,
                    event,
                    questions: questions(random, middle, 12),
                });
            }
        }
        Self { zones, steps }
    }
}

/// What may happen between two batches.
fn between(random: &mut Random, middle: i64) -> Option<Step> {
    match random.below(14) {
        0..3 => Some(Step::Flush),
        3 | 4 => Some(Step::Compact),
        5 => Some(Step::Vacuum),
        6 => Some(Step::Restart),
        7 => Some(Step::Crash),
        8 => Some(Step::NextDay),
        9 => Some(Step::Ask {
            org: 0,
            event: EVENTS[0],
            questions: questions(random, middle, 3),
        }),
        10 | 11 => Some(Step::FlushAhead {
            every: 1 + random.below(3),
        }),
        _ => None,
    }
}

fn questions(random: &mut Random, middle: i64, count: usize) -> Vec<ReportSpec> {
    (0..count).map(|_| question(random, middle)).collect()
}

/// Any dimension, any fields in any order, any window, any granularity.
pub(crate) fn question(random: &mut Random, middle: i64) -> ReportSpec {
    let mut group_by = Field::ALL.to_vec();
    random.shuffle(&mut group_by);
    group_by.truncate(random.below(6));
    let dimension = *random.pick(&Dimension::ALL);
    if !Dimension::GROUPABLE.contains(&dimension) {
        group_by.clear();
    }
    let edge = |random: &mut Random| {
        let near = middle + random.between(-60, 60) * 5_000 + random.between(-1, 1);
        let far = middle + random.between(-40, 40) * 3_600_000;
        random
            .percent(50)
            .then_some(if random.percent(70) { near } else { far })
    };
    let (start, end) = match (edge(random), edge(random)) {
        (Some(start), Some(end)) if start == end => (Some(start), None),
        (Some(start), Some(end)) => (Some(start.min(end)), Some(start.max(end))),
        open => open,
    };
    let minimum_live_ratio = (dimension == Dimension::Attendance && random.percent(40))
        .then(|| *random.pick(&[0, 1, 1_000, 5_000, 10_000]));
    ReportSpec {
        dimension,
        group_by,
        start,
        end,
        minimum_live_ratio,
        granularity_seconds: *random.pick(&[1, 5, 10, 15, 30, 60, 300, 900, 3600, 86_400, 86_400]),
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "zones: {:?}", self.zones)?;
        for step in &self.steps {
            match step {
                Step::Send { org, records } | Step::Load { org, records } => {
                    let how = if matches!(step, Step::Send { .. }) {
                        "send"
                    } else {
                        "load"
                    };
                    writeln!(f, "{how} to org {org}:")?;
                    for record in records {
                        writeln!(f, "  {record}")?;
                    }
                }
                other => writeln!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}
