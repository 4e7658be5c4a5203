//! How records reach a server: in batches, some of them twice, some of them late.

use std::collections::VecDeque;

use super::Show;
use super::random::Random;
use super::stream::Records;
use super::tally::Tally;

/// Records in the body of a full batch.
pub const BATCH_RECORDS: usize = 500;

/// Batches sent once more, per mille: their sender saw no answer.
const AGAIN_PER_MILLE: u64 = 20;
/// Batches that arrive after all others, per mille: their sender was offline.
const LATE_PER_MILLE: u64 = 10;
/// How many batches pass until a sender tries again.
const AGAIN_AFTER: usize = 3;

/// A body of NDJSON, and what it is.
#[derive(Debug, Clone)]
pub struct Batch {
    /// One record a line.
    pub body: Vec<u8>,
    /// What it holds.
    pub tally: Tally,
    /// Why it is sent.
    pub delivery: Delivery,
}

/// Why a batch is sent when it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is new.
    OnTime,
    /// It was sent before.
    Again,
    /// It is new, and much later than it should be.
    Late,
}

/// The batches of a show, in the order in which they are sent.
#[derive(Debug)]
pub struct Batches {
    records: Records,
    random: Random,
    /// Batches that are sent again, each with the number of batches until then.
    again: VecDeque<(usize, Batch)>,
    late: Vec<Batch>,
}

impl Batches {
    pub(super) fn new(show: Show) -> Self {
        Self {
            records: show.records(),
            random: show.random(super::DELIVERY_STREAM),
            again: VecDeque::new(),
            late: Vec::new(),
        }
    }

    fn due_again(&mut self) -> Option<Batch> {
        for (batches_left, _) in &mut self.again {
            *batches_left = batches_left.saturating_sub(1);
        }
        let (0, _) = self.again.front()? else {
            return None;
        };
        self.again.pop_front().map(|(_, batch)| batch)
    }

    fn fresh(&mut self) -> Option<Batch> {
        let mut body = Vec::with_capacity(BATCH_RECORDS * 256);
        let mut tally = Tally::default();
        for record in self.records.by_ref().take(BATCH_RECORDS) {
            serde_json::to_writer(&mut body, &record).expect("plain fields, written to memory");
            body.push(b'\n');
            tally.add(record.tally());
        }
        let delivery = Delivery::OnTime;
        (tally.total() > 0).then_some(Batch {
            body,
            tally,
            delivery,
        })
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if let Some(batch) = self.due_again() {
            return Some(batch);
        }
        while let Some(mut batch) = self.fresh() {
            if self.random.chance(LATE_PER_MILLE) {
                batch.delivery = Delivery::Late;
                self.late.push(batch);
                continue;
            }
            if self.random.chance(AGAIN_PER_MILLE) {
                let mut again = batch.clone();
                again.delivery = Delivery::Again;
                self.again.push_back((AGAIN_AFTER, again));
            }
            return Some(batch);
        }
        if let Some((_, batch)) = self.again.pop_front() {
            return Some(batch);
        }
        // From the last to the first, so that they are out of order, too.
        self.late.pop()
    }
}
