//! From the journal, or from an import, to the tables.
//!
//! First every table gets its new version, then one transaction moves the heads
//! and removes the journal rows that they replace. Whatever fails in between is
//! done again, and a fact twice is a fact.

use std::time::Instant;

use arrow::array::RecordBatch;
use deltalake::DeltaTable;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use showreport_meta::{JournalRow, Meta};
use showreport_model::OrgId;
use showreport_model::facts::{Collected, Facts, Table};
use showreport_model::report::Heads;

use crate::coalesce::coalesce;
use crate::delta::{Newest, commit};
use crate::schema::to_disk;
use crate::tables::{Fact, with_fact};
use crate::write::FileWriter;
use crate::{Error, Metrics};

/// What a flush took from the journal. Nothing, if nothing was waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flushed {
    /// Rows of the journal, a group commit each.
    pub journal_rows: usize,
    /// Facts in them.
    pub fact_rows: usize,
    /// Bytes of them.
    pub bytes: u64,
}

/// Moves one set of journal rows, of about so many bytes, to the tables.
pub(crate) async fn flush(
    meta: &Meta,
    newest: &mut Newest,
    bytes_max: u64,
    metrics: &Metrics,
) -> Result<Flushed, Error> {
    let started = Instant::now();
    let rows = meta.journal_rows(bytes_max).await?;
    if rows.is_empty() {
        return Ok(Flushed::default());
    }
    let seqs: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    let bytes = rows.iter().map(|row| row.payload.len() as u64).sum();
    let facts = decode(rows)?;
    let fact_rows = facts.iter().map(Facts::rows).sum();
    let heads = meta.heads().await?;
    let moved = append(newest, &heads, vec![facts], metrics).await?;
    meta.move_heads(&moved, &seqs).await?;

    let took = started.elapsed();
    metrics.flush_seconds.observe(took.as_secs_f64());
    metrics.rows_flushed.inc_by(fact_rows as u64);
    tracing::info!(
        journal.rows = seqs.len(),
        fact.rows = fact_rows,
        bytes,
        duration_ms = took.as_millis(),
        "flushed the journal"
    );
    Ok(Flushed {
        journal_rows: seqs.len(),
        fact_rows,
        bytes,
    })
}

/// Puts facts into the tables without the journal. As many as fill
/// `bytes_max` in memory are sorted at once and make a file.
pub(crate) async fn load(
    meta: &Meta,
    newest: &mut Newest,
    (org, collected): (&OrgId, &[Collected]),
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
    let heads = meta.heads().await?;
    let moved = append(newest, &heads, groups, metrics).await?;
    meta.load_heads(&moved, org, collected).await?;
    Ok(())
}

/// Does what a flush does, up to the point where a crash hurts most.
#[cfg(test)]
pub(crate) async fn stop_before_the_heads(
    meta: &Meta,
    newest: &mut Newest,
    metrics: &Metrics,
) -> Result<(), Error> {
    let facts = decode(meta.journal_rows(u64::MAX).await?)?;
    append(newest, &meta.heads().await?, vec![facts], metrics).await?;
    Ok(())
}

fn decode(rows: Vec<JournalRow>) -> Result<Vec<Facts>, Error> {
    let decode = |JournalRow { seq, payload }: JournalRow| {
        Facts::decode(&payload).map_err(|source| Error::ReadJournal { seq, source })
    };
    rows.into_iter().map(decode).collect()
}

/// Commits a new version of each table that has facts: a file a group.
async fn append(
    newest: &mut Newest,
    heads: &Heads,
    groups: Vec<Vec<Facts>>,
    metrics: &Metrics,
) -> Result<Heads, Error> {
    let mut moved = Heads::new();
    for &table in Table::ALL {
        let rows = |facts: &Facts| facts.batch(table).num_rows();
        if groups.iter().flatten().all(|facts| rows(facts) == 0) {
            continue;
        }
        let delta = newest.refresh(table, heads).await?;
        let files = with_fact!(table, F => write::<F>(delta, &groups, metrics).await?);
        let actions = files.into_iter().map(Action::Add).collect();
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: None,
            predicate: None,
        };
        let version = commit(delta, actions, operation)
            .await
            .map_err(|source| Error::Commit { table, source })?;
        moved.insert(table, version);
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
        let batches = disk_batches::<F>(group)?;
        let mut rows = Vec::new();
        for batch in &batches {
            rows.extend(F::read(batch).map_err(read_facts::<F>)?);
        }
        coalesce(&mut rows);
        metrics.rows_written.inc_by(rows.len() as u64);
        writer.extend(&rows).await?;
        writer.end_file().await?;
    }
    writer.finish().await
}

fn disk_batches<F: Fact>(group: &[Facts]) -> Result<Vec<RecordBatch>, Error> {
    let to_disk = |facts: &Facts| to_disk(F::TABLE, facts.batch(F::TABLE));
    let batches = group.iter().map(to_disk).collect::<Result<_, _>>();
    batches.map_err(read_facts::<F>)
}

fn read_facts<F: Fact>(source: arrow::error::ArrowError) -> Error {
    Error::ReadFacts {
        table: F::TABLE,
        source,
    }
}
