//! Records of many threads, gathered into batches that a load takes.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use showreport_model::OrgId;
use showreport_model::facts::{Collected, FactsBuilder};
use showreport_model::record::Record;
use showreport_server::collect::Parsed;
use tokio::sync::mpsc;

/// The records of a view always go to the same builder, where they meet the
/// ones before them, however many threads read them. More builders than threads,
/// so that these seldom wait for each other.
const STRIPES: usize = 16;

/// Text of the rows that are loaded in one go: few commits, bounded memory.
/// Rows are smaller than the text that they were read from.
const GROUP_BYTES: usize = 96 << 20;

/// Where records wait to be loaded.
pub(super) struct Gatherer {
    stripes: [Mutex<Stripe>; STRIPES],
    hasher: RandomState,
    /// Batches that are full, and wait for as many as are loaded together.
    full: Mutex<Vec<Collected>>,
    groups: mpsc::Sender<Vec<Collected>>,
}

struct Stripe {
    builder: FactsBuilder,
    /// Text of the records that made a row.
    bytes: usize,
}

/// Nobody takes the groups any more.
#[derive(Debug)]
pub(super) struct Closed;

/// The records of a block, by the builder that they go to.
pub(super) struct Sorted<'a> {
    stripes: [Vec<(Parsed<'a>, usize)>; STRIPES],
    /// Where records go that meet no other.
    any: usize,
}

impl Gatherer {
    pub(super) fn new(org: &OrgId, groups: mpsc::Sender<Vec<Collected>>) -> Self {
        let stripe = |_| {
            Mutex::new(Stripe {
                builder: FactsBuilder::new(org.clone()),
                bytes: 0,
            })
        };
        Self {
            stripes: std::array::from_fn(stripe),
            hasher: RandomState::new(),
            full: Mutex::default(),
            groups,
        }
    }

    /// Puts a record, read from so many bytes, among those of its builder.
    pub(super) fn sort<'a>(&self, record: Parsed<'a>, bytes: usize, sorted: &mut Sorted<'a>) {
        let playback = match &record {
            Parsed::Beat(beat) => Some(beat.playback),
            Parsed::Record(Record::Playback(playback)) => Some(playback.playback.as_str()),
            Parsed::Record(_) => None,
        };
        let stripe = playback.map_or(sorted.any, |playback| {
            let hash = self.hasher.hash_one(playback);
            usize::try_from(hash % STRIPES as u64).expect("few stripes")
        });
        sorted.stripes[stripe].push((record, bytes));
    }

    /// Takes in a block's records, and hands on what is full.
    pub(super) fn gather(&self, sorted: Sorted<'_>) -> Result<(), Closed> {
        let Sorted { stripes, any } = sorted;
        let mut records: Vec<_> = stripes.into_iter().enumerate().collect();
        // Each thread begins elsewhere, or they would follow each other through all locks.
        records.rotate_left(any);
        for (number, records) in records {
            let full = {
                let mut stripe = lock(&self.stripes[number]);
                for (record, bytes) in records {
                    stripe.push(record, bytes);
                }
                (stripe.bytes >= GROUP_BYTES / STRIPES).then(|| stripe.finish())
            };
            if let Some(full) = full {
                self.hand_on(full)?;
            }
        }
        Ok(())
    }

    /// Hands on whatever is left.
    pub(super) fn finish(self) -> Result<(), Closed> {
        let mut group = self.full.into_inner().expect(UNPOISONED);
        for stripe in self.stripes {
            let mut stripe = stripe.into_inner().expect(UNPOISONED);
            if stripe.builder.records() > 0 {
                group.push(stripe.finish());
            }
        }
        send(&self.groups, group)
    }

    fn hand_on(&self, collected: Collected) -> Result<(), Closed> {
        let group = {
            let mut full = lock(&self.full);
            full.push(collected);
            if full.len() < STRIPES {
                return Ok(());
            }
            std::mem::take(&mut *full)
        };
        send(&self.groups, group)
    }
}

impl Sorted<'_> {
    /// For the block of this number.
    pub(super) fn of_block(number: usize) -> Self {
        Self {
            stripes: std::array::from_fn(|_| Vec::new()),
            any: number % STRIPES,
        }
    }
}

impl Stripe {
    fn push(&mut self, record: Parsed<'_>, bytes: usize) {
        if record.push_to(&mut self.builder) {
            self.bytes += bytes;
        }
    }

    fn finish(&mut self) -> Collected {
        self.bytes = 0;
        self.builder.finish()
    }
}

const UNPOISONED: &str = "a thread that panics ends the import";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect(UNPOISONED)
}

fn send(groups: &mpsc::Sender<Vec<Collected>>, group: Vec<Collected>) -> Result<(), Closed> {
    if group.is_empty() {
        return Ok(());
    }
    groups.blocking_send(group).map_err(|_| Closed)
}
