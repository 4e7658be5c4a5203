//! [`Following`]: how far the states have followed the commits of this process and of others.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashMap;
use showreport_meta::{Commit, CommittedRow, JournalRow, Meta, MovedHead, Storage};
use showreport_model::facts::{Facts, Table};
use showreport_model::report::Heads;
use showreport_model::{EventId, OrgId};

use crate::error::Error;
use crate::held::HeldEvent;

/// The events that are held.
pub(crate) type HeldEvents = HashMap<(OrgId, EventId), Arc<HeldEvent>>;

/// How far the states have come. All facts before it are in each of them.
#[derive(Debug)]
pub(crate) struct Following {
    meta: Meta,
    /// The next row of the journal; `None` while no event is held.
    next: Option<i64>,
    /// The heads with known facts.
    heads: Heads,
    /// The known heads when the last look at the database found newer ones.
    suspected: Option<Heads>,
}

/// Bytes of journal rows that are read at once.
const READ_BYTES: u64 = 4 << 20;

impl Following {
    pub(crate) const fn new(meta: Meta) -> Self {
        Self {
            meta,
            next: None,
            heads: Heads::new(),
            suspected: None,
        }
    }

    /// Begins with the rows after those that are stored now, unless it has begun.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        if self.next.is_none() {
            let storage = self.meta.storage().await?;
            self.next = Some(storage.journal_last + 1);
            self.heads = storage.heads;
            self.suspected = None;
        }
        Ok(())
    }

    /// Ends when no event is held any more.
    pub(crate) fn end(&mut self) {
        self.next = None;
    }

    /// Adds what this process has committed since the last call.
    pub(crate) async fn take(&mut self, held: &HeldEvents) -> Result<(), Error> {
        let taken = self.meta.commits().take();
        if self.next.is_none() {
            return Ok(());
        }
        for commit in taken.commits {
            match commit {
                Commit::Row(row) => self.add_row(held, row).await?,
                Commit::Moved(heads) => self.note_moved(held, &heads),
                Commit::Loaded(org) => {
                    let of_org = held.values().filter(|it| it.org == org);
                    of_org.for_each(|it| it.note_stale());
                }
            }
        }
        if taken.is_incomplete {
            self.look(held).await?;
        }
        Ok(())
    }

    /// Adds what other processes have committed, or what was missed.
    pub(crate) async fn look(&mut self, held: &HeldEvents) -> Result<(), Error> {
        let Some(next) = self.next else {
            return Ok(());
        };
        let storage = self.meta.storage().await?;
        if storage.journal_last >= next {
            self.read_rows(held, next, storage.journal_last).await?;
        }
        self.compare_heads(held, storage);
        Ok(())
    }

    /// Heads that moved without a commit of this process may have facts of an import. Its own
    /// commit may be on its way, so this counts only if a second look finds the same.
    fn compare_heads(&mut self, held: &HeldEvents, storage: Storage) {
        let is_known = |(table, version): (&Table, &u64)| {
            *table == Table::Coverage || self.heads.get(table) >= Some(version)
        };
        if storage.heads.iter().all(is_known) {
            self.suspected = None;
        } else if self.suspected.as_ref() == Some(&self.heads) {
            self.heads = storage.heads;
            self.suspected = None;
            note_stale(held);
        } else {
            self.suspected = Some(self.heads.clone());
        }
    }

    fn note_moved(&mut self, held: &HeldEvents, moved: &[MovedHead]) {
        for head in moved {
            let known = self.heads.insert(head.table, head.after);
            if head.table != Table::Coverage && known != head.before {
                note_stale(held);
            }
        }
    }

    async fn add_row(&mut self, held: &HeldEvents, row: CommittedRow) -> Result<(), Error> {
        if let Some(next) = self.next
            && row.seq > next
        {
            self.read_rows(held, next, row.seq - 1).await?;
        }
        let touched = touched(held, &row.events);
        if let Some(facts) = &row.facts {
            touched.for_each(|it| it.add(facts));
        } else if touched.count() > 0 {
            // An event was asked for after the row was encoded.
            self.read_rows(held, row.seq, row.seq).await?;
        }
        self.next = self.next.max(Some(row.seq + 1));
        Ok(())
    }

    /// Adds rows of the journal. If one was flushed already, the states are loaded anew.
    async fn read_rows(&mut self, held: &HeldEvents, from: i64, to: i64) -> Result<(), Error> {
        let mut next = from;
        while next <= to {
            let rows = self.meta.journal_rows(next - 1, READ_BYTES).await?;
            if rows.first().is_none_or(|row| row.seq > next) {
                note_stale(held);
            }
            let Some(last) = rows.last().map(|row| row.seq) else {
                next = to + 1;
                break;
            };
            for row in rows {
                let facts = Arc::new(decoded(&row)?);
                held.values().for_each(|it| it.add(&facts));
            }
            next = last + 1;
        }
        self.next = self.next.max(Some(next));
        Ok(())
    }
}

/// The facts of a row.
pub(crate) fn decoded(row: &JournalRow) -> Result<Facts, Error> {
    Ok(Facts::decode(&row.decompress()?)?)
}

fn touched<'h>(
    held: &'h HeldEvents,
    events: &BTreeSet<(OrgId, EventId)>,
) -> impl Iterator<Item = &'h Arc<HeldEvent>> {
    held.iter()
        .filter(|(event, _)| events.contains(*event))
        .map(|(_, held)| held)
}

fn note_stale(held: &HeldEvents) {
    held.values().for_each(|it| it.note_stale());
}
