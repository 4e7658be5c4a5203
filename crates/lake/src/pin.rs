//! Pins the heads that have exactly the facts of an event that are committed at one instant.
//!
//! While facts of an event keep coming, the journal is never empty of them, and heads that were read
//! after a flush may have some of the facts that came during the flush, and not others. So the flush
//! lock is held from the reading of the database to the end of the flush, and no newer row is taken.

use showreport_meta::{EventSnapshot, Meta};
use showreport_model::{EventId, Failure, OrgId};

use crate::delta::Newest;
use crate::flush::{flush, flush_ahead};
use crate::{DamagedFiles, Error, Metrics};

/// What a flush of one event uses.
pub(crate) struct Pinning<'a> {
    pub(crate) meta: &'a Meta,
    pub(crate) damaged: &'a DamagedFiles,
    pub(crate) metrics: &'a Metrics,
    pub(crate) flush_bytes_max: u64,
}

impl Pinning<'_> {
    /// Flushes what is pending of an event. The heads of the snapshot then have exactly the facts of
    /// its `changed_at`. The caller holds the flush lock, so nothing else moves the heads meanwhile.
    pub(crate) async fn pin(
        &self,
        newest: &mut Newest,
        org: &OrgId,
        event: &EventId,
    ) -> Result<EventSnapshot, Error> {
        let mut snapshot = self.meta.event_snapshot(org, event).await?;
        if snapshot.pending.is_none() {
            return Ok(snapshot);
        }
        let up_to = snapshot.journal_last;
        while let Some(pending) = snapshot.pending {
            if pending.is_far_behind || !self.flush_in_order(newest, up_to).await? {
                let bytes_max = self.flush_bytes_max;
                let rows = &pending.rows;
                flush_ahead(self.meta, newest, rows, bytes_max, self.metrics).await?;
            }
            let left = self.meta.pending_rows_of_event(org, event, up_to);
            snapshot.pending = left.await?;
        }
        snapshot.heads = self.meta.heads().await?;
        Ok(snapshot)
    }

    /// Flushes the oldest rows. Returns false if one of them is damaged: it may have no facts of the
    /// event, so the rows of the event are flushed ahead of it.
    async fn flush_in_order(&self, newest: &mut Newest, up_to: i64) -> Result<bool, Error> {
        let bytes_max = self.flush_bytes_max;
        match flush(self.meta, newest, up_to, bytes_max, self.metrics).await {
            Ok(_) => Ok(true),
            Err(error) => {
                let damage = error.damage().cloned();
                self.damaged.add(&damage.ok_or(error)?);
                Ok(false)
            }
        }
    }
}
