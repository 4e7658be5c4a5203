//! Batches of records as they are sent, some of them twice and some late.

use std::collections::VecDeque;

use super::Show;
use super::counts::RecordCounts;
use super::random::Random;
use super::stream::Records;

/// Records in a full batch.
pub const BATCH_RECORDS: usize = 500;

/// Share of the batches that are sent twice, as clients do that received no response.
const AGAIN_PER_MILLE: u64 = 20;
/// Share of the batches that are sent after all others, as clients do that were offline.
const LATE_PER_MILLE: u64 = 10;
/// Number of batches between a batch and its repetition.
const AGAIN_AFTER: usize = 3;

/// A request body of NDJSON.
#[derive(Debug, Clone)]
pub struct Batch {
    pub body: Vec<u8>,
    /// How many records of each type the body holds.
    pub records: RecordCounts,
    pub delivery: Delivery,
}

/// Whether a batch is new, and when it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// New, sent in its place.
    OnTime,
    /// Sent before.
    Again,
    /// New, sent after all batches on time.
    Late,
}

/// The batches of a show in the order in which they are sent.
#[derive(Debug)]
pub struct Batches {
    records: Records,
    random: Random,
    /// Batches to repeat, each with the number of batches before its repetition.
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

    fn next_repetition(&mut self) -> Option<Batch> {
        for (batches_left, _) in &mut self.again {
            *batches_left = batches_left.saturating_sub(1);
        }
        let (0, _) = self.again.front()? else {
            return None;
        };
        self.again.pop_front().map(|(_, batch)| batch)
    }

    fn next_new(&mut self) -> Option<Batch> {
        let mut body = Vec::with_capacity(BATCH_RECORDS * 256);
        let mut records = RecordCounts::default();
        for record in self.records.by_ref().take(BATCH_RECORDS) {
            serde_json::to_writer(&mut body, &record).expect("plain fields, written to memory");
            body.push(b'\n');
            records.add(record.counts());
        }
        let delivery = Delivery::OnTime;
        (records.total() > 0).then_some(Batch {
            body,
            records,
            delivery,
        })
    }
}

impl Iterator for Batches {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if let Some(batch) = self.next_repetition() {
            return Some(batch);
        }
        while let Some(mut batch) = self.next_new() {
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
        // The last one first, so that late batches are also out of order.
        self.late.pop()
    }
}
