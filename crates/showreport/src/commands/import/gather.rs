//! Gathers the records of all threads into groups that are loaded together.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use showreport_model::OrgId;
use showreport_model::facts::{Collected, FactsBuilder};
use showreport_model::record::Record;
use showreport_records::Decoded;
use tokio::sync::mpsc;

/// The number of builders. All records of a view go to one of them, where their spans are merged,
/// whichever thread decodes them. There are more builders than threads, so that threads seldom wait
/// for the lock of one.
const STRIPES: usize = 16;

/// Bytes of text in one group of rows that are loaded together. More bytes mean fewer commits and
/// more memory. Rows are smaller than their text.
const GROUP_BYTES: usize = 32 << 20;

/// Records of type `event` in one group. Each may be a row to write, and meanwhile no other process
/// can write: a server on the same directory stores nothing.
const GROUP_REGISTRATIONS: usize = 4_096;

/// Events of the rows in one group. They are only looked up, unless they are new.
const GROUP_EVENTS: usize = 65_536;

/// The records that wait to be loaded.
pub(super) struct Gatherer {
    stripes: [Mutex<Stripe>; STRIPES],
    hasher: RandomState,
    /// Batches that are full. A group of them is loaded together.
    full: Mutex<Vec<Collected>>,
    groups: mpsc::Sender<Vec<Collected>>,
}

struct Stripe {
    builder: FactsBuilder,
    /// Bytes of text of the records that became a row.
    bytes: usize,
}

/// The loading has ended, so groups are no longer received.
#[derive(Debug)]
pub(super) struct Closed;

/// The records of a block, by their builder.
pub(super) struct Sorted<'a> {
    stripes: [Vec<(Decoded<'a>, usize)>; STRIPES],
    /// The builder of records that are no playbacks, which never merge.
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

    /// Adds a record of so many bytes of text to those of its builder.
    pub(super) fn sort<'a>(&self, record: Decoded<'a>, bytes: usize, sorted: &mut Sorted<'a>) {
        let playback = match &record {
            Decoded::Playback(playback) => Some(playback.playback),
            Decoded::Record(Record::Playback(playback)) => Some(playback.playback.as_str()),
            Decoded::Record(_) => None,
        };
        let stripe = playback.map_or(sorted.any, |playback| {
            let hash = self.hasher.hash_one(playback);
            usize::try_from(hash % STRIPES as u64).expect("few stripes")
        });
        sorted.stripes[stripe].push((record, bytes));
    }

    /// Adds the records of a block to the builders, and sends batches that are full.
    pub(super) fn gather(&self, sorted: Sorted<'_>) -> Result<(), Closed> {
        let Sorted { stripes, any } = sorted;
        let mut records: Vec<_> = stripes.into_iter().enumerate().collect();
        // Threads begin with different builders, so that they do not wait for the same lock.
        records.rotate_left(any);
        for (number, records) in records {
            let mut full = Vec::new();
            let mut stripe = lock(&self.stripes[number]);
            for (record, bytes) in records {
                stripe.push(record, bytes);
                if stripe.is_full() {
                    full.push(stripe.finish());
                }
            }
            drop(stripe);
            for full in full {
                self.add_full(full)?;
            }
        }
        Ok(())
    }

    /// Sends the rest.
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

    fn add_full(&self, collected: Collected) -> Result<(), Closed> {
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
    /// For the block with this number.
    pub(super) fn of_block(number: usize) -> Self {
        Self {
            stripes: std::array::from_fn(|_| Vec::new()),
            any: number % STRIPES,
        }
    }
}

impl Stripe {
    fn push(&mut self, record: Decoded<'_>, bytes: usize) {
        if record.push_to(&mut self.builder) {
            self.bytes += bytes;
        }
    }

    fn is_full(&self) -> bool {
        self.bytes >= GROUP_BYTES / STRIPES
            || self.builder.registered() >= GROUP_REGISTRATIONS / STRIPES
            || self.builder.events() >= GROUP_EVENTS / STRIPES
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

#[cfg(test)]
mod tests {
    use showreport_model::record::{EventKind, EventRecord};

    use super::*;

    #[test]
    fn a_group_has_a_bounded_number_of_events() {
        let count = 20_000;
        let org = OrgId::new("acme").expect("an id");
        let (groups, mut loaded) = mpsc::channel(count);
        let gatherer = Gatherer::new(&org, groups);
        let event = |id: usize| {
            let event = format!("event {id}").parse().expect("an id");
            Decoded::Record(Record::Event(EventRecord {
                event,
                kind: EventKind::Live,
                title: String::new(),
                starts_at: None,
                ends_at: None,
                duration_ms: None,
                updated_at: None,
            }))
        };
        for block in 0..4 {
            let mut sorted = Sorted::of_block(block);
            for id in 0..count / 4 {
                gatherer.sort(event(block * count + id), 60, &mut sorted);
            }
            gatherer.gather(sorted).expect("the groups are taken");
        }
        gatherer.finish().expect("the groups are taken");
        let mut registered = 0;
        while let Some(group) = loaded.blocking_recv() {
            let events: usize = group.iter().map(|part| part.registrations.len()).sum();
            // The last one also has what is left in each stripe.
            assert!(events <= 2 * GROUP_REGISTRATIONS, "{events} in a group");
            registered += events;
        }
        assert_eq!(registered, count);
    }
}
