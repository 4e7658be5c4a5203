//! From the journal, or from an import, to the tables.
//!
//! First every table gets its new version, then one transaction moves the heads
//! and removes the journal rows that they replace. What fails in between never counts: the next
//! version of a table takes back what no head came to.

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

/// What a flush took from the journal. Nothing, if nothing was waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flushed {
    /// Rows of the journal, a group commit each.
    pub journal_rows: usize,
    /// Facts in them.
    pub fact_rows: usize,
    /// Bytes of them.
    pub bytes: u64,
    /// The number of the newest row. All older ones are in the tables, too.
    pub last: Option<i64>,
}

/// Bytes of the journal that are read at once.
const READ_BYTES: u64 = 4 << 20;

/// Bytes of the journal that one flush takes at most, so that it ends under any load.
const TAKEN_BYTES_MAX: u64 = 64 << 20;

/// Moves one set of journal rows to the tables: as many as are about so many bytes
/// in memory when they are merged.
pub(crate) async fn flush(
    meta: &Meta,
    newest: &mut Newest,
    bytes_max: u64,
    metrics: &Metrics,
) -> Result<Flushed, Error> {
    let started = Instant::now();
    let taken = take(meta, bytes_max).await?;
    if taken.seqs.is_empty() {
        return Ok(Flushed::default());
    }
    let Taken {
        seqs,
        bytes,
        fact_rows,
        merger,
    } = taken;
    let facts = merger.finish().map(|(_, of_org)| of_org.facts).collect();
    let known = meta.announce_versions().await?;
    fail_point!("flush-after-taking", |_| std::process::abort());
    let moved = append(newest, &known, vec![facts], metrics).await?;
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
        last: seqs.last().copied(),
    })
}

/// Rows of the journal, merged.
#[derive(Debug, Default)]
struct Taken {
    seqs: Vec<i64>,
    bytes: u64,
    fact_rows: usize,
    merger: FactsMerger,
}

/// Reads the journal from its oldest row on, until what is different in it fills
/// `bytes_max` in memory. Beats of a view are one row then, so a flush can take
/// many times as many bytes as it holds.
async fn take(meta: &Meta, bytes_max: u64) -> Result<Taken, Error> {
    let mut taken = Taken::default();
    while (taken.merger.memory_bytes() as u64) < bytes_max && taken.bytes < TAKEN_BYTES_MAX {
        let after = taken.seqs.last().copied().unwrap_or(0);
        let rows = meta.journal_rows(after, READ_BYTES).await?;
        if rows.is_empty() {
            break;
        }
        for JournalRow {
            seq,
            bytes,
            payload,
        } in rows
        {
            let read = |source| Error::ReadJournal { seq, source };
            let facts = Facts::decode(&payload).map_err(read)?;
            let added = taken.merger.add(&facts);
            added.map_err(|error| read(ArrowError::ExternalError(error.into())))?;
            taken.fact_rows += facts.rows();
            taken.bytes += bytes;
            taken.seqs.push(seq);
        }
    }
    Ok(taken)
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
    let known = meta.announce_versions().await?;
    let moved = append(newest, &known, groups, metrics).await?;
    fail_point!("load-after-tables", |_| std::process::abort());
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
    let merger = take(meta, u64::MAX).await?.merger;
    let facts = merger.finish().map(|(_, of_org)| of_org.facts).collect();
    append(
        newest,
        &meta.announce_versions().await?,
        vec![facts],
        metrics,
    )
    .await?;
    Ok(())
}

/// Does what a load does, up to the same point.
#[cfg(test)]
pub(crate) async fn load_and_stop(
    meta: &Meta,
    newest: &mut Newest,
    collected: &Collected,
) -> Result<(), Error> {
    let (known, groups) = (
        meta.known_lake().await?,
        vec![vec![collected.facts.clone()]],
    );
    append(newest, &known, groups, &Metrics::default()).await?;
    Ok(())
}

/// Commits a new version of each table that has facts: a file a group.
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

fn read_facts<F: Fact>(source: ArrowError) -> Error {
    Error::ReadFacts {
        table: F::TABLE,
        source,
    }
}
