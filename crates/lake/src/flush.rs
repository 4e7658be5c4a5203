//! Moves facts from the journal, or from an import, to the tables.
//!
//! First a new version of each table is committed. Then one transaction moves the heads and deletes
//! the journal rows. After a crash in between, the committed versions do not count: the next
//! version of each table undoes them.

use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use deltalake::DeltaTable;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use fail::fail_point;
use showreport_meta::{JournalRow, KnownLake, Meta, NewHeads};
use showreport_model::OrgId;
use showreport_model::facts::{Collected, Facts, FactsMerger, Table};

use crate::coalesce::coalesce;
use crate::delta::Newest;
use crate::schema::to_disk;
use crate::tables::{Fact, with_fact};
use crate::write::FileWriter;
use crate::{Error, Metrics};

/// What a flush took from the journal. All zero if the journal was empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flushed {
    pub journal_rows: usize,
    pub fact_rows: usize,
    /// Bytes of the journal rows, compressed.
    pub bytes: u64,
    /// The number of the newest row taken. All older rows are in the tables too.
    pub last: Option<i64>,
}

/// Bytes of the journal that are read by one query.
const READ_BYTES: u64 = 4 << 20;

/// Bytes of the journal that one flush takes at most, so that it ends while more are collected.
const TAKEN_BYTES_MAX: u64 = 64 << 20;

/// Rows that are sorted at once at most.
const PORTION_ROWS: usize = 256 << 10;

/// Bytes of the columns of these rows at most.
const PORTION_BYTES: usize = 64 << 20;

/// Moves the oldest journal rows up to `up_to` to the tables: as many as take about `bytes_max` in
/// memory once they are merged.
pub(crate) async fn flush(
    meta: &Meta,
    newest: &mut Newest,
    up_to: i64,
    bytes_max: u64,
    metrics: &Metrics,
) -> Result<Flushed, Error> {
    let started = Instant::now();
    let taken = take(meta, up_to, bytes_max).await?;
    if taken.seqs.is_empty() {
        return Ok(Flushed::default());
    }
    let (moved, flushed, seqs) = taken.put(meta, newest, metrics).await?;
    meta.move_heads(&moved, &seqs).await?;
    flushed.log(started, metrics, "flushed the journal");
    Ok(flushed)
}

/// Moves those of these rows that are not flushed yet to the tables, up to `bytes_max` in memory.
/// The rows stay in the journal.
pub(crate) async fn flush_ahead(
    meta: &Meta,
    newest: &mut Newest,
    rows: &[i64],
    bytes_max: u64,
    metrics: &Metrics,
) -> Result<Flushed, Error> {
    let started = Instant::now();
    let mut taken = Taken::default();
    for seq in meta.journal_unflushed(rows) {
        // `None` if another process has flushed it meanwhile.
        let Some(row) = meta.journal_row(seq).await? else {
            continue;
        };
        if !taken.has_room_for(&row, bytes_max) {
            break;
        }
        taken.add(&row)?;
    }
    if taken.seqs.is_empty() {
        return Ok(Flushed::default());
    }
    let (moved, flushed, seqs) = taken.put(meta, newest, metrics).await?;
    meta.move_heads_ahead(&moved, &seqs).await?;
    flushed.log(started, metrics, "flushed some of the journal ahead");
    Ok(flushed)
}

impl Flushed {
    fn log(&self, started: Instant, metrics: &Metrics, what: &str) {
        let took = started.elapsed();
        metrics.flush_seconds.observe(took.as_secs_f64());
        metrics.rows_flushed.inc_by(self.fact_rows as u64);
        tracing::info!(
            journal.rows = self.journal_rows,
            fact.rows = self.fact_rows,
            bytes = self.bytes,
            duration_ms = took.as_millis(),
            "{what}"
        );
    }
}

/// Merged rows of the journal.
#[derive(Debug, Default)]
struct Taken {
    seqs: Vec<i64>,
    bytes: u64,
    fact_rows: usize,
    merger: FactsMerger,
}

impl Taken {
    /// Commits new versions of the tables. The heads still have to be moved to them.
    async fn put(
        self,
        meta: &Meta,
        newest: &mut Newest,
        metrics: &Metrics,
    ) -> Result<(NewHeads, Flushed, Vec<i64>), Error> {
        let of_orgs = self.merger.finish();
        let facts = of_orgs.map(|(_, of_org)| of_org.facts).collect();
        let known = meta.announce_versions().await?;
        fail_point!("flush-after-taking", |_| std::process::abort());
        let moved = append(newest, &known, vec![facts], metrics).await?;
        let flushed = Flushed {
            journal_rows: self.seqs.len(),
            fact_rows: self.fact_rows,
            bytes: self.bytes,
            last: self.seqs.last().copied(),
        };
        Ok((moved, flushed, self.seqs))
    }

    /// Whether one more row may be taken. The first always is: otherwise a row that is larger than
    /// the limit would stay in the journal.
    fn has_room_for(&mut self, row: &JournalRow, bytes_max: u64) -> bool {
        let held = self.merger.memory_bytes() as u64;
        self.seqs.is_empty() || held.saturating_add(row.decompressed_bytes) <= bytes_max
    }

    fn add(&mut self, row: &JournalRow) -> Result<(), Error> {
        let seq = row.seq;
        let read = |source| Error::ReadJournal { seq, source };
        let unpacked = row.decompress()?;
        let facts = Facts::decode(&unpacked).map_err(read)?;
        drop(unpacked);
        let added = self.merger.add(&facts);
        added.map_err(|error| read(error.into()))?;
        self.fact_rows += facts.rows();
        self.bytes += row.bytes;
        self.seqs.push(seq);
        Ok(())
    }
}

/// Reads the journal from its oldest row to `up_to`, or until the merged facts and the next row unpacked would
/// take more than `bytes_max` in memory. Spans of a view are merged, so a flush can read many times
/// as many bytes as it holds. Rows are unpacked one at a time; the size of each is known before.
async fn take(meta: &Meta, up_to: i64, bytes_max: u64) -> Result<Taken, Error> {
    let mut taken = Taken::default();
    while taken.bytes < TAKEN_BYTES_MAX {
        let after = taken.seqs.last().copied().unwrap_or(0);
        let rows = meta.journal_rows(after, READ_BYTES).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if row.seq > up_to || !taken.has_room_for(&row, bytes_max) {
                return Ok(taken);
            }
            taken.add(&row)?;
        }
    }
    Ok(taken)
}

/// Puts facts into the tables without the journal. Facts of about `bytes_max` in memory are sorted
/// together and become a file.
pub(crate) async fn load(
    meta: &Meta,
    newest: &mut Newest,
    org: &OrgId,
    collected: &[Collected],
    bytes_max: u64,
    metrics: &Metrics,
) -> Result<(), Error> {
    let mut groups = vec![Vec::new()];
    let mut group_bytes = 0;
    for collected in collected {
        let bytes = collected.facts.memory_bytes() as u64;
        if group_bytes > 0 && group_bytes + bytes > bytes_max {
            groups.push(Vec::new());
            group_bytes = 0;
        }
        group_bytes += bytes;
        groups
            .last_mut()
            .expect("there is always one")
            .push(collected.facts.clone());
    }
    let known = meta.announce_versions().await?;
    let moved = append(newest, &known, groups, metrics).await?;
    fail_point!("load-after-tables", |_| std::process::abort());
    meta.load_heads(&moved, org, collected).await?;
    Ok(())
}

/// A flush that ends before the heads are moved, as by a crash.
#[cfg(test)]
pub(crate) async fn stop_before_the_heads(meta: &Meta, newest: &mut Newest) -> Result<(), Error> {
    let merger = take(meta, i64::MAX, u64::MAX).await?.merger;
    let facts = merger.finish().map(|(_, of_org)| of_org.facts).collect();
    append_and_stop(meta, newest, facts).await
}

/// Commits new versions of the tables and does not move the heads.
#[cfg(test)]
pub(crate) async fn append_and_stop(
    meta: &Meta,
    newest: &mut Newest,
    facts: Vec<Facts>,
) -> Result<(), Error> {
    let known = meta.announce_versions().await?;
    append(newest, &known, vec![facts], &Metrics::default()).await?;
    Ok(())
}

/// Commits a new version of each table that has facts, with a file for each group.
async fn append(
    newest: &mut Newest,
    known: &KnownLake,
    groups: Vec<Vec<Facts>>,
    metrics: &Metrics,
) -> Result<NewHeads, Error> {
    let mut moved = NewHeads::new();
    for &table in Table::ALL {
        let rows = |facts: &Facts| facts.batch(table).num_rows();
        if groups.iter().flatten().all(|facts| rows(facts) == 0) {
            continue;
        }
        let basis = newest.refresh(table, known).await?;
        let delta = basis.counting();
        let files = with_fact!(table, F => write::<F>(delta, &groups, metrics).await?);
        fail_point!("flush-after-file", |_| std::process::abort());
        let actions = files.into_iter().map(Action::Add).collect();
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: None,
            predicate: None,
        };
        let head = basis.commit(actions, operation).await?;
        fail_point!("flush-after-table", |_| std::process::abort());
        moved.insert(table, head);
    }
    Ok(moved)
}

async fn write<F: Fact>(
    delta: &DeltaTable,
    groups: &[Vec<Facts>],
    metrics: &Metrics,
) -> Result<Vec<Add>, Error> {
    let mut writer = FileWriter::<F>::new(delta)?;
    for group in groups {
        for portion in portions(group, F::TABLE) {
            let batches = disk_batches::<F>(&portion)?;
            let mut rows = Vec::new();
            for batch in &batches {
                rows.extend(F::read(batch).map_err(read_facts::<F>)?);
            }
            coalesce(&mut rows);
            metrics.rows_written.inc_by(rows.len() as u64);
            writer.extend(&rows).await?;
            writer.end_file().await?;
        }
    }
    writer.finish().await
}

/// The rows of a table in portions. Each is sorted at once and becomes a file; a flush is nearly
/// always one portion. Typed rows with short texts take several times the memory of their columns,
/// so the number of rows is limited too.
fn portions(group: &[Facts], table: Table) -> Vec<Vec<RecordBatch>> {
    let mut portions = Vec::new();
    let mut portion = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    for facts in group {
        let batch = facts.batch(table);
        let row_bytes = facts.table_bytes(table) / batch.num_rows().max(1);
        let mut from = 0;
        while from < batch.num_rows() {
            let by_bytes = (PORTION_BYTES.saturating_sub(bytes)) / row_bytes.max(1);
            let room = by_bytes.min(PORTION_ROWS - rows);
            if room == 0 && rows > 0 {
                portions.push(std::mem::take(&mut portion));
                (rows, bytes) = (0, 0);
                continue;
            }
            let length = room.max(1).min(batch.num_rows() - from);
            portion.push(batch.slice(from, length));
            from += length;
            rows += length;
            bytes += length * row_bytes;
        }
    }
    portions.push(portion);
    portions.retain(|portion| !portion.is_empty());
    portions
}

fn disk_batches<F: Fact>(portion: &[RecordBatch]) -> Result<Vec<RecordBatch>, Error> {
    let to_disk = |batch: &RecordBatch| to_disk(F::TABLE, batch);
    let batches = portion.iter().map(to_disk).collect::<Result<_, _>>();
    batches.map_err(read_facts::<F>)
}

fn read_facts<F: Fact>(source: ArrowError) -> Error {
    Error::ReadFacts {
        table: F::TABLE,
        source,
    }
}

#[cfg(test)]
mod tests {
    use showreport_model::Span;

    use super::*;
    use crate::testing::{Viewing, facts};

    #[test]
    fn many_short_rows_are_sorted_in_portions_and_all_are_in_one() {
        let of = |event: &str, count: usize| {
            let views = (0..count).map(|number| Viewing {
                event: event.to_owned(),
                ..Viewing::new(&number.to_string(), Span::new(0, 1).expect("a span"))
            });
            facts("acme", views)
        };
        let group = [of("a", PORTION_ROWS - 1), of("b", 2), of("c", 3)];
        let portions = portions(&group, Table::Spans);
        let rows = portions.iter().map(|portion| {
            let rows = portion.iter().map(RecordBatch::num_rows);
            rows.sum::<usize>()
        });
        assert_eq!(rows.collect::<Vec<_>>(), [PORTION_ROWS, 4]);
    }
}
