//! Merges equal rows, and spans of one view that overlap or touch.
//!
//! The result is the same for any order, repetition and division of the rows, in memory and in any
//! number of sorted files.

use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};

use deltalake::datafile::BatchStream;
use futures::TryStreamExt;

use crate::Error;
use crate::schema::conform;
use crate::tables::{Fact, Row};

/// Sorts rows and merges them.
pub(crate) fn coalesce<R: Row>(rows: &mut Vec<R>) {
    rows.sort_unstable();
    rows.dedup_by(|next, kept| kept.absorb(next));
}

/// Merges files that are sorted and coalesced into one sequence of rows that is too, with one batch
/// of each file in memory.
pub(crate) struct Merge<F: Fact> {
    sources: Vec<Source<F>>,
    /// The next row of each source that is not at its end, with the index of the source.
    next: BinaryHeap<Reverse<(F::Row<'static>, usize)>>,
}

struct Source<F: Fact> {
    batches: BatchStream,
    rows: VecDeque<F::Row<'static>>,
}

impl<F: Fact> Merge<F> {
    /// Reads the first row of each file.
    pub(crate) async fn open(files: Vec<BatchStream>) -> Result<Self, Error> {
        let sources = files.into_iter().map(|batches| Source {
            batches,
            rows: VecDeque::new(),
        });
        let mut merge = Self {
            sources: sources.collect(),
            next: BinaryHeap::new(),
        };
        for source in 0..merge.sources.len() {
            merge.draw(source).await?;
        }
        Ok(merge)
    }

    /// The next row. No later row can be merged with it.
    pub(crate) async fn next(&mut self) -> Result<Option<F::Row<'static>>, Error> {
        let Some(mut row) = self.pop().await? else {
            return Ok(None);
        };
        while let Some(source) = self.absorb_next(&mut row) {
            self.draw(source).await?;
        }
        Ok(Some(row))
    }

    /// Merges the next row into this one, if that is possible. Returns the source of the next row.
    fn absorb_next(&mut self, row: &mut F::Row<'static>) -> Option<usize> {
        let mut next = self.next.peek_mut()?;
        let Reverse((other, _)) = &mut *next;
        row.absorb(other).then(|| PeekMut::pop(next).0.1)
    }

    async fn pop(&mut self) -> Result<Option<F::Row<'static>>, Error> {
        let Some(Reverse((row, source))) = self.next.pop() else {
            return Ok(None);
        };
        self.draw(source).await?;
        Ok(Some(row))
    }

    /// Reads the next row of a source into the heap.
    async fn draw(&mut self, number: usize) -> Result<(), Error> {
        if let Some(row) = self.sources[number].next().await? {
            self.next.push(Reverse((row, number)));
        }
        Ok(())
    }
}

impl<F: Fact> Source<F> {
    async fn next(&mut self) -> Result<Option<F::Row<'static>>, Error> {
        let table = F::TABLE;
        while self.rows.is_empty() {
            let read = self.batches.try_next().await;
            let Some(batch) = read.map_err(|source| Error::ReadFile { table, source })? else {
                return Ok(None);
            };
            let read_facts = |source| Error::ReadFacts { table, source };
            let batch = conform(table, &batch).map_err(read_facts)?;
            let rows = F::read(&batch).map_err(read_facts)?;
            self.rows = rows.into_iter().map(F::own).collect();
        }
        Ok(self.rows.pop_front())
    }
}

#[cfg(test)]
mod tests;
